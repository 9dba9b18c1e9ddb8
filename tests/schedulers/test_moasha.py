"""ASHA for several objectives, and the fronts it goes by."""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import simulate
from trialwright.executors.simulated import Simulated
from trialwright.messages import Continue, Report, Start, Stop, at_step
from trialwright.schedulers import ASHA, MOASHA
from trialwright.schedulers.fronts import Fronts, crowding
from trialwright.searchers import pareto
from trialwright.streams import Streams


class TestOneObjective(SchedulerContract):
    rungs = True

    def make(self):
        return MOASHA(max_t=27, reduction_factor=3)


class TestSeveral(SchedulerContract):
    rungs = True
    objectives = ("loss", "x")

    def make(self):
        return MOASHA(max_t=20, grace_period=2, reduction_factor=2, stop_last_trials=False)


# Fronts ---------------------------------------------------------------------------------------------------------------

coordinates = st.integers(0, 6).map(float)


@given(st.integers(1, 3).flatmap(lambda m: st.lists(st.tuples(*[coordinates] * m), min_size=1, max_size=40)))
def test_fronts_grow_to_those_that_sorting_all_at_once_gives(points):
    fronts = Fronts()
    for trial, values in enumerate(points):
        number = fronts.add((values, trial))
        assert number == pareto.ranks(np.array(points[: trial + 1]))[-1]
        assert fronts.before(number) == sum(pareto.ranks(np.array(points[: trial + 1])) < number)
    found = {trial: number for number, front in enumerate(fronts) for _, trial in front}
    assert [found[trial] for trial in range(len(points))] == pareto.ranks(np.array(points)).tolist()
    assert len(fronts) == len(points)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=20, unique=True))
def test_crowding_is_that_of_nsga(points):
    assert crowding(points) == pytest.approx(pareto.crowding(np.array(points)).tolist())


def test_who_is_ahead_on_a_front_lies_where_it_is_less_crowded():
    points = [(0.0, 9.0), (1.0, 7.0), (2.0, 6.0), (6.0, 1.0), (9.0, 0.0)]  # distances inf, 5/9, 11/9, 13/9, inf
    fronts = Fronts(zip(points, range(5), strict=True))
    assert [fronts.ahead((point, trial), 0) for trial, point in enumerate(points)] == [0, 4, 3, 2, 1]


# The scheduler --------------------------------------------------------------------------------------------------------


def a_moasha(*trials: int, **arguments: Any) -> Any:
    scheduler = MOASHA(**arguments)
    scheduler.setup(Streams(0))
    for number in trials:
        scheduler.on_start(SimpleNamespace(id=number))  # type: ignore[arg-type]
    return scheduler


def report(scheduler: Any, number: int, step: int, *values: float) -> Any:
    return scheduler.on_report(SimpleNamespace(id=number), Report(step, values, {"step": step}))


def test_by_hand():
    scheduler = a_moasha(*range(6), max_t=9, reduction_factor=3)
    assert scheduler.on_start(SimpleNamespace(id=6)) == Start(at_step(1))
    assert report(scheduler, 0, 1, 1.0, 1.0) == Continue(at_step(3))
    assert report(scheduler, 1, 1, 2.0, 2.0) == Stop("rank 2 of 2 at step 1")
    assert report(scheduler, 2, 1, 0.0, 3.0) == Stop("rank 2 of 3 at step 1"), "both are ends of the front; it is newer"
    assert report(scheduler, 3, 1, 3.0, 0.0) == Continue(at_step(3)), "an end, and ceil(4 / 3) = 2 may go on"
    assert scheduler.why()["front"] == 0
    assert report(scheduler, 4, 1, 0.5, 2.5) == Stop("rank 4 of 5 at step 1"), "inside the front, where it is crowded"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_in_any_objective_never_survives_a_rung(bad):
    scheduler = a_moasha(0, max_t=9, reduction_factor=3)
    assert isinstance(report(scheduler, 0, 1, 0.0, bad), Stop)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40, unique=True))
def test_with_one_objective_it_is_asha(values):
    scheduler, asha = a_moasha(max_t=9, reduction_factor=3), ASHA(max_t=9, reduction_factor=3)
    asha.setup(Streams(0))
    for number, value in enumerate(values):
        trial: Any = SimpleNamespace(id=number)
        assert scheduler.on_start(trial) == asha.on_start(trial)
        ours, theirs = (each.on_report(trial, Report(1, (value,), {"step": 1})) for each in (scheduler, asha))
        assert type(ours) is type(theirs)


@dataclass(frozen=True)
class Trade:
    """Small networks are fast and bad; large ones slow and good; some are both slow and bad."""

    def start(self, config: dict[str, Any], seed: int) -> int:
        return 0

    def step(self, config: dict[str, Any], state: int) -> Any:
        waste, size = math.modf(config["x"] * 4)
        metrics = {"error": 1 / (1 + size) + waste + 1 / (state + 1), "cost": 1 + size + waste}
        return None if state == 27 else (state + 1, metrics, 1.0)


def test_the_whole_front_survives():
    simulation = simulate(
        Trade(), MOASHA(max_t=27, reduction_factor=2), Simulated(workers=4), samples=120, metrics=("error", "cost"),
        modes=("min", "min"),
    )  # fmt: skip
    trials = simulation.experiment.trials.values()
    finished = [trial for trial in trials if trial.outcome and trial.outcome.kind == "completed"]
    assert 3 <= len(finished) <= 40
    sizes = {int(float(trial.config["x"]) * 4) for trial in finished}  # type: ignore[arg-type]
    assert sizes >= {0, 3}, "both ends"
    waste = [math.modf(float(trial.config["x"]) * 4)[0] for trial in finished]  # type: ignore[arg-type]
    assert sum(waste) / len(waste) < 0.35


@pytest.mark.parametrize(
    "arguments", [{"max_t": math.inf}, {"grace_period": 0}, {"reduction_factor": 1}, {"reduction_factor": math.nan}]
)
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=r"grace_period must be|reduction_factor must be"):
        MOASHA(**arguments)
