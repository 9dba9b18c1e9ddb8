"""The command line of ``python -m benchmarks.quality``; see the package."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmarks.quality import report
from benchmarks.quality.base import Task
from benchmarks.quality.comparison import compare, compare_parallel
from benchmarks.quality.tasks import all_tasks
from benchmarks.quality.traces import COMMITTED, PEERS, Job, make, read

OURS = ("random", "tpe", "gp", "auto")


def main(arguments: Sequence[str] | None = None) -> None:
    """Make what traces are missing, and compare."""
    given = _parser().parse_args(arguments)
    tasks, jobs = _tasks(given), _jobs(given)
    known = read([*sorted(COMMITTED.glob("*.jsonl")), given.out])
    missing = [job for job in jobs if job.key not in known and _runs_here(job.method, given)]
    for trace in make(missing, given.out, given.jobs) if missing else ():
        known[trace.key] = trace
    traces = [known[job.key] for job in jobs if job.key in known]
    wide = [trace for trace in traces if trace.batch == given.batch]
    many = given.batch > 1
    results = (
        compare_parallel(traces, tasks, given.methods, given.batch) if many else compare(wide, tasks, given.methods)
    )
    print(report.text(results, wide))
    if given.json:
        given.json.write_text(report.as_json(results, wide), encoding="utf-8")
    if given.plot:
        report.draw(wide, tasks, given.methods, given.plot)
    if given.write_docs:
        report.write(results, wide, tasks, batch=given.batch)


def _tasks(given: argparse.Namespace) -> list[Task]:
    kind = [task for task in all_tasks(given.data) if task.judging != given.develop]
    if given.tasks:
        return [task for task in kind if any(part in task.name for part in given.tasks)]
    return kind[::2] if given.batch > 1 else kind  # batches are slow: every second task will do


def _jobs(given: argparse.Namespace) -> list[Job]:
    """Return all runs that are compared; what many at a time have lost is told by one at a time."""
    pythons = dict(each.split("=", 1) for each in given.python)
    return [
        Job(task, method, seed, batch, given.evaluations, pythons.get(method, sys.executable))
        for seed, batch, task, method in product(
            range(given.seeds), sorted({1, given.batch}), _tasks(given), given.methods
        )
    ]


def _runs_here(method: str, given: argparse.Namespace) -> bool:
    """Return whether a method can be run: of a peer that is not installed, what traces there are must do."""
    if method not in PEERS:
        return True
    named = any(each.startswith(f"{method}=") for each in given.python)
    return not given.committed_only and (named or importlib.util.find_spec(PEERS[method]) is not None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--methods", nargs="+", default=[*OURS, *PEERS], help=f"ours by name, or {', '.join(PEERS)}")
    parser.add_argument("--develop", action="store_true", help="the tasks for trying things out, not those that judge")
    parser.add_argument("--tasks", nargs="+", default=(), help="only tasks with one of these texts in their names")
    parser.add_argument("--seeds", type=int, default=5, help="how many runs of each method on each task")
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--batch", type=int, default=1, help="ask for so many at a time, on every second task")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--data", type=Path, help="a directory with curves.py and LCBench's data")
    parser.add_argument("--python", nargs="+", default=(), metavar="METHOD=PATH", help="a peer's own interpreter")
    parser.add_argument("--committed-only", action="store_true", help="run no peer: take its traces as they are")
    parser.add_argument("--out", type=Path, default=Path("runs/quality.jsonl"), help="where new traces go")
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--plot", type=Path, help="a picture of the regret against the evaluations")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/quality.md")
    return parser


if __name__ == "__main__":
    main()
