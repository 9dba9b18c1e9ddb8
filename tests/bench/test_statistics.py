"""Ranks, intervals, and tests of what was compared."""

import numpy as np
import pytest

from trialwright.bench.statistics import at, holm, interval, ranks, wilcoxon


def test_ties_share_their_rank():
    assert ranks(np.array([[1.0, 1.0, 0.0]])).tolist() == [[2.5, 2.5, 1]]


def test_an_interval_excludes_0_where_all_differences_have_one_sign():
    low, high = interval(np.array([1.0, 2.0, 3.0, 1.0]))
    assert 1 <= low < high <= 3


def test_an_interval_covers_a_mean_of_0_in_19_of_20_samples():
    drawn = np.random.default_rng(0).normal(size=(200, 30))
    covered = sum(low <= 0 <= high for low, high in map(interval, drawn))
    assert 180 <= covered <= 198


def test_holm_multiplies_and_never_falls():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})


def test_holm_never_exceeds_1():
    assert holm({"a": 0.9, "b": 0.8}) == {"b": 1, "a": 1}


def test_equal_results_are_no_evidence():
    assert wilcoxon(np.zeros(9)) == 1


def test_the_same_winner_everywhere_is_evidence():
    assert wilcoxon(-np.arange(1.0, 21.0)) < 1e-4


def test_a_moment_is_the_last_point_of_its_share_of_the_budget():
    regrets = np.arange(40.0).reshape(1, 1, 40)
    assert [at(regrets, moment).item() for moment in (0.25, 0.5, 1.0)] == [9, 19, 39]
    assert at(regrets[:, :, :2], 0.25).item() == 0
