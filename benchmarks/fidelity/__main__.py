"""The command line of ``python -m benchmarks.fidelity``; see the package."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.fidelity import report
from benchmarks.fidelity.comparison import lines
from benchmarks.fidelity.methods import ETA, METHODS, PEER
from benchmarks.fidelity.populations import SEEDS, duels, outcomes
from benchmarks.fidelity.runs import budget_s, order, run, trace
from benchmarks.fidelity.tasks import Floats, Task, all_tasks

Traces = dict[str, Floats]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything that is wanted, and compare."""
    given = _parser().parse_args(arguments)
    tasks = [task for task in all_tasks(given.data) if any(part in task.id for part in given.tasks)]
    traces = {workers: _traces(given, tasks, workers) for workers in given.workers}
    found = [line for workers, of_methods in traces.items() for line in lines(workers, of_methods)]
    played = outcomes(given.population_seeds) if given.population_seeds else []
    fought = duels(given.population_seeds) if given.population_seeds else []
    told = {"tasks": [task.id for task in tasks], "seeds": given.seeds, "workers": given.workers}
    peer = f", Syne Tune {_version(given.peer_python)}" if given.peer_python else ""
    head = f"Measured on {report.machine()}{peer}; {len(tasks)} tasks, {given.seeds} seeds."
    text = "\n\n".join([head, report.table(found), report.populations(played), report.duels(fought)])
    print(text)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(report.as_json(found, played, fought, told), encoding="utf-8")
    if given.plot:
        report.draw(traces, given.plot)
    if given.write_docs:
        report.write(text)


def _traces(given: argparse.Namespace, tasks: Sequence[Task], workers: int) -> Traces:
    """Return normalised regrets of each method, of shape (tasks, seeds, points)."""
    makers = {name: partial(_ours, name, given.ask_s) for name in given.methods}
    if given.peer_python:
        makers[PEER] = partial(_theirs, given.peer_python)
    found = {}
    with ProcessPoolExecutor(given.jobs) as pool:
        for name, make in makers.items():
            known = f"{name}-{workers}-workers-{given.seeds}-seeds-{len(tasks)}-tasks.npy"
            kept = given.traces and given.traces / known
            if kept and kept.exists():
                found[name] = np.load(kept)
                continue
            print(f"{workers} workers, {name}", file=sys.stderr)
            found[name] = np.stack([*pool.map(partial(make, workers, given.seeds), tasks)])
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                np.save(kept, found[name])
    return found


def _ours(method: str, ask_s: float, workers: int, seeds: int, task: Task) -> Floats:
    return np.stack([task.regret(run(task, method, workers, seed, ask_s)) for seed in range(seeds)])


def _theirs(python: str, workers: int, seeds: int, task: Task) -> Floats:
    end_s = budget_s(task, workers)
    runs = [{"workers": workers, "order": order(task, seed), "end_s": end_s, "seed": seed} for seed in range(seeds)]
    job = {"losses": task.losses.tolist(), "seconds": task.seconds.tolist(), "runs": runs, "eta": ETA}
    command = [python, str(Path(__file__).with_name("peer.py"))]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=True)  # noqa: S603 - named by the user
    return np.stack([task.regret(trace(seen, end_s)) for seen in json.loads(done.stdout)])


def _version(python: str) -> str:
    told = "from importlib.metadata import version; print(version('syne-tune'))"
    return subprocess.run([python, "-c", told], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - named by the user


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=__doc__)
    parser.add_argument("--data", type=Path, help="a directory with curves.py and the data of LCBench and TaskSet")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--ask-s", type=float, default=0.03, help="what an answer of a searcher that learns takes")
    parser.add_argument("--tasks", nargs="+", default=[""], help="only tasks with one of these texts in their names")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--population-seeds", type=int, default=SEEDS, help="of PBT and PB2; 0 leaves them out")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--peer-python", metavar="PATH", help="an interpreter that has Syne Tune")
    parser.add_argument("--traces", type=Path, help="where traces are kept, and taken from if they are there")
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--plot", type=Path, help="a picture of the regret against the budget")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/fidelity.md")
    return parser


if __name__ == "__main__":
    main()
