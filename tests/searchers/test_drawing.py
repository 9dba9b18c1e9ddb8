"""No searcher that learns tries a configuration twice while others are left."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwright import AskTell, space
from trialwright.searchers import NSGA2, Grid, Repeat
from trialwright.space import Space

SPACES = {
    "six": ({"a": space.choice(["p", "q"]), "b": space.choice([1, 2, 3])}, 6),
    "twelve": ({"a": space.choice(["x", "y", "z"]), "b": space.randint(0, 4)}, 12),
    "two hundred": ({"a": space.randint(0, 20), "b": space.quniform(0, 0.9, 0.1)}, 200),
    "conditional": ({"model": space.choice([{"depth": space.randint(1, 9)}, "dummy"])}, 9),
    "ten of nine hundred": (
        Space({"a": space.randint(0, 30), "b": space.randint(0, 30)}, [lambda config: config["a"] + config["b"] <= 3]),
        10,
    ),
}


def asked(searcher, what, count, at_once=1, **keywords):
    """Ask and tell so many; return how many were different."""
    study = AskTell(what, searcher=searcher, **{"seed": 0, **keywords})
    for number in range(0, count, at_once):
        for trial in study.ask(min(at_once, count - number)):
            study.tell(trial, float(len(study.trials) % 3))
    return len({json.dumps(trial.config) for trial in study.trials})


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("searcher", ["tpe", "nsga2", "dehb"])
def test_a_finite_space_is_used_up_before_a_config_comes_twice(searcher, name):
    what, size = SPACES[name]
    assert asked(searcher, what, size) == size


@given(seed=st.integers(0, 100), at_once=st.integers(1, 12))
@settings(max_examples=20)
def test_batches_hold_no_config_twice_either(seed, at_once):
    what, size = SPACES["twelve"]
    assert asked("tpe", what, size, at_once, seed=seed) == size
    assert asked(NSGA2(population=4), what, size, at_once, seed=seed) == size


@pytest.mark.parametrize("searcher", ["tpe", "nsga2", "dehb"])
def test_a_space_that_is_used_up_begins_again_where_more_trials_are_wanted(searcher):
    assert asked(searcher, SPACES["six"][0], 20, num_samples=20) == 6


@pytest.mark.parametrize("name", ["six", "conditional", "ten of nine hundred"])
@pytest.mark.parametrize("searcher", ["random", "tpe", "nsga2", "gp"])
def test_a_space_that_is_used_up_is_said_to_be(searcher, name):
    what, size = SPACES[name]
    study = AskTell(what, searcher=searcher, seed=0)
    with pytest.raises(LookupError, match=f"all {size} configurations of the space were tried"):
        for _ in range(1000):
            study.tell(study.ask(), 0.0)
    assert len({json.dumps(trial.config) for trial in study.trials}) == size


def test_what_was_added_is_tried():
    study = AskTell(SPACES["six"][0], searcher="tpe", seed=0)
    for config in Space(SPACES["six"][0]).sample(200, np.random.default_rng(0)):
        study.add(config, 1.0)
    with pytest.raises(LookupError, match="were tried"):
        study.ask()


def test_repeats_on_purpose_are_no_used_up_space():
    study = AskTell({"a": space.choice([1, 2])}, searcher=Repeat(Grid(), 3), seed=0)
    assert [study.ask().config["a"] for _ in range(6)] == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("searcher", ["tpe", "nsga2", "dehb"])
def test_a_branch_without_parameters_is_tried_once(searcher):
    assert asked(searcher, {"model": space.choice(["dummy", {"c": space.uniform(0, 1)}])}, 50) == 50


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_no_child_in_a_continuous_space_is_an_exact_copy(dimensions):
    what = {f"x{number}": space.uniform(0, 1) for number in range(dimensions)}
    assert asked("nsga2", what, 132) == 132


def test_a_grid_point_is_kept_when_its_config_is_replaced():
    study = AskTell({"g": space.grid_search([1, 2]), "a": space.randint(0, 3)}, searcher="tpe", seed=0)
    configs = [study.ask().config for _ in range(6)]
    assert [config["g"] for config in configs] == [1, 2, 1, 2, 1, 2]
    assert len({tuple(config.values()) for config in configs}) == 6
