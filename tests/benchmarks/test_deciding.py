"""The benchmark of schedulers; what it counts is held here, what it times is not."""

from __future__ import annotations

import math

import pytest

from benchmarks import deciding
from benchmarks.deciding import CASES, MOST, Case
from trialwright.schedulers import FIFO

FEW, MANY = 1_000, 4_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_decision_costs_as_many_calls_however_many_trials_there_are(case):
    few, many = (deciding.counted(case, trials) for trials in (FEW, MANY))
    most = math.sqrt(MANY / FEW) if case.name == "moasha" else MOST
    assert many.calls < most * few.calls


class Thorough(FIFO):
    """Looks through all trials that it has ever heard of, at every free slot."""

    def setup(self, rng):
        self.heard_of = []

    def on_start(self, trial):
        self.heard_of.append(trial.id)
        return super().on_start(trial)

    def next(self, can_ask):
        for trial in self.heard_of:
            abs(trial)
        return super().next(can_ask)


def test_a_scheduler_that_looks_through_all_trials_is_found_out():
    [row] = deciding.table(1, [Case("thorough", Thorough)], (100, 1_000))
    assert row.growth > 3 * MOST


def test_a_row_tells_what_was_measured():
    [row] = deciding.table(1, [Case("thorough", Thorough)], (10, 100))
    assert row.trials == (10, 100)
    assert 3 * 10 < row.events[0] < row.events[1]
    assert row.growth == pytest.approx(row.calls[1] / row.calls[0])
    assert all(rate > 0 for rate in row.rates)
    assert "of 10, 100 trials" in str(row)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_trial_begins_and_ends(case):
    asked: list[str] = []

    def ask(question, /, *arguments):
        asked.append(question.__name__)
        return question(*arguments)

    deciding.World(case, 100, ask).run()
    assert (asked.count("on_start"), asked.count("on_end")) == (100, 100)
