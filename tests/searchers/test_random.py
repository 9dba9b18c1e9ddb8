"""Random search."""

import numpy as np
import pytest

from tests.contracts.searcher import SearcherContract, news
from trialwright.history import History
from trialwright.searchers import Problem, Random
from trialwright.space import Space, grid_search, uniform
from trialwright.streams import Streams


class TestRandom(SearcherContract):
    def make(self):
        return Random()


class TestRandomOnceForTheGrid(SearcherContract):
    def make(self):
        return Random(constant_grid=True)


def suggested(space: Space, count: int, seed: int = 0, **options) -> list:
    searcher = Random(**options)
    assert searcher.setup(Problem(space)) == space.grid_size
    return [suggestion.config for suggestion in searcher.suggest(History(), news(0, count), Streams(seed))]


def test_draws_are_independent_and_of_the_prior():
    xs = np.array([config["x"] for config in suggested(Space({"x": uniform(2, 4)}), 4000)])
    assert xs.mean() == pytest.approx(3, abs=0.05)
    assert xs.std() == pytest.approx(2 / np.sqrt(12), abs=0.02)
    assert abs(np.corrcoef(xs[:-1], xs[1:])[0, 1]) < 0.05
    assert len(set(xs)) == 4000


def test_another_seed_draws_others():
    space = Space({"x": uniform(0, 1)})
    assert not {str(config) for config in suggested(space, 9, 1)} & {str(config) for config in suggested(space, 9, 2)}


def test_every_sample_tries_the_whole_grid_with_fresh_draws():
    space = Space({"g": grid_search([1, 2]), "x": uniform(0, 1), "h": grid_search(["a", "b", "c"])})
    configs = suggested(space, 3 * space.grid_size)
    grid = [(g, h) for g in (1, 2) for h in "abc"]
    assert [(config["g"], config["h"]) for config in configs] == grid * 3
    assert len({config["x"] for config in configs}) == len(configs)


def test_what_is_drawn_may_stay_the_same_over_the_grid():
    space = Space({"g": grid_search([1, 2, 3]), "x": uniform(0, 1)})
    configs = suggested(space, 6, constant_grid=True)
    assert [config["g"] for config in configs] == [1, 2, 3] * 2
    assert [config["x"] for config in configs] == [config["x"] for config in configs[::3] for _ in range(3)]
    assert configs[0]["x"] != configs[3]["x"]


def test_a_config_that_violates_a_constraint_is_drawn_again_at_its_own_grid_point():
    space = Space(
        {"g": grid_search([1, 2]), "x": uniform(0, 1)}, constraints=[lambda config: config["x"] < 0.1 * config["g"]]
    )
    configs = suggested(space, 50)
    assert [config["g"] for config in configs] == [1, 2] * 25
    assert all(config["x"] < 0.1 * config["g"] for config in configs)
