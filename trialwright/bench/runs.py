"""Runs: a scheduler on learning curves, in virtual time, by the engine itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, cast

import numpy as np

from trialwright.bench.curves import Curves
from trialwright.bench.methods import Method, scheduler_of
from trialwright.engine.engine import Engine
from trialwright.executors import Delays, Simulated
from trialwright.history import History
from trialwright.messages import Event, Plain, Reported, Request, Suggestion
from trialwright.searchers import GP, Problem, Searcher
from trialwright.searchers.gp.acquisition import Acquisition
from trialwright.searchers.gp.searcher import NEW
from trialwright.space import uniform
from trialwright.space.values import Floats
from trialwright.streams import Streams
from trialwright.workloads import Table
from trialwright.workloads.base import State, Step

BUDGET = 20.0  # full trainings, over all workers
LEAST = 1  # full training a worker at least, so that some can end
POINTS = 40  # of a trace


class Key(NamedTuple):
    """Which run it is. ``ask_s``: virtual seconds that an answer of a searcher that learns takes."""

    method: str
    workers: int
    task: str
    seed: int
    ask_s: float


def budget_s(task: Curves, workers: int, budget: float = BUDGET) -> float:
    """Return how long a run is: so many full trainings shared by the workers, or one of each."""
    return task.full_s * max(budget / workers, LEAST)


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
class GPOfRows(GP):
    """A Gaussian process that looks for the best among the rows of a task, as it would in a finite space.

    Args:
        points: of the rows, shape (n, d).
    """

    points: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def _best_rows(self, score: Acquisition, centres: Floats, generator: np.random.Generator) -> Floats:
        values = score.value(self.points, self._scope.active(self.points))
        return self.points[np.argsort(-values, kind="stable")]

    def _untried_rows(self, generator: np.random.Generator) -> Floats:
        taken = {row.tobytes() for row in self._known.units.round(9)}
        rows = self.points[generator.permutation(len(self.points))]
        return rows[[row.tobytes() not in taken for row in rows.round(9)]][:NEW]


@dataclass
class FromPool:
    """Suggests, in place of what a searcher that learns would have tried, the nearest row that no trial has.

    Args:
        searcher: of the unit cube, whose axes are ``x0``, ``x1``, ...
        points: of the rows, shape (n, d).
    """

    searcher: Searcher
    points: Floats
    learns = True
    answers_next = True

    def setup(self, problem: Problem) -> int:
        """All rows are there."""
        self._taken = np.zeros(len(self.points), np.bool_)
        return self.searcher.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """The searcher's answers, moved to rows."""
        return [answer and self._moved(answer) for answer in self.searcher.suggest(history, requests, rng)]

    def _moved(self, answer: Suggestion) -> Suggestion:
        if answer.resume is not None:
            return answer
        wanted = np.array([cast(float, value) for value in answer.config.values()])
        distances = np.where(self._taken, np.inf, ((self.points - wanted) ** 2).sum(axis=1))
        row = int(np.argmin(distances))
        self._taken[row] = True
        return replace(answer, config=config_of(self.points[row]))


def config_of(point: Floats) -> dict[str, Plain]:
    """Return a row's configuration where searchers see points."""
    return {f"x{axis}": float(value) for axis, value in enumerate(point)}


@dataclass
class ByPoint:
    """The curves of a table, whose rows are found by their points."""

    table: Table
    points: Floats

    def __post_init__(self) -> None:
        self._rows = {tuple(config_of(point).values()): row for row, point in enumerate(self.points)}

    @property
    def space(self) -> dict[str, object]:
        """The unit cube."""
        return {f"x{axis}": uniform(0, 1) for axis in range(self.points.shape[1])}

    def start(self, config: dict[str, Any], seed: int) -> State:
        """As the table."""
        return self.table.start(self._row(config), seed)

    def step(self, config: dict[str, Any], state: State) -> Step | None:
        """As the table."""
        return self.table.step(self._row(config), state)

    def _row(self, config: dict[str, Any]) -> dict[str, Any]:
        return {"row": self._rows[tuple(config.values())]}


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


def order(task: Curves, seed: int) -> list[int]:
    """Return the order in which a seed's runs try the rows."""
    # No named stream: the numbers of docs/fidelity.md are of these orders, and other libraries get them too.
    return [int(row) for row in np.random.default_rng(seed).permutation(len(task.losses))]


def trace(seen: Sequence[tuple[float, float]], end_s: float) -> Floats:
    """Return the best loss so far at each of the points in time, shape (POINTS,); infinite before the first."""
    times = np.linspace(0, end_s, POINTS + 1)[1:]
    found = np.array([(time, loss) for time, loss in seen if np.isfinite(loss)]).reshape(-1, 2)
    best = np.minimum.accumulate(np.concatenate([[np.inf], found[:, 1]]))
    return best[np.searchsorted(found[:, 0], times, side="right")]


def regrets(task: Curves, losses: Floats) -> list[float]:
    """Return the regrets of a trace, rounded to 6 digits, as they are kept."""
    return [float(f"{regret:.6g}") for regret in task.regret(losses)]


def run(task: Curves, method: Method, workers: int, seed: int, *, ask_s: float = 0.0, budget: float = BUDGET) -> Floats:
    """Return the best loss so far at POINTS times of one run.

    Args:
        task: its curves.
        method: the scheduler, and the searcher if it has its own.
        workers: how many trainings run at a time.
        seed: of the order of the configurations, and of the method's random draws.
        ask_s: virtual seconds that an answer of the method's own searcher takes.
        budget: full trainings, over all workers.
    """
    executor = Watched(workers=workers, delays=Delays(ask_s=ask_s if method.searcher else 0.0))
    table = Table({"loss": task.losses}, np.diff(task.seconds, prepend=0.0))
    workload, searcher = _searched(task, table, method, seed)
    Engine(
        workload,
        workload.space,
        metric="loss",
        num_samples=len(task.losses) if method.searcher else -1,
        searcher=searcher,
        scheduler=scheduler_of(method, task.steps),
        executor=executor,
        storage=None,
        seed=seed,
        time_budget_s=budget_s(task, workers, budget),
        verbose=0,
    ).run()
    return trace(executor.seen, budget_s(task, workers, budget))


def _searched(task: Curves, table: Table, method: Method, seed: int) -> tuple[Table | ByPoint, Searcher]:
    """Return the workload, and what chooses its rows."""
    if method.searcher is None:
        return table, InOrder(order(task, seed))
    if task.points is None:
        raise ValueError(f"task {task.name!r} has no points, from which the method's searcher could choose")
    searcher = method.searcher()
    own = GPOfRows(**_arguments(searcher), points=task.points) if type(searcher) is GP else searcher
    return ByPoint(table, task.points), FromPool(own, task.points)


def _arguments(searcher: GP) -> dict[str, Any]:
    return {field.name: getattr(searcher, field.name) for field in fields(searcher) if field.init}
