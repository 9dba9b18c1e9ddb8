"""``Tuner``: settings, what is refused, and how a run is found and resumed."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest
from trialwright.train.constants import RAY_CHDIR_TO_TRIAL_DIR

from trialwright import ASHA, Local, Random, tune
from trialwright.errors import RunInterrupted
from trialwright.tune.error import TrialError
from trialwright.tune.schedulers import ASHAScheduler, FIFOScheduler
from trialwright.tune.search import BasicVariantGenerator
from trialwright.tune.settings import ResumeConfig

SPACE = {"x": tune.uniform(0, 1)}


@pytest.fixture(autouse=True)
def _no_log_files(monkeypatch):
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")


@pytest.fixture
def settings(tmp_path):
    def make(**keywords):
        return tune.RunConfig(**{"storage_path": tmp_path, "executor": Local(cpus=2), "verbose": 0, **keywords})

    return make


def score(config):
    return {"score": config["x"]}


def trains(config):
    for step in range(30):
        tune.report(score=config["x"] * step)


class TestASetting:
    def test_may_be_omitted(self, settings):
        assert len(tune.Tuner(lambda config: 1.0, run_config=settings()).fit()) == 1

    def test_of_a_scheduler_says_what_is_optimised(self, settings):
        config = tune.TuneConfig(num_samples=8, scheduler=ASHAScheduler(metric="score", mode="max", max_t=9))
        grid = tune.Tuner(trains, param_space=SPACE, tune_config=config, run_config=settings()).fit()
        assert grid.get_best_result().metrics["score"] == max(result.metrics["score"] for result in grid)
        assert max(result.metrics["training_iteration"] for result in grid) == 9
        assert min(result.metrics["training_iteration"] for result in grid) < 9

    def test_may_be_a_scheduler_and_searcher_of_our_own(self, settings):
        config = tune.TuneConfig(
            metric="score", mode="min", num_samples=4, scheduler=ASHA(max_t=3, time_attr="step"), search_alg=Random()
        )
        grid = tune.Tuner(trains, param_space=SPACE, tune_config=config, run_config=settings()).fit()
        assert {result.metrics["training_iteration"] for result in grid} <= {1, 2, 3}

    def test_may_be_a_name(self, settings):
        config = tune.TuneConfig(metric="score", mode="min", num_samples=4, scheduler="asha", search_alg="random")
        assert len(tune.Tuner(trains, param_space=SPACE, tune_config=config, run_config=settings()).fit()) == 4

    def test_without_mode_names_what_every_report_must_have(self, settings, monkeypatch):
        config = tune.TuneConfig(metric="scor")
        [error] = tune.Tuner(score, param_space=SPACE, tune_config=config, run_config=settings()).fit().errors
        assert "the report lacks the metric 'scor'; did you mean 'score'" in str(error)
        monkeypatch.setenv("TUNE_DISABLE_STRICT_METRIC_CHECKING", "1")
        assert not tune.Tuner(score, param_space=SPACE, tune_config=config, run_config=settings()).fit().errors

    @pytest.mark.parametrize("scheduler", [FIFOScheduler(), None])
    def test_without_mode_is_only_what_results_are_asked_for(self, settings, scheduler):
        config = tune.TuneConfig(metric="score", num_samples=3, scheduler=scheduler)
        grid = tune.Tuner(score, param_space=SPACE, tune_config=config, run_config=settings()).fit()
        with pytest.raises(ValueError, match="mode must be"):
            grid.get_best_result()
        best = grid.get_best_result(mode="max").metrics["score"]
        assert best == max(result.metrics["score"] for result in grid)

    def test_of_a_scheduler_needs_a_mode(self, settings):
        config = tune.TuneConfig(metric="score", scheduler="asha")
        with pytest.raises(ValueError, match="metric='score' without a mode"):
            tune.Tuner(score, param_space=SPACE, tune_config=config, run_config=settings()).fit()

    def test_that_is_given_twice_must_be_the_same(self, settings):
        for metric in ("score", "other"):
            config = tune.TuneConfig(metric=metric, mode="max", scheduler=ASHAScheduler(metric="score", mode="max"))
            tuner = tune.Tuner(score, param_space=SPACE, tune_config=config, run_config=settings())
            if metric == "score":
                assert len(tuner.fit()) == 1
            else:
                with pytest.raises(ValueError, match="metric is given twice, with different values"):
                    tuner.fit()

    def test_of_a_seed_makes_the_same_trials(self, settings):
        def configs(**keywords):
            config = tune.TuneConfig(num_samples=5, **keywords)
            grid = tune.Tuner(score, param_space=SPACE, tune_config=config, run_config=settings()).fit()
            return [result.config for result in grid]

        assert configs(seed=3) == configs(seed=3) == configs(search_alg=BasicVariantGenerator(random_state=3))
        assert configs(seed=3) != configs(seed=4)

    def test_of_points_to_evaluate_comes_first(self, settings):
        config = tune.TuneConfig(num_samples=3, search_alg=BasicVariantGenerator(points_to_evaluate=[{"x": 0.5}]))
        grid = tune.Tuner(score, param_space=SPACE, tune_config=config, run_config=settings()).fit()
        assert [grid[0].config["x"], len(grid)] == [0.5, 3]

    def test_of_several_metrics_goes_with_the_basic_generator(self, settings):
        config = tune.TuneConfig(metric=["score", "x"], mode=["max", "min"], search_alg=BasicVariantGenerator())
        grid = tune.Tuner(
            lambda config: {"score": config["x"], "x": config["x"]},
            param_space=SPACE,
            tune_config=config,
            run_config=settings(),
        ).fit()
        assert (len(grid), grid.num_errors) == (1, 0)

    def test_of_time_ends_the_run(self, settings):
        def forever(config):
            while True:
                tune.report(score=1)

        config = tune.TuneConfig(num_samples=-1, time_budget_s=timedelta(seconds=0.2))
        grid = tune.Tuner(forever, run_config=settings(), tune_config=config).fit()
        assert (grid.num_errors, grid.num_terminated) == (0, len(grid))

    def test_stops_trials_by_nested_names_and_truths(self, settings):
        def objective(config):
            for step in range(30):
                tune.report({"info": {"loss": 30 - step}, "enough": step == 5, "step": step})

        for stop, iteration in (
            ({"info/loss": ("<=", 21)}, 10),
            ({"info": {"loss": ("<=", 21)}}, 10),
            ({"enough": True}, 6),
            ({"step": 8}, 9),
            ({"training_iteration": 3, "time_total_s": 1000}, 3),
        ):
            [result] = tune.Tuner(objective, run_config=settings(stop=stop)).fit()
            assert result.metrics["training_iteration"] == iteration

    def test_of_failures_has_trials_tried_again_or_ends_the_run(self, settings):
        def objective(config):
            raise OSError("no luck")

        again = settings(failure_config=tune.FailureConfig(max_failures=2))
        [result] = tune.Tuner(objective, run_config=again).fit()
        assert "no luck" in str(result.error)
        config = tune.TuneConfig(num_samples=50)
        fast = tune.Tuner(
            objective, tune_config=config, run_config=settings(failure_config=tune.FailureConfig(fail_fast=True))
        )
        assert 1 <= fast.fit().num_errors < 50
        raising = settings(failure_config=tune.FailureConfig(fail_fast="raise"))
        with pytest.raises(TrialError, match="no luck"):
            tune.Tuner(objective, run_config=raising).fit()


class TestWhatCannotBeHad:
    @pytest.mark.parametrize(
        ("make", "says"),
        [
            (lambda: tune.RunConfig(storage_path="s3://bucket"), "mounted here"),
            (lambda: tune.RunConfig(storage_filesystem=object()), "mounted here"),
            (lambda: tune.RunConfig(log_to_file="out.log"), "'stdout' and 'stderr'"),
            (lambda: tune.RunConfig(log_to_file=True, executor="local"), "executor='processes'"),
            (lambda: tune.RunConfig(log_to_file=True, executor=Local()), "executor='processes'"),
            (lambda: tune.RunConfig(local_dir="/a", storage_path="/b"), "old name of storage_path"),
            (lambda: tune.TuneConfig(chdir_to_trial_dir="there"), "True or False"),
            (lambda: tune.TuneConfig(mode="best"), "'min' or 'max'"),
            (lambda: tune.SyncConfig(sync_period=1), "trials write to the storage"),
            (lambda: tune.FailureConfig(max_failures=1, fail_fast=True), "max_failures must be 0"),
            (lambda: tune.FailureConfig(fail_fast="soon"), "'raise'"),
            (lambda: tune.CheckpointConfig(num_to_keep=0), "at least 1"),
            (lambda: tune.CheckpointConfig(checkpoint_score_order="up"), "'min' or 'max'"),
            (lambda: ResumeConfig(finished=ResumeConfig.ResumeType.RESTART), "the same run"),
        ],
    )
    def test_is_refused_with_what_to_use_instead(self, make, says):
        with pytest.raises(ValueError, match=says):
            make()

    def test_is_refused_before_anything_starts(self, settings, tmp_path):
        config = tune.CheckpointConfig(checkpoint_frequency=2)
        tuner = tune.Tuner(score, param_space=SPACE, run_config=settings(checkpoint_config=config))
        with pytest.raises(ValueError, match="a function says itself when it saves"):
            tuner.fit()
        assert list(tmp_path.iterdir()) == []

    def test_of_a_space_is_no_text_to_be_evaluated(self, settings):
        with pytest.raises(ValueError, match="x: strings are not evaluated"):
            tune.Tuner(score, param_space={"x": {"eval": "random.uniform(0, 1)"}}, run_config=settings()).fit()


class TestARun:
    @pytest.mark.parametrize("name", ["score", "s" * 90])
    def test_of_the_same_second_has_a_link_of_its_own(self, settings, tmp_path, name):
        tune.register_trainable(name, score)
        paths = [tune.Tuner(name, run_config=settings()).fit().experiment_path for _ in range(3)]
        assert len(set(paths)) == 3
        links = [path for path in tmp_path.iterdir() if path.is_symlink()]
        assert sorted(str(link.resolve()) for link in links) == sorted(paths)

    def test_keeps_the_checkpoints_that_are_best_by_whatever_metric(self, settings):
        def objective(config):
            for step in range(1, 7):
                tune.report({"score": 1, "other": -abs(step - 3)}, checkpoint=tune.Checkpoint.from_dict({"step": step}))

        kept = tune.CheckpointConfig(num_to_keep=2, checkpoint_score_attribute="other", checkpoint_score_order="max")
        [result] = tune.Tuner(objective, run_config=settings(checkpoint_config=kept)).fit()
        assert [checkpoint.to_dict()["step"] for checkpoint, _ in result.best_checkpoints] == [3, 4, 6]
        assert result.get_best_checkpoint("other", "max").to_dict() == {"step": 3}

    def test_is_found_under_its_name_and_the_time(self, settings, tmp_path):
        grid = tune.Tuner(score, param_space=SPACE, run_config=settings()).fit()
        [link] = [path for path in tmp_path.iterdir() if path.is_symlink()]
        assert link.name.startswith("score_20")
        assert Path(grid[0].path).parent.parent == link.resolve() == Path(grid.experiment_path)

    def test_is_found_under_the_name_it_was_given_also_the_second_of_that_name(self, settings, tmp_path):
        first, second = (
            tune.Tuner(score, param_space=SPACE, run_config=settings(name="../mine!")).fit() for _ in range(2)
        )
        assert (tmp_path / "mine").resolve() == Path(second[0].path).parent.parent == Path(second.experiment_path)
        assert Path(first[0].path).parent.parent == Path(first.experiment_path) != Path(second.experiment_path)
        assert {path.parent for path in tmp_path.iterdir()} == {tmp_path}

    def test_is_always_found_under_the_path_that_was_returned(self, settings, monkeypatch, tmp_path):
        def run(x):
            own = settings(name="mine", storage_path="relative")
            return tune.Tuner(score, param_space={"x": x}, run_config=own).fit()

        monkeypatch.chdir(tmp_path)
        first = run(1)
        by_name = tune.Tuner.restore("relative/mine", score)
        second = run(2)
        monkeypatch.chdir("/")
        for x, grid in ((1, first), (2, second)):
            restored = tune.Tuner.restore(grid.experiment_path, score).get_results()
            analysis = tune.ExperimentAnalysis(grid.experiment_path)
            assert restored[0].config == analysis.trials[0].config == {"x": x}
            assert restored.experiment_path == analysis.experiment_path == grid.experiment_path
        assert by_name.get_results()[0].config == {"x": 1}

    def test_has_trials_that_find_the_program_s_directory(self, settings, monkeypatch, tmp_path):
        def where(config):
            return {"program": os.environ["TUNE_ORIG_WORKING_DIR"], "trial": str(Path.cwd())}

        monkeypatch.chdir(tmp_path)
        own = settings(executor="processes")
        [result] = tune.Tuner(where, run_config=own).fit()
        assert (result.metrics["program"], result.metrics["trial"]) == (str(tmp_path), result.path)
        config = tune.TuneConfig(chdir_to_trial_dir=False)
        [result] = tune.Tuner(where, run_config=own, tune_config=config).fit()
        assert result.metrics["program"] == result.metrics["trial"] == str(tmp_path)

    def test_may_be_kept_in_a_directory_that_is_given_as_a_uri(self, settings, tmp_path):
        grid = tune.Tuner(score, param_space={"x": 1}, run_config=settings(storage_path=f"file://{tmp_path}")).fit()
        assert Path(grid.experiment_path).parent == tmp_path
        assert tune.Tuner.can_restore(f"file://{grid.experiment_path}")
        assert len(tune.Tuner.restore(f"file://{grid.experiment_path}", score).get_results()) == 1

    def test_does_not_change_directories_if_the_environment_says_so(self, monkeypatch):
        monkeypatch.setenv(RAY_CHDIR_TO_TRIAL_DIR, "0")
        assert not tune.TuneConfig().changes_directory
        assert tune.TuneConfig(chdir_to_trial_dir=True).changes_directory

    def test_does_not_change_what_has_its_name(self, settings, tmp_path):
        (tmp_path / "mine").mkdir()
        with pytest.warns(RuntimeWarning, match="no link leads to .*mine' is there, and is no link"):
            grid = tune.Tuner(score, param_space=SPACE, run_config=settings(name="mine")).fit()
        assert not (tmp_path / "mine").is_symlink()
        assert tune.Tuner.can_restore(grid.experiment_path)

    def test_shows_its_trials_by_the_names_that_the_user_makes(self, settings):
        config = tune.TuneConfig(
            num_samples=2,
            trial_name_creator=lambda trial: f"nr-{trial.trial_id[-1]}",
            trial_dirname_creator=lambda trial: f"../{trial}: x<0.{trial.config['x'] > 2}",
        )
        heard = []

        class Hearing(tune.Callback):
            def on_trial_complete(self, iteration, trials, trial, **info):
                heard.append(str(trial))

        run_config = settings(callbacks=[Hearing()])
        grid = tune.Tuner(score, param_space=SPACE, tune_config=config, run_config=run_config).fit()
        assert sorted(heard) == ["nr-0", "nr-1"]
        links = sorted(path for path in Path(grid.experiment_path).resolve().iterdir() if path.is_symlink())
        assert [link.name for link in links] == ["nr-0-x-0.False", "nr-1-x-0.False"]
        assert [str(link.resolve()) for link in links] == [result.path for result in grid]


class TestARestoredRun:
    def interrupted(self, settings, storage, space=SPACE, **keywords):
        """Interrupt a run of 6 trials in its third; return how many trials were run, and the run."""
        runs = []

        def objective(config):
            runs.append(config["x"])
            if len(runs) == 3:
                time.sleep(0.2)  # until the journal has how the trials before ended
                os.kill(os.getpid(), signal.SIGINT)
                while True:
                    tune.report(score=-1)
            return {"score": config["x"]}

        objective.__name__ = "score"  # it is restored with a function of that name
        config = tune.TuneConfig(num_samples=6, max_concurrent_trials=1, metric="score", mode="max", **keywords)
        tuner = tune.Tuner(objective, param_space=space, tune_config=config, run_config=settings(name="mine"))
        with pytest.raises(RunInterrupted):
            tuner.fit()
        return runs, storage / "mine"

    def test_resumes_where_it_stopped_and_not_on_ray(self, settings, tmp_path):
        _, path = self.interrupted(settings, tmp_path)
        grid = tune.Tuner.restore(str(path), score).fit()
        assert {result.metrics["pid"] for result in grid} == {os.getpid()}

    def test_continues_as_the_same_run(self, settings, tmp_path, capsys):
        runs, path = self.interrupted(settings, tmp_path)
        assert (
            f"the run can be resumed: tune.Tuner.restore({str(path.resolve())!r}, score).fit()"
            in capsys.readouterr().err
        )
        assert tune.Tuner.can_restore(path)
        tuner = tune.Tuner.restore(str(path), score, run_config=settings())
        assert [result.metrics.get("score") for result in tuner.get_results()][:2] == runs[:2]
        grid = tuner.fit()
        assert len(grid) == 6
        assert [result.config["x"] for result in grid][:3] == runs
        assert grid.get_best_result().metrics["score"] == max(result.config["x"] for result in grid)
        assert grid.experiment_path == str(path.resolve())
        assert len({result.metrics["trial_id"].partition("_")[0] for result in grid}) == 1

    def test_has_a_stopper_that_remembers_its_earlier_results(self, settings, tmp_path):
        class AfterFour(tune.Stopper):
            def __init__(self):
                self.seen = []

            def __call__(self, trial_id, result):
                self.seen += [result["config"]["x"]] if result["score"] >= 0 else []
                return False

            def stop_all(self):
                return len(self.seen) >= 4

        runs, path = self.interrupted(lambda **given: settings(stop=AfterFour(), **given), tmp_path)
        stopper = AfterFour()
        grid = tune.Tuner.restore(path, score, run_config=settings(stop=stopper)).fit()
        assert stopper.seen[:2] == runs[:2], "what was reported before the interruption"
        assert sum("score" in result.metrics for result in grid) < 6

    def test_wants_again_what_is_no_data(self, settings, tmp_path):
        space = {"x": tune.sample_from(lambda: 0.5)}
        _, path = self.interrupted(settings, tmp_path, space)
        with pytest.raises(ValueError, match="space is not plain data"):
            tune.Tuner.restore(path, score, run_config=settings()).fit()
        assert len(tune.Tuner.restore(path, score, param_space=space, run_config=settings()).fit()) == 6

    def test_does_not_become_another_run(self, settings, tmp_path):
        _, path = self.interrupted(settings, tmp_path)
        with pytest.raises(ValueError, match="a resumed run is the same run"):
            tune.Tuner.restore(path, score, param_space={"x": tune.uniform(0, 2)}, run_config=settings()).fit()

    def test_has_a_trainable_of_the_same_name(self, settings):
        path = tune.Tuner(score, param_space=SPACE, run_config=settings()).fit().experiment_path
        with pytest.raises(ValueError, match="trainable is called 'score', not 'trains'"):
            tune.Tuner.restore(path, trains)

    @pytest.mark.parametrize("space", [{}, {"x": 1, "y": 2}, {"x": {"y": tune.uniform(0, 1)}}])
    def test_has_the_same_parameters(self, settings, space):
        path = tune.Tuner(score, param_space=SPACE, run_config=settings()).fit().experiment_path
        with pytest.raises(ValueError, match="param_space differs from the run's in these parameters: .*[xy]"):
            tune.Tuner.restore(path, score, param_space=space)
        assert tune.Tuner.restore(path, score, param_space=SPACE)

    @pytest.mark.parametrize("name", ["lr=0.1", "två ord", "a,b"])
    def test_is_found_by_its_name_as_it_was_given(self, settings, tmp_path, name):
        tune.Tuner(score, param_space=SPACE, run_config=settings(name=name)).fit()
        assert tune.Tuner.can_restore(tmp_path / name)
        assert len(tune.Tuner.restore(tmp_path / name, score).fit()) == 1

    def test_that_was_over_is_over(self, settings):
        grid = tune.Tuner(score, param_space=SPACE, run_config=settings()).fit()
        again = tune.Tuner.restore(grid.experiment_path, score, run_config=settings()).fit()
        assert [result.metrics for result in again] == [result.metrics for result in grid]

    def test_may_get_more_samples(self, settings):
        def wanting(samples):
            return tune.TuneConfig(num_samples=samples, metric="score", mode="max")

        grid = tune.Tuner(score, param_space=SPACE, tune_config=wanting(3), run_config=settings()).fit()
        more = tune.Tuner.restore(grid.experiment_path, score, tune_config=wanting(8), run_config=settings()).fit()
        assert (len(grid), len(more)) == (3, 8)
        assert [result.config for result in more][:3] == [result.config for result in grid]

    def test_must_be_there(self, tmp_path):
        assert not tune.Tuner.can_restore(tmp_path)
        for kind in (ValueError, FileNotFoundError):  # the engine's, and Ray Tune's
            with pytest.raises(kind, match="there is no run in"):
                tune.Tuner.restore(tmp_path, score)

    def test_is_asked_of_the_class_and_not_of_a_tuner(self):
        with pytest.raises(AttributeError, match="returns another tuner"):
            tune.Tuner(score).restore("path", score)

    @pytest.mark.parametrize(("what", "begins"), [("resume_errored", 1), ("restart_errored", 0), (None, None)])
    def test_retries_what_failed_if_that_is_requested(self, settings, tmp_path, what, begins):
        began = []

        def objective(config):
            saved = tune.get_checkpoint()
            began.append(0 if saved is None else saved.to_dict()["step"])
            tune.report({"score": 1}, checkpoint=tune.Checkpoint.from_dict({"step": 1}))
            if not (tmp_path / "mended").exists():
                raise OSError("no disk")

        grid = tune.Tuner(objective, run_config=settings()).fit()
        (tmp_path / "mended").touch()
        path, keywords = grid.experiment_path, {what: True} if what else {}
        again = tune.Tuner.restore(path, objective, run_config=settings(), **keywords).fit()
        assert (grid.num_errors, again.num_errors) == (1, 0 if what else 1)
        assert began[1:] == ([] if what is None else [begins])

    def test_continues_with_its_unfinished_trials(self, settings):
        grid = tune.Tuner(score, param_space=SPACE, run_config=settings()).fit()
        with pytest.raises(ValueError, match="resume_unfinished"):
            tune.Tuner.restore(grid.experiment_path, score, resume_unfinished=False)


def test_a_reporter_of_the_user_s_own_is_really_used(settings):
    shown = []

    class Mine(tune.ProgressReporter):
        def should_report(self, trials, done=False):  # noqa: FBT002 - Ray Tune's interface
            return done

        def report(self, trials, done, *sys_info):
            shown.append([trial.last_result["score"] for trial in trials])

    run_config = settings(progress_reporter=Mine())
    grid = tune.Tuner(score, param_space=SPACE, run_config=run_config).fit()
    assert shown == [[grid[0].metrics["score"]]]


def test_results_are_there_after_the_run_and_not_before(settings):
    tuner = tune.Tuner(score, param_space=SPACE, run_config=settings())
    with pytest.raises(RuntimeError, match="call fit"):
        tuner.get_results()
    grid = tuner.fit()
    assert [result.metrics for result in tuner.get_results()] == [result.metrics for result in grid]
