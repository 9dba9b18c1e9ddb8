"""What a run returns can be read as often as one likes, copied, and sent elsewhere."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from trialwright import Engine, Local, context, load, report, space, tune
from trialwright.loggers import FileLogger
from trialwright.plots.parameters import coordinates
from trialwright.storage import formats

COPIES = {"pickled": lambda it: pickle.loads(pickle.dumps(it)), "deep copied": copy.deepcopy}


def trains(config):
    for epoch in range(3):
        report(loss=config["x"] + epoch)


def run(storage, **keywords):
    keywords = {"metric": "loss", "num_samples": 3, "searcher": "random", "executor": Local(cpus=2), **keywords}
    return Engine(trains, {"x": space.uniform(0, 1)}, storage=storage, seed=0, verbose=0, **keywords).run()


def test_the_file_is_checked_once_by_load_and_never_to_read_histories_or_explanations(tmp_path, monkeypatch):
    checks, check = [], formats.check
    monkeypatch.setattr(formats, "check", lambda *given: checks.append(1) or check(*given))
    result = run(tmp_path, scheduler="asha")
    checks.clear()
    assert all(trial.history for trial in result)
    assert result.explain(0)
    assert checks == []
    loaded = load(result.path)
    assert [trial.history for trial in loaded] == [trial.history for trial in result]
    assert checks == [1]


class Shown:
    """A display that keeps what it is shown."""

    def update(self, snapshot):
        pass

    def close(self, snapshot):
        self.best = snapshot.best


def overfits(config):
    for epoch in range(10):
        report(accuracy=0.9 + config["x"] / 50 - (epoch - 5) ** 2 / 1000, epoch=epoch, checkpoint={"epoch": epoch})


def test_screen_summary_and_result_call_the_same_trial_step_and_value_the_best(tmp_path, capsys):
    shown, keywords = Shown(), {"metric": "accuracy", "mode": "max", "num_samples": 4, "searcher": "random"}
    keywords |= {"storage": tmp_path, "progress": shown, "executor": "local", "seed": 0}
    result = Engine(overfits, {"x": space.uniform(0, 1)}, **keywords).run()
    highest = max(row["accuracy"] for trial in result for row in trial.history)
    assert (shown.best.value, shown.best.trial) == (highest, result.best_trial.id)
    assert f"best: accuracy {highest:.4g} (trial {result.best_trial.id}: " in capsys.readouterr().err
    assert f"best accuracy={highest:.6g} " in repr(result)
    assert result.best_metrics == result.best_trial.history[5]
    assert result.best_checkpoint == {"epoch": 5}
    assert result.best("last").metrics["epoch"] == 9
    assert load(result.path).best_metrics == result.best_metrics


def test_the_best_report_meets_the_outcome_constraints_whatever_the_last_one_does():
    goals = {"metric": "loss", "outcome_constraints": ["step <= 2"]}
    result = run(None, **goals)
    assert {trial.best_metrics["step"] for trial in result} == {1}
    with pytest.raises(ValueError, match="step <= 2"):
        result.best("last")


@pytest.mark.parametrize("again", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_result_and_its_trials_come_back_whole(tmp_path, is_kept, again):
    result = run(tmp_path if is_kept else None, scheduler="asha")
    other = again(result)
    assert other == result
    assert [trial.history for trial in other] == [trial.history for trial in result]
    assert again(result.best_trial).history == result.best_trial.history


@pytest.mark.parametrize("again", COPIES.values(), ids=COPIES)
def test_what_was_loaded_comes_back_whole(tmp_path, again):
    result = load(run(tmp_path).path)
    assert again(result) == result
    assert again(result)[1].history == result[1].history


def test_a_copy_explains_and_a_pickled_result_has_no_explanations():
    result = run(None, scheduler="asha")
    assert copy.deepcopy(result).explain(0) == result.explain(0) != []
    assert COPIES["pickled"](result).explain(0) == []


def tuned(config):
    tune.report({"loss": config["x"]})


@pytest.mark.parametrize("again", COPIES.values(), ids=COPIES)
def test_what_tune_returns_comes_back_whole(tmp_path, monkeypatch, again):
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    settings = tune.RunConfig(storage_path=tmp_path, executor=Local(cpus=2), verbose=0)
    goal = tune.TuneConfig(metric="loss", mode="min", num_samples=2)
    grid = tune.Tuner(tuned, param_space={"x": tune.uniform(0, 1)}, tune_config=goal, run_config=settings).fit()
    analysis = tune.ExperimentAnalysis(grid.experiment_path)
    assert again(grid).get_best_result().metrics == grid.get_best_result().metrics
    assert again(grid[0]).metrics_dataframe.equals(grid[0].metrics_dataframe)
    assert again(analysis).best_config == analysis.best_config


OURS = ("id", "state", "outcome", "started", "ended", "error", "config/loss", "config/x")


def test_metrics_called_like_columns_of_ours_are_kept_apart_from_them_in_tables_and_logs(tmp_path):
    def objective(config):
        own = dict.fromkeys(OURS, 7) | {"loss": 1.0, "trial/id": 8}
        return own if config["x"] < 2 else {"loss": 2.0}

    what = {"x": space.grid_search([0, 1, 2]), "loss": "a parameter"}
    logger = FileLogger("csv", "json")
    keywords = {"metric": "loss", "num_samples": 1, "executor": Local(cpus=2), "callbacks": [logger]}
    result = Engine(objective, what, storage=tmp_path, seed=0, verbose=0, **keywords).run()
    for found in (result, load(result.path)):
        table = found.dataframe()
        assert table[list(OURS)].iloc[:2].to_numpy().tolist() == [[7] * len(OURS)] * 2
        assert table[["trial/trial/id", "trial/state", "trial/outcome"]].to_numpy().tolist() == [
            [number, "ended", "completed"] for number in range(3)
        ]
        assert table["trial/config/loss"].tolist() == ["a parameter"] * 3
        assert table["trial/config/x"].tolist() == [0, 1, 2]
        assert table["trial/error"].tolist() == [None] * 3
        assert (table["trial/ended"] >= table["trial/started"]).all()
        assert found.best_metrics["error"] == 7
        assert found[0].history[0].items() >= dict.fromkeys(OURS, 7).items()
    (row,) = map(json.loads, (result[0].directory / "result.json").read_text().splitlines())
    assert row.items() >= dict.fromkeys(OURS, 7).items()
    assert json.loads((result[0].directory / "params.json").read_text()) == {"x": 0, "loss": "a parameter"}


def test_a_parameter_named_like_the_metric_has_another_name_in_plots_and_tables(tmp_path):
    def objective(config):
        return {"loss": config["loss"] ** 2}

    settings = tune.RunConfig(executor="local", storage_path=tmp_path, verbose=0)
    what = {"loss": tune.grid_search([1.0, 2.0])}
    engine = Engine(objective, what, metric="loss", executor="local", storage=None, verbose=0)
    assert [axis.name for axis in coordinates(engine.run(), "loss")] == ["config/loss", "loss"]
    found = tune.Tuner(objective, param_space=what, run_config=settings).fit()
    trials = [record.trial for record in found._records.all]
    titles = tune.CLIReporter()._text(trials, True).splitlines()[3].split()
    assert titles[:3] == ["trial", "status", "config/loss"]
    assert titles[-1] == "loss"
    assert found.get_dataframe()[["config/loss", "loss"]].to_numpy().tolist() == [[1.0, 1.0], [2.0, 4.0]]


def noisy_objective(config):
    off = 0.2 * np.random.default_rng(context().seed).standard_normal()
    return {"loss": 9 * (config["x"] - 0.3) ** 2 + off, "loss_sem": 0.2}


def test_a_loaded_run_recommends_what_the_run_does(tmp_path):
    what, settings = {"x": space.uniform(0, 1)}, {"metric": "loss", "executor": "local", "verbose": 0, "seed": 0}
    result = Engine(noisy_objective, what, num_samples=30, storage=tmp_path, searcher="random", **settings).run()
    assert result.recommended.config["x"] == pytest.approx(0.3, abs=0.15)
    assert result.trials[result.recommended.trial].config == result.recommended.config
    assert load(result.path).recommended == result.recommended


def test_a_result_of_a_space_with_functions_is_sent_without_it_and_keeps_what_was_recommended():
    what = space.Space({"x": space.uniform(0, 1)}, constraints=[lambda config: config["x"] < 0.9])
    settings = {"metric": "loss", "executor": "local", "storage": None, "verbose": 0, "seed": 0}
    result = Engine(noisy_objective, what, num_samples=5, searcher="random", **settings).run()
    early = pickle.loads(pickle.dumps(result))
    with pytest.raises(ValueError, match="space"):
        _ = early.recommended
    assert pickle.loads(pickle.dumps(result if result.recommended else None)).recommended == result.recommended
