"""Where there is room is found without looking at each machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.counting import count_lines
from trialwright.core.free_index import REMEMBERED, FreeIndex
from trialwright.errors import InternalError

ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(-3, 9), max_size=3), max_size=17)
NEEDS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), max_size=3)
CHANGES = st.lists(st.tuples(st.integers(0, 16), st.sampled_from("abc"), st.integers(-3, 9)), max_size=20)


def first_by_looking_at_each(rows, need):
    fitting = (
        place for place, row in enumerate(rows) if all(row.get(key, 0) >= amount for key, amount in need.items())
    )
    return next(fitting, None)


@given(ROWS, st.sampled_from([1, 1, 7]), CHANGES, st.lists(NEEDS, min_size=1, max_size=5))
def test_the_first_row_that_has_all_that_is_needed_is_found_whatever_has_changed(rows, times, changes, needs):
    rows = [dict(row) for _ in range(times) for row in rows]
    index = FreeIndex(rows)
    for place, key, amount in [(0, "", 0), *changes]:
        if place < len(rows) and key in rows[place]:
            rows[place][key] = amount
            index.changed(place, [key])
            index.check()
        for need in needs:
            assert index.first(tuple(need.items())) == first_by_looking_at_each(rows, need)


def alternating(count):
    """Each row has one of two things, none has both."""
    rows = [{"cpu": 4 * (place % 2), "gpu": 4 * (1 - place % 2)} for place in range(count)]
    return rows, FreeIndex(rows)


def test_a_long_search_is_made_once():
    need, steps = (("cpu", 1), ("gpu", 1)), {}
    for count in (8, 400):
        rows, index = alternating(count)
        assert index.first(need) is None
        steps[count] = count_lines(lambda index=index: index.first(need))
        for place in (count - 1, count - 3):
            rows[place]["gpu"] = 1
            index.changed(place, ["gpu"])
            assert index.first(need) == place
        index.check()
    assert steps[400] < steps[8]


def test_only_so_many_needs_are_remembered():
    _, index = alternating(400)
    for amount in range(1, 4):
        for more in range(1, 4):
            for key in range(8):
                index.first((("cpu", amount), ("gpu", more), *[("cpu", 1)] * key))
    assert len(index._met) == REMEMBERED
    index.check()


def test_what_is_remembered_wrongly_is_found():
    _, index = alternating(400)
    need = (("cpu", 1), ("gpu", 1))
    index.first(need)
    index._met[need] = 1
    with pytest.raises(InternalError, match="the index of free amounts remembers"):
        index.check()


def test_a_change_that_was_not_noted_is_found():
    rows = [{"cpu": 1}, {"cpu": 2}, {"cpu": 3}]
    index = FreeIndex(rows)
    rows[1]["cpu"] = 4
    with pytest.raises(InternalError, match="the index of free amounts says"):
        index.check()


def test_without_rows_nothing_is_found():
    assert FreeIndex([]).first(()) is None
    assert FreeIndex([]).first((("cpu", 1),)) is None
