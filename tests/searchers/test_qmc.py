"""Quasi-random search."""

import numpy as np
import pytest
from scipy.stats import qmc

from tests.contracts.searcher import SearcherContract, news
from trialwright.history import History
from trialwright.searchers import Halton, LatinHypercube, Problem, Random, Sobol
from trialwright.searchers.qmc import MiddleFirst
from trialwright.space import Space, choice, grid_search, loguniform, randint, uniform
from trialwright.streams import Streams

SQUARE = Space({"x": uniform(0, 1), "y": uniform(0, 1)})


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
