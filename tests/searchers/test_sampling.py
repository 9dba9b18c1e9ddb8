"""Random search, quasi-random points, and grids."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import qmc

from tests.contracts.searcher import FINITE, SearcherContract, news
from tests.core.driving import Curve, simulate
from trialwright.executors.simulated import Simulated
from trialwright.history import History
from trialwright.searchers import Grid, Halton, LatinHypercube, Problem, Random, Sobol
from trialwright.searchers.sampling import MiddleFirst
from trialwright.space import Space, choice, grid_search, loguniform, quniform, randint, sample_from, uniform
from trialwright.streams import Streams

SQUARE = Space({"x": uniform(0, 1), "y": uniform(0, 1)})


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


class TestSobol(SearcherContract):
    def make(self):
        return Sobol()


class TestMiddleFirst(SearcherContract):
    def make(self):
        return MiddleFirst()


class TestHalton(SearcherContract):
    def make(self):
        return Halton()


class TestLatinHypercube(SearcherContract):
    def make(self):
        return LatinHypercube(7)


def points(searcher, count, seed=0, space=SQUARE):
    searcher.setup(Problem(space))
    suggestions = searcher.suggest(History(), news(0, count), Streams(seed))
    return np.array([list(suggestion.config.values()) for suggestion in suggestions])


@pytest.mark.parametrize("count", [64, 256, 700, 1024])
def test_points_cover_the_square_more_evenly_than_random_ones(count):
    for seed in range(3):
        sobol, random = (qmc.discrepancy(points(searcher, count, seed)) for searcher in (Sobol(), Random()))
        assert sobol < random / 3


def test_the_middle_is_that_of_ranges_and_beliefs():
    space = Space(
        {"x": uniform(-4, 8), "lr": loguniform(1e-4, 1e-2), "n": randint(0, 3), "y": uniform(0, 1).prior(0.8, 0.05)}
    )
    assert points(MiddleFirst(), 1, space=space)[0] == pytest.approx([2.0, 1e-3, 1, 0.8], abs=0.01)


def test_after_the_middle_come_the_same_points():
    assert np.array_equal(points(MiddleFirst(), 300)[1:], points(Sobol(), 300)[1:])


@pytest.mark.parametrize("make", [Halton, lambda: LatinHypercube(100)])
def test_others_cover_it_more_evenly_too(make):
    for seed in range(3):
        assert qmc.discrepancy(points(make(), 100, seed)) < qmc.discrepancy(points(Random(), 100, seed))


def test_each_slice_of_a_latin_hypercube_has_one_point():
    rows = points(LatinHypercube(10), 40)
    for cube in range(4):
        slices = (rows[cube * 10 : cube * 10 + 10] * 10).astype(int)
        assert np.all(np.sort(slices, axis=0) == np.arange(10)[:, None])


def test_a_hypercube_without_points_is_refused():
    with pytest.raises(ValueError, match="must be at least 1"):
        LatinHypercube(0).setup(Problem(SQUARE))


def test_each_sixteenth_of_the_square_gets_its_share():
    cells = (points(Sobol(), 256) * 4).astype(int)
    assert set(np.bincount(cells[:, 0] * 4 + cells[:, 1])) == {16}


def test_blocks_join_to_one_sequence():
    sequence = qmc.Sobol(2, scramble=True, rng=Streams(5).integer("sobol")).random(1024)
    assert np.allclose(points(Sobol(), 1024, seed=5), sequence, atol=1e-12)


def test_another_seed_scrambles_otherwise():
    assert not np.isin(points(Sobol(), 64, 1), points(Sobol(), 64, 2)).any()


def test_the_grid_is_tried_in_every_sample():
    rows = points(Sobol(), 12, space=Space({"g": grid_search([0, 1, 2]), "x": uniform(0, 1)}))
    assert list(rows[:, 0]) == [0, 1, 2] * 4


def test_options_get_equal_shares():
    rows = points(Sobol(), 256, space=Space({"c": choice([0, 1, 2, 3]), "x": uniform(0, 1)}))
    assert list(np.bincount(rows[:, 0].astype(int))) == [64] * 4


def test_too_many_dimensions_are_refused_with_their_number():
    class Wide:
        dimension = 21_202

    with pytest.raises(ValueError, match="at most 21201 dimensions; the space has 21202"):
        Sobol().setup(Problem(Wide()))  # type: ignore[arg-type]


class TestGrid(SearcherContract):
    spaces = FINITE

    def make(self):
        return Grid()


def configs_of(space: Space, samples: int = 1) -> list:
    searcher = Grid()
    size = searcher.setup(Problem(space))
    return [suggestion.config for suggestion in searcher.suggest(History(), news(0, size * samples), Streams(0))]


def test_each_config_of_the_product_is_tried_once_a_sample_and_in_order():
    space = Space({"a": choice(["x", "y"]), "b": {"c": randint(1, 4)}, "d": grid_search([True, None]), "e": "constant"})
    expected = [
        {"a": a, "b": {"c": c}, "d": d, "e": "constant"} for a, c, d in product(["x", "y"], [1, 2, 3], [True, None])
    ]
    assert configs_of(space) == expected
    assert configs_of(space, samples=3) == expected * 3


def test_branches_add_up():
    space = Space(
        {"model": choice([{"kind": "tree", "depth": randint(1, 4)}, {"kind": "svm", "C": quniform(0, 1, 0.5)}])}
    )
    assert [list(config["model"].values()) for config in configs_of(space)] == [
        ["tree", 1], ["tree", 2], ["tree", 3], ["svm", 0.0], ["svm", 0.5], ["svm", 1.0],
    ]  # fmt: skip


def test_what_violates_a_constraint_is_omitted():
    space = Space({"a": randint(0, 3), "b": randint(0, 3)}, constraints=[lambda config: config["a"] < config["b"]])
    assert [(config["a"], config["b"]) for config in configs_of(space, 2)] == [(0, 1), (0, 2), (1, 2)] * 2


def test_functions_are_drawn_anew_for_each_trial():
    space = Space({"a": choice([1, 2]), "noise": sample_from(lambda: __import__("random").random())})
    noises = [config["noise"] for config in configs_of(space, 2)]
    assert len(set(noises)) == 4


def test_a_run_covers_the_grid_as_often_as_there_are_samples():
    space = Space({"x": choice([0.1, 0.2, 0.3]), "y": choice(["a", "b"])})
    simulation = simulate(Curve(steps=1), None, Simulated(workers=4), searcher=Grid(), space=space, samples=2)
    configs = [trial.config for trial in simulation.experiment.trials.values()]
    assert configs == configs_of(space, samples=2)
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
