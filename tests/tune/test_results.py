"""What a run has found: ``ResultGrid``, ``Result``, and ``ExperimentAnalysis``."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from trialwright import Local, tune
from trialwright.tune.checkpoint import Checkpoint

CURVES = [[5.0, 1.0, 4.0], [3.0, 3.0, 3.0], [9.0, 8.0, 7.0, 2.0]]
AUTOMATIC = {
    *("training_iteration", "time_total_s", "time_this_iter_s", "done", "trial_id", "experiment_id", "experiment_tag"),
    *("hostname", "pid", "date", "timestamp", "iterations_since_restore", "config"),
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


def reports_with_checkpoints(config):
    for epoch, value in enumerate(config["values"]):
        tune.report({"loss": value}, checkpoint={"epoch": epoch})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("mode", "epoch", "value"), [("max", 2, 0.9), ("min", 1, 0.5)])
def test_neither_nan_nor_an_infinity_wins_a_checkpoint_or_a_row(tmp_path, bad, mode, epoch, value):
    grid = grid_of(reports_with_checkpoints, {"values": [bad, 0.5, 0.9]}, tmp_path, metric="loss", mode=mode)
    analysis = tune.ExperimentAnalysis(grid.experiment_path)
    assert grid[0].get_best_checkpoint("loss", mode).to_dict() == {"epoch": epoch}
    assert analysis.best_checkpoint.to_dict() == {"epoch": epoch}
    assert list(grid.get_dataframe("loss", mode)["loss"]) == list(analysis.dataframe("loss", mode)["loss"]) == [value]


def test_a_grid_is_made_of_an_analysis(tmp_path):
    grid = grid_of(reports_with_checkpoints, {"values": [0.5, 0.9]}, tmp_path)
    same = tune.ResultGrid(tune.ExperimentAnalysis(grid.experiment_path))
    assert [result.metrics["loss"] for result in same] == [0.9]
    with pytest.raises(RuntimeError, match="No best trial found: .* finite 'acc'"):
        tune.ResultGrid(experiment_analysis=tune.ExperimentAnalysis(grid.experiment_path)).get_best_result("acc", "max")


def test_no_checkpoint_is_the_best_where_no_value_is_finite(tmp_path):
    [result] = grid_of(reports_with_checkpoints, {"values": [math.nan, math.inf]}, tmp_path)
    assert result.get_best_checkpoint("loss", "min") is None
    with pytest.raises(ValueError, match="mode must be 'min' or 'max', not 'maximum'"):
        result.get_best_checkpoint("loss", "maximum")


@pytest.mark.parametrize("own", [[0, 1, 2, 3], [7, 7, 7, 7], [9, 8, 7, 6], [0.5, math.nan, -1, 3]])
def test_a_checkpoint_belongs_to_the_report_that_carried_it_whatever_a_user_counts(tmp_path, own):
    def objective(config):
        for epoch, loss in enumerate([0.1, 0.9, 0.3, 0.4]):
            tune.report({"loss": loss, "training_iteration": own[epoch]}, checkpoint={"epoch": epoch})

    [result] = grid = grid_of(objective, {}, tmp_path)
    for found in (result, tune.Tuner.restore(grid.experiment_path, objective).get_results()[0]):
        pairs = [(checkpoint.to_dict()["epoch"], row["loss"]) for checkpoint, row in found.best_checkpoints]
        assert pairs == [(0, 0.1), (1, 0.9), (2, 0.3), (3, 0.4)]
        assert found.get_best_checkpoint("loss", "max").to_dict() == {"epoch": 1}
        assert found.checkpoint.to_dict() == {"epoch": 3}
    [trial] = tune.ExperimentAnalysis(grid.experiment_path).trials
    assert trial.has_reported_at_least_once


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

    def test_of_all_reports_is_none_with_a_value_that_is_not_finite(self, tmp_path):
        grid = grid_of(reports_with_checkpoints, {"values": tune.grid_search([[math.inf, 1.0], [2.0]])}, tmp_path)
        assert grid.get_best_result("loss", "max", "all").config == {"values": [2.0]}
        assert grid.get_best_result("loss", "min", "all").config == {"values": [math.inf, 1.0]}
        assert grid.get_best_result("loss", "max", "all", filter_nan_and_inf=False).config == {
            "values": [math.inf, 1.0]
        }

    def test_may_be_one_without_a_number_if_that_is_asked_for_and_there_is_no_other(self, tmp_path):
        grid = grid_of(reports_with_checkpoints, {"values": [math.nan]}, tmp_path)
        analysis = tune.ExperimentAnalysis(grid.experiment_path)
        assert analysis.get_best_trial("loss", "max") is None
        assert analysis.get_best_trial("loss", "max", filter_nan_and_inf=False) == analysis.trials[0]
        assert analysis.get_best_trial("los", "max", filter_nan_and_inf=False) is None

    def test_is_not_there_where_no_trial_reported_the_metric(self, grid, analysis):
        with pytest.raises(RuntimeError, match="no trial has reported a finite 'los'"):
            grid.get_best_result("los", "min")
        assert analysis.get_best_config("los", "min") is None
        assert analysis.get_best_trial("los", "min") is None

    def test_needs_a_metric_if_there_are_several_trials(self, tmp_path):
        several = grid_of(lambda config: {"loss": 1.0}, {}, tmp_path, num_samples=2)
        with pytest.raises(ValueError, match="the run has no metric"):
            several.get_best_result()
        [one] = [grid_of(lambda config: {"loss": 1.0}, {}, tmp_path)]
        assert one.get_best_result().metrics["loss"] == 1.0


class TestAResult:
    def test_has_the_automatic_metrics(self, grid):
        assert set(grid[0].metrics) >= AUTOMATIC
        assert grid[0].metrics["config"] == grid[0].config
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
        with pytest.raises(ValueError, match="there is no run"):
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
        assert "error='TrialError'" in repr(grid)

    def test_may_be_made_by_hand(self, tmp_path):
        saved = [(Checkpoint(tmp_path / each), {"loss": loss}) for each, loss in (("a", 1.0), ("b", 2.0))]
        result = tune.Result({"loss": 2.0, "config": {"lr": 0.1}}, saved[1][0], None, "here", best_checkpoints=saved)
        assert (result.config, result.error, result.metrics_dataframe) == ({"lr": 0.1}, None, None)
        assert result.get_best_checkpoint("loss", "min").path == str(tmp_path / "a")

    def test_shows_what_the_user_reported_and_where_it_is(self, tmp_path):
        failed = tune.Result({"loss": 2.0, "pid": 7}, Checkpoint(tmp_path), OSError("x"), "here")
        assert repr(failed).splitlines() == [
            "Result(",
            "  error='OSError',",
            "  metrics={'loss': 2.0},",
            "  path='here',",
            "  filesystem='local',",
            f"  checkpoint=Checkpoint(filesystem=local, path={tmp_path})",
            ")",
        ]


class TestAGrid:
    def test_is_a_sequence(self, grid):
        assert [result.config["curve"] for result in grid] == CURVES
        assert (len(grid), grid[-1].config, len(grid[:2])) == (3, {"curve": CURVES[2]}, 2)
        assert (grid.num_terminated, grid.num_errors, grid.errors) == (3, 0, [])

    def test_shows_its_results(self, grid):
        text = repr(grid)
        assert text.count("  Result(\n    metrics={'inner': {'twice': ") == 3
        assert text.endswith("\n  )\n]>")

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
        ids = [result.metrics["trial_id"] for result in grid]
        assert {trial: list(table["loss"]) for trial, table in analysis.trial_dataframes.items()} == {
            trial: result.config["curve"] for trial, result in zip(ids, grid, strict=True)
        }
        assert list(analysis.get_all_configs()) == ids
        assert list(analysis.dataframe()["loss"]) == [4.0, 3.0, 2.0]
        assert list(analysis.dataframe("loss", "min")["loss"]) == [1.0, 3.0, 2.0]
        assert analysis.stats()["status"] == {"TERMINATED": 3}
        assert len(analysis) == 3

    def test_has_configs_as_they_are_or_flat_as_ray_tune_has_them(self, tmp_path):
        config = {"x": {"y": 1, "z": {"a": [1]}}, "b": 2}
        grid = grid_of(lambda config: {"loss": 1.0}, config, tmp_path)
        analysis = tune.ExperimentAnalysis(grid.experiment_path)
        [trial] = analysis.trials
        assert analysis.get_all_configs() == {trial.trial_id: config}
        flat = {"config/x/y": 1, "config/x/z/a": [1], "config/b": 2}
        assert analysis.get_all_configs(prefix=True) == {trial.trial_id: flat}
        assert pytest.importorskip("ray.tune.utils").flatten_dict({"config": config}) == flat

    def test_is_a_table_of_last_reports_where_no_mode_is_given_whatever_the_run_s(self, analysis, grid):
        for table in (analysis.dataframe("loss"), grid.get_dataframe("loss")):
            assert list(table["loss"]) == [4.0, 3.0, 2.0]

    def test_refuses_a_mode_of_a_table_that_is_none_or_has_no_metric(self, analysis, grid):
        for table in (analysis.dataframe, grid.get_dataframe):
            with pytest.raises(ValueError, match="mode must be 'min' or 'max', not 'bad'"):
                table(None, "bad")
            with pytest.raises(ValueError, match="mode must be 'min' or 'max', not 'bad'"):
                table("loss", "bad")
            with pytest.raises(ValueError, match="give a metric as well"):
                table(None, "min")

    def test_may_have_another_idea_of_best(self, path):
        assert tune.ExperimentAnalysis(path, default_mode="max").best_config == {"curve": CURVES[0]}

    def test_needs_a_run(self, tmp_path):
        with pytest.raises(ValueError, match="there is no run"):
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


def test_metrics_called_like_facts_of_a_trial_are_kept_beside_them(tmp_path, monkeypatch):
    monkeypatch.delenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS")
    own = {"trial_id": "mine", "logdir": "there", "config": {"x": 5}, "experiment_tag": "tag", "loss": 1.0}
    settings = tune.RunConfig(executor="local", storage_path=tmp_path, verbose=0)
    grid = tune.Tuner(lambda config: own, param_space={"x": tune.grid_search([1, 2])}, run_config=settings).fit()
    analysis = tune.ExperimentAnalysis(grid.experiment_path)
    for table in (grid.get_dataframe(), analysis.dataframe()):
        assert table["trial/logdir"].tolist() == [result.path for result in grid]
    for table in (grid.get_dataframe(), analysis.dataframe(), analysis.results_df):
        assert table[["trial_id", "logdir", "config/x"]].to_numpy().tolist() == [["mine", "there", 5]] * 2
        assert table["trial/config/x"].tolist() == [1, 2]
    assert analysis.results_df.index.tolist() == [trial.trial_id for trial in analysis.trials]
    assert [result.config for result in grid] == [{"x": 1}, {"x": 2}]
    rows = [json.loads(Path(result.path, "result.json").read_text()) for result in grid]
    assert [row["trial_id"] for row in rows] == ["mine"] * 2
    assert [row["trial/trial_id"] for row in rows] == [trial.trial_id for trial in analysis.trials]


def test_configurations_read_from_disk_are_values_and_what_is_no_data_asks_for_param_space(tmp_path):
    space = {"net": tune.choice([int, float]), "hidden": tune.choice([(64, 32), (128,)])}
    settings = tune.RunConfig(executor="local", storage_path=tmp_path, verbose=0)
    grid = tune.Tuner(lambda config: {"loss": 1.0}, param_space=space, run_config=settings).fit()
    [config], path = [result.config for result in grid], grid.experiment_path
    restored = tune.Tuner.restore(path, lambda config: 1, param_space=space).get_results()
    analysis = tune.ExperimentAnalysis(path, param_space=space)
    read = tune.Result.from_path(grid[0].path, param_space=space)
    assert [restored[0].config, read.config, *analysis.get_all_configs().values()] == [config] * 3
    with pytest.warns(RuntimeWarning, match="net: not plain data, so missing .*; pass param_space=... to restore it"):
        analysis = tune.ExperimentAnalysis(path)
    assert list(analysis.get_all_configs().values()) == [{"hidden": config["hidden"]}]
    assert analysis.results_df["config/hidden"].tolist() == [config["hidden"]]
