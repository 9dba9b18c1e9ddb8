"""Nested dicts as flat ones, and back."""

from hypothesis import given
from hypothesis import strategies as st

from trialwright.nested import flatten, items, unflatten

NAMES = st.text("ab", min_size=1, max_size=2)
NESTED = st.recursive(
    st.dictionaries(NAMES, st.integers(), min_size=1),
    lambda inner: st.dictionaries(NAMES, st.one_of(st.integers(), inner), min_size=1),
)


def test_names_are_joined_with_slashes():
    assert flatten({"model": {"lr": 0.1, "layers": {"first": 8}}, "seed": 1}) == {
        "model/lr": 0.1,
        "model/layers/first": 8,
        "seed": 1,
    }


def test_an_empty_dict_has_no_path():
    assert flatten({"a": {}, "b": {"c": {}}}) == {}


def test_a_dict_that_is_a_value_stays_whole():
    config = {"optimizer": {"choice": {"name": "sgd"}, "lr": 0.1}}
    assert flatten(config, {"optimizer/choice"}) == {"optimizer/choice": {"name": "sgd"}, "optimizer/lr": 0.1}


def test_of_two_values_with_one_path_the_last_is_taken():
    nested = {"a/b": 1, "a": {"b": 2}}
    assert list(items(nested)) == [("a/b", 1), ("a/b", 2)]
    assert flatten(nested) == {"a/b": 2}


@given(NESTED)
def test_what_is_flattened_can_be_nested_again(nested):
    assert unflatten(flatten(nested)) == nested
