import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trialwright.searchers.pareto import best_first, crowding, hypervolume, ranks, undominated

VALUES = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 4)),
    elements=st.integers(0, 5).map(float),
)


def dominates(one, other):
    return np.all(one <= other) and np.any(one < other)


@given(VALUES)
def test_undominated_is_what_nothing_dominates(values):
    expected = [not any(dominates(other, value) for other in values) for value in values]
    assert undominated(values).tolist() == expected


@given(VALUES)
def test_each_front_is_undominated_without_the_fronts_before(values):
    fronts = ranks(values)
    for number in range(fronts.max() + 1):
        rest = values[fronts >= number]
        assert (undominated(rest) == (fronts[fronts >= number] == number)).all()


def test_two_objectives_of_many_points_are_ranked_without_comparing_all_with_all():
    values = np.random.default_rng(0).random((10_000, 2))
    tracemalloc.start()
    fronts = ranks(values)
    best_first(values, np.empty((10_000, 0)), 50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.array_equal(fronts == 0, undominated(values))
    assert peak < 10_000**2 / 10


@given(VALUES)
def test_the_volume_is_the_share_of_cells_that_are_dominated(values):
    reference = np.full(values.shape[1], 6.0)
    cells = np.stack(np.meshgrid(*[np.arange(6.0)] * values.shape[1]), axis=-1).reshape(-1, values.shape[1])
    covered = sum(any(np.all(value <= cell) for value in values) for cell in cells)
    assert hypervolume(values, reference) == pytest.approx(covered)


def test_the_ends_of_a_front_are_infinitely_lonely():
    values = np.array([[0.0, 4], [1, 2], [2, 1.5], [4, 0]])
    assert crowding(values).tolist() == [np.inf, 2 / 4 + 2.5 / 4, 3 / 4 + 2 / 4, np.inf]


def test_what_meets_the_constraints_comes_first_then_what_violates_least():
    values, violations = np.array([[1.0], [2.0], [0.0], [0.5]]), np.array([[-1.0], [0.0], [3.0], [1.0]])
    assert best_first(values, violations).tolist() == [0, 1, 3, 2]


def test_on_one_front_the_lonely_come_first():
    values = np.array([[0.0, 4], [1, 1], [1.1, 0.9], [4, 0], [5, 5]])
    order = best_first(values, np.empty((5, 0))).tolist()
    assert order[-1] == 4
    assert set(order[:2]) == {0, 3}


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(0, 30), st.integers(1, 4)), elements=st.integers(0, 5).map(float)),
    st.booleans(),
    st.integers(0, 31),
)
def test_the_first_few_are_those_of_all(values, is_constrained, count):
    violations = values[:, -1:] - 3 if is_constrained else np.empty((len(values), 0))
    few, everybody = best_first(values, violations, count), best_first(values, violations)
    assert few.tolist() == everybody[:count].tolist()


@given(VALUES)
def test_a_front_is_what_only_earlier_fronts_dominate(values):
    fronts = ranks(values)
    nowhere_more = np.all(values[:, None] <= values[None], axis=2)
    dominates = nowhere_more & ~nowhere_more.T
    for point, number in enumerate(fronts.tolist()):
        worse_than = fronts[dominates[:, point]]
        assert number == (worse_than.max() + 1 if worse_than.size else 0)


def test_of_many_points_only_the_first_fronts_are_distinguished():
    values = np.random.default_rng(0).random((2000, 3))
    fronts = ranks(values, 50)
    assert len(np.unique(fronts)) < 5
    assert np.array_equal(np.minimum(ranks(values), fronts.max()), fronts)
