"""What a user gives that cannot be meant is refused before anything starts, with the value."""

import math

import pytest

from trialwright import ASHA, Engine, Local, space
from trialwright.engine.arguments import as_number, as_pairs, number_problem
from trialwright.engine.checking import check

SPACE = {"x": space.uniform(0, 1)}


def problems(what=SPACE, **keywords):
    told = {"executor": Local(cpus=1), "storage": None, "verbose": 0, "metric": "loss", **keywords}
    with pytest.raises(ValueError, match="the run cannot start") as raised:
        check(Engine(lambda config: 0.0, what, **told)._keywords)
    return str(raised.value)


def test_true_is_no_number():
    assert as_number(True) is True
    assert "num_samples must be an integer, not True" in problems(num_samples=True)


def test_nan_is_at_least_nothing():
    assert number_problem("time_budget_s", math.nan, 0, whole=False) == "time_budget_s must be at least 0, not nan"


@pytest.mark.parametrize("given", ["a string", 7, [({"x": 1.0}, 3.0)], [({"x": 1.0},)]])
def test_earlier_results_are_a_result_or_pairs(given):
    with pytest.raises(TypeError, match="earlier must be a Result, or a list of"):
        as_pairs(given)


def never(config):
    return False


def test_constraints_that_no_configuration_meets_are_refused():
    assert "constraint" in problems(space.Space(SPACE, constraints=[never]))


def test_a_point_that_no_configuration_completes_is_refused():
    what = space.Space({**SPACE, "y": space.uniform(0, 1)}, constraints=[lambda config: config["x"] < 0.5])
    assert "constraint" in problems(what, points_to_evaluate=[{"x": 0.9}])


def test_as_many_modes_as_metrics_are_wanted():
    assert "have different lengths" in problems(metric=["a", "b", "c"], mode=["min", "max"])


def test_a_scheduler_that_compares_needs_a_metric():
    assert "it needs a metric" in problems(metric=None, scheduler=ASHA())


def test_a_configuration_that_is_enqueued_is_a_dict():
    with pytest.raises(TypeError, match=r"config must be a dict, not \[1\]"):
        Engine(lambda config: 0.0, SPACE, executor="local", storage=None).enqueue([1])
