"""The benchmark of the simulator; what it counts is held here, what it times is not."""

from __future__ import annotations

import pytest

from benchmarks import simulating
from benchmarks.simulating import Case


@pytest.mark.slow
def test_an_event_costs_as_many_calls_however_many_trials_there_are():
    few, many = (simulating.counted(Case("asha", trials, 9)) for trials in (1_000, 5_000))
    assert few.calls * 2 / 3 < many.calls < few.calls * 3 / 2


@pytest.mark.parametrize(("scheduler", "reports"), [("fifo", 500), ("asha", 250)])
def test_a_row_tells_what_was_simulated(scheduler, reports):
    row = simulating.timed(Case(scheduler, 100, 5))
    assert (row.trials, row.reports <= reports, row.seconds > 0) == (100, True, True)
    assert f"{row.reports} reports" in str(row)
