"""Stoppers with Ray Tune's interface."""

from __future__ import annotations

import math
import pickle
import time
from datetime import timedelta
from functools import partial

import pytest

from tests.tune.objectives import objective, run
from trialwright import tune
from trialwright.tune.stopper import (
    CombinedStopper,
    ExperimentPlateauStopper,
    FunctionStopper,
    MaximumIterationStopper,
    NoopStopper,
    Stopper,
    TimeoutStopper,
    TrialPlateauStopper,
    to_engine,
)
from trialwright.tune.trial import RunFacts

FACTS = RunFacts("objective")


def steps(stop, tmp_path, **keywords):
    rule, budget_s = to_engine(stop, FACTS)
    result = run(objective, tmp_path, stop=rule, time_budget_s=budget_s, **keywords)
    return result, [trial.metrics["step"] for trial in result if trial.metrics]


def test_a_dict_stops_by_the_names_that_users_know(tmp_path):
    assert steps({"training_iteration": 10}, tmp_path)[1] == [10] * 3
    assert steps({"step": 3}, tmp_path)[1] == [4] * 3, "the user's own step counts from 0"


def test_a_function_is_asked_about_every_result(tmp_path):
    asked = []

    def stopper(trial_id, result):
        asked.append((trial_id, result["training_iteration"]))
        return result["step"] == 4

    assert steps(stopper, tmp_path)[1] == [5] * 3
    assert asked.count((FACTS.trial_id(0), 5)) == 1


def test_a_users_stopper_ends_trials_and_the_run(tmp_path):
    class Enough(Stopper):
        seen = 0

        def __call__(self, trial_id, result):
            self.seen += 1
            return result["training_iteration"] >= 2

        def stop_all(self):
            return self.seen >= 5

    result, ended = steps(Enough(), tmp_path, num_samples=50, max_concurrent_trials=1)
    assert ended == [2, 2, 1]
    assert result.stopped == "stop rule Enough"


def test_a_maximum_of_iterations_is_tested_by_the_worker(tmp_path):
    assert to_engine(MaximumIterationStopper(7), FACTS) == ({"step": 7}, None)
    assert steps(MaximumIterationStopper(7), tmp_path)[1] == [7] * 3


def test_a_maximum_of_iterations_works_in_an_engine_as_well(tmp_path):
    result = run(objective, tmp_path, stop=MaximumIterationStopper(7))
    assert [trial.metrics["step"] for trial in result] == [7] * 3


def test_a_timeout_is_the_engines_time_budget():
    assert to_engine(TimeoutStopper(timedelta(minutes=2)), FACTS) == (None, 120.0)
    assert to_engine(CombinedStopper(TimeoutStopper(9), TimeoutStopper(5)), FACTS) == ([], 5.0)


def test_a_timeout_that_is_over_ends_a_run_in_an_engine_as_well(tmp_path):
    assert run(objective, tmp_path, stop=TimeoutStopper(0)).stopped is not None


def test_time_stands_still_for_a_timeout_in_a_file(monkeypatch):
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stopper = TimeoutStopper(60)
    assert not stopper.stop_all()
    now = 40.0
    kept = pickle.dumps(stopper)
    now = 500.0
    restored = pickle.loads(kept)
    assert not restored.stop_all()
    now = 521.0
    assert restored.stop_all()


def test_a_timeout_is_a_number_or_a_timedelta():
    with pytest.raises(TypeError, match="'1h'"):
        TimeoutStopper("1h")


def test_any_of_several_stoppers_stops(tmp_path):
    combined = CombinedStopper(MaximumIterationStopper(9), FunctionStopper(lambda _, result: result["step"] >= 5))
    assert steps(combined, tmp_path)[1] == [6] * 3


def test_a_combination_that_is_overridden_decides(tmp_path):
    class Never(CombinedStopper):
        def __call__(self, trial_id, result):
            return super().__call__(trial_id, result) and False

    assert steps(Never(MaximumIterationStopper(9)), tmp_path)[1] == [30] * 3


def test_all_of_several_stoppers_are_asked():
    first, second = MaximumIterationStopper(1), MaximumIterationStopper(2)
    combined = CombinedStopper(first, second)
    assert combined("a", {})
    assert first.max_iter == 1
    assert second("a", {}), "it has counted the first result"


def feed(stopper, values, trial="a"):
    return [stopper(trial, {"loss": value}) for value in values]


def test_the_arguments_of_plateaus_have_the_order_of_ray_tune():
    assert feed(TrialPlateauStopper("loss", 0.6, 2, 3), [9.0, 1.0, 1.5]) == [False, False, True]
    assert feed(ExperimentPlateauStopper("loss", 0.6, 2, "max", 2), [1.0, 1.5, 1.0]) == [False, False, True]


@pytest.mark.parametrize(("mode", "answer"), [("min", True), ("max", False)])
def test_a_threshold_must_be_reached_before_a_plateau_counts(mode, answer):
    stopper = TrialPlateauStopper("loss", num_results=2, grace_period=2, metric_threshold=2.0, mode=mode)
    assert feed(stopper, [1.0, 1.0])[-1] is answer


@pytest.mark.parametrize("result", [{"val": {"loss": 1.0}}, {"val/loss": 1.0}])
@pytest.mark.parametrize("make", [TrialPlateauStopper, partial(ExperimentPlateauStopper, top=4)])
def test_a_plateau_may_be_of_a_nested_metric(make, result):
    stopper = make("val/loss")
    assert [stopper(1, dict(result)) for _ in range(4)] == [False, False, False, True]


@pytest.mark.parametrize("make", [TrialPlateauStopper, partial(ExperimentPlateauStopper, top=4)])
def test_a_result_without_the_metric_of_a_plateau_stops_nothing(make):
    stopper = make("val/loss")
    assert not any(stopper(1, {"other": 1.0}) for _ in range(9))


def test_a_threshold_needs_a_mode():
    with pytest.raises(ValueError, match="mode"):
        TrialPlateauStopper("loss", metric_threshold=0.0)


def test_a_stopper_that_does_nothing_stops_nothing(tmp_path):
    assert steps(NoopStopper(), tmp_path)[1] == [30] * 3


@pytest.mark.parametrize("wrong", [7, "loss", MaximumIterationStopper])
def test_what_is_no_stop_rule_is_refused(wrong):
    with pytest.raises(TypeError, match="stop"):
        to_engine(wrong, FACTS)


def test_a_stopper_of_another_kind_is_refused():
    class Other:
        def __call__(self, trial_id, result):
            return False

        def stop_all(self):
            return False

    with pytest.raises(TypeError, match="subclass"):
        to_engine(Other(), FACTS)


def test_a_stop_function_sees_the_config_as_the_objective_does(tmp_path):
    seen = []

    def stop(trial_id, result):
        seen.append(result["config"]["f"])
        return True

    config = tune.RunConfig(stop=stop, storage_path=tmp_path, executor="local", verbose=0)
    tune.Tuner(lambda config: {"score": 1}, param_space={"f": tune.choice([math.sin])}, run_config=config).fit()
    assert seen == [math.sin]


@pytest.mark.parametrize("wrong", [{"top": "3"}, {"std": "0"}, {"patience": None}])
def test_what_is_no_number_of_an_experiment_plateau_is_refused(wrong):
    with pytest.raises(ValueError, match="must be a number"):
        ExperimentPlateauStopper("score", **wrong)
