"""``tune.run`` with its old keywords, experiments in Python and JSON, and what the documents' listings do with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
from trialwright.tune.suggest.bayesopt import BayesOptSearch

from trialwright import ASHA, Local, tune
from trialwright.errors import PolicyError
from trialwright.executors.on_ray import OnRay
from trialwright.tune.callbacks import pretty_print
from trialwright.tune.schedulers import AsyncHyperBandScheduler

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers need not be able to import the tests

RESTART = tune.ResumeConfig.ResumeType.RESTART
SPACE = {"weight": tune.uniform(0, 1), "bias": tune.uniform(0, 1)}


@pytest.fixture(autouse=True)
def _no_log_files(monkeypatch):
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")


@pytest.fixture
def fast(tmp_path):
    return {"executor": Local(cpus=2), "storage_path": tmp_path, "verbose": 0}


def objective(config):
    for step in range(30):
        score = config["weight"] * (step**0.5) + config["bias"]
        tune.report(score=score, step=step, more_metrics={})


class TestTheBookRuns:
    def test_5_6_random_search_by_default(self, fast):
        def tune_objective(config):
            return {"score": config["weight"] + config["discount_factor"]}

        space = {"weight": tune.uniform(0, 1), "discount_factor": tune.uniform(0, 1)}
        analysis = tune.run(tune_objective, config=space, **fast)
        best = analysis.get_best_config(metric="score", mode="min")
        assert set(best) == {"weight", "discount_factor"}
        assert all(0 <= value <= 1 for value in best.values())

    def test_5_7_with_a_searcher_of_another_library(self, fast):
        pytest.importorskip("bayes_opt")
        algo = BayesOptSearch(random_search_steps=4)
        analysis = tune.run(
            objective,
            config=SPACE,
            metric="score",
            mode="min",
            search_alg=algo,
            stop={"training_iteration": 10},
            num_samples=6,
            **fast,
        )
        assert [trial.last_result["training_iteration"] for trial in analysis.trials] == [10] * 6

    def test_a_trial_says_what_it_asks_for_and_where_its_files_are(self, fast):
        asked = tune.PlacementGroupFactory([{"CPU": 1}, {"CPU": 1}])
        for wanted, bundles in ((asked, 2 * [{"CPU": 1}]), ({"cpu": 2}, [{"CPU": 2}]), (None, [{"CPU": 1.0}])):
            [trial] = tune.run(objective, config=SPACE, resources_per_trial=wanted, max_failures=3, **fast).trials
            assert trial.placement_group_factory.bundles == bundles
            assert trial.max_failures == 3
            assert Path(trial.storage.trial_working_directory, "..", "..").resolve() == Path(
                trial.storage.experiment_fs_path
            )
        read = tune.ExperimentAnalysis(trial.storage.experiment_fs_path).trials[0]
        assert read.placement_group_factory is None
        assert read.storage == trial.storage

    def test_5_11_with_a_callback_and_the_best_trial(self, fast):
        heard = []

        class PrintResultCallback(tune.Callback):
            def on_trial_result(self, iteration, trials, trial, result, **info):
                heard.append((str(trial), result["score"], result["training_iteration"]))

        analysis = tune.run(
            objective, config=SPACE, mode="min", metric="score", callbacks=[PrintResultCallback()], **fast
        )
        best = analysis.best_trial
        assert [iteration for _, _, iteration in heard] == list(range(1, 31))
        assert {name for name, _, _ in heard} == {f"objective_{best.trial_id}"}
        shown = pretty_print(best.last_result)
        assert "done: true\n" in shown
        assert "iterations_since_restore: 30\n" in shown
        assert "more_metrics: {}\n" in shown
        assert "step: 29\n" in shown
        assert best.trial_id in shown

    def test_5_12_resumes_by_an_absolute_name(self, fast):
        first = tune.run(objective, config=SPACE, mode="min", metric="score", num_samples=2, **fast)
        analysis = tune.run(
            objective, name=first.experiment_path, resume=True, config=SPACE, executor=Local(), verbose=0
        )
        assert analysis.get_best_config(metric="score", mode="min") == first.best_config == analysis.best_config
        assert [trial.trial_id for trial in analysis.trials] == [trial.trial_id for trial in first.trials]

    def test_5_13_stops_at_an_iteration(self, fast):
        analysis = tune.run(objective, config=SPACE, stop={"training_iteration": 10}, **fast)
        assert [trial.last_result["training_iteration"] for trial in analysis.trials] == [10]

    def test_5_14_stops_by_a_function(self, fast):
        asked = []

        def stopper(trial_id, result):
            asked.append(trial_id)
            return result["score"] < 2

        analysis = tune.run(objective, config=SPACE, stop=stopper, **fast)
        assert asked == [analysis.trials[0].trial_id]

    def test_5_15_draws_by_functions_and_fails_where_a_key_is_not_there(self, fast):
        space = {
            "weight": tune.sample_from(lambda context: np.random.uniform(low=0.0, high=1.0)),
            "bias": tune.sample_from(lambda context: context.config.alpha * np.random.normal()),
        }
        with pytest.raises(Exception, match="alpha"):
            tune.run(objective, config=space, **fast)
        space["bias"] = tune.sample_from(lambda spec: spec.config.weight * np.random.normal())
        analysis = tune.run(objective, config=space, num_samples=3, **fast)
        assert len({trial.config["bias"] for trial in analysis.trials}) == 3

    def test_resources_and_a_limit(self, fast):
        analysis = tune.run(
            objective, config=SPACE, num_samples=4, resources_per_trial={"cpu": 2}, max_concurrent_trials=2, **fast
        )
        assert len(analysis) == 4


class TestAnExperiment:
    def test_of_the_introduction_runs(self, fast):
        def train_mnist_tune(config, reporter):
            for i in range(5):
                Path(reporter.logdir, f"weights_{i}.h5").write_text("w")
                reporter(mean_accuracy=config["lr"] * i, timesteps_total=i, checkpoint=f"weights_{i}.h5")

        configuration = tune.Experiment(
            "experiment_name",
            run=train_mnist_tune,
            num_samples=2,
            trial_resources={"cpu": 1},
            stop={"mean_accuracy": 0.95},
            config={"lr": lambda spec: np.random.uniform(0.001, 0.1), "momentum": tune.grid_search([0.2, 0.4, 0.6])},
            local_dir=fast["storage_path"],
        )
        hyperband = AsyncHyperBandScheduler(time_attr="timesteps_total", reward_attr="mean_accuracy")
        trials = tune.run_experiments(configuration, scheduler=hyperband, verbose=False, executor=Local(cpus=2))
        assert [trial.config["momentum"] for trial in trials] == [0.2, 0.4, 0.6] * 2
        assert all(0.001 <= trial.config["lr"] <= 0.1 for trial in trials)
        assert (fast["storage_path"] / "experiment_name").is_symlink()

    def test_may_be_a_file_in_json(self, fast, tmp_path):
        tune.register_trainable("trains", objective)
        spec = {
            "first": {
                "run": "trains",
                "stop": {"training_iteration": 3},
                "config": {"weight": {"grid_search": [0.1, 0.2]}, "bias": 0},
                "trial_resources": {"cpu": 1},
                "local_dir": str(tmp_path),
            },
            "second": {"run": "trains", "config": {"weight": 1, "bias": 1}, "repeat": 2, "local_dir": str(tmp_path)},
        }
        (tmp_path / "spec.json").write_text(json.dumps(spec))
        for given in (tmp_path / "spec.json", spec):
            trials = tune.run_experiments(given, executor=Local(cpus=2), verbose=0)
            assert [trial.last_result["training_iteration"] for trial in trials] == [3, 3, 30, 30]
            assert [trial.config["weight"] for trial in trials] == [0.1, 0.2, 1, 1]

    def test_in_json_is_refused_where_it_makes_no_sense(self):
        with pytest.raises(ValueError, match=r"'stopp' is not known.*'stop'"):
            tune.Experiment.from_json("x", {"run": "trains", "stopp": {}})
        with pytest.raises(ValueError, match="'run' is missing"):
            tune.Experiment.from_json("x", {})
        with pytest.raises(TypeError, match="experiments are"):
            tune.run_experiments(3)

    def test_may_be_run_by_run(self, fast):
        experiment = tune.Experiment("mine", objective, config=SPACE, num_samples=2, local_dir=fast["storage_path"])
        analysis = tune.run(experiment, executor=Local(cpus=2), verbose=0)
        assert (len(analysis), analysis.experiment_path) == (2, str((fast["storage_path"] / "mine").resolve()))

    def test_says_itself_what_belongs_to_it(self, fast):
        experiment = tune.Experiment("mine", objective, config=SPACE)
        with pytest.raises(ValueError, match="num_samples, storage_path: say it in the Experiment"):
            tune.run(experiment, num_samples=3, **fast)

    def test_may_be_run_with_what_only_run_says(self, fast):
        experiment = tune.Experiment("mine", objective, config=SPACE, max_failures=1, local_dir=fast["storage_path"])
        with pytest.raises(ValueError, match="max_failures must be 0 with fail_fast"):
            tune.run(experiment, fail_fast=True, executor="local", verbose=0)

    def test_in_json_may_say_all_that_it_says_in_python(self, fast):
        spec = {"run": objective, "trial_name_creator": str, "local_dir": "runs", "repeat": 3}
        found = tune.Experiment.from_json("x", spec)
        assert (found.tune_config.trial_name_creator, found.tune_config.num_samples) == (str, 3)
        games = tune.Experiment.from_json("x", {"run": objective, "env": "Maze", "config": {"lr": 0.1}})
        assert games.config == {"lr": 0.1, "env": "Maze"}
        with pytest.raises(ValueError, match="a model is written by the method _export_model"):
            tune.Experiment.from_json("x", {"run": objective, "export_formats": ["h5"]})

    @pytest.mark.parametrize("stop", [None, {"training_iteration": 2}], ids=["it ends", "it is stopped"])
    def test_writes_its_model_when_a_trial_ends(self, fast, stop):
        class Model(tune.Trainable):
            def step(self):
                return {"loss": 1.0, "done": self.iteration == 4}

            def _export_model(self, export_formats, export_dir):
                file = Path(export_dir, f"model.{export_formats[0]}")
                file.write_text(str(self.iteration))
                return {export_formats[0]: str(file)}

        analysis = tune.run(Model, export_formats=["onnx"], stop=stop, **fast)
        assert Path(analysis.trials[0].local_path, "model.onnx").read_text() == ("5" if stop is None else "2")

    @pytest.mark.parametrize("executor", ["local", "processes"])
    def test_writes_no_model_when_a_trial_is_paused(self, fast, executor):
        class Model(tune.Trainable):
            def setup(self, config):
                self.x = config["x"]

            def step(self):
                return {"loss": self.x}

            def save_checkpoint(self, checkpoint_dir):
                return {"x": self.x}

            def load_checkpoint(self, checkpoint):
                self.x = checkpoint["x"]

            def _export_model(self, export_formats, export_dir):
                with Path(export_dir, "exports").open("a") as file:
                    file.write(f"{self.iteration} ")
                return {}

        analysis = tune.run(
            Model,
            config={"x": tune.grid_search([3, 2, 1])},
            metric="loss",
            mode="min",
            scheduler=ASHA(max_t=4, reduction_factor=2, promote=True),
            max_concurrent_trials=1,
            export_formats=["h5"],
            **{**fast, "executor": executor},
        )
        written = {}
        for trial in analysis.trials:
            file = Path(trial.local_path, "exports")
            written[trial.config["x"]] = file.read_text() if file.exists() else ""
            reached = trial.last_result["training_iteration"]
            assert written[trial.config["x"]] == ("4 " if reached == 4 else "")
        assert "4 " in written.values()
        assert "" in written.values()

    def test_does_not_share_the_machine_with_another(self):
        with pytest.raises(ValueError, match="one after another"):
            tune.run_experiments([], concurrent=True)


class TestAnOldKeyword:
    def test_of_checkpoints_is_honoured(self, fast):
        class Counting(tune.Trainable):
            def setup(self, config):
                self.count = 0

            def step(self):
                self.count += 1
                return {"count": self.count, "done": self.count == 5}

            def save_checkpoint(self, checkpoint_dir):
                return {"count": self.count}

        analysis = tune.run(Counting, checkpoint_freq=2, checkpoint_at_end=True, keep_checkpoints_num=2, **fast)
        [trial] = analysis.trials
        kept = sorted(path.name[-1] for path in Path(trial.local_path, "checkpoints").iterdir())
        assert kept == ["4", "5"]
        assert analysis.get_last_checkpoint(trial).path == trial.checkpoint.path

    def test_of_a_score_says_the_order_too(self):
        found = tune.Experiment("x", objective, checkpoint_score_attr="min-loss").run_config.checkpoint_config
        assert (found.checkpoint_score_attribute, found.checkpoint_score_order) == ("loss", "min")
        with pytest.raises(ValueError, match="say it in checkpoint_config"):
            tune.Experiment("x", objective, checkpoint_freq=2, checkpoint_config={"num_to_keep": 1})

    @pytest.mark.parametrize(
        ("keywords", "says"),
        [
            ({"restore": "/x"}, "in its setup"),
            ({"export_formats": ["h5"]}, "_export_model of a Trainable class"),
            ({"resume": "ERRORED_ONLY", "name": "x"}, "may be True, False, 'AUTO'"),
            ({"resume": True}, "needs the run's name"),
            ({"name": "/tmp/x"}, "that is for resume=True"),
            ({"storage_filesystem": object()}, "mounted here"),
        ],
    )
    def test_that_cannot_be_had_is_refused(self, fast, keywords, says):
        with pytest.raises(ValueError, match=says):
            tune.run(objective, config=SPACE, **fast, **keywords)
        assert list(fast["storage_path"].iterdir()) == []


class TestResume:
    def test_needs_a_journal(self, fast, tmp_path):
        (tmp_path / "there").mkdir()
        for name in ("/nowhere/at/all", str(tmp_path / "there"), "there"):
            with pytest.raises(ValueError, match="there is no run"):
                tune.run(objective, name=name, resume=True, **fast)

    def test_by_a_name_looks_in_the_storage(self, fast):
        first = tune.run(objective, config=SPACE, name="mine", **fast)
        again = tune.run(objective, name="mine", resume="AUTO", **fast)
        assert [trial.trial_id for trial in again.trials] == [trial.trial_id for trial in first.trials]

    def test_may_begin_where_there_is_nothing(self, fast):
        assert len(tune.run(objective, config=SPACE, name="new", resume="AUTO", **fast)) == 1

    @pytest.mark.parametrize(
        "how",
        [{"resume": "AUTO+ERRORED"}, {"resume": True, "resume_config": tune.ResumeConfig(errored=RESTART)}],
    )
    def test_failed_trials_are_tried_again(self, tmp_path, how):
        def fails_once(config):
            if not (tmp_path / "mended").exists():
                raise OSError("no disk")
            return {"score": 1}

        fast = {"storage_path": tmp_path, "executor": Local(), "verbose": 0, "name": "mine"}
        failed = tune.run(fails_once, raise_on_failed_trial=False, **fast)
        (tmp_path / "mended").touch()
        assert [trial.status for trial in failed.trials] == ["ERROR"]
        assert [trial.status for trial in tune.run(fails_once, **how, **fast).trials] == ["TERMINATED"]

    def test_how_to_continue_is_checked(self):
        with pytest.raises(ValueError, match="unfinished trials go on as well"):
            tune.run(objective, name="mine", resume="AUTO+ERRORED_ONLY")
        with pytest.raises(ValueError, match="resume_config says how to resume"):
            tune.run(objective, name="mine", resume_config=tune.ResumeConfig())


class TestATrialThatFailed:
    def failing(self, config):
        if config["x"] == 2:
            raise OSError("no luck")
        return {"score": config["x"]}

    def test_is_raised_at_the_end(self, fast):
        with pytest.raises(tune.TuneError, match=r"1 of 3 trials failed; failing_\w+ said: OSError: no luck"):
            tune.run(self.failing, config={"x": tune.grid_search([1, 2, 3])}, **fast)

    def test_is_shown_if_it_is_not_to_be_raised(self, fast):
        space = {"x": tune.grid_search([1, 2, 3])}
        analysis = tune.run(self.failing, config=space, raise_on_failed_trial=False, **fast)
        assert [trial.status for trial in analysis.trials] == ["TERMINATED", "ERROR", "TERMINATED"]


class TestSettingsOfAnExperiment:
    @pytest.mark.parametrize(
        ("settings", "why"),
        [
            ({"config": "invalid"}, "config: a search space is a dict"),
            ({"checkpoint_config": tune.CheckpointConfig(checkpoint_at_end=True)}, "are for classes"),
            ({"checkpoint_freq": 1}, "are for classes"),
        ],
    )
    def test_are_checked_when_it_is_made(self, settings, why):
        with pytest.raises(ValueError, match=why):
            tune.Experiment("mine", objective, **settings)


class TestATuneError:
    @pytest.mark.parametrize(
        ("spec", "why"),
        [
            ({}, "'run' is missing"),
            ({"run": "unheard"}, "registered as 'unheard'"),
            ({"run": objective, "n": 1}, "'n'"),
        ],
    )
    def test_is_a_value_error_too_where_an_experiment_makes_no_sense(self, spec, why):
        for kind in (tune.TuneError, ValueError):
            with pytest.raises(kind, match=why):
                tune.run_experiments({"mine": spec}, executor="local")

    def test_is_a_policy_error_too_where_a_stop_function_raises(self, fast):
        def stop(trial_id, result):
            raise OSError("no luck")

        for kind in (tune.TuneError, PolicyError):
            with pytest.raises(kind, match="no luck"):
                tune.run(objective, config=SPACE, stop=stop, **fast)


def test_the_place_of_runs_is_trialwright_s_own(monkeypatch, tmp_path):
    monkeypatch.setenv("TRIALWRIGHT_HOME", str(tmp_path / "home"))
    analysis = tune.run(objective, config=SPACE, executor="local", verbose=0)
    assert Path(analysis.experiment_path).parent == tmp_path / "home"


class TestOnRay:
    """In processes: one run each, because a Ray has to be started."""

    @pytest.mark.slow
    def test_a_function_writes_into_the_trial_s_own_directory(self, tmp_path):
        def train(config):
            for i in range(3):
                Path("model.pth").write_text(f"{config['x']} {i}")
                tune.track.log(mean_accuracy=i)

        analysis = tune.run(
            train, config={"x": tune.grid_search([1, 2])}, storage_path=tmp_path, verbose=0, executor=OnRay(num_cpus=2)
        )
        for trial in analysis.trials:
            assert Path(trial.logdir, "model.pth").read_text() == f"{trial.config['x']} 2"
            assert trial.last_result["pid"] > 0

    @pytest.mark.slow
    def test_a_class_has_a_process_of_its_own_unless_it_is_to_be_reused(self, tmp_path):
        class Where(tune.Trainable):
            def step(self):
                import os

                return {"process": os.getpid(), "done": True}

            def reset_config(self, new_config):
                return True

        for reuse, processes in ((False, 3), (True, 1)):
            analysis = tune.run(
                Where,
                num_samples=3,
                reuse_actors=reuse,
                max_concurrent_trials=1,
                storage_path=tmp_path,
                verbose=0,
            )
            assert len({trial.last_result["process"] for trial in analysis.trials}) == processes


def nested(config):
    for step in range(8):
        tune.report({"val": {"loss": 1.0 + step * config["x"]}})


@pytest.mark.parametrize("scheduler", [None, AsyncHyperBandScheduler()])
def test_a_mode_alone_is_that_of_the_number_that_a_function_returns(fast, scheduler):
    grid = {"x": tune.grid_search([1, 3, 2])}
    analysis = tune.run(lambda config: config["x"], config=grid, mode="max", scheduler=scheduler, **fast)
    assert analysis.best_config == {"x": 3}


def test_the_number_that_a_function_returns_may_be_named_and_a_restored_run_knows_it(fast):
    analysis = tune.run(lambda config: 1, metric="_metric", mode="max", **fast)
    tuner = tune.Tuner.restore(analysis.experiment_path, lambda config: 1)
    assert tuner.get_results().get_best_result().metrics["_metric"] == 1


def test_a_mode_alone_asks_for_no_metric_of_a_report(fast):
    analysis = tune.run(lambda config: {"score": 1}, mode="max", **fast)
    assert analysis.get_best_trial(metric="score").last_result["score"] == 1


class TestNestedNames:
    """A nested metric is known by its joined name wherever a flat one is."""

    def test_stoppers_scopes_tables_and_reporters_find_it(self, fast):
        seen = []

        class Own(tune.stopper.Stopper):
            def __call__(self, trial_id, result):
                seen.append(result["val"]["loss"] == result["val/loss"] == dict(result)["val"]["loss"])
                return result.get("val/loss", 0) >= 5

            def stop_all(self):
                return False

        reporter = tune.CLIReporter(metric_columns=["val/loss"], metric="val/loss", mode="max")
        found = tune.run(
            nested,
            config={"x": tune.grid_search([0, 2, 4])},
            metric="val/loss",
            mode="min",
            stop=[Own(), {"val/loss": 8.0}],
            progress_reporter=reporter,
            **fast,
        )
        assert seen
        assert all(seen)
        assert [trial.last_result["val/loss"] for trial in found.trials] == [1.0, 5.0, 5.0]
        assert found.get_best_trial(scope="avg").config == {"x": 0}
        assert found.get_best_trial(mode="max", scope="all").config == {"x": 2}
        assert found.dataframe()["val/loss"].tolist() == [1.0, 5.0, 5.0]
        assert "val/loss=5.0" in reporter._text(found.trials, True)

    def test_checkpoints_schedulers_searchers_and_callbacks_find_it(self, fast):
        heard = []

        def saving(config):
            for step in (1, 3, 2):
                tune.report({"val": {"acc": step}}, checkpoint={"step": step})

        class Limited(tune.schedulers.FIFOScheduler):
            def on_trial_result(self, controller, trial, result):
                heard.append(("scheduler", result["val/acc"]))
                return self.CONTINUE

        class Own(tune.search.Searcher):
            def suggest(self, trial_id):
                return {"x": 1}

            def on_trial_complete(self, trial_id, result=None, **info):
                heard.append(("searcher", result[self.metric]))

        class Noting(tune.Callback):
            def on_trial_result(self, iteration, trials, trial, result, **info):
                heard.append(("callback", result["val/acc"]))

        found = tune.Tuner(
            saving,
            param_space={"x": tune.uniform(0, 2)},
            tune_config=tune.TuneConfig(
                metric="val/acc", mode="max", num_samples=3, search_alg=Own("val/acc", "max"), scheduler=Limited()
            ),
            run_config=tune.RunConfig(
                callbacks=[Noting()],
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="val/acc"),
                **fast,
            ),
        ).fit()
        assert found[0].get_best_checkpoint("val/acc", "max").to_dict() == {"step": 3}
        assert set(heard) == {(who, acc) for who in ("scheduler", "callback") for acc in (1, 2, 3)} | {("searcher", 2)}
