"""The command line of ``python -m benchmarks.quality``; see the package."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmarks.quality import comparison
from benchmarks.quality.tasks import Task, all_tasks
from benchmarks.quality.traces import COMMITTED, PEERS, Job, make, read

OURS = ("random", "tpe", "gp", "auto")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make what traces are missing, and compare."""
    given = _parser().parse_args(arguments)
    tasks = [task for task in all_tasks(given.data) if task.judging != given.develop and _wanted(task, given.tasks)]
    pythons = dict(each.split("=", 1) for each in given.python)
    jobs = [
        Job(task, method, seed, given.batch, given.evaluations, pythons.get(method, sys.executable))
        for seed, task, method in product(range(given.seeds), tasks, given.methods)
    ]
    known = read([*sorted(COMMITTED.glob("*.jsonl")), given.out])
    missing = [job for job in jobs if (job.task.id, job.method, job.seed, job.batch) not in known]
    if given.committed_only:  # the peers' environments are not here: what there is will do
        missing = [job for job in missing if job.method not in PEERS]
    for trace in make(missing, given.out, given.jobs) if missing else ():
        known[trace.key] = trace
    keys = [(job.task.id, job.method, job.seed, job.batch) for job in jobs]
    comparison.show([known[key] for key in keys if key in known], tasks, given.methods, given.plot)


def _wanted(task: Task, texts: Sequence[str]) -> bool:
    return not texts or any(text in task.id for text in texts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--methods", nargs="+", default=[*OURS, *PEERS], help=f"ours by name, or {', '.join(PEERS)}")
    parser.add_argument("--develop", action="store_true", help="the tasks for trying things out, not those that judge")
    parser.add_argument("--tasks", nargs="+", default=(), help="only tasks with one of these texts in their names")
    parser.add_argument("--seeds", type=int, default=5, help="how many runs of each method on each task")
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--batch", type=int, default=1, help="ask for so many at a time")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--data", type=Path, help="a directory with curves.py and LCBench's data")
    parser.add_argument("--python", nargs="+", default=(), metavar="METHOD=PATH", help="a peer's own interpreter")
    parser.add_argument("--committed-only", action="store_true", help="run no peer: take its traces as they are")
    parser.add_argument("--out", type=Path, default=Path("runs/quality.jsonl"), help="where new traces go")
    parser.add_argument("--plot", type=Path, help="a picture of the regret against the evaluations")
    return parser


if __name__ == "__main__":
    main()
