"""How fast simulations are: ``python -m benchmarks.speed simulate``, with Syne Tune's simulator in the same run where
``--peer-python`` names an interpreter that has it.

Trainings are rows of a table of learning curves; they take between 0.5 and 1.5 virtual seconds a step, and a thousand
go on side by side. Each report is handled by itself, the journal is in memory, and what counts is the whole run, from
``Engine.run()`` to its result. Each case has a process of its own, so that its memory can be told.

``calls`` are Python's, counted by its profiler, for each event that was handled: a number that no other work on the
machine can change.
"""

from __future__ import annotations

import cProfile
import json
import multiprocessing
import pstats
import resource
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from trialwright import ASHA, Engine, Result, Simulated, space
from trialwright.engine.running import run_loop
from trialwright.workloads import Step

WORKERS = 1000
ROWS = 1024


@dataclass(frozen=True)
class Case:
    """What is simulated: so many trials of so many steps, as far as FIFO, or ASHA with eta = 3, lets them go."""

    scheduler: str
    trials: int
    steps: int
    grace: int = 1  # steps before ASHA judges a trial first

    @property
    def name(self) -> str:
        """The scheduler, and the step at which it judges first."""
        return f"asha, {self.grace}" if self.scheduler == "asha" else self.scheduler


CASES = (
    Case("fifo", 8_000, 50),
    Case("asha", 100_000, 81),
    Case("asha", 100_000, 81, grace=9),
    Case("fifo", 1_000_000, 1),
)
COUNTED = tuple(Case("asha", trials, 81) for trials in (1_000, 10_000, 100_000))
PEER = (Case("fifo", 1_000, 50), Case("asha", 1_000, 81))  # Syne Tune gets fewer, because it would take minutes


@dataclass(frozen=True)
class Row:
    """One line of the table; ``calls`` and ``bytes_a_trial`` where they were counted."""

    system: str
    scheduler: str
    trials: int
    reports: int
    seconds: float
    calls: float | None = None
    bytes_a_trial: float | None = None

    def __str__(self) -> str:
        named = f"simulate {self.system:9} {self.scheduler:7} {self.trials:9,} trials {self.reports:9,} reports"
        if self.calls is not None:
            return f"{named} {self.calls:8.1f} calls an event"
        rates = f"{self.reports / self.seconds:9,.0f} reports/s {self.trials / self.seconds:7,.0f} trials/s"
        return f"{named} {rates} {self.seconds:7.1f} s" + (
            f" {self.bytes_a_trial:6,.0f} bytes a trial" if self.bytes_a_trial is not None else ""
        )


class Curves:
    """Learning curves that keep their order: loss q + (1 - q) / sqrt(step + 1), q in [0, 1)."""

    def __init__(self, steps: int) -> None:
        rng = np.random.default_rng(0)
        quality, step = rng.random((ROWS, 1)), np.arange(1, steps + 1)
        self._losses = (quality + (1 - quality) * (step + 1) ** -0.5).tolist()
        self._seconds = (0.5 + rng.random(ROWS)).tolist()

    def start(self, config: dict[str, Any], seed: int) -> tuple[int, int]:
        return config["row"], 0

    def step(self, config: dict[str, Any], state: tuple[int, int]) -> Step | None:
        row, step = state
        curve = self._losses[row]
        return ((row, step + 1), {"loss": curve[step]}, self._seconds[row]) if step < len(curve) else None


def table(repeats: int, peer_python: Path | None, *, with_calls: bool) -> list[Row]:
    """Run every case; the rates are medians of the repeats."""
    rows = [_median([_alone(timed, case) for _ in range(repeats)]) for case in CASES]
    if peer_python is not None:
        rows += [_median([_theirs(peer_python, case) for _ in range(repeats)]) for case in PEER]
    return rows + [_alone(counted, case) for case in COUNTED if with_calls]


def _median(rows: Sequence[Row]) -> Row:
    return sorted(rows, key=lambda row: row.seconds)[len(rows) // 2]


def _alone(measure: Any, case: Case) -> Row:  # noqa: ANN401 - one of the two below
    """Measure in a process that has done nothing before."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return cast(Row, pool.submit(measure, case).result())


def timed(case: Case) -> Row:
    """Run a case: its time, and how far it raised the peak of this process's memory."""
    before, began = _peak_bytes(), time.perf_counter()
    result = _run(case)
    seconds = time.perf_counter() - began
    return _row(case, result, seconds, bytes_a_trial=(_peak_bytes() - before) / case.trials)


def counted(case: Case) -> Row:
    """Run a case under the profiler, which counts calls."""
    profile = cProfile.Profile()
    result = profile.runcall(run_loop, _engine(case).run_async())  # in this thread: a profiler sees no other
    stats = pstats.Stats(profile)
    [events] = [calls for (file, _, name), (_, calls, *_) in stats.stats.items() if _is_handle(file, name)]  # type: ignore[attr-defined]
    return _row(case, result, 0.0, calls=stats.total_calls / events)  # type: ignore[attr-defined]


def _is_handle(file: str, name: str) -> bool:
    return name == "handle" and file.endswith("experiment.py")


def _run(case: Case) -> Result:
    return _engine(case).run()


def _engine(case: Case) -> Engine:
    return Engine(
        Curves(case.steps),
        {"row": space.randint(0, ROWS), "x": space.uniform(0, 1)},
        metric="loss",
        searcher="random",
        scheduler=ASHA(case.steps, case.grace, 3) if case.scheduler == "asha" else "fifo",
        num_samples=case.trials,
        executor=Simulated(workers=WORKERS),
        storage=None,
        seed=0,
        verbose=0,
    )


def _row(case: Case, result: Result, seconds: float, **counted: float) -> Row:
    reports = sum(trial.metrics["step"] for trial in result)
    return Row("trialwright", case.name, len(result), reports, seconds, **counted)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _theirs(python: Path, case: Case) -> Row:
    script = Path(__file__).with_name("simulating_peer.py")
    told = [case.scheduler, case.trials, WORKERS, case.steps, ROWS]
    command = [str(python), str(script), *map(str, told)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - named by the user
    return Row("syne tune", case.name, **json.loads(answer.stdout.splitlines()[-1]))
