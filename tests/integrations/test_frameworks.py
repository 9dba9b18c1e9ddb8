"""Real training with each library: a scheduler stops and pauses it, and a killed trial continues from its checkpoint."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.integrations.frameworks import (
    STEPS,
    training,
    with_keras,
    with_lightgbm,
    with_lightning,
    with_transformers,
    with_xgboost,
)
from trialwright import ASHA, Engine, Processes, tune

SPACE = {"x": tune.grid_search([1.0, 0.5, 0.1])}


class FrameworkContract:
    """What holds for each library's callback. Subclasses say how it is made, with and without checkpoints."""

    library: str
    train: object
    native: str
    plain: dict[str, object]
    saving: dict[str, object]
    sparse: dict[str, object]

    @pytest.fixture(autouse=True)
    def _installed(self, monkeypatch):
        pytest.importorskip(self.library)
        monkeypatch.setenv("KERAS_BACKEND", "torch")

    def run(self, keywords, tmp_path, space=SPACE, **settings):
        objective = training(type(self).train, self.native, "ReportCallback", **keywords)
        engine = Engine(
            objective, space, metric="loss", mode="min", executor=Processes(cpus=1), storage=tmp_path, **settings
        )
        return engine.run()

    def trained(self, tmp_path):
        return sorted(path.stat().st_size for path in Path(tmp_path).rglob("trained"))

    def test_a_scheduler_stops_it_in_the_middle_of_the_training(self, tmp_path):
        result = self.run(self.plain, tmp_path, scheduler=ASHA(max_t=STEPS, grace_period=2, reduction_factor=2))
        assert [trial.metrics["step"] for trial in result.trials] == [8, 2, 2]
        assert self.trained(tmp_path) == [2, 2, 8]

    def test_a_killed_trial_continues_from_its_checkpoint_to_the_same_result(self, tmp_path):
        whole, killed = (
            self.run(self.saving, tmp_path / name, {"x": tune.choice([1.0]), **more}, num_samples=1, max_failures=1)
            for name, more in (("whole", {}), ("killed", {"killed_at": tune.choice([5])}))
        )
        [expected], [trial] = whole.trials, killed.trials
        assert (trial.outcome, trial.attempts) == ("completed", 2)
        assert [row["step"] for row in trial.history] == [*range(1, STEPS + 1)]
        assert self.trained(tmp_path) == [8, 9]  # the epoch in which it was killed is the one that is repeated
        losses = [[row["loss"] for row in each.history] for each in (expected, trial)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)

    def test_a_trial_that_was_paused_repeats_nothing(self, tmp_path):
        scheduler = ASHA(max_t=STEPS, grace_period=2, reduction_factor=2, promote=True)
        result = self.run(self.sparse, tmp_path, scheduler=scheduler)
        assert max(trial.metrics["step"] for trial in result.trials) > 2  # one was promoted
        assert sum(self.trained(tmp_path)) == sum(trial.metrics["step"] for trial in result.trials)

    def front_door(self, module, name, *args, **keywords):
        """The results of a Tuner whose trainable has a callback by Ray's name."""
        objective = training(type(self).train, f"trialwright.{module}", name, *args, **keywords)
        config = tune.TuneConfig(metric="loss", mode="min")
        [result] = tune.Tuner(objective, param_space={"x": 1.0}, tune_config=config).fit()
        assert result.error is None
        return result


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIALWRIGHT_HOME", str(tmp_path / "home"))


class TestKeras(FrameworkContract):
    library = "keras"
    train = with_keras
    native = "trialwright.integrations.keras"
    plain = {"metrics": "loss"}
    saving = {"checkpoint_every": 1}
    sparse = {"checkpoint_every": 100}


class TestXGBoost(FrameworkContract):
    library = "xgboost"
    train = with_xgboost
    native = "trialwright.integrations.xgboost"
    plain = {"metrics": {"loss": "train-logloss"}}
    saving = {**plain, "checkpoint_every": 1}
    sparse = {**plain, "checkpoint_every": 100}


class TestLightGBM(FrameworkContract):
    library = "lightgbm"
    train = with_lightgbm
    native = "trialwright.integrations.lightgbm"
    plain = {"metrics": {"loss": "train-binary_logloss"}}
    saving = {**plain, "checkpoint_every": 1}
    sparse = {**plain, "checkpoint_every": 100}


class TestLightning(FrameworkContract):
    library = "lightning"
    train = with_lightning
    native = "trialwright.integrations.lightning"
    plain = {"metrics": ["loss"]}
    saving = {"checkpoint_every": 1}
    sparse = {"checkpoint_every": 100}


class TestTransformers(FrameworkContract):
    library = "transformers"
    train = with_transformers
    native = "trialwright.integrations.transformers"
    plain = {"metrics": {"loss": "eval_loss"}}
    saving = {**plain, "on": "save"}
    sparse = saving
