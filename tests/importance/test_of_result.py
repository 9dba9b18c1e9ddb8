"""``result.importance()``: which trials and metrics it is about."""

from __future__ import annotations

import math

import pytest

from trialwright import Engine, load, report
from trialwright import space as s

BRANCHES = s.choice([{"name": "rbf", "gamma": s.loguniform(1e-3, 1e3)}, {"name": "poly", "degree": s.randint(2, 12)}])
SPACE = {"x": s.uniform(0, 1), "y": s.uniform(0, 1), "kernel": BRANCHES, "fixed": 3}


def objective(config):
    if config["y"] < 0.1:
        raise RuntimeError("too small")
    report(loss=config["x"] if config["y"] < 0.9 else math.nan, accuracy=config["y"], memory=config["x"])


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    settings = {"metric": ["loss", "accuracy"], "mode": ["min", "max"], "executor": "local", "verbose": 0}
    directory = tmp_path_factory.mktemp("runs")
    return Engine(objective, SPACE, **settings, num_samples=300, searcher="random", storage=directory, seed=0).run()


def test_failed_and_nan_trials_are_left_out_and_counted(result):
    found = result.importance()
    failed = len(result.errors)
    nan = sum(math.isnan(trial.metrics.get("loss", 0.0)) for trial in result)
    assert dict(found.left_out) == {"failed or lost": failed, "no finite loss": nan}
    assert min(failed, nan) > 10
    assert found.trials == 300 - failed - nan


def test_each_objective_has_importances_of_its_own(result):
    assert [next(iter(result.importance(metric))).parameter for metric in (None, "accuracy")] == ["x", "y"]


def test_the_direction_of_an_objective_is_known(result):
    assert result.importance("accuracy").parameters == result.importance("accuracy", mode="max").parameters


def test_any_metric_may_be_asked_for_with_its_direction(result):
    assert result.importance("memory", mode="min")["x"].importance > 0.8
    assert result.importance("memory", method="fanova")["x"].importance > 0.8
    with pytest.raises(ValueError, match="mode must be 'min' or 'max': 'memory' is no objective of the run"):
        result.importance("memory")
    with pytest.raises(ValueError, match="mode must be 'min' or 'max', not 'least'"):
        result.importance(mode="least")


def test_parameters_of_branches_are_counted_in_their_trials(result):
    found = result.importance()
    assert found["kernel/gamma"].trials + found["kernel/degree"].trials == found.trials
    assert found.skipped == {"fixed": "the same in all trials that have it"}


def test_a_loaded_run_has_the_same_importances(result):
    assert load(result.path).importance() == result.importance()


def test_an_unknown_metric_is_refused_with_the_nearest(result):
    with pytest.raises(ValueError, match="no trial has reported 'acuracy'; did you mean 'accuracy'"):
        result.importance("acuracy", mode="max")


def test_a_run_without_a_metric_needs_one():
    found = Engine(objective, SPACE, num_samples=2, executor="local", verbose=0, storage=None).run()
    with pytest.raises(ValueError, match="the run has no metric"):
        found.importance()
