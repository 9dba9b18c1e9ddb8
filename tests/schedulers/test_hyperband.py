"""HyperBand: brackets, halvings, and that nothing can dead-lock it."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import Curve, simulate
from trialwright.executors.simulated import Faults, Simulated
from trialwright.schedulers import HyperBand
from trialwright.streams import Streams


class TestHyperBand(SchedulerContract):
    def make(self):
        return HyperBand(max_t=27, reduction_factor=3)


def levels(**arguments):
    scheduler = HyperBand(**arguments)
    scheduler.setup(Streams(0))
    return scheduler._levels


@pytest.mark.parametrize(
    ("max_t", "eta", "expected"),
    [
        (243, 3, [1, 3, 9, 27, 81, 243]),
        (1000, 10, [1, 10, 100, 1000]),
        (10**6, 10, [10**k for k in range(7)]),
        (9**5, 9, [9**k for k in range(6)]),
        (100, 3, [1, 3, 11, 33, 100]),
        (1, 3, [1]),
        (9, 1.2, [1, 2, 3, 4, 5, 6, 7, 9]),
        (9.5, 1.05, [1, 2, 3, 4, 5, 6, 7, 8, 9, 9.5]),
    ],
)
def test_no_level_is_lost(max_t, eta, expected):
    assert levels(max_t=max_t, reduction_factor=eta) == expected


def test_a_bracket_is_halved_level_by_level():
    # R = 9, eta = 3: the first bracket admits ceil(3 / 3 * 9) = 9 trials, of which 3 go on to 3 and 1 to 9.
    simulation = simulate(Curve(steps=100), HyperBand(max_t=9, reduction_factor=3), Simulated(workers=4), samples=9)
    trials = sorted(simulation.experiment.trials.values(), key=lambda trial: trial.config["x"])
    assert [trial.step for trial in trials] == [9, 3, 3, 1, 1, 1, 1, 1, 1]
    assert [trial.outcome.kind for trial in trials] == ["completed", *["stopped"] * 8]


def test_brackets_trade_breadth_for_depth():
    # ceil(3/3 * 9) = 9 trials from 1, ceil(3/2 * 3) = 5 from 3, ceil(3/1 * 1) = 3 from 9, and again.
    simulation = simulate(Curve(steps=100), HyperBand(max_t=9, reduction_factor=3), Simulated(workers=4), samples=20)
    brackets = [simulation.experiment.trials[number].tags["bracket"] for number in range(20)]
    assert brackets == [2] * 9 + [1] * 5 + [0] * 3 + [2] * 3


@pytest.mark.parametrize("samples", range(1, 30, 4))
@pytest.mark.parametrize(("max_t", "eta"), [(1, 2), (2, 3), (7, 2), (10, 3), (81, 3), (100, 4), (16, 1.5)])
def test_it_never_locks_for_any_number_of_samples(samples, max_t, eta):
    for workers in (1, 3):
        scheduler = HyperBand(max_t=max_t, reduction_factor=eta)
        simulation = simulate(Curve(steps=200), scheduler, Simulated(workers=workers), samples=samples)
        assert simulation.experiment.done
        levels = {math.ceil(level) for level in scheduler._levels}
        assert {trial.step for trial in simulation.experiment.trials.values()} <= levels


@given(st.integers(1, 300), st.floats(1.2, 12) | st.integers(2, 12), st.integers(1, 60), st.integers(1, 8), st.data())
@settings(max_examples=60)
def test_it_never_locks_for_any_max_t_eta_and_number_of_samples(max_t, eta, samples, workers, data):
    lost = data.draw(st.sampled_from([0, 20]))
    attr = data.draw(st.sampled_from(["step", "time_s"]))
    scheduler = HyperBand(max_t=max_t, reduction_factor=eta, time_attr=attr)
    executor = Simulated(workers=workers, faults=Faults(lost_per_hour=lost))
    simulation = simulate(Curve(steps=40), scheduler, executor, samples=samples, max_failures=-1, check=False)
    assert simulation.experiment.done
    assert len(simulation.experiment.trials) == samples
    assert "never resumed" not in {str(trial.outcome) for trial in simulation.experiment.trials.values()}


def test_it_says_why():
    simulation = simulate(Curve(steps=100), HyperBand(max_t=9, reduction_factor=3), Simulated(workers=4), samples=9)
    scheduler = simulation.scheduler
    assert isinstance(scheduler, HyperBand)
    facts = scheduler.why()
    assert facts == {} or {"rung", "rank", "of", "survivors", "cut_off", "best", "value"} == facts.keys()


@pytest.mark.parametrize(
    "arguments", [{"max_t": math.inf}, {"max_t": 0}, {"reduction_factor": 1}, {"reduction_factor": math.nan}]
)
def test_levels_that_make_no_sense_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        HyperBand(**arguments)
