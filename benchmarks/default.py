"""How long whole runs of instant trials take with no setting but their number: ``python -m benchmarks.speed default``.

Ours keeps a journal on disk and runs trials in threads; Optuna's default is TPE in memory. Both take turns.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trialwright import Engine, space

COUNTS = (100, 1_000, 5_000)


@dataclass(frozen=True)
class Row:
    """So many trials: seconds of ours and of Optuna's."""

    count: int
    ours_s: float
    optuna_s: float

    def __str__(self) -> str:
        slower = ": SLOWER" if self.ours_s > self.optuna_s else ""
        return f"default {self.count:6,} trials {self.ours_s:7.2f} s; Optuna {self.optuna_s:7.2f} s{slower}"


def valley(x: float, y: float) -> float:
    """What is minimised."""
    return (x - 0.3) ** 2 + (y - 0.6) ** 2


def ours(count: int) -> None:
    """Run with the default searcher and scheduler."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        Engine(
            lambda config: {"loss": valley(**config)},
            {"x": space.uniform(0, 1), "y": space.uniform(0, 1)},
            metric="loss",
            num_samples=count,
            executor="local",
            storage=directory,
            verbose=0,
        ).run()


def optuna(count: int) -> None:
    """The same study of Optuna's."""
    import optuna as peer

    peer.logging.set_verbosity(peer.logging.ERROR)
    study = peer.create_study()
    study.optimize(lambda trial: valley(trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)), count)


def table(repeats: int) -> Iterator[Row]:
    """Measure one number of trials after the other; the first run of each is not counted: it imports."""
    ours(10)
    optuna(10)
    for count in COUNTS:
        times = [(_seconds(ours, count), _seconds(optuna, count)) for _ in range(repeats)]
        yield Row(count, *map(statistics.median, zip(*times, strict=True)))


def _seconds(run: Callable[[int], None], count: int) -> float:
    began = time.perf_counter()
    run(count)
    return time.perf_counter() - began
