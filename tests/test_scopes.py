"""Which of its values a trial is judged by, and which trial is the best."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwright import Engine, report, space
from trialwright.scopes import SCOPES, best_of, value_of

CURVES = [[5.0, 1.0, 4.0], [3.0, 3.0, 3.0], [9.0, 8.0, 7.0, 2.0]]
NUMBERS = st.lists(st.floats() | st.sampled_from([math.nan, math.inf, -math.inf]))
MODES = st.sampled_from(["min", "max"])


def order_of(values, mode):
    """The best of some values, by the plainest rule there is."""
    finite = [value for value in values if math.isfinite(value)]
    return (max if mode == "max" else min)(finite, default=None)


@given(NUMBERS, MODES)
def test_the_best_is_the_first_with_the_best_finite_value(values, mode):
    best = order_of(values, mode)
    found = best_of(zip(values, range(len(values)), strict=True), mode)
    assert found == (None if best is None else values.index(best))


@given(NUMBERS, MODES)
def test_where_not_only_finite_values_count_the_best_is_no_number_only_if_none_is(values, mode):
    found = best_of([(value, value) for value in values], mode, finite=False)
    known = [value for value in values if not math.isnan(value)]
    if known:
        assert found == (max if mode == "max" else min)(known)
    else:
        assert found is None if not values else math.isnan(found)


@given(NUMBERS, MODES)
def test_a_trial_s_best_value_is_the_best_finite_one(values, mode):
    expected = order_of(values, mode)
    found = value_of(values, "best", mode)
    assert found == expected or (expected is None and (math.isnan(found) if values else found is None))


@pytest.mark.parametrize("scope", SCOPES)
def test_what_is_no_number_does_not_count(scope):
    assert value_of([None, "7", math.nan, 2.0], scope, "min") == 2.0
    assert value_of([None, "7"], scope, "min") is None
    assert math.isnan(value_of([math.nan], scope, "min"))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_a_mean_is_that_of_all_reports_or_of_the_last(values):
    means = [value_of(values, scope, "min") for scope in ("avg", "last-5-avg", "last-10-avg")]
    assert means == [fmean(values), fmean(values[-5:]), fmean(values[-10:])]


def test_a_scope_or_mode_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="'last-5-avg', 'last-10-avg', not 'first'"):
        value_of([1.0], "first", "min")
    with pytest.raises(ValueError, match="mode must be 'min' or 'max', not 'maximum'"):
        value_of([1.0], "last", "maximum")


def curve(config):
    for value in config["curve"]:
        report(loss=value)


@pytest.mark.parametrize(
    ("scope", "mode", "number"),
    [
        *(("last", "min", 2), ("last", "max", 0), ("best", "min", 0), ("best", "max", 2), ("avg", "min", 1)),
        *(("avg", "max", 2), ("last-5-avg", "min", 1), ("last-10-avg", "max", 2), ("mean", "min", 2)),
    ],
)
def test_a_result_has_a_best_trial_by_each_scope(tmp_path, scope, mode, number):
    definition = {"curve": space.grid_search(CURVES)}
    keywords = {"metric": "loss", "mode": mode, "executor": "local", "storage": tmp_path, "verbose": 0}
    result = Engine(curve, definition, searcher="grid", **keywords).run()
    assert result.best(scope).config == {"curve": CURVES[number]}
    assert result.best(scope).value("loss", mode, scope) == value_of(CURVES[number], scope, mode)
    with pytest.raises(ValueError, match="scope must be one of .* not 'worst'"):
        result.best("worst")
