"""Virtual time: exact, repeatable, and never slept through."""

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from tests.core.driving import Curve, Script, Simulation, simulate
from tests.executors.virtual import an_executor, digest, events, launch, now, times
from trialwright.errors import ExecutorError, PolicyError
from trialwright.executors.base import Run
from trialwright.executors.simulated import Delays, Simulated
from trialwright.messages import (
    Ask,
    Boundary,
    CapacityChanged,
    Checkpoint,
    Discard,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Node,
    Pause,
    Reported,
    Started,
    Suggested,
    Ticked,
    at_step,
)
from trialwright.schedulers import ASHA
from trialwright.searchers import Grid, Random, Sobol
from trialwright.space import Space, choice, uniform

DELAYS = Delays(launch_s=0.5, halt_s=0.25, report_s=0.125, ask_s=0.0625)  # sums of these are exact


# Determinism ----------------------------------------------------------------------------------------------------------


def with_random(seed: int = 0) -> Simulation:
    space = Space({"x": uniform(0, 1), "kind": choice(["a", "b"])})
    scheduler, executor = ASHA(max_t=9, reduction_factor=3), Simulated(workers=4, delays=DELAYS)
    return simulate(Curve(), scheduler, executor, searcher=Random(), space=space, samples=40, seed=seed)


def with_grid() -> Simulation:
    space = Space({"x": choice([0.1, 0.2, 0.3, 0.4]), "kind": choice(["a", "b", None])})
    return simulate(Curve(steps=3), None, Simulated(workers=5, delays=DELAYS), searcher=Grid(), space=space, samples=2)


def test_the_same_seed_gives_the_same_events_with_random_search():
    assert digest(with_random()) == "eb9616accc8e7539eabda3f8b1164c400460e091c74a7e42697ea88839753b8f"


def test_the_same_seed_gives_the_same_events_with_grid_search():
    assert digest(with_grid()) == "75406ea1f6ecb95a41843ac463db835287f057f84e18e683131c4377ef34b98f"


def test_another_seed_gives_other_events():
    assert digest(with_random(1)) != digest(with_random(2))


def with_sobol() -> Simulation:
    space = Space({"x": uniform(0, 1), "y": uniform(-1, 1), "kind": choice(["a", "b"])})
    scheduler, executor = ASHA(max_t=9, reduction_factor=3, promote=True), Simulated(workers=4, delays=DELAYS)
    return simulate(Curve(), scheduler, executor, searcher=Sobol(), space=space, samples=40)


def test_the_same_seed_gives_the_same_events_with_sobols_points():
    assert digest(with_sobol()) == "3a6463a120c7a485abf47e5ebe2e0c14bcc7d0cbb4129795e2457ab098cd4008"


# Time -----------------------------------------------------------------------------------------------------------------


def test_delays_add_up_where_reports_do_not_wait():
    simulation = simulate(Curve(steps=3), None, Simulated(delays=DELAYS))
    began = 0.0625 + 0.5
    assert [(moment.now, type(moment.event)) for moment in simulation.moments] == [
        (0.0, CapacityChanged),
        (0.0625, Suggested),
        (began, Started),
        (began + 1 + 0.125, Reported),
        (began + 2 + 0.125, Reported),
        (began + 3 + 0.125, Reported),
        (began + 3 + 0.125, Finished),
    ]


def test_an_answer_takes_as_long_as_a_report():
    simulation = simulate(Curve(steps=3), Script(), Simulated(delays=DELAYS))
    began = 0.0625 + 0.5
    assert times(simulation, Reported) == [began + step + (2 * step - 1) * 0.125 for step in (1, 2, 3)]


def test_running_time_is_the_workers_own_and_continues_after_a_pause():
    scheduler = ASHA(max_t=9, reduction_factor=3, promote=True)
    simulation = simulate(Curve(steps=20, seconds=2.0), scheduler, Simulated(delays=DELAYS), samples=10)
    reports: list[Any] = [event for event in simulation.events if isinstance(event, Reported)]
    assert any(event.attempt > 1 for event in reports)
    assert all(event.time_s == (2.0 * event.last_step,) for event in reports)


def test_trials_run_side_by_side():
    simulation = simulate(Curve(steps=10), None, Simulated(workers=5), samples=10)
    assert times(simulation, Finished) == [10.0] * 5 + [20.0] * 5


def test_many_workers_that_are_halted_at_once_take_no_longer_than_one():
    simulation = simulate(Curve(steps=99), None, Simulated(workers=50, delays=DELAYS), samples=50, time_budget_s=10)
    assert times(simulation, Ticked) == [10.0]
    assert times(simulation, Halted) == [10.25] * 50


def test_each_pause_and_each_launch_costs_its_own_delay():
    script = Script(until=at_step(1), verdicts={(number, 1): Pause() for number in range(4)})
    simulation = simulate(Curve(steps=5), script, Simulated(workers=4, delays=DELAYS), samples=4)
    assert times(simulation, Halted) == [0.0625 + 0.5 + 1 + 0.125 + 0.25] * 4


def test_it_never_sleeps(monkeypatch):
    def refuse(*arguments: object) -> None:
        raise AssertionError("the simulation slept")

    monkeypatch.setattr(time, "sleep", refuse)
    monkeypatch.setattr(asyncio, "sleep", refuse)
    simulation = simulate(Curve(steps=10, seconds=1e6), None, Simulated(), samples=3, time_budget_s=2.5e7)
    assert simulation.moments[-1].now == 2.5e7


# The executor by itself -----------------------------------------------------------------------------------------------


def test_all_that_happens_at_one_time_comes_in_one_batch():
    executor = an_executor()
    for trial in range(3):
        executor.do(launch(trial))
    assert events(executor) == [Started(0, 1), Started(1, 1), Started(2, 1)]
    assert [type(event) for event in events(executor)] == [Reported] * 3
    assert executor.now() == 1.0


def test_the_clock_stops_at_the_deadline():
    executor = an_executor()
    executor.do(launch())
    events(executor)
    assert events(executor, until=0.5) == [Ticked()]
    assert executor.now() == 0.5
    assert [type(event) for event in events(executor, until=1.0)] == [Reported], (
        "what happens at the deadline comes first"
    )


def test_a_deadline_in_the_past_does_not_turn_the_clock_back():
    executor = an_executor()
    executor.do(launch())
    events(executor)
    events(executor)
    assert events(executor, until=0.5) == [Ticked()]
    assert executor.now() == 1.0


def test_a_world_that_stands_still_is_an_error():
    with pytest.raises(ExecutorError, match="no further events"):
        events(an_executor())


def test_a_function_is_no_workload():
    with pytest.raises(ExecutorError, match="an object with start and step"):
        an_executor(workload=print)


def test_a_resumed_run_continues_at_the_time_it_had_reached():
    executor = Simulated()
    now(executor.open(Run(Curve(), Space({}), lambda ask: Suggested(ask.ask, ()), began_s=77.0)))
    events(executor)
    assert executor.now() == 77.0


def test_the_machines_are_those_given():
    executor = Simulated(nodes=[Node("a", {"cpu": 1}), Node("b", {"gpu": 2})])
    now(executor.open(Run(Curve(), Space({}), lambda ask: Suggested(ask.ask, ()))))
    assert events(executor) == [CapacityChanged((Node("a", {"cpu": 1}), Node("b", {"gpu": 2})))]


def spans(simulation: Simulation) -> dict[str, set[float]]:
    """How long the reports of a trial were apart, by the node that it ran on."""
    nodes = {(launch.trial, launch.attempt): launch.placement for launch in simulation.commands(Launch)}
    found: dict[str, set[float]] = {}
    for a, b in pairwise(sorted(reported(simulation))):
        if a[0] == b[0]:
            found.setdefault(nodes[a[0]].node, set()).add(b[1] - a[1])
    return found


def reported(simulation: Simulation) -> list[tuple[tuple[int, int], float]]:
    return [((m.event.trial, m.event.attempt), m.now) for m in simulation.moments if isinstance(m.event, Reported)]


def test_steps_take_as_long_as_the_node_is_slow():
    nodes = [Node("old", {"cpu": 1}), Node("new", {"cpu": 1}), Node("other", {"cpu": 1})]
    executor = Simulated(nodes=nodes, speeds={"old": 0.5, "new": 4.0})
    simulation = simulate(Curve(steps=9), None, executor, samples=12)
    assert spans(simulation) == {"old": {2.0}, "new": {0.25}, "other": {1.0}}
    launches = Counter(launch.placement.node for launch in simulation.commands(Launch))
    assert launches["new"] > 2 * launches["old"] > 0


def test_speed_may_depend_on_what_a_trial_was_granted():
    nodes = [Node("one", {"cpu": 8, "gpu": 1})]
    executor = Simulated(nodes=nodes, speeds=lambda placement: 8.0 if placement.gpus else 1.0)
    for resources, seconds in (({"cpu": 1}, 1.0), ({"cpu": 1, "gpu": 1}, 0.125)):
        simulation = simulate(Curve(steps=9), None, executor, samples=2, resources=resources)
        assert spans(simulation) == {"one": {seconds}}


@pytest.mark.parametrize(
    ("speeds", "message"),
    [
        ({"od": 2.0}, "no node 'od'; did you mean 'old'"),
        ({"old": 0.0}, "the speed of old must be finite and more than"),
    ],
)
def test_speeds_that_make_no_sense_are_refused(speeds, message):
    with pytest.raises(ValueError, match=message):
        Simulated(nodes=[Node("old", {"cpu": 1})], speeds=speeds)


@dataclass(frozen=True)
class Breaking:
    """Raises where it is told to, or says that a step took no time that there is."""

    where: str = ""
    seconds: float = 1.0

    def start(self, config: dict[str, Any], seed: int) -> int:
        if self.where == "start":
            raise RuntimeError("no memory")
        return 0

    def step(self, config: dict[str, Any], state: int) -> Any:
        if self.where == "step" and state == 2:
            raise RuntimeError("no memory")
        return state + 1, {"loss": 1.0}, self.seconds


@pytest.mark.parametrize("where", ["start", "step"])
def test_a_workload_that_raises_fails_its_trial_and_not_the_run(where):
    simulation = simulate(Breaking(where), None, Simulated(), samples=3, max_failures=1)
    failures = [event for event in simulation.events if isinstance(event, Failed)]
    assert [event.error for event in failures] == ["RuntimeError: no memory"] * 6
    assert "in " + where in failures[0].traceback
    assert len(times(simulation, Reported)) == {"start": 0, "step": 12}[where]


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_a_step_that_takes_no_time_there_is_fails_its_trial(seconds):
    simulation = simulate(Breaking(seconds=seconds), None, Simulated())
    assert [event.error for event in simulation.events if isinstance(event, Failed)] == [
        f"ValueError: the seconds of a step must be finite and at least 0, not {seconds!r}"
    ]


class Dated(Breaking):
    def step(self, config: dict[str, Any], state: int) -> Any:
        return None if state == 3 else (state + 1, {"loss": 1.0, "on": date(2026, 1, 1)}, 1.0)


def test_a_workload_that_reports_what_is_no_metric_completes_with_one_warning():
    simulation = simulate(Dated(), None, Simulated(), samples=2)
    assert [event.columns["on"] for event in simulation.events if isinstance(event, Reported)] == [["2026-01-01"]] * 6
    assert simulation.experiment.warnings == [
        "metric 'on' is a date, not a number, string, or None: it is kept as its string"
    ]


def test_a_searcher_that_raises_ends_the_run():
    def refuse(ask: Ask) -> Suggested:
        raise KeyError("x")

    executor = Simulated()
    now(executor.open(Run(Curve(), Space({}), refuse)))
    executor.do(Ask(1, (), 0))
    with pytest.raises(PolicyError, match=r"the searcher raised KeyError\('x'\)") as raised:
        events(executor)
    assert isinstance(raised.value.__cause__, KeyError)


def test_a_trial_has_one_pending_message():
    executor = an_executor()
    for trial in range(20):
        executor.do(launch(trial))
    assert {len(executor._pending) for _ in range(10) if events(executor)} == {20}


def test_what_is_over_leaves_nothing_behind():
    executor = Simulated(workers=8)
    simulation = simulate(Curve(steps=3), None, executor, samples=200, check=False)
    assert len(times(simulation, Finished)) == 200
    assert (executor._attempts, executor._saved, executor._pending) == ({}, {}, [])


def test_a_report_waits_at_a_boundary_and_nowhere_else():
    executor = an_executor()
    executor.do(launch(until=(Boundary("loss", "<=", 0.9),)))
    events(executor)
    reports = [events(executor)[0] for _ in range(3)]
    losses = [(report.columns["loss"][0], report.waiting) for report in reports if isinstance(report, Reported)]
    assert losses == [(1.5, False), (1.0, False), (pytest.approx(0.5 + 1 / 3), True)]
    with pytest.raises(ExecutorError, match="no further events"):
        events(executor)


def paused_at_two(executor: Simulated) -> str:
    """Halt an attempt at its second report; return its checkpoint."""
    executor.do(launch(until=at_step(2)))
    for _ in range(3):
        (report,) = events(executor)
    assert isinstance(report, Reported)
    executor.do(Halt(0, 1))
    assert events(executor) == [Halted(0, 1)]
    assert report.checkpoint is not None
    return report.checkpoint


def next_report(executor: Simulated, launched: Launch) -> Reported:
    executor.do(launched)
    events(executor)
    (report,) = events(executor)
    assert isinstance(report, Reported)
    return report


def test_an_attempt_resumes_from_its_checkpoint():
    executor = an_executor()
    path = paused_at_two(executor)
    report = next_report(executor, launch(attempt=2, checkpoint=Checkpoint(path, 2, 2.0)))
    assert (report.first_step, report.columns["loss"]) == (3, [0.5 + 1 / 3])


def test_a_discarded_checkpoint_does_not_exist():
    executor = an_executor()
    path = paused_at_two(executor)
    executor.do(Discard(path))
    report = next_report(executor, launch(attempt=2, checkpoint=Checkpoint(path, 2, 2.0)))
    assert (report.first_step, report.columns["loss"]) == (1, [1.5])


def test_without_checkpoints_everything_starts_afresh():
    executor = an_executor(checkpoints=False)
    executor.do(launch(until=at_step(1)))
    events(executor)
    (report,) = events(executor)
    assert isinstance(report, Reported)
    assert (report.waiting, report.checkpoint) == (True, None)


def test_commands_to_an_attempt_that_is_over_come_to_nothing():
    executor = an_executor(Curve(steps=0))
    executor.do(launch())
    assert events(executor) == [Started(0, 1), Finished(0, 1)]
    executor.do(Halt(0, 1))
    executor.do(Extend(0, 1, ()))
    with pytest.raises(ExecutorError, match="no further events"):
        events(executor)


def test_who_finishes_before_the_halt_arrives_has_finished():
    executor = an_executor(Curve(steps=0), delays=DELAYS)
    executor.do(launch())
    assert events(executor) == [Started(0, 1)]
    executor.do(Halt(0, 1))
    assert events(executor) == [Finished(0, 1)]
    with pytest.raises(ExecutorError, match="no further events"):
        events(executor)


@dataclass(frozen=True)
class Schedule:
    """Its configuration may change from step to step: each state carries what happened so far."""

    def start(self, config: dict[str, Any], seed: int) -> tuple[float, ...]:
        return ()

    def step(self, config: dict[str, Any], state: tuple[float, ...]) -> Any:
        state = (*state, config["x"])
        return state, {"loss": sum(state)}, 1.0


def test_a_state_that_was_saved_stays_as_it_was():
    executor = an_executor(Schedule())
    path = paused_at_two(executor)
    checkpoint = Checkpoint(path, 2, 2.0)
    executor.do(launch(attempt=2, checkpoint=checkpoint))
    executor.do(launch(trial=1, checkpoint=checkpoint))
    events(executor)
    first, second = (report for report in events(executor) if isinstance(report, Reported))
    assert first.columns == second.columns == {"loss": [1.5]}
