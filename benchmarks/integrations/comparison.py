"""A library's searcher through this package, and the same library in a bare loop: best values, and time an ask.

The bare loops are those of ``benchmarks.quality.peer``: each as the library's own documentation says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.quality.base import Objective, Task, plain_space
from benchmarks.quality.formulas import form_task, surface
from benchmarks.quality.peer import PEERS
from trialwright import AskTell

TASKS = (form_task("levy", 4, 1, judging=False), surface(1, judging=False))
SEEDS = 3
EVALUATIONS = 25

Ask = Callable[[], Mapping[str, Any]]
Tell = Callable[[float], None]


@dataclass(frozen=True)
class Runs:
    """Runs of one method: the mean over tasks and seeds of the best value, its standard error, and the time an ask."""

    best: float
    error: float
    ask_ms: float


def compare(searcher: str, peer: str) -> dict[str, object]:
    """Return both methods' runs as plain data, and what an ask costs more through this package, in milliseconds."""
    ours = runs(lambda task, seed: _through_us(searcher, task, seed))
    alone = runs(lambda task, seed: _alone(peer, task, seed))
    return {
        "asks": len(TASKS) * SEEDS * EVALUATIONS,
        "best": round(ours.best, 4),
        "best_alone": round(alone.best, 4),
        "standard_error": round(float(np.hypot(ours.error, alone.error)), 4),
        "ask_ms": round(ours.ask_ms, 2),
        "ask_alone_ms": round(alone.ask_ms, 2),
    }


def runs(begin: Callable[[Task, int], tuple[Ask, Tell]]) -> Runs:
    """Run one method on all tasks. The first ask of a run is not timed: it imports the library."""
    best, times = [], []
    for task in TASKS:
        for seed in range(SEEDS):
            values, seconds = _run(task.make(), *begin(task, seed))
            best.append(min(values))
            times.extend(seconds[1:])
    return Runs(float(np.mean(best)), float(np.std(best, ddof=1) / np.sqrt(len(best))), 1e3 * float(np.mean(times)))


def _run(objective: Objective, ask: Ask, tell: Tell) -> tuple[list[float], list[float]]:
    values, seconds = [], []
    for _ in range(EVALUATIONS):
        begin = time.perf_counter()
        config = ask()
        asked = time.perf_counter() - begin
        values.append(objective(config))
        begin = time.perf_counter()
        tell(values[-1])
        seconds.append(asked + time.perf_counter() - begin)
    return values, seconds


def _through_us(searcher: str, task: Task, seed: int) -> tuple[Ask, Tell]:
    study = AskTell(task.space, searcher=searcher, metric="value", mode="min", seed=seed)
    open_trials: list[Any] = []

    def ask() -> Mapping[str, Any]:
        open_trials.append(study.ask())
        return open_trials[-1].config  # type: ignore[no-any-return] # a trial's config is a mapping

    return ask, lambda value: study.tell(open_trials[-1], value)


def _alone(peer: str, task: Task, seed: int) -> tuple[Ask, Tell]:
    method: Any = PEERS[peer]()
    method.begin(plain_space(task.space), seed, evaluations=EVALUATIONS, parallelism=1, noisy=False)
    place = -1

    def ask() -> Mapping[str, Any]:
        nonlocal place
        place += 1
        return method.ask()  # type: ignore[no-any-return] # the peers have no types

    return ask, lambda value: method.tell(place, value)
