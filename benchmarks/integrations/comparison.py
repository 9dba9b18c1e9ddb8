"""Compares a library's searcher through this package with the same library in a bare loop: best values, time an ask.

The bare loops are those of ``benchmarks.quality.peer``: each as the library's own documentation says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from benchmarks.quality.base import Task, plain_space
from benchmarks.quality.formulas import form_task, surface
from benchmarks.quality.peer import PEERS
from trialwright import AskTell
from trialwright.bench.functions import Objective
from trialwright.integrations import ADAPTERS, Adapter

TASKS = (form_task("levy", 4, 1, judging=False), surface(3, judging=False))  # all their values are positive
EVALUATIONS = 25

Ask = Callable[[], Mapping[str, Any]]
Tell = Callable[[float], None]


@dataclass(frozen=True)
class Runs:
    """Runs of one method: the logarithm of the best value of each, and the mean time an ask in milliseconds.

    All values of the tasks are positive, and their scales differ: so methods are compared by ratios.
    """

    logs: npt.NDArray[np.float64]
    ask_ms: float


def compare(searcher: str, options: Mapping[str, Any], peer: str, seeds: int) -> dict[str, object]:
    """Return both methods' runs as plain data: geometric means of the best values, their ratio (below 1: through this
    package is better) with its 95 % interval, and the time an ask."""
    ours = runs(seeds, lambda task, seed: _through_us(ADAPTERS[searcher](**options), task, seed))
    alone = runs(seeds, lambda task, seed: _alone(peer, task, seed))
    difference = ours.logs.mean() - alone.logs.mean()
    within = [each.logs.reshape(len(TASKS), seeds).var(axis=1, ddof=1).mean() for each in (ours, alone)]
    error = np.sqrt(sum(within) / len(ours.logs)) * t.ppf(0.975, 2 * len(TASKS) * (seeds - 1))
    return {
        "asks": len(TASKS) * seeds * EVALUATIONS,
        "seeds": seeds,
        "best": _rounded(ours.logs.mean()),
        "best_alone": _rounded(alone.logs.mean()),
        "ratio": [_rounded(difference + side * error) for side in (0, -1, 1)],
        "ask_ms": round(ours.ask_ms, 2),
        "ask_alone_ms": round(alone.ask_ms, 2),
    }


def runs(seeds: int, begin: Callable[[Task, int], tuple[Ask, Tell]]) -> Runs:
    """Run one method on all tasks. The first ask of a run is not timed: it imports the library."""
    best, times = [], []
    for task in TASKS:
        for seed in range(seeds):
            values, seconds = _run(task.make(), *begin(task, seed))
            best.append(min(values))
            times.extend(seconds[1:])
    return Runs(np.log(best), 1e3 * float(np.mean(times)))


def _rounded(log: float) -> float:
    return float(f"{np.exp(log):.3g}")


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


def _through_us(searcher: Adapter, task: Task, seed: int) -> tuple[Ask, Tell]:
    study = AskTell(task.space, searcher=searcher, metric="value", mode="min", num_samples=EVALUATIONS, seed=seed)
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
