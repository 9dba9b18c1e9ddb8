"""PASHA: it goes no further than the order of the trials makes it."""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import simulate
from trialwright.executors.simulated import Simulated
from trialwright.messages import EVERY_REPORT, Continue, Pause, Report, Resume, Start, Stop, at_step
from trialwright.schedulers import PASHA
from trialwright.schedulers.pasha import criss_cross
from trialwright.streams import Streams


class TestContract(SchedulerContract):
    rungs = True

    def make(self):
        return PASHA(max_t=27, reduction_factor=3)


class TestByTime(SchedulerContract):
    rungs = True

    def make(self):
        return PASHA(max_t=30, grace_period=2, reduction_factor=2, time_attr="time_s")


@dataclass(frozen=True)
class Crossing:
    """Losses that fall; those of trials with a large x begin above the others and end below: the order turns round
    at step ``at``. ``wobble`` makes close ones swap places at every step."""

    at: int = 0
    wobble: float = 0.0

    def start(self, config: dict[str, Any], seed: int) -> int:
        return 0

    def step(self, config: dict[str, Any], state: int) -> Any:
        x, step = config["x"], state + 1
        loss = (x if step >= self.at else 1 - x) + 1 / step + self.wobble * math.sin(1000 * x + 2.5 * step)
        return None if state == 81 else (step, {"loss": loss}, 1.0)


def longest(workload: Crossing, samples: int = 100) -> int:
    simulation = simulate(workload, PASHA(max_t=81, reduction_factor=3), Simulated(workers=4), samples=samples)
    return max(trial.step for trial in simulation.experiment.trials.values())


def test_when_the_order_is_settled_at_once_no_trial_goes_beyond_the_second_rung():
    assert longest(Crossing()) == 3


def test_it_continues_until_the_order_has_settled():
    assert longest(Crossing(at=2)) == 9, "rungs 1 and 3 disagree; 3 and 9 agree"


def test_curves_that_criss_cross_are_as_good_as_equal():
    """With noise the order of close trials never settles. Only a tolerance can."""
    simulation = simulate(Crossing(wobble=0.02), PASHA(max_t=81, reduction_factor=3), Simulated(workers=4), samples=100)
    scheduler = simulation.scheduler
    assert isinstance(scheduler, PASHA)
    assert max(trial.step for trial in simulation.experiment.trials.values()) < 81
    assert 0 < scheduler.tolerance < 0.08


def test_criss_crossing_is_to_change_places_twice():
    flat = dict.fromkeys(range(6), 0.0)
    assert criss_cross(flat, {0: 1, 1: 2, 2: 3}) is None
    assert criss_cross(flat, {0: 1, 1: -1, 2: -3}) is None, "once is a better trial overtaking a worse"
    assert criss_cross(flat, {0: 1, 1: -1, 2: 0.25}) == 0.25
    assert criss_cross(flat, {0: 1, 1: 0, 2: -1, 3: -1, 4: 0.5, 9: 7}) == 0.5, "where both have been last"
    assert criss_cross(flat, {}) is None


def trial(number: int) -> Any:
    return SimpleNamespace(id=number)


def report(scheduler: Any, number: int, step: int, value: float) -> Any:
    return scheduler.on_report(trial(number), Report(step, (value,), {"step": step}))


def test_by_hand():
    scheduler = PASHA(max_t=27, reduction_factor=2)  # rungs at 1, 2, 4, 8, 16
    scheduler.setup(Streams(0))
    assert [scheduler.on_start(trial(number)) for number in range(8)] == [Start(EVERY_REPORT)] * 8
    for number in range(4):
        assert report(scheduler, number, 1, float(number)) == Pause()
    assert [scheduler.next(can_ask=True) for _ in range(2)] == [Resume(0, EVERY_REPORT), Resume(1, EVERY_REPORT)]
    assert report(scheduler, 0, 2, 0.0) == Pause(), "the second rung is the highest that is open"
    assert scheduler.why()["open"] == 2
    assert report(scheduler, 1, 2, -1.0) == Pause()
    assert scheduler.why()["open"] == 4, "1 has overtaken 0: the order is not settled"
    assert scheduler.next(can_ask=True) == Resume(1, EVERY_REPORT)
    assert report(scheduler, 1, 3, -1.0) == Continue(at_step(4)), "every report is seen"
    assert isinstance(report(scheduler, 1, 4, math.nan), Stop)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="reduction_factor"):
        PASHA(reduction_factor=1)
