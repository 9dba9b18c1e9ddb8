"""Traces: normalised regrets of runs side by side, as lines of JSON in a file that only grows, so that a benchmark that
was interrupted goes on with what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.fidelity.methods import ETA, PEER
from benchmarks.fidelity.runs import budget_s, order, run, trace
from benchmarks.fidelity.tasks import Floats, Task


class Key(NamedTuple):
    """Which run it is. ``ask_s``: virtual seconds that an answer of a searcher that learns takes."""

    method: str
    workers: int
    task: str
    seed: int
    ask_s: float


Known = dict[Key, list[float]]


def read(path: Path | None) -> Known:
    """Read what a file has; a line that a kill has cut short is left out."""
    known: Known = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path and path.exists() else ():
        try:
            *key, regrets = json.loads(line)
        except ValueError:
            continue
        known[Key(*key)] = regrets
    return known


def make(missing: Sequence[Key], tasks: Sequence[Task], path: Path | None, jobs: int, python: str | None) -> Known:
    """Make the runs that are missing, and append each to the file as soon as it is there."""
    by_id, made = {task.id: task for task in tasks}, Known()
    with ProcessPoolExecutor(jobs) as pool:
        found = pool.map(partial(_one, python), missing, [by_id[key.task] for key in missing])
        for key, regrets in zip(missing, found, strict=True):
            made[key] = regrets
            print(f"\r{len(made)} of {len(missing)}: {key.method}, {key.workers} workers ", end="", file=sys.stderr)
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([*key, regrets], separators=(",", ":")) + "\n")
    return made


def together(known: Mapping[Key, list[float]], keys: Sequence[Key], tasks: Sequence[Task]) -> Floats:
    """Return the regrets of one method as an array of shape (tasks, seeds, points)."""
    rows = np.array([known[key] for key in keys])
    return rows.reshape(len(tasks), -1, rows.shape[-1])


def _one(python: str | None, key: Key, task: Task) -> list[float]:
    if key.method != PEER:
        seen = run(task, key.method, key.workers, key.seed, key.ask_s)
    else:
        assert python is not None  # the peer is compared only where its interpreter is named
        seen = next(_theirs(python, key, task))
    return [float(f"{regret:.6g}") for regret in task.regret(seen)]


def _theirs(python: str, key: Key, task: Task) -> Iterator[Floats]:
    end_s = budget_s(task, key.workers)
    runs = [{"workers": key.workers, "order": order(task, key.seed), "end_s": end_s, "seed": key.seed}]
    job = {"losses": task.losses.tolist(), "seconds": task.seconds.tolist(), "runs": runs, "eta": ETA}
    command = [python, str(Path(__file__).with_name("peer.py"))]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=True)  # noqa: S603 - named by the user
    yield from (trace(seen, end_s) for seen in json.loads(done.stdout))
