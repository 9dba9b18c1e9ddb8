"""Runs: a method on a task, in virtual time, through the engine that everybody uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from benchmarks.fidelity.methods import METHODS
from benchmarks.fidelity.tasks import Floats, Task
from trialwright import Engine, Simulated
from trialwright.history import History
from trialwright.messages import Event, Reported, Request, Suggestion
from trialwright.searchers import Problem
from trialwright.streams import Streams
from trialwright.workloads import Table

BUDGET = 20  # full trainings, over all workers
LEAST = 1  # full training a worker at least, so that some can end
POINTS = 40  # of a trace


def budget_s(task: Task, workers: int) -> float:
    """Return how long a run is: 20 full trainings shared by the workers, or one of each."""
    return task.full_s * max(BUDGET / workers, LEAST)


@dataclass
class InOrder:
    """Suggests the rows in an order that is the same for all methods; from the beginning again if they run out."""

    order: Sequence[int]
    learns = False

    def setup(self, problem: Problem) -> int:
        """One trial a sample."""
        return 1

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """The next rows."""
        return [Suggestion({"row": int(self.order[request.sample % len(self.order)])}) for request in requests]


@dataclass
class Watched(Simulated):
    """Simulated workers that remember what was reported when."""

    seen: list[tuple[float, float]] = field(default_factory=list)

    async def events(self, until: float | None) -> list[Event]:
        """Note the losses."""
        batch = await super().events(until)
        for event in batch:
            if isinstance(event, Reported):
                self.seen.extend((self.now(), float(cast(float, loss))) for loss in event.columns["loss"])
        return batch


def order(task: Task, seed: int) -> list[int]:
    """Return the order in which a seed's runs try the rows."""
    return [int(row) for row in np.random.default_rng(seed).permutation(len(task.losses))]


def trace(seen: Sequence[tuple[float, float]], end_s: float) -> Floats:
    """Return the best loss so far at each of the points in time, shape (POINTS,); infinite before the first."""
    times = np.linspace(0, end_s, POINTS + 1)[1:]
    found = np.array([(time, loss) for time, loss in seen if np.isfinite(loss)]).reshape(-1, 2)
    best = np.minimum.accumulate(np.concatenate([[np.inf], found[:, 1]]))
    return best[np.searchsorted(found[:, 0], times, side="right")]


def run(task: Task, method: str, workers: int, seed: int) -> Floats:
    """Return the trace of one run."""
    executor = Watched(workers=workers)
    table = Table({"loss": task.losses}, np.diff(task.seconds, prepend=0.0))
    Engine(
        table,
        table.space,
        metric="loss",
        num_samples=-1,
        searcher=InOrder(order(task, seed)),
        scheduler=METHODS[method](task.losses.shape[1]),
        executor=executor,
        storage=None,
        seed=seed,
        time_budget_s=budget_s(task, workers),
        verbose=0,
    ).run()
    return trace(executor.seen, budget_s(task, workers))
