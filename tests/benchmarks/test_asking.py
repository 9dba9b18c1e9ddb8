"""The benchmark of asks."""

import math

import pytest

from benchmarks import asking
from benchmarks.asking import Case, Row

CASE = Case("tpe", "TPESampler", 2, 15, budget_ms=1e9)


def test_ours_and_the_peer_are_timed_on_the_same_history():
    row = asking.measure(CASE, repeats=1)
    assert 0 < row.ours_ms < math.inf
    assert 0 < row.peer_ms < math.inf


@pytest.mark.parametrize("side", [asking._Ours, asking._Optuna])
def test_a_history_is_there_before_the_first_round(side):
    pytest.importorskip("optuna")
    made = side(CASE)
    asking._round_ms(made, CASE)
    assert len(made._study.trials) == 15 + 1 + asking.ROUNDS


def test_a_row_says_what_is_late():
    case = Case("gp", "GPSampler", 7, 50, budget_ms=20)
    assert "LATE" not in str(Row(case, 19.0, 190.0))
    assert "10.0 times as long" in str(Row(case, 19.0, 190.0))
    assert "LATE" in str(Row(case, 21.0, math.nan))


def test_batches_count_by_the_configuration():
    case = Case("random", "RandomSampler", 10, 0, budget_ms=1.28, batch=asking.BATCH)
    assert "4 us a config (at most   5)" in str(Row(case, 1.024, 128.0)).replace("     ", " ")
