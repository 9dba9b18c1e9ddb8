"""Where there is room is found without looking at each machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright.core.free_index import FreeIndex
from trialwright.errors import InternalError

ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(-3, 9), max_size=3), max_size=17)
NEEDS = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 9), max_size=3)
CHANGES = st.lists(st.tuples(st.integers(0, 16), st.sampled_from("abc"), st.integers(-3, 9)), max_size=20)


def first_by_looking_at_each(rows, need):
    fitting = (
        place for place, row in enumerate(rows) if all(row.get(key, 0) >= amount for key, amount in need.items())
    )
    return next(fitting, None)


@given(ROWS, CHANGES, st.lists(NEEDS, min_size=1, max_size=5))
def test_the_first_row_that_has_all_that_is_needed_is_found_whatever_has_changed(rows, changes, needs):
    index = FreeIndex(rows)
    for place, key, amount in changes:
        if place < len(rows) and key in rows[place]:
            rows[place][key] = amount
            index.changed(place, [key])
            index.check()
    for need in needs:
        assert index.first(tuple(need.items())) == first_by_looking_at_each(rows, need)


def test_a_change_that_was_not_noted_is_found():
    rows = [{"cpu": 1}, {"cpu": 2}, {"cpu": 3}]
    index = FreeIndex(rows)
    rows[1]["cpu"] = 4
    with pytest.raises(InternalError, match="the index of free amounts says"):
        index.check()


def test_without_rows_nothing_is_found():
    assert FreeIndex([]).first(()) is None
    assert FreeIndex([]).first((("cpu", 1),)) is None
