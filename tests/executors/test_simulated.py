"""Virtual time: exact, repeatable, and never slept through."""

import asyncio
import json
import time
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest

from tests.engine.driving import Curve, Script, Simulation, simulate
from trialist.codec import to_plain
from trialist.errors import ExecutorError
from trialist.executors.base import Run
from trialist.executors.simulated import Delays, Faults, Simulated
from trialist.messages import (
    Boundary,
    CapacityChanged,
    Checkpoint,
    Discard,
    Event,
    Extend,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Node,
    Pause,
    Placement,
    Reported,
    Started,
    Suggested,
    Ticked,
    at_step,
)
from trialist.schedulers import ASHA
from trialist.searchers import Grid, Random
from trialist.space import Space, choice, uniform

DELAYS = Delays(launch_s=0.5, halt_s=0.25, report_s=0.125, ask_s=0.0625)  # sums of these are exact


def exported(simulation: Simulation) -> str:
    """A line of JSON for each event."""
    return "".join(
        json.dumps([moment.now, to_plain(moment.event)], allow_nan=False) + "\n" for moment in simulation.moments
    )


def digest(simulation: Simulation) -> str:
    return sha256(exported(simulation).encode()).hexdigest()


def times(simulation: Simulation, kind: type) -> list[float]:
    return [moment.now for moment in simulation.moments if isinstance(moment.event, kind)]


# Determinism ----------------------------------------------------------------------------------------------------------


def with_random(seed: int = 0) -> Simulation:
    space = Space({"x": uniform(0, 1), "kind": choice(["a", "b"])})
    scheduler, executor = ASHA(max_t=9, reduction_factor=3), Simulated(workers=4, delays=DELAYS)
    return simulate(Curve(), scheduler, executor, searcher=Random(), space=space, samples=40, seed=seed)


def with_grid() -> Simulation:
    space = Space({"x": choice([0.1, 0.2, 0.3, 0.4]), "kind": choice(["a", "b", None])})
    return simulate(Curve(steps=3), None, Simulated(workers=5, delays=DELAYS), searcher=Grid(), space=space, samples=2)


def test_the_same_seed_gives_the_same_events_with_random_search():
    assert digest(with_random()) == "d573f7e4d6902ac706287b212f5fef9fc02992a94803e0eedd7943b7ae469c69"


def test_the_same_seed_gives_the_same_events_with_grid_search():
    assert digest(with_grid()) == "78f373f43d3113c011ceaa35f5ff7dcdd3af26c036484f17d065629b6018b97d"


def test_another_seed_gives_other_events():
    assert digest(with_random(1)) != digest(with_random(2))


def test_faults_are_repeatable_too():
    def with_faults(seed: int) -> Simulation:
        executor = Simulated(workers=4, faults=Faults(lost_per_hour=100), seed=seed)
        return simulate(Curve(), None, executor, samples=20, max_failures=-1)

    assert digest(with_faults(1)) == digest(with_faults(1)) != digest(with_faults(2))


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


def test_running_time_is_the_workers_own_and_goes_on_after_a_pause():
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


def test_each_lost_worker_costs_its_own_launch():
    executor = Simulated(delays=DELAYS, faults=Faults(lost_per_hour=360))
    simulation = simulate(Curve(steps=10), None, executor, samples=9, max_failures=-1)
    moments = [moment for moment in simulation.moments if isinstance(moment.event, Lost | Started)]
    again = [(a, b) for a, b in pairwise(moments) if isinstance(a.event, Lost) and isinstance(b.event, Started)]
    assert len(again) > 5
    assert all(b.now == a.now + 0.5 for a, b in again)


def test_workers_are_lost_as_often_as_they_should_be():
    executor = Simulated(workers=1, faults=Faults(lost_per_hour=36))
    simulation = simulate(Curve(steps=20), None, executor, samples=500, max_failures=-1, check=False)
    hours = simulation.moments[-1].now / 3600
    assert len(times(simulation, Lost)) == pytest.approx(hours * 36, rel=0.2)


def test_a_lost_worker_says_nothing_more():
    simulation = simulate(Curve(), None, Simulated(workers=3, faults=Faults(lost_per_hour=200)), samples=9, max_failures=-1)
    assert simulation.experiment.echoes == 0
    assert times(simulation, Lost)


def test_it_never_sleeps(monkeypatch):
    def refuse(*arguments: object) -> None:
        raise AssertionError("somebody slept")

    monkeypatch.setattr(time, "sleep", refuse)
    monkeypatch.setattr(asyncio, "sleep", refuse)
    simulation = simulate(Curve(steps=10, seconds=1e6), None, Simulated(), samples=3, time_budget_s=2.5e7)
    assert simulation.moments[-1].now == 2.5e7


# The executor by itself -----------------------------------------------------------------------------------------------


def now(coroutine: Any) -> Any:
    """What a coroutine returns that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


def an_executor(workload: object = Curve(), **arguments: Any) -> Simulated:
    executor = Simulated(**arguments)
    now(executor.open(Run(workload, Space({"x": uniform(0, 1)}), lambda ask: Suggested(ask.ask, ()))))
    assert [type(event) for event in now(executor.events(None))] == [CapacityChanged]
    return executor


def launch(trial: int = 0, attempt: int = 1, **more: Any) -> Launch:
    return Launch(trial, attempt, {"x": 0.5}, Placement("simulated", {}), more.pop("until", ()), seed=1, **more)


def events(executor: Simulated, until: float | None = None) -> list[Event]:
    batch: list[Event] = now(executor.events(until))
    return batch


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
    with pytest.raises(ExecutorError, match="stands still"):
        events(an_executor())


def test_a_function_is_no_workload():
    with pytest.raises(ExecutorError, match="an object with start and step"):
        an_executor(workload=print)


def test_a_resumed_run_goes_on_at_the_time_it_had_reached():
    executor = Simulated()
    now(executor.open(Run(Curve(), Space({}), lambda ask: Suggested(ask.ask, ()), began_s=77.0)))
    events(executor)
    assert executor.now() == 77.0


def test_the_machines_are_those_given():
    executor = Simulated(nodes=[Node("a", {"cpu": 1}), Node("b", {"gpu": 2})])
    now(executor.open(Run(Curve(), Space({}), lambda ask: Suggested(ask.ask, ()))))
    assert events(executor) == [CapacityChanged((Node("a", {"cpu": 1}), Node("b", {"gpu": 2})))]


def test_a_report_waits_at_a_boundary_and_nowhere_else():
    executor = an_executor()
    executor.do(launch(until=(Boundary("loss", "<=", 0.9),)))
    events(executor)
    reports = [events(executor)[0] for _ in range(3)]
    losses = [(report.columns["loss"][0], report.waiting) for report in reports if isinstance(report, Reported)]
    assert losses == [(1.5, False), (1.0, False), (pytest.approx(0.5 + 1 / 3), True)]
    with pytest.raises(ExecutorError, match="stands still"):
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


def test_an_attempt_goes_on_from_its_checkpoint():
    executor = an_executor()
    path = paused_at_two(executor)
    report = next_report(executor, launch(attempt=2, checkpoint=Checkpoint(path, 2, 2.0)))
    assert (report.first_step, report.columns["loss"]) == (3, [0.5 + 1 / 3])


def test_a_discarded_checkpoint_is_gone():
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
    with pytest.raises(ExecutorError, match="stands still"):
        events(executor)


def test_who_finishes_before_the_halt_arrives_has_finished():
    executor = an_executor(Curve(steps=0), delays=DELAYS)
    executor.do(launch())
    assert events(executor) == [Started(0, 1)]
    executor.do(Halt(0, 1))
    assert events(executor) == [Finished(0, 1)]
    with pytest.raises(ExecutorError, match="stands still"):
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
