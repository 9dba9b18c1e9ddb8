"""What a run has found: ``ResultGrid``, ``Result``, and ``ExperimentAnalysis``."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from trialwright import Local, tune
from trialwright.tune.checkpoint import Checkpoint

CURVES = [[5.0, 1.0, 4.0], [3.0, 3.0, 3.0], [9.0, 8.0, 7.0, 2.0]]
AUTOMATIC = {
    *("training_iteration", "time_total_s", "time_this_iter_s", "done", "trial_id", "experiment_id", "experiment_tag"),
    *("hostname", "pid", "date", "timestamp", "iterations_since_restore", "logdir", "config"),
}


@pytest.fixture(autouse=True)
def _no_log_files(monkeypatch):
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")


def curve(config):
    for step, value in enumerate(config["curve"]):
        state = Path(tune.get_context().get_trial_dir(), "state")
        state.write_text(str(value))
        saved = state if step % 2 == 0 else None
        tune.report({"loss": value, "inner": {"twice": 2 * value}}, checkpoint=saved)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    settings = tune.RunConfig(
        storage_path=tmp_path_factory.mktemp("runs"), executor=Local(cpus=2), verbose=0, name="curves"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
        tuner = tune.Tuner(
            curve,
            param_space={"curve": tune.grid_search(CURVES)},
            tune_config=tune.TuneConfig(metric="loss", mode="min"),
            run_config=settings,
        )
        return tuner.fit().experiment_path


@pytest.fixture
def grid(path):
    return tune.Tuner.restore(path, curve).get_results()


@pytest.fixture
def analysis(path):
    return tune.ExperimentAnalysis(path)


def grid_of(objective, space, tmp_path, **keywords):
    settings = tune.RunConfig(storage_path=tmp_path, executor=Local(cpus=2), verbose=0)
    return tune.Tuner(objective, param_space=space, tune_config=tune.TuneConfig(**keywords), run_config=settings).fit()


class TestTheBestResult:
    @pytest.mark.parametrize(
        ("scope", "mode", "index"),
        [
            ("last", "min", 2),
            ("last", "max", 0),
            ("all", "min", 0),
            ("all", "max", 2),
            ("avg", "min", 1),
            ("avg", "max", 2),
            ("last-5-avg", "min", 1),
            ("last-10-avg", "max", 2),
        ],
    )
    def test_depends_on_what_is_looked_at(self, grid, analysis, scope, mode, index):
        assert grid.get_best_result("loss", mode, scope).config == {"curve": CURVES[index]}
        assert analysis.get_best_config("loss", mode, scope) == {"curve": CURVES[index]}
        assert analysis.get_best_trial("loss", mode, scope).trial_id == analysis.trials[index].trial_id
        assert analysis.get_best_logdir("loss", mode, scope) == grid[index].path

    def test_goes_by_the_run_s_metric_if_no_other_is_named(self, grid, analysis):
        assert grid.get_best_result().config == analysis.best_config == {"curve": CURVES[2]}

    def test_may_go_by_a_nested_metric(self, grid):
        assert grid.get_best_result("inner/twice", "max").metrics["inner"] == {"twice": 8.0}

    def test_wants_a_scope_that_there_is(self, grid):
        with pytest.raises(ValueError, match="'last-5-avg'.*not 'first'"):
            grid.get_best_result(scope="first")

    def test_is_none_that_is_no_number(self, tmp_path):
        values = [math.nan, math.inf, -math.inf, 0.5]
        grid = grid_of(lambda config: {"loss": values[config["i"]]}, {"i": tune.grid_search([0, 1, 2, 3])}, tmp_path)
        assert grid.get_best_result("loss", "min").config == {"i": 3}
        assert grid.get_best_result("loss", "min", filter_nan_and_inf=False).config == {"i": 2}

    def test_is_not_there_where_nobody_reported_the_metric(self, grid, analysis):
        with pytest.raises(RuntimeError, match="no trial has reported a finite 'los'"):
            grid.get_best_result("los", "min")
        assert analysis.get_best_config("los", "min") is None
        assert analysis.get_best_trial("los", "min") is None

    def test_needs_a_metric_if_there_are_several_trials(self, tmp_path):
        several = grid_of(lambda config: {"loss": 1.0}, {}, tmp_path, num_samples=2)
        with pytest.raises(ValueError, match="by which metric"):
            several.get_best_result()
        [one] = [grid_of(lambda config: {"loss": 1.0}, {}, tmp_path)]
        assert one.get_best_result().metrics["loss"] == 1.0


class TestAResult:
    def test_has_the_automatic_metrics(self, grid):
        assert set(grid[0].metrics) >= AUTOMATIC
        assert grid[0].metrics["config"] == grid[0].config
        assert grid[0].metrics["logdir"] == grid[0].path
        assert grid[0].metrics["experiment_tag"].startswith("0_curve=")

    def test_has_all_reports_in_a_table(self, grid):
        table = grid[2].metrics_dataframe
        assert list(table["loss"]) == CURVES[2]
        assert list(table["inner/twice"]) == [18.0, 16.0, 14.0, 4.0]
        assert list(table["training_iteration"]) == [1, 2, 3, 4]
        assert list(table["done"]) == [False, False, False, True]
        assert (table["time_total_s"].diff().dropna() >= 0).all()

    def test_has_what_was_saved(self, grid):
        checkpoints = [(Path(saved.path, "state").read_text(), row["loss"]) for saved, row in grid[2].best_checkpoints]
        assert checkpoints == [("9.0", 9.0), ("7.0", 7.0)]
        assert Path(grid[2].checkpoint.path, "state").read_text() == "7.0"
        assert Path(grid[2].get_best_checkpoint("loss", "max").path, "state").read_text() == "9.0"
        assert Path(grid[2].get_best_checkpoint("inner/twice", "min").path, "state").read_text() == "7.0"
        with pytest.raises(ValueError, match="no checkpoint was reported with 'los'"):
            grid[2].get_best_checkpoint("los", "max")

    def test_can_be_read_from_the_trial_s_directory(self, grid):
        assert tune.Result.from_path(grid[1].path).metrics == grid[1].metrics
        with pytest.raises(ValueError, match="there is no trial"):
            tune.Result.from_path(Path(grid[1].path).parent / "999999")
        with pytest.raises(ValueError, match="no run of Trialwright"):
            tune.Result.from_path("/tmp")

    def test_of_a_trial_that_failed_says_why(self, tmp_path):
        def objective(config):
            tune.report(loss=1.0)
            raise OSError("no luck")

        grid = grid_of(objective, {}, tmp_path)
        [error] = grid.errors
        assert (grid.num_errors, grid.num_terminated) == (1, 0)
        assert error.line == "OSError: no luck"
        assert "in objective" in str(error)
        assert (grid[0].error.line, grid[0].metrics["loss"], grid[0].checkpoint) == (error.line, 1.0, None)
        assert "1 errors" in repr(grid)


class TestAGrid:
    def test_is_a_sequence(self, grid):
        assert [result.config["curve"] for result in grid] == CURVES
        assert (len(grid), grid[-1].config, len(grid[:2])) == (3, {"curve": CURVES[2]}, 2)
        assert (grid.num_terminated, grid.num_errors, grid.errors) == (3, 0, [])

    def test_is_a_table_of_last_or_of_best_reports(self, grid):
        table = grid.get_dataframe()
        assert list(table["loss"]) == [4.0, 3.0, 2.0]
        assert list(table["config/curve"]) == CURVES
        assert list(grid.get_dataframe(filter_metric="loss", filter_mode="max")["loss"]) == [5.0, 3.0, 9.0]
        assert list(grid.get_dataframe("inner/twice", "min")["training_iteration"]) == [2, 1, 4]

    def test_makes_curves_that_can_be_drawn(self, grid):
        tables = {result.path: result.metrics_dataframe for result in grid}
        assert [list(table.loss) for table in tables.values()] == CURVES


class TestAnAnalysis:
    def test_knows_the_best_of_everything(self, analysis, grid):
        best = grid.get_best_result()
        assert analysis.best_result == analysis.best_trial.last_result == best.metrics
        assert analysis.best_logdir == analysis.best_trial.logdir == best.path
        assert list(analysis.best_dataframe["loss"]) == CURVES[2]
        assert list(analysis.best_result_df["loss"]) == [2.0]
        assert analysis.best_checkpoint == best.get_best_checkpoint("loss", "min")
        assert isinstance(analysis.get_last_checkpoint(), Checkpoint)
        assert analysis.get_last_checkpoint().path == grid[2].checkpoint.path

    def test_knows_all_trials(self, analysis, grid):
        assert [trial.config["curve"] for trial in analysis.trials] == CURVES
        assert [trial.status for trial in analysis.trials] == ["TERMINATED"] * 3
        assert analysis.results == {trial.trial_id: trial.last_result for trial in analysis.trials}
        assert list(analysis.results_df["loss"]) == [4.0, 3.0, 2.0]
        assert list(analysis.results_df.index) == list(analysis.results)
        assert {path: list(table["loss"]) for path, table in analysis.trial_dataframes.items()} == {
            result.path: result.config["curve"] for result in grid
        }
        assert analysis.get_all_configs(prefix=True) == {
            result.path: {"config/curve": result.config["curve"]} for result in grid
        }
        assert list(analysis.dataframe()["loss"]) == [4.0, 3.0, 2.0]
        assert list(analysis.dataframe("loss", "min")["loss"]) == [1.0, 3.0, 2.0]
        assert analysis.stats()["status"] == {"TERMINATED": 3}
        assert len(analysis) == 3

    def test_may_have_another_idea_of_best(self, path):
        assert tune.ExperimentAnalysis(path, default_mode="max").best_config == {"curve": CURVES[0]}

    def test_needs_a_run(self, tmp_path):
        with pytest.raises(ValueError, match="no run of Trialwright"):
            tune.ExperimentAnalysis(tmp_path)
        with pytest.raises(ValueError, match="storage_filesystem"):
            tune.ExperimentAnalysis(tmp_path, storage_filesystem=object())

    def test_says_why_there_is_no_best(self, path):
        with pytest.raises(ValueError, match="no trial has reported a finite 'los'"):
            _ = tune.ExperimentAnalysis(path, default_metric="los").best_config


def test_a_run_that_found_nothing_is_empty_and_a_table_still(tmp_path):
    grid = grid_of(lambda config: None, {}, tmp_path)
    assert (len(grid), grid[0].error) == (1, None)
    assert len(grid[0].metrics_dataframe) == 0
    assert len(grid.get_dataframe()) == 1
