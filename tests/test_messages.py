"""The messages."""

import dataclasses
import math
from typing import get_args

import pytest

from trialwright import messages
from trialwright.messages import EVERY_REPORT, Boundary, Checkpoint, Outcome, Reported, at_step


@pytest.mark.parametrize(
    ("boundary", "value", "met"),
    [
        (Boundary("x", ">=", 1), 0.99, False),
        (Boundary("x", ">=", 1), 1, True),
        (Boundary("x", ">=", 1), 2.0, True),
        (Boundary("x", "<=", 1), 1.01, False),
        (Boundary("x", "<=", 1), 1.0, True),
        (Boundary("x", ">=", 1), math.inf, True),
        (Boundary("x", ">=", 1), math.nan, False),
        (Boundary("x", "<=", 1), math.nan, False),
        (Boundary("x", ">=", 1), "2", False),
        (Boundary("x", ">=", 1), None, False),
        (Boundary("x", ">=", 1), True, True),
    ],
)
def test_a_boundary_is_met_at_its_value_and_past_it(boundary, value, met):
    assert boundary.met({"x": value}) is met


def test_a_report_without_the_metric_meets_no_boundary():
    assert not Boundary("x", "<=", math.inf).met({"y": 0.0})


def test_every_report_meets_the_first_step():
    assert all(EVERY_REPORT[0].met({"step": step}) for step in (1, 2, 10**9))
    assert [at_step(3)[0].met({"step": step}) for step in (2, 3, 4)] == [False, True, True]


def test_a_frame_gives_its_reports_by_row():
    frame = Reported(0, 1, 5, (1.0, 2.0, 3.0), {"loss": [0.3, 0.2, 0.1], "lr": [None, 0.01, None]})
    assert frame.last_step == 7
    assert frame.row(0) == {"loss": 0.3, "step": 5, "time_s": 1.0}
    assert frame.row(1) == {"loss": 0.2, "lr": 0.01, "step": 6, "time_s": 2.0}
    assert frame.row(-1) == frame.row(2) == {"loss": 0.1, "step": 7, "time_s": 3.0}


def test_a_report_may_bring_its_own_step_and_time():
    frame = Reported(0, 1, 5, (1.0, 2.0), {"step": [None, 640], "time_s": [0.5, None]})
    assert [frame.row(0), frame.row(1)] == [{"step": 5, "time_s": 0.5}, {"step": 640, "time_s": 2.0}]


def test_an_outcome_reads_well():
    assert [str(Outcome("completed")), str(Outcome("stopped", "loss <= 0.1"))] == ["completed", "stopped (loss <= 0.1)"]


@pytest.mark.parametrize("kind", [*get_args(messages.Event), *get_args(messages.Command), *get_args(messages.Decision)])
def test_messages_are_frozen_values(kind):
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}("), "each says what it means"


def test_equal_messages_are_equal():
    assert Checkpoint("p", 1) == Checkpoint("p", 1) != Checkpoint("p", 2)
