"""Ray Tune's functions on nested dicts."""

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright.tune.dicts import flatten_dict, merge_dicts, unflatten_dict, unflatten_list_dict, unflattened_lookup

NAMES = st.text("abc", min_size=1, max_size=3)
NESTED = st.dictionaries(
    NAMES, st.recursive(st.integers(), lambda inner: st.dictionaries(NAMES, inner, min_size=1), max_leaves=8)
)


@given(NESTED)
def test_a_flat_dict_is_made_nested_again(nested):
    assert unflatten_dict(flatten_dict(nested)) == nested


@given(st.lists(st.lists(st.integers(), min_size=1), min_size=1))
def test_flat_lists_are_made_nested_again(rows):
    assert unflatten_list_dict(flatten_dict({"rows": rows}, flatten_list=True)) == {"rows": rows}


@given(NESTED)
def test_each_value_is_found_under_its_flat_name(nested):
    for name, value in flatten_dict(nested).items():
        assert unflattened_lookup(name, nested) == value


def test_lists_stay_values_unless_asked():
    assert flatten_dict({"a": {"b": [1, 2]}}) == {"a/b": [1, 2]}
    assert flatten_dict({"a": {"b": [1, {"c": 2}]}}, flatten_list=True) == {"a/b/0": 1, "a/b/1/c": 2}


def test_an_empty_dict_is_a_value():
    assert flatten_dict({"a": {}, "b": 1}) == {"a": {}, "b": 1}


def test_the_type_of_dict_is_kept():
    assert type(flatten_dict(OrderedDict(a={"b": 1}))) is OrderedDict
    assert type(unflatten_dict(OrderedDict({"a/b": 1}))["a"]) is OrderedDict


def test_a_name_with_the_delimiter_is_refused_if_asked():
    with pytest.raises(ValueError, match="a/b"):
        flatten_dict({"a/b": {"c": 1}}, prevent_delimiter=True)


@pytest.mark.parametrize("flat", [{"a": 1, "a/b": 2}, {"a/b": 1, "a/b/c": 2}, {"a/b": 1, "a": 2}])
def test_a_name_of_a_value_and_of_a_dict_is_refused(flat):
    with pytest.raises(TypeError, match="Cannot unflatten dict"):
        unflatten_dict(flat)


def test_numbers_that_do_not_begin_with_0_are_names():
    assert unflatten_list_dict({"a/1": 1, "a/2": 2}) == {"a": {"1": 1, "2": 2}}


def test_nothing_found_is_the_default_or_an_error():
    assert unflattened_lookup("a/7", {"a": [1]}, default=None) is None
    with pytest.raises(KeyError, match="'b' is not in"):
        unflattened_lookup("a/b", {"a": 1})


def test_the_second_of_two_dicts_wins_and_neither_is_changed():
    one, other = {"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"b": 2}, "d": {"e": 3}}
    merged = merge_dicts(one, other)
    assert merged == {"a": {"b": 2, "c": [1]}, "d": {"e": 3}}
    merged["a"]["c"].append(2)
    assert one == {"a": {"b": 1, "c": [1]}, "d": 1}
