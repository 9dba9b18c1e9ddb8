"""What members of a population have gained, read from a history."""

import numpy as np
import pytest

from trialwright.history import HistoryLog
from trialwright.messages import Outcome, at_step
from trialwright.searchers.gains import Gains

ACTIVE = np.ones(1, np.bool_)


def encoded(config):
    return (np.array([config["x"]]), ACTIVE) if "x" in config else None


def gains_of(log, window=100):
    gains = Gains(encoded, window)
    gains.update(log.until(len(log)))
    return gains


def numbers(intervals):
    return [(each.step, each.cost, each.gain, float(each.units[0])) for each in intervals]


def lived(costs, *, log=None, trial=0, x=0.5, lease=2):
    """A member that reported these costs, from step 1 on, and was let go on after each lease."""
    log = log or HistoryLog()
    log.born(trial, {"x": x}, {})
    log.launched(trial, at_step(lease))
    for step, cost in enumerate(costs, 1):
        log.seen(trial, step, [(cost,)])
        if step % lease == 0:
            log.extended(trial, at_step(step + lease))
    return log


def test_an_interval_lies_between_two_decisions():
    gains = gains_of(lived([10.0, 8.0, 7.0, 5.0, 4.5]))
    assert numbers(gains.intervals(99)) == [(1, 10.0, 2.0, 0.5), (2, 8.0, 1.5, 0.5)], "the first begins with a report"
    assert numbers(gains.intervals(0))[2:] == [(4, 5.0, 0.5, 0.5)], "of one that is asked about, what there is"


def test_a_clone_gains_from_what_its_donor_had_at_the_checkpoint():
    log = lived([9.0, 8.0, 3.0], trial=0, x=0.25)
    lived([20.0, 19.0], log=log, trial=1)
    log.born(1, {"x": 0.75}, {"donor": 0})
    log.launched(1, at_step(4))
    log.seen(1, 3, [(7.0,)])  # from the checkpoint at step 2
    log.seen(1, 4, [(6.0,)])
    log.extended(1, at_step(6))
    assert numbers(gains_of(log).intervals(99))[-1] == (2, 8.0, 1.0, 0.75)


def test_who_is_tried_again_resumes_from_the_step_before_its_next_report():
    log = lived([9.0, 8.0, 7.0])
    log.launched(0, at_step(4))
    log.seen(0, 3, [(6.0,), (5.0,)])
    log.extended(0, at_step(6))
    assert numbers(gains_of(log).intervals(99))[-1] == (2, 8.0, 1.5, 0.5)


def test_the_others_are_those_that_live_and_have_reported():
    log = lived([9.0], trial=0, x=0.1)
    lived([8.0, 7.0], log=log, trial=1, x=0.2)
    lived([], log=log, trial=2, x=0.3)
    lived([6.0], log=log, trial=3, x=0.4)
    log.ended(3, Outcome("completed"))
    gains = gains_of(log)
    assert [(each.step, each.cost) for each in gains.others(0)] == [(2, 7.0)]
    assert (gains.place(3).cost, gains.place(2), gains.place(None)) == (6.0, None, None)


def test_values_that_are_not_finite_and_configs_of_no_space_gain_nothing():
    log = lived([9.0, float("nan"), float("inf"), 5.0])
    log.born(1, {"strange": 1}, {})
    log.seen(1, 1, [(3.0,), (2.0,)])
    gains = gains_of(log)
    assert numbers(gains.intervals(1)) == []
    assert list(gains.others(0)) == []


@pytest.mark.parametrize("cut", range(1, 9))
def test_gains_do_not_depend_on_how_a_history_was_read(cut):
    log = lived([9.0, 8.0, 7.0, 5.0])
    gains = Gains(encoded, 100)
    gains.update(log.until(cut))
    gains.update(log.until(len(log)))
    assert numbers(gains.intervals(0)) == numbers(gains_of(log).intervals(0))
    other = lived([1.0, 0.0])
    gains.update(other.until(len(other)))
    assert numbers(gains.intervals(0)) == numbers(gains_of(other).intervals(0)), "another run"


def test_only_the_latest_are_kept():
    assert len(gains_of(lived([float(cost) for cost in range(40, 0, -1)]), window=7).intervals(99)) == 7
