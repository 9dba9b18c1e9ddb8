"""Ranking, against a sorted list."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright.schedulers import ranking
from trialwright.schedulers.ranking import Ranking

numbers = st.integers(0, 60)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK", 4)


@given(st.lists(numbers, unique=True), st.lists(st.tuples(st.booleans(), numbers), max_size=200))
def test_it_is_a_sorted_list(first, changes):
    ranked, expected = Ranking((number,) for number in first), sorted(first)
    for put, number in changes:
        if put and number not in expected:
            expected = sorted([*expected, number])
            assert ranked.add((number,)) == expected.index(number)
        elif not put and number in expected:
            ranked.remove((number,))
            expected.remove(number)
    assert [number for (number,) in ranked] == expected
    assert [ranked[rank] for rank in range(len(ranked))] == [(number,) for number in expected]
    assert [ranked.rank((number,)) for number in range(61)] == [sum(e < n for e in expected) for n in range(61)]


@pytest.mark.parametrize("rank", [-1, 3])
def test_there_is_no_item_of_a_rank_beyond_the_last(rank):
    with pytest.raises(IndexError, match=f"3 items, and none of rank {rank}"):
        Ranking([(1,), (2,), (3,)])[rank]


@pytest.mark.parametrize("item", [(0,), (2,), (math.inf,)])
def test_what_is_not_in_it_cannot_be_taken_out(item):
    with pytest.raises(KeyError):
        Ranking([(1,), (3,)]).remove(item)


class Counted(float):
    """A number that counts how often it is compared."""

    comparisons = 0

    def __lt__(self, other):
        Counted.comparisons += 1
        return float(self) < float(other)


@pytest.mark.parametrize("size", [1_000, 10_000, 100_000])
def test_an_insertion_takes_as_many_comparisons_as_the_number_has_digits(size, monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK", 512)
    ranked = Ranking((Counted(number),) for number in range(size))
    Counted.comparisons = 0
    for number in range(100):
        ranked.add((Counted(number * size / 100 + 0.5),))
    assert Counted.comparisons / 100 <= 2.5 * math.log2(size) + 6
