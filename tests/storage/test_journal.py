"""What is written reads back as it was, in the quick way and in the slow one."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trialwright import codec
from trialwright.storage import journal

names = st.one_of(
    st.text(max_size=4), st.sampled_from(["NaN", "-Infinity", ",NaN,", '"NaN', "\\", '\\"', "float", "{"])
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(), names),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)


def refuse(value: object) -> None:
    raise AssertionError("the slow way was taken")


@given(values)
@example([math.nan, math.inf, -math.inf, "[NaN,Infinity]", '"', "\\"])
@example({"float": "nan"})
@example({"float": math.nan})
def test_all_plain_data_reads_back_as_it_was_and_is_proper_json(value):
    text = journal.encode(value)
    json.loads(text, parse_constant=refuse)
    assert repr(journal.decode(text)) == repr(value)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_written_the_quick_way(monkeypatch, odd):
    expected = codec.to_plain([0.5, odd, {"loss": odd, 'a "name"': "text"}])
    monkeypatch.setattr(codec, "to_plain", refuse)
    assert json.loads(journal.encode([0.5, odd, {"loss": odd, 'a "name"': "text"}])) == expected


@given(values, st.sampled_from([math.nan, math.inf, -math.inf]))
@example("\x7f\x1f\u00e9\u2028\U0001f600\ud800", math.nan)
def test_the_quick_way_writes_what_the_slow_way_writes(value, odd):
    assert journal.encode([value, odd]) == json.dumps(codec.to_plain([value, odd]), separators=(",", ":"))
