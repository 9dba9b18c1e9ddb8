"""Random search in Ray Tune's order of trials, compared with Ray Tune's own."""

from __future__ import annotations

import pytest
from ray import tune
from ray.tune.experiment import Experiment
from ray.tune.search.basic_variant import BasicVariantGenerator

from tests.contracts.searcher import SearcherContract, news
from trialwright import Engine
from trialwright.history import History
from trialwright.searchers import Problem
from trialwright.searchers.variants import Variants
from trialwright.space import Space, grid_search, uniform
from trialwright.streams import Streams
from trialwright.tune.spaces import as_space


class TestVariants(SearcherContract):
    def make(self):
        return Variants()


def of_ray(config, num_samples, points):
    searcher = BasicVariantGenerator(points_to_evaluate=points)
    searcher.add_configurations([Experiment("e", lambda config: None, config=config, num_samples=num_samples)])
    trials = []
    while (trial := searcher.next_trial()) is not None:
        trials.append(trial.config)
    return trials


def of_ours(space, num_samples, points, *, constant_grid=False):
    searcher = Variants(constant_grid)
    searcher.setup(Problem(space, points=tuple(points)))
    requests = news(0, searcher.planned(num_samples))
    return [space.resolve(each.config) for each in searcher.suggest(History(), requests, Streams(0))]


@pytest.mark.parametrize(
    ("config", "num_samples", "points"),
    [
        ({"b": [1, 2], "a": [3, 4, 5], "n": {"z": [0, 1], "c": 7}}, 2, []),
        ({"b": [1, 2], "a": [3, 4, 5], "n": {"z": [0, 1], "c": 7}}, 3, [{"a": 4}, {"n": {"z": 1}, "b": 2}]),
        ({"a": [1, 2], "b": ["x", "y"]}, 1, [{"b": "y"}, {}, {"a": 2, "b": "x"}]),
        ({"a": [1, 2], "l": [[3, 4], [5, 6]]}, 1, [{"a": 2}]),
    ],
)
def test_grids_and_points_make_the_same_trials_in_the_same_order_as_on_ray(config, num_samples, points):
    def of_grids(value):
        if isinstance(value, dict):
            return {key: of_grids(inner) for key, inner in value.items()}
        if isinstance(value, list):
            is_nested = isinstance(value[0], list)
            return [of_grids(inner) for inner in value] if is_nested else tune.grid_search(value)
        return value

    theirs = of_ray(of_grids(config), num_samples, points)
    assert of_ours(as_space(of_grids(config)), num_samples, points) == theirs


def test_76_trials_that_were_are_the_44_of_ray():
    grids = {"a": list(range(6)), "b": list(range(6))}
    points = [{"a": 1, "b": number} for number in range(2)] + [{"a": 2}]
    space = Space({name: grid_search(values) for name, values in grids.items()})
    theirs = of_ray({name: tune.grid_search(values) for name, values in grids.items()}, 4, points)
    assert of_ours(space, 4, points) == theirs
    assert len(theirs) == 44


def test_what_a_point_leaves_out_is_drawn_anew_for_each_of_its_trials_or_once():
    space = Space({"a": grid_search([1, 2, 3]), "x": uniform(0, 1), "y": uniform(0, 1)})
    for constant, different in ((False, 3), (True, 1)):
        trials = of_ours(space, 1, [{"x": 0.5}], constant_grid=constant)
        assert [(each["a"], each["x"]) for each in trials] == [(1, 0.5), (2, 0.5), (3, 0.5)]
        assert len({each["y"] for each in trials}) == different


def test_samples_after_the_points_are_those_without_them():
    space = Space({"a": grid_search([1, 2]), "x": uniform(0, 1)})
    assert of_ours(space, 3, [{"a": 2}])[1:] == of_ours(space, 2, [])


def test_constraints_hold_at_each_grid_point_of_a_point():
    space = Space({"a": grid_search([0.25, 0.5]), "x": uniform(0, 1)}, constraints=[lambda c: c["x"] < c["a"]])
    trials = of_ours(space, 2, [{}])
    assert [each["a"] for each in trials] == [0.25, 0.5] * 2
    assert all(each["x"] < each["a"] for each in trials)


def test_a_resumed_run_knows_its_points_and_may_have_more_samples(tmp_path):
    def objective(config):
        return {"loss": config["a"] * config["b"]}

    space = {"a": grid_search([1, 2]), "b": grid_search([3, 4])}
    settings = {"executor": "local", "verbose": 0, "storage": tmp_path}
    points = [{"b": 4}]
    first = Engine(objective, space, searcher=Variants(), points_to_evaluate=points, **settings).run()
    assert [each.config["a"] for each in first] == [1, 2]
    more = Engine.resume(first.path, objective, num_samples=2, executor="local", verbose=0).run()
    assert [each.config for each in more] == of_ours(Space(space), 2, points)
