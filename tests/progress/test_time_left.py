"""How long a run still takes is said only as far as it is known."""

from dataclasses import replace

import pytest

from trialwright.progress import Snapshot
from trialwright.progress.time_left import seconds_left, time_left, used

HALF = Snapshot("a", elapsed_s=100.0, wanted=40, states={"ended": 18, "running": 4})


def test_the_pace_so_far_gives_an_estimate():
    assert seconds_left(HALF) == pytest.approx(100.0)  # 18 trials and four halves are half of 40
    assert time_left(HALF) == "about 2 min left"


def test_enqueued_trials_count_too():
    assert seconds_left(replace(HALF, states={"ended": 20, "waiting": 60})) == pytest.approx(300.0)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"states": {"ended": 1, "running": 4}}, "time left unknown before 2 trials have ended"),
        ({"states": {}, "time_budget_s": 130.0}, "at most 30 s left of the time budget"),
        ({"time_budget_s": 130.0}, "about 30 s left of the time budget"),
        ({"time_budget_s": 90.0}, "about 0 s left of the time budget"),
        ({"time_budget_s": 900.0}, "about 2 min left"),
        ({"wanted": None}, "no end planned"),
        ({"wanted": None, "time_budget_s": 130.0}, "at most 30 s left of the time budget"),
        ({"stopped": "it is over"}, ""),
        ({"starting": "Ray"}, ""),
        ({"states": {"ended": 40}}, ""),
        ({"wanted": 1, "states": {"running": 1}}, "time left unknown before 2 trials have ended"),
    ],
)
def test_what_is_said(changes, text):
    assert time_left(replace(HALF, **changes)) == text


@pytest.mark.parametrize(
    ("busy_s", "text"),
    [(59.0, ""), (90.0, "1.5 slot-minutes (cpu 3)"), (5400.0, "1.5 slot-hours (cpu 3)")],
)
def test_what_was_used(busy_s, text):
    assert used(Snapshot("a", busy_s=busy_s, busy_resource_s={"cpu": 2 * busy_s})) == text


def test_resources_that_are_not_known_are_not_told():
    assert used(Snapshot("a", busy_s=60.0)) == "1 slot-minutes"
