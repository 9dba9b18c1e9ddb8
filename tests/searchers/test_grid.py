"""Grid search."""

from itertools import product

import pytest

from tests.contracts.searcher import FINITE, SearcherContract, news
from tests.core.driving import Curve, simulate
from trialwright.executors.simulated import Simulated
from trialwright.history import History
from trialwright.searchers import Grid, Problem
from trialwright.space import Space, choice, grid_search, loguniform, quniform, randint, sample_from, uniform
from trialwright.streams import Streams


class TestGrid(SearcherContract):
    spaces = FINITE

    def make(self):
        return Grid()


def suggested(space: Space, samples: int = 1) -> list:
    searcher = Grid()
    size = searcher.setup(Problem(space))
    return [suggestion.config for suggestion in searcher.suggest(History(), news(0, size * samples), Streams(0))]


def test_each_config_of_the_product_is_tried_once_a_sample_and_in_order():
    space = Space({"a": choice(["x", "y"]), "b": {"c": randint(1, 4)}, "d": grid_search([True, None]), "e": "constant"})
    expected = [
        {"a": a, "b": {"c": c}, "d": d, "e": "constant"} for a, c, d in product(["x", "y"], [1, 2, 3], [True, None])
    ]
    assert suggested(space) == expected
    assert suggested(space, samples=3) == expected * 3


def test_branches_add_up():
    space = Space(
        {"model": choice([{"kind": "tree", "depth": randint(1, 4)}, {"kind": "svm", "C": quniform(0, 1, 0.5)}])}
    )
    assert [list(config["model"].values()) for config in suggested(space)] == [
        ["tree", 1], ["tree", 2], ["tree", 3], ["svm", 0.0], ["svm", 0.5], ["svm", 1.0],
    ]  # fmt: skip


def test_what_violates_a_constraint_is_left_out():
    space = Space({"a": randint(0, 3), "b": randint(0, 3)}, constraints=[lambda config: config["a"] < config["b"]])
    assert [(config["a"], config["b"]) for config in suggested(space, 2)] == [(0, 1), (0, 2), (1, 2)] * 2


def test_functions_are_drawn_anew_for_each_trial():
    space = Space({"a": choice([1, 2]), "noise": sample_from(lambda: __import__("random").random())})
    noises = [config["noise"] for config in suggested(space, 2)]
    assert len(set(noises)) == 4


def test_a_run_covers_the_grid_as_often_as_there_are_samples():
    space = Space({"x": choice([0.1, 0.2, 0.3]), "y": choice(["a", "b"])})
    simulation = simulate(Curve(steps=1), None, Simulated(workers=4), searcher=Grid(), space=space, samples=2)
    configs = [trial.config for trial in simulation.experiment.trials.values()]
    assert configs == suggested(space, samples=2)
    assert len(configs) == 12


@pytest.mark.parametrize("endless", [uniform(0, 1), loguniform(0.1, 1)])
def test_an_infinite_space_is_refused_with_the_parameter_and_the_way_out(endless):
    with pytest.raises(ValueError, match="a/b can have any value in a range.*searcher='random'"):
        Grid().setup(Problem(Space({"a": {"b": endless}, "c": choice([1, 2])})))


def test_a_grid_that_no_config_of_is_allowed_is_refused():
    with pytest.raises(ValueError, match="no config of the grid satisfies the constraints"):
        Grid().setup(Problem(Space({"a": randint(0, 3)}, constraints=[lambda config: config["a"] > 7])))


def test_constraints_are_not_asked_of_too_many_configs():
    space = Space({f"x{index}": randint(0, 100) for index in range(5)}, constraints=[lambda config: True])
    with pytest.raises(ValueError, match="at most 1,000,000 configs; the space has 10,000,000,000"):
        Grid().setup(Problem(space))
