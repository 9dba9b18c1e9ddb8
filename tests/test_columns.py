"""Configurations as columns."""

from __future__ import annotations

import math

import numpy as np

from trialwright.columns import columns


def column(values, logarithmic=()):
    return columns([{} if value is ... else {"x": value} for value in values], frozenset(logarithmic))[0]


def test_a_parameter_is_called_as_in_tables_and_is_nan_where_it_is_missing():
    found = columns([{"model": {"lr": 0.1}}, {"width": 8}])
    assert [each.name for each in found] == ["model/lr", "width"]
    assert found[0].values[0] == 0.1
    assert [each.active.tolist() for each in found] == [[True, False], [False, True]]


def test_values_of_which_one_is_no_number_are_names_and_numbers_come_first():
    found = column([None, 10, 2, None])
    assert found.names == ("2", "10", "None")
    assert found.values.tolist() == [2.0, 1.0, 0.0, 2.0]


def test_truths_are_names():
    assert column([True, False]).names == ("False", "True")


def test_a_number_that_is_not_finite_is_a_name():
    assert column([math.inf, 1.0]).names == ("1.0", "inf")


def test_an_axis_is_logarithmic_only_if_all_numbers_are_above_zero():
    assert column([1, 100], ["x"]).scaled.tolist() == [0, 2]
    assert not column([0, 100], ["x"]).log
    assert not column(["a", "b"], ["x"]).log


def test_what_is_the_same_in_all_that_have_it_is_constant():
    assert [column(values).is_constant for values in ([1, 1, ...], ["a", "a"], [1, 2], ["a", "b"])] == [1, 1, 0, 0]


def test_a_column_is_an_array_of_floats():
    assert column([1, 2]).values.dtype == np.float64
