"""Traces of our schedulers and of Syne Tune's: normalised regrets of runs side by side, as lines of JSON in a file that
only grows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from trialwright.bench.curves import Curves
from trialwright.bench.methods import ETA, METHODS
from trialwright.bench.runs import Key, budget_s, order, regrets, run, trace
from trialwright.bench.traces import append_lines, finished, read_lines
from trialwright.space.values import Floats

PEER = "syne-tune-asha"
Known = dict[Key, list[float]]


def read(path: Path | None) -> Known:
    """Read what a file has."""
    return {Key(*key): found for *key, found in read_lines(path)}


def make(missing: Sequence[Key], tasks: Sequence[Curves], path: Path | None, jobs: int, python: str | None) -> Known:
    """Make the runs that are missing, and append each to the file as soon as it is there."""
    by_name, made = {task.name: task for task in tasks}, Known()
    wanted = [(key, by_name[key.task]) for key in missing]
    for (key, _), future in finished(partial(_one, python), wanted, jobs):
        made[key] = future.result()
        print(f"\r{len(made)} of {len(missing)}: {key.method}, {key.workers} workers ", end="", file=sys.stderr)
        if path:
            append_lines([[*key, made[key]]], path)
    return made


def together(known: Mapping[Key, list[float]], keys: Sequence[Key], tasks: Sequence[Curves]) -> Floats:
    """Return the regrets of one method as an array of shape (tasks, seeds, points)."""
    rows = np.array([known[key] for key in keys])
    return rows.reshape(len(tasks), -1, rows.shape[-1])


def _one(python: str | None, job: tuple[Key, Curves]) -> list[float]:
    key, task = job
    if key.method != PEER:
        return regrets(task, run(task, METHODS[key.method], key.workers, key.seed, ask_s=key.ask_s))
    assert python is not None  # the peer is compared only where its interpreter is named
    return regrets(task, _theirs(python, key, task))


def _theirs(python: str, key: Key, task: Curves) -> Floats:
    end_s = budget_s(task, key.workers)
    runs = [{"workers": key.workers, "order": order(task, key.seed), "end_s": end_s, "seed": key.seed}]
    job = {"losses": task.losses.tolist(), "seconds": task.seconds.tolist(), "runs": runs, "eta": ETA}
    command = [python, str(Path(__file__).with_name("peer.py"))]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=True)  # noqa: S603 - named by the user
    [seen] = json.loads(done.stdout)
    return trace(seen, end_s)
