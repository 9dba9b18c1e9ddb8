"""What a run returns can be read as often as one likes, copied, and sent elsewhere."""

from __future__ import annotations

import copy
import pickle

import pytest

from trialwright import Engine, Local, load, report, space, tune
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
