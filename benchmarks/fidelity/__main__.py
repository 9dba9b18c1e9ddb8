"""The command line of ``python -m benchmarks.fidelity``; see the package."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fidelity import report
from benchmarks.fidelity.comparison import lines, matrix
from benchmarks.fidelity.methods import METHODS, PAIRS, PEER
from benchmarks.fidelity.populations import SEEDS, duels, outcomes
from benchmarks.fidelity.tasks import Floats, Task, all_tasks
from benchmarks.fidelity.traces import Key, make, read, together

PARTS = ("results", "with models")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything that is wanted, and compare."""
    given = _parser().parse_args(arguments)
    tasks = [task for task in all_tasks(given.data) if any(part in task.id for part in given.tasks)]
    traces = {workers: _traces(given, tasks, workers) for workers in given.workers}
    found = [line for workers, of_methods in traces.items() for line in lines(workers, of_methods, given.against)]
    pairs = [matrix(workers, 1.0, of_methods) for workers, of_methods in traces.items()]
    played = outcomes(given.population_seeds) if given.population_seeds else []
    fought = duels(given.population_seeds) if given.population_seeds else []
    told = {"tasks": [task.id for task in tasks], "seeds": given.seeds, "workers": given.workers}
    peer = f", Syne Tune {_version(given.peer_python)}" if given.peer_python else ""
    head = f"Measured on {report.machine()}{peer}; {len(tasks)} tasks, {given.seeds} seeds."
    parts = [head, report.table(found, given.against), *map(report.pairwise, pairs)]
    parts += [report.populations(played), report.duels(fought)] if given.population_seeds else []
    text = "\n\n".join(parts)
    print(text)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(report.as_json(found, played, fought, told), encoding="utf-8")
    if given.plot:
        report.draw(traces, given.plot)
    if given.write_docs:
        report.write(text, given.write_docs)


def _traces(given: argparse.Namespace, tasks: Sequence[Task], workers: int) -> dict[str, Floats]:
    """Return normalised regrets of each method, of shape (tasks, seeds, points)."""
    methods = [*given.methods, *([PEER] if given.peer_python else [])]
    wanted = {
        method: [
            Key(method, workers, task.id, seed, given.ask_s if method in PAIRS else 0.0)
            for task in tasks
            for seed in range(given.seeds)
        ]
        for method in methods
    }
    known = read(given.traces)
    missing = [key for keys in wanted.values() for key in keys if key not in known]
    known |= make(missing, tasks, given.traces, given.jobs, given.peer_python)
    return {method: together(known, keys, tasks) for method, keys in wanted.items()}


def _version(python: str) -> str:
    told = "from importlib.metadata import version; print(version('syne-tune'))"
    return subprocess.run([python, "-c", told], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - named by the user


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=__doc__)
    parser.add_argument("--data", type=Path, help="a directory with curves.py and the data of LCBench and TaskSet")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--against", default="random", metavar="METHOD", help="what the others are compared with")
    parser.add_argument("--ask-s", type=float, default=0.03, help="what an answer of a searcher that learns takes")
    parser.add_argument("--tasks", nargs="+", default=[""], help="only tasks with one of these texts in their names")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--population-seeds", type=int, default=SEEDS, help="of PBT and PB2; 0 leaves them out")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--peer-python", metavar="PATH", help="an interpreter that has Syne Tune")
    parser.add_argument("--traces", type=Path, help="a file that traces are added to, and taken from")
    parser.add_argument("--json", type=Path, help="where the results go")
    parser.add_argument("--plot", type=Path, help="a picture of the regret against the budget")
    parser.add_argument(
        "--write-docs", metavar="PART", choices=PARTS, help="put the tables into this part of docs/fidelity.md"
    )
    return parser


if __name__ == "__main__":
    main()
