"""Ways to look at virtual time: a simulated executor that is driven by hand, and what a simulation exported."""

import json
from hashlib import sha256
from typing import Any

from tests.core.driving import Curve, Simulation
from trialwright.codec import to_plain
from trialwright.executors.base import Run
from trialwright.executors.simulated import Simulated
from trialwright.messages import CapacityChanged, Event, Launch, Placement, Suggested
from trialwright.space import Space, uniform


def exported(simulation: Simulation) -> str:
    """A line of JSON for each event."""
    return "".join(
        json.dumps([moment.now, to_plain(moment.event)], allow_nan=False) + "\n" for moment in simulation.moments
    )


def digest(simulation: Simulation) -> str:
    return sha256(exported(simulation).encode()).hexdigest()


def times(simulation: Simulation, kind: type) -> list[float]:
    return [moment.now for moment in simulation.moments if isinstance(moment.event, kind)]


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


def launch(trial: int = 0, attempt: int = 1, *, node: str = "simulated", **more: Any) -> Launch:
    return Launch(trial, attempt, {"x": 0.5}, (Placement(node, {}),), more.pop("until", ()), seed=1, **more)


def events(executor: Simulated, until: float | None = None) -> list[Event]:
    batch: list[Event] = now(executor.events(until))
    return batch
