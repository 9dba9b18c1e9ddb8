"""The median rule."""

import math
from statistics import mean, median
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import Curve, simulate
from trialwright.executors.simulated import Simulated
from trialwright.messages import Continue, New, Outcome, Pause, Report, Resume, Start, Stop, Wait, at_step
from trialwright.schedulers import MedianStopping
from trialwright.streams import Streams


class TestEveryStep(SchedulerContract):
    rungs = True

    def make(self):
        return MedianStopping(grace_period=2)


class TestNowAndThen(SchedulerContract):
    rungs = True

    def make(self):
        return MedianStopping(grace_period=3.5, interval=2.5, min_samples_required=1, time_attr="time_s")


class TestPausing(SchedulerContract):
    rungs = True

    def make(self):
        return MedianStopping(grace_period=2, pause=True)


def a_rule(*trials: int, **arguments: Any) -> Any:
    scheduler = MedianStopping(**arguments)
    scheduler.setup(Streams(0))
    for number in trials:
        scheduler.on_start(trial(number))
    return scheduler


def trial(number: int) -> Any:
    return SimpleNamespace(id=number)


def report(scheduler: Any, number: int, step: float, value: float) -> Any:
    return scheduler.on_report(trial(number), Report(1, (value,), {"step": step}))


def test_by_hand():
    scheduler = a_rule(0, 1, 2, 3, grace_period=1, min_samples_required=3)
    assert scheduler.on_start(trial(4)) == Start(at_step(1))
    for number, (first, second) in enumerate([(1.0, 0.0), (2.0, 1.0), (6.0, 3.0)]):
        assert report(scheduler, number, 1, first) == Continue(at_step(2))
        assert report(scheduler, number, 2, second) == Continue(at_step(3))
    # at step 2 their means are 0.5, 1.5, 4.5
    assert report(scheduler, 3, 1, 2.0) == Continue(at_step(2)), "as good as the median of 1, 2, 6"
    assert report(scheduler, 3, 2, 1.6) == Stop("worse than the median of 3 at step 2")
    assert scheduler.why() == {"at": 2, "best": 1.6, "median": 1.5, "of": 3}
    assert report(scheduler, 4, 1, 1.4) == Continue(at_step(2))
    assert report(scheduler, 4, 2, 9.0) == Continue(at_step(3)), "its best is better than the median of four, 1.65"


def test_no_trial_is_stopped_before_enough_others_have_come_as_far():
    scheduler = a_rule(*range(4), min_samples_required=3)
    for number in range(3):
        assert isinstance(report(scheduler, number, 1, number), Continue)
    assert isinstance(report(scheduler, 3, 1, 9.0), Stop)


def test_what_came_before_the_grace_period_is_not_seen():
    simulation = simulate(Curve(steps=12), MedianStopping(grace_period=5), Simulated(workers=3), samples=30)
    steps = {trial.step for trial in simulation.experiment.trials.values()}
    assert min(steps) >= 5
    assert max(steps) == 12
    waited = [event for event in simulation.events if getattr(event, "waiting", False)]
    assert all(event.last_step >= 5 for event in waited)  # type: ignore[union-attr]


def test_a_report_that_comes_past_several_points_stands_at_all_of_them():
    scheduler = a_rule(0, 1, min_samples_required=1)
    assert report(scheduler, 0, 3.5, 1.0) == Continue(at_step(4))
    assert isinstance(report(scheduler, 1, 2, 2.0), Stop)


@pytest.mark.parametrize("again", [3, 2, 0, -1])
def test_a_time_that_repeats_or_goes_back_is_no_new_point(again):
    scheduler = a_rule(0, min_samples_required=1)
    report(scheduler, 0, 3, 1.0)
    before = scheduler.state()
    assert report(scheduler, 0, again, 99.0) == Continue(at_step(4))
    assert scheduler.state() == before


def test_paused_trials_are_resumed_and_not_compared_when_nothing_else_is_left():
    scheduler = a_rule(0, 1, 2, min_samples_required=1, pause=True)
    report(scheduler, 0, 1, 0.0)
    assert report(scheduler, 1, 1, 1.0) == Pause()
    assert report(scheduler, 2, 1, 2.0) == Pause()
    assert scheduler.next(can_ask=True) == New()
    scheduler.on_end(trial(1), Outcome("stopped"))
    assert scheduler.next(can_ask=False) == Resume(2, ())
    assert report(scheduler, 2, 2, 99.0) == Continue(())
    assert scheduler.next(can_ask=False) == Wait()


def test_what_is_not_finite_ends_a_trial():
    for value in (math.nan, math.inf, -math.inf):
        assert isinstance(report(a_rule(0), 0, 1, value), Stop)


@given(st.lists(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=8), min_size=2, max_size=12))
def test_it_is_the_rule_of_the_paper(curves):
    """Against a slow count. Trials run one after another, so that the others have always come to their ends."""
    scheduler = a_rule(*range(len(curves)), min_samples_required=2)
    done: list[list[float]] = []
    for number, curve in enumerate(curves):
        for step in range(1, len(curve) + 1):
            others = [mean(other[:step]) for other in done if len(other) >= step]
            worse = len(others) >= 2 and min(curve[:step]) > median(others)
            verdict = report(scheduler, number, step, curve[step - 1])
            close = len(others) >= 2 and math.isclose(min(curve[:step]), median(others), rel_tol=1e-9, abs_tol=1e290)
            assert isinstance(verdict, Stop) == worse or close
            if isinstance(verdict, Stop):
                break
        done.append(curve[:step])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"grace_period": -1}, "grace_period must be at least 0 and finite, not -1"),
        ({"grace_period": math.inf}, "grace_period must be at least 0 and finite, not inf"),
        ({"min_samples_required": 0}, "min_samples_required must be at least 1, not 0"),
        ({"interval": 0}, "interval must be more than 0 and finite, not 0"),
        ({"interval": math.nan}, "interval must be more than 0 and finite, not nan"),
    ],
)
def test_bad_arguments_are_refused_with_their_values(arguments, text):
    with pytest.raises(ValueError, match=text):
        MedianStopping(**arguments)
