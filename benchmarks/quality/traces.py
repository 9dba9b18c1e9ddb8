"""Traces: how the best value so far fell in one run of one method on one task; as lines of JSON in files that only
grow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol, cast

from benchmarks.quality.tasks import Task, plain_space
from trialist import AskTell

HERE = Path(__file__).parent
COMMITTED = HERE / "traces"
PEERS = ("optuna-tpe", "optuna-gp", "hyperopt", "botorch")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Trace:
    """One run. ``falls`` are the evaluations, from 1, at which the best value so far fell, and to what."""

    task: str
    method: str
    seed: int
    batch: int
    evaluations: int
    falls: list[tuple[int, float]]
    seconds: float  # in ask and tell

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What makes it this run and no other."""
        return (self.task, self.method, self.seed, self.batch)

    def best(self, evaluation: int) -> float:
        """Return the best value after so many evaluations."""
        return next(value for at, value in reversed(self.falls) if at <= evaluation)


@dataclass(frozen=True)
class Job:
    """A trace to be made. ``python`` is the interpreter of a peer's own environment."""

    task: Task
    method: str
    seed: int
    batch: int
    evaluations: int
    python: str


class _Method(Protocol):
    def ask(self, count: int) -> list[dict[str, object]]: ...
    def tell(self, values: list[float]) -> None: ...


class _Ours:
    def __init__(self, job: Job) -> None:
        searcher = job.method.removeprefix("trialist-")
        self._study = AskTell(
            job.task.space, searcher=searcher, seed=job.seed, num_samples=job.evaluations, parallelism=job.batch
        )

    def ask(self, count: int) -> list[dict[str, object]]:
        self._asked = self._study.ask(count)
        return [trial.config for trial in self._asked]

    def tell(self, values: list[float]) -> None:
        for trial, value in zip(self._asked, values, strict=True):
            self._study.tell(trial, value)


class _Peer:
    def __init__(self, job: Job) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [job.python, str(HERE / "peer.py"), job.method],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD},
            text=True,
        )
        self._told = 0
        self._say(do="begin", space=plain_space(job.task.space), seed=job.seed)

    def ask(self, count: int) -> list[dict[str, object]]:
        return [cast("dict[str, object]", self._say(do="ask")["config"]) for _ in range(count)]

    def tell(self, values: list[float]) -> None:
        for value in values:
            self._say(do="tell", place=self._told, value=value)
            self._told += 1

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()

    def _say(self, **message: object) -> dict[str, object]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args!r} has died")
        return cast("dict[str, object]", json.loads(answer))


def run(job: Job) -> Trace:
    """Make one trace."""
    objective = job.task.make()
    method: _Method = _Peer(job) if job.method in PEERS else _Ours(job)
    falls: list[tuple[int, float]] = []
    count, seconds = 0, 0.0
    try:
        while count < job.evaluations:
            began = time.perf_counter()
            configs = method.ask(min(job.batch, job.evaluations - count))
            seconds += time.perf_counter() - began
            values = [objective(config) for config in configs]
            for value in values:
                count += 1
                if not falls or value < falls[-1][1]:
                    falls.append((count, value))
            began = time.perf_counter()
            method.tell(values)
            seconds += time.perf_counter() - began
    finally:
        if isinstance(method, _Peer):
            method.close()
    rounded = [(at, float(f"{value:.8g}")) for at, value in falls]
    return Trace(job.task.id, job.method, job.seed, job.batch, count, rounded, round(seconds, 3))


def read(paths: Iterable[Path]) -> dict[tuple[str, str, int, int], Trace]:
    """Read traces; of two of the same run the last counts."""
    found = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            given = cast("dict[str, object]", json.loads(line))
            falls = [(int(at), float(value)) for at, value in cast("list[tuple[int, float]]", given.pop("falls"))]
            trace = Trace(**cast("Mapping[str, str]", given), falls=falls)  # type: ignore[arg-type]
            found[trace.key] = trace
    return found


def make(jobs: list[Job], path: Path, processes: int) -> Iterator[Trace]:
    """Make traces side by side, and append each to the file as soon as it is there."""
    os.environ.update(ONE_THREAD)  # the processes inherit it
    path.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool, path.open("a", encoding="utf-8") as file:
        for done in as_completed([pool.submit(run, job) for job in jobs]):
            trace = done.result()
            file.write(json.dumps(asdict(trace), separators=(",", ":")) + "\n")
            file.flush()
            text = f"{trace.method} {trace.task} {trace.seed}: {trace.best(trace.evaluations):.5g}"
            print(f"\r{text:<60}", end="", file=sys.stderr)
            yield trace
