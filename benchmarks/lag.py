"""How late the loop is while a searcher thinks: ``python -m benchmarks.speed lag``.

Everything that a run has to do goes through one loop. Beside it, in the same loop, a task sleeps for a millisecond at a
time and notes how much later than that it was woken. A Gaussian process that knows a thousand trials from the beginning
is asked for 30 more, which take no time, first in a thread of the run and then in a process of its own. A run that asks
for random draws shows what the machine does by itself: its trials sleep, so that it takes about as long.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from benchmarks.asking import values_of
from trialwright import Engine, Random, Result, space
from trialwright.engine.running import run_loop
from trialwright.searchers import GP, Searcher

N, D, SAMPLES = 1000, 20, 30
PROBE_S = 1e-3
PAUSE_S = 0.15  # what the Gaussian process takes for a suggestion
BUDGET_MS = 5.0  # of the 99th percentile, with the placement that is the default


class InThread(GP):
    """One that never leaves the thread."""

    process_from: ClassVar[int | None] = None


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    searcher: str
    where: str
    pause_s: float = 0.0
    promised: bool = False


CASES = (Case("random", "thread", PAUSE_S), Case("gp", "thread"), Case("gp", "process", promised=True))
SEARCHERS: dict[tuple[str, str], Callable[[], Searcher]] = {
    ("random", "thread"): Random,
    ("gp", "thread"): InThread,
    ("gp", "process"): GP,
}


@dataclass(frozen=True)
class Row:
    """What was measured, in milliseconds: medians of the runs, and the worst of all. ``told_ms`` is the percentile that
    the run itself tells, which looks every 50 ms only."""

    case: Case
    p50_ms: float
    p99_ms: float
    max_ms: float
    told_ms: float
    ask_ms: float

    def __str__(self) -> str:
        late = f" (at most {BUDGET_MS:g}{': LATE' if self.p99_ms > BUDGET_MS else ''})" if self.case.promised else ""
        return (
            f"lag {self.case.searcher:6} in a {self.case.where:7} n = {N:,}: p50 {self.p50_ms:5.2f} ms, "
            f"p99 {self.p99_ms:5.2f} ms{late}, max {self.max_ms:5.1f} ms; "
            f"the run's own p99 {self.told_ms:5.2f} ms; {self.ask_ms:5.1f} ms a suggestion"
        )


def table(repeats: int) -> Iterator[Row]:
    """Measure case after case."""
    for case in CASES:
        runs = [_run(case) for _ in range(repeats)]
        *medians, ask_ms = (statistics.median(column) for column in zip(*runs, strict=True))
        p50_ms, p99_ms, _, told_ms = medians
        yield Row(case, p50_ms, p99_ms, max(run[2] for run in runs), told_ms, ask_ms)


def _run(case: Case) -> tuple[float, float, float, float, float]:
    """Return p50, p99 and maximum of the lag, the p99 that the run tells, and the time of a suggestion; all in ms."""
    what = {f"x{index:02}": space.uniform(0, 1) for index in range(D)}
    points = [dict(zip(what, row, strict=True)) for row in np.random.default_rng(0).random((N, D)).tolist()]

    def objective(config: dict[str, float]) -> dict[str, float]:
        time.sleep(case.pause_s)
        return {"loss": values_of(config)[0]}

    engine = Engine(
        objective,
        what,
        metric="loss",
        num_samples=SAMPLES,
        searcher=SEARCHERS[case.searcher, case.where](),
        earlier=[(point, {"loss": values_of(point)[0]}) for point in points],
        executor="local",
        max_concurrent_trials=1,
        storage=None,
        seed=0,
        verbose=0,
    )
    result, lags_s = run_loop(_probed(engine))
    p50, p99 = np.percentile(lags_s, [50, 99])
    told = result.statistics
    return p50 * 1e3, p99 * 1e3, max(lags_s) * 1e3, told.loop_lag_p99_s * 1e3, told.searcher_s * 1e3 / SAMPLES


async def _probed(engine: Engine) -> tuple[Result, list[float]]:
    lags_s: list[float] = []
    probe = asyncio.get_running_loop().create_task(_probe(lags_s))
    try:
        return await engine.run_async(), lags_s
    finally:
        probe.cancel()


async def _probe(lags_s: list[float]) -> None:
    while True:
        due = time.perf_counter() + PROBE_S
        await asyncio.sleep(PROBE_S)
        lags_s.append(time.perf_counter() - due)
