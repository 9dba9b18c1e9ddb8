"""The comparison of importances: what is known of its function, and that a small one runs."""

from __future__ import annotations

import pytest

from benchmarks import importance


def test_the_true_variances_are_those_of_the_terms():
    scores = importance.truth("fanova", 20_000)
    assert scores["decay"] == pytest.approx(0.15**2 / 12, rel=0.05)
    assert scores["kind"] == pytest.approx(0.7**2 * 3 / 16, rel=0.05)
    assert max(scores, key=scores.__getitem__) == "lr"
    assert scores["junk"] == 0


def test_the_true_divergence_is_zero_where_a_parameter_has_no_effect():
    scores = importance.truth("ped-anova", 20_000)
    assert scores["junk"] < 0.05 < scores["depth"] < scores["lr"]


def test_agreement_is_one_for_the_same_order_and_minus_one_for_the_opposite():
    true = {"a": 3.0, "b": 2.0, "c": 0.0}
    assert importance.agreement({"a": 0.9, "b": 0.5, "c": 0.1}, true) == pytest.approx(1)
    assert importance.agreement({"a": 0.1, "b": 0.5, "c": 0.9}, true) == pytest.approx(-1)


def test_a_small_comparison_runs_and_its_rows_can_be_read():
    rows = importance.compare("ped-anova", 200, importance.truth("ped-anova", 20_000), 2, peer=False)
    assert 0.3 < rows["ours"].tau <= 1
    assert str(rows["ours"]).startswith("tau  0.")
