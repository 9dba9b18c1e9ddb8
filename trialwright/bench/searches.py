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
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from benchmarks.quality.base import Task, plain_space
from trialwright import AskTell
from trialwright.searchers import GP, TPE, Problem, Sobol

HERE = Path(__file__).parent
COMMITTED = HERE / "traces"
PEERS = {  # and the package that each comes in
    "optuna-tpe": "optuna",
    "optuna-gp": "optuna",
    "hyperopt": "hyperopt",
    "botorch": "botorch",
    "nevergrad": "nevergrad",
    "smac": "smac",
}
POINTS = (25, 50, 100)  # evaluations at which methods are compared
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Trace:
    """One run. ``falls`` are the evaluations, from 1, at which the best value so far, without noise, fell, and to
    what. ``recommended``, where results are noisy: after so many evaluations, the true value of the configuration that
    the method recommends, which may rise."""

    task: str
    method: str
    seed: int
    batch: int
    evaluations: int
    falls: list[tuple[int, float]]
    seconds: float  # in ask and tell
    recommended: list[tuple[int, float]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What makes it this run and no other."""
        return (self.task, self.method, self.seed, self.batch)

    def best(self, evaluation: int) -> float:
        """Return the best value after so many evaluations."""
        return next(value for at, value in reversed(self.falls) if at <= evaluation)

    def final(self, evaluation: int) -> float:
        """Return the true value of what is recommended after so many evaluations."""
        return dict(self.recommended)[evaluation]


@dataclass(frozen=True)
class Job:
    """A trace to be made. ``python`` is the interpreter of a peer's own environment."""

    task: Task
    method: str
    seed: int
    batch: int
    evaluations: int
    python: str

    @property
    def key(self) -> tuple[str, str, int, int]:
        """The key of its trace."""
        return (self.task.id, self.method, self.seed, self.batch)


class _Method(Protocol):
    def ask(self, count: int) -> list[dict[str, object]]: ...
    def tell(self, values: list[float]) -> None: ...
    def recommend(self) -> dict[str, object] | None: ...  # None: what was told the best value


class GPFromSobol(GP):
    """Without the middle of the space as the first point."""

    def setup(self, problem: Problem) -> int:
        """As ``GP``."""
        samples = super().setup(problem)
        self._first = Sobol()
        self._first.setup(problem)
        return samples


class TPEFromSobol(TPE):
    """The same of ``TPE``."""

    def setup(self, problem: Problem) -> int:
        """As ``TPE``."""
        samples = super().setup(problem)
        self._first = Sobol()  # type: ignore[assignment]
        self._first.setup(problem)
        return samples


ABLATIONS = {"gp-from-sobol": GPFromSobol, "tpe-from-sobol": TPEFromSobol}


class _Ours:
    def __init__(self, job: Job) -> None:
        searcher = ABLATIONS[job.method]() if job.method in ABLATIONS else job.method
        self._study = AskTell(
            job.task.space, searcher=searcher, seed=job.seed, num_samples=job.evaluations, parallelism=job.batch
        )

    def ask(self, count: int) -> list[dict[str, object]]:
        self._asked = self._study.ask(count)
        return [trial.config for trial in self._asked]

    def tell(self, values: list[float]) -> None:
        for trial, value in zip(self._asked, values, strict=True):
            self._study.tell(trial, value)

    def recommend(self) -> dict[str, object]:
        return self._study.recommended.config


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
        plan = {"evaluations": job.evaluations, "parallelism": job.batch, "noisy": job.task.noise is not None}
        try:
            self._say(do="begin", space=plain_space(job.task.space), seed=job.seed, **plan)
        except RuntimeError:
            self.close()
            raise

    def ask(self, count: int) -> list[dict[str, object]]:
        return [cast("dict[str, object]", self._say(do="ask")["config"]) for _ in range(count)]

    def tell(self, values: list[float]) -> None:
        for value in values:
            self._say(do="tell", place=self._told, value=value)
            self._told += 1

    def recommend(self) -> dict[str, object] | None:
        return cast("dict[str, object] | None", self._say(do="recommend").get("config"))

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()

    def _say(self, **message: object) -> dict[str, object]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "it has died"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return cast("dict[str, object]", answer)


def run(job: Job) -> Trace:
    """Make one trace."""
    objective, rng = job.task.make(), np.random.default_rng(job.seed)
    noise = job.task.noise(objective) if job.task.noise else None
    method: _Method = _Peer(job) if job.method in PEERS else _Ours(job)
    true: list[float] = []
    told: list[float] = []
    recommended: list[tuple[int, float]] = []
    seconds = 0.0
    try:
        while len(true) < job.evaluations:
            began = time.perf_counter()
            configs = method.ask(min(job.batch, job.evaluations - len(true)))
            seconds += time.perf_counter() - began
            values = [objective(config) for config in configs]
            noisy = [noise(value, rng) for value in values] if noise else values
            true, told = true + values, told + noisy
            began = time.perf_counter()
            method.tell(noisy)
            seconds += time.perf_counter() - began
            if noise and len(true) in POINTS:
                choice = method.recommend()
                recommended.append((len(true), objective(choice) if choice else true[int(np.argmin(told))]))
    finally:
        if isinstance(method, _Peer):
            method.close()
    where = (job.task.id, job.method, job.seed, job.batch, len(true))
    return Trace(*where, _rounded(_falls(true)), round(seconds, 3), _rounded(recommended))


def _falls(values: Iterable[float]) -> list[tuple[int, float]]:
    falls: list[tuple[int, float]] = []
    for count, value in enumerate(values, 1):
        if not falls or value < falls[-1][1]:
            falls.append((count, value))
    return falls


def _rounded(values: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    return [(at, float(f"{value:.8g}")) for at, value in values]


def read(paths: Iterable[Path]) -> dict[tuple[str, str, int, int], Trace]:
    """Read traces; of two of the same run the last counts. A line that a kill has cut short is none."""
    found = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                given = cast("dict[str, object]", json.loads(line))
            except ValueError:
                continue
            lists = {name: cast("list[tuple[int, float]]", given.pop(name, [])) for name in ("falls", "recommended")}
            values = {name: [(int(at), float(value)) for at, value in pairs] for name, pairs in lists.items()}
            trace = Trace(**cast("Mapping[str, str]", given), **values)  # type: ignore[arg-type]
            found[trace.key] = trace
    return found


def append(traces: Iterable[Trace], path: Path) -> None:
    """Write traces to the end of a file, each on a line of its own whatever was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" if cut else "")
        file.writelines(json.dumps(asdict(trace), separators=(",", ":")) + "\n" for trace in traces)


def make(jobs: list[Job], path: Path, processes: int) -> Iterator[Trace]:
    """Make traces side by side, and append each to the file as soon as it is there; one that fails is only told."""
    os.environ.update(ONE_THREAD)  # the processes inherit it
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        futures = {pool.submit(run, job): job for job in jobs}
        for done in as_completed(futures):
            job, error = futures[done], done.exception()
            if error is not None:
                print(f"{job.method} {job.task.id} {job.seed} failed: {error!r}", file=sys.stderr)
                continue
            trace = done.result()
            append([trace], path)
            text = f"{trace.method} {trace.task} {trace.seed}: {trace.best(trace.evaluations):.5g}"
            print(f"\r{text:<60}", end="", file=sys.stderr)
            yield trace
