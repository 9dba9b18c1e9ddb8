"""RLlib's algorithms: the listing of document 002, by name and by class; results, checkpoints, environments."""

import importlib.util
import math
from pathlib import Path

import pytest

from trialwright import tune
from trialwright.tune import rllib

SMALL = {
    "train_batch_size": 32,
    "min_sample_timesteps_per_iteration": 60,
    "num_steps_sampled_before_learning_starts": 30,
}
HAS_RLLIB = importlib.util.find_spec("gymnasium") is not None


class TestResults:
    def test_are_as_they_were_but_for_what_the_layer_adds_itself(self):
        found = {"env_runners": {"episode_return_mean": 9.0, "n": 1}, "timers": {"a": 1.0}, "config": {}, "pid": 3}
        reported = rllib.results(found)
        assert reported["timers"] == {"a": 1.0}
        assert reported["env_runners"]["n"] == 1
        assert not {"config", "pid"} & reported.keys()
        assert found.keys() == {"env_runners", "timers", "config", "pid"}

    def test_have_their_old_names_too(self):
        reported = rllib.results({"env_runners": {"episode_return_mean": 9.0, "episode_len_mean": 4.0}})
        assert (reported["episode_reward_mean"], reported["episode_len_mean"]) == (9.0, 4.0)

    def test_are_not_a_number_while_no_episode_has_ended(self):
        reported = rllib.results({"env_runners": {}})
        assert math.isnan(reported["episode_reward_mean"])
        assert math.isnan(reported["env_runners"]["episode_return_mean"])


class TestNames:
    def test_of_metrics_that_are_old_are_warned_of(self):
        with pytest.warns(FutureWarning, match="env_runners/episode_return_mean"):
            assert rllib.modernised({"lr": 1}, ["episode_reward_mean", "loss"]) == {"lr": 1}

    def test_that_rllib_does_not_have_are_refused(self):
        with pytest.raises(ValueError, match="'DQNN'; did you mean 'DQN'"):
            tune.Tuner("DQNN")

    @pytest.mark.skipif(HAS_RLLIB, reason="RLlib is installed")
    def test_say_what_to_install(self):
        with pytest.raises(ImportError, match=r"ray\[rllib\]"):
            tune.Tuner("PPO")


@pytest.fixture
def dqn():
    pytest.importorskip("gymnasium")
    return pytest.importorskip("ray.rllib.algorithms.dqn").DQN


@pytest.fixture
def train(tmp_path):
    """Trains for some iterations."""

    def run(trainable, config=None, iterations=1, **keywords):
        given = {"metric": "env_runners/episode_return_mean", "mode": "max", "executor": "local", **keywords}
        config = {"env": "CartPole-v1", **SMALL} if config is None else config
        stop = {"training_iteration": iterations}
        return tune.run(trainable, config=config, stop=stop, storage_path=str(tmp_path), verbose=0, **given)

    return run


@pytest.mark.filterwarnings("default")  # of RLlib, Gymnasium, and others
@pytest.mark.timeout(300)
class TestAnAlgorithm:
    def test_runs_the_listing_on_ray_with_its_old_names(self, dqn, train):
        config = {"env": "CartPole-v0", "lr": tune.uniform(1e-5, 1e-4), **SMALL}
        with pytest.warns(FutureWarning) as warned:
            analysis = train("DQNTrainer", config, metric="episode_reward_mean", executor="ray")
        assert {str(each.message).partition(": ")[0] for each in warned if each.category is FutureWarning} >= {
            "DQNTrainer is an old name",
            "the environment CartPole-v0 is out of date",
            "episode_reward_mean is an old name, which still works",
        }
        [trial] = analysis.trials
        assert trial.config["env"] == "CartPole-v1"
        result = trial.last_result
        assert result["episode_reward_mean"] == result["env_runners"]["episode_return_mean"] > 0
        assert result["env_runners/num_env_steps_sampled_lifetime"] == 60
        assert result["training_iteration"] == 1
        assert result["learners"]["default_policy"]["num_trainable_parameters"] > 1000

    def test_resumes_from_its_checkpoint(self, dqn, train, tmp_path):
        failed = tmp_path / "failed"

        class FailsOnce(dqn):
            def training_step(self):
                if self.iteration == 1 and not failed.exists():
                    failed.touch()
                    raise OSError("the machine was restarted")
                super().training_step()

        tune.register_trainable("fails-once", FailsOnce)
        [trial] = train("fails-once", iterations=2, checkpoint_freq=1, max_failures=1).trials
        assert failed.exists()
        assert (trial.last_result["training_iteration"], trial.last_result["iterations_since_restore"]) == (2, 1)
        assert trial.last_result["num_env_steps_sampled_lifetime"] == 120
        assert any("algorithm" in path.name for path in Path(trial.checkpoint.path).iterdir())

    def test_finds_an_environment_by_its_name_in_another_process(self, dqn, train):
        import gymnasium

        class Corridor(gymnasium.Env):
            observation_space = gymnasium.spaces.Box(0.0, 9.0, (1,))
            action_space = gymnasium.spaces.Discrete(2)

            def __init__(self, config):
                self.length = config["length"]

            def reset(self, *, seed=None, options=None):
                self.steps = 0
                return self.observation_space.low, {}

            def step(self, action):
                self.steps += 1
                return self.observation_space.low, 1.0, self.steps == self.length, False, {}

        tune.register_env("corridor", Corridor)
        config = {"env": "corridor", "env_config": {"length": tune.choice([7])}, **SMALL}
        result = train(dqn, config, executor="processes").best_result
        assert result["env_runners"]["episode_return_mean"] == 7.0

    def test_takes_the_settings_that_differ_from_the_usual_from_its_config_object(self, dqn):
        given = dqn.get_default_config().environment("CartPole-v0").training(lr=tune.loguniform(1e-5, 1e-3))
        with pytest.warns(FutureWarning, match="CartPole-v1"):
            found = rllib.modernised(given, ())
        assert found["env"] == "CartPole-v1"
        assert isinstance(found["lr"], type(tune.loguniform(1, 2)))
        assert len(found) < 10
