"""Traces of our searchers and of other libraries': how the best value so far fell in one run, as lines of JSON in files
that only grow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from benchmarks.quality.base import Task, plain_space
from trialwright.bench.searches import Asked, Key, Ours, Trace, read_trace, search, trace_of
from trialwright.bench.traces import append_lines, finished, read_lines
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
class Job:
    """A trace to be made. ``python`` is the interpreter of a peer's own environment."""

    task: Task
    method: str
    seed: int
    batch: int
    evaluations: int
    python: str

    @property
    def key(self) -> Key:
        """The key of its trace."""
        return (self.task.name, self.method, self.seed, self.batch)


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
    if job.method not in PEERS:
        searcher = ABLATIONS[job.method]() if job.method in ABLATIONS else job.method
        return _trace(job, Ours(job.task, searcher, job.seed, job.batch, job.evaluations))
    peer = _Peer(job)
    try:
        return _trace(job, peer)
    finally:
        peer.close()


def _trace(job: Job, method: Asked) -> Trace:
    plan = {"evaluations": job.evaluations, "batch": job.batch, "seed": job.seed}
    return trace_of(job.key, *search(job.task, method, **plan, recommend_at=POINTS))


def read(paths: Iterable[Path]) -> dict[Key, Trace]:
    """Read traces; of two of the same run the last counts."""
    traces = (read_trace(plain) for path in paths for plain in read_lines(path))
    return {trace.key: trace for trace in traces}


def append(traces: Iterable[Trace], path: Path) -> None:
    """Write traces to the end of a file."""
    append_lines(map(asdict, traces), path)


def make(jobs: list[Job], path: Path, processes: int) -> Iterator[Trace]:
    """Make traces side by side, and append each to the file as soon as it is there; one that fails is only told."""
    os.environ.update(ONE_THREAD)  # the processes inherit it
    for job, future in finished(run, jobs, processes):
        if error := future.exception():
            print(f"{job.method} {job.task.name} {job.seed} failed: {error!r}", file=sys.stderr)
            continue
        trace = future.result()
        append([trace], path)
        text = f"{trace.method} {trace.task} {trace.seed}: {trace.best(trace.evaluations):.5g}"
        print(f"\r{text:<60}", end="", file=sys.stderr)
        yield trace
