"""The benchmark of the loop's lag."""

import json
from dataclasses import asdict

import pytest

from benchmarks import lag
from benchmarks.lag import CASES, Row
from trialwright.searchers import GP


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(lag, "N", 10)
    monkeypatch.setattr(lag, "SAMPLES", 2)


def test_each_case_is_measured(small):
    rows = [*lag.table(repeats=1)]
    assert [row.case for row in rows] == [*CASES]
    for row in rows:
        assert row.p50_ms <= row.p99_ms <= row.max_ms
    assert json.dumps([asdict(row) for row in rows])


def test_what_is_compared_is_the_same_searcher_in_two_places():
    assert GP.process_from <= lag.N
    assert lag.InThread.process_from is None
    assert issubclass(lag.InThread, GP)


def test_only_what_is_promised_can_be_late():
    thread, process = CASES[1:]
    assert "LATE" not in str(Row(thread, 0.1, 13.0, 30.0, 13.0, 130.0))
    assert "LATE" in str(Row(process, 0.1, 5.1, 30.0, 13.0, 130.0))
    assert "LATE" not in str(Row(process, 0.1, 4.9, 30.0, 13.0, 130.0))
