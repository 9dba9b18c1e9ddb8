"""The command line of ``python -m benchmarks.fidelity``; see the package."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fidelity import report
from benchmarks.fidelity.populations import SEEDS, duels, outcomes
from benchmarks.fidelity.tasks import all_tasks
from benchmarks.fidelity.traces import PEER, make, read, together
from trialwright.bench.comparison import Comparison
from trialwright.bench.curves import Curves
from trialwright.bench.methods import METHODS
from trialwright.bench.runs import Key
from trialwright.bench.tables import machine
from trialwright.space.values import Floats

PARTS = ("results", "with models")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run everything that is wanted, and compare."""
    given = _parser().parse_args(arguments)
    tasks = [task for task in all_tasks(given.data) if any(part in task.name for part in given.tasks)]
    traces = {workers: _traces(given, tasks, workers) for workers in given.workers}
    found = Comparison(traces, tuple(task.name for task in tasks), given.against)
    played = outcomes(given.population_seeds) if given.population_seeds else []
    fought = duels(given.population_seeds) if given.population_seeds else []
    told = {"tasks": found.tasks, "seeds": given.seeds, "workers": given.workers}
    peer = f", Syne Tune {_version(given.peer_python)}" if given.peer_python else ""
    head = f"Measured on {machine()}{peer}; {len(tasks)} tasks, {given.seeds} seeds."
    parts = [head, found.table(), found.pairwise()]
    parts += [report.populations(played), report.duels(fought)] if given.population_seeds else []
    text = "\n\n".join(parts)
    print(text)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(report.as_json(found.lines(), played, fought, told), encoding="utf-8")
    if given.plot:
        found.plot(given.plot)
    if given.write_docs:
        report.write(text, given.write_docs)


def _traces(given: argparse.Namespace, tasks: Sequence[Curves], workers: int) -> dict[str, Floats]:
    """Return normalised regrets of each method, of shape (tasks, seeds, points)."""
    methods = [*given.methods, *([PEER] if given.peer_python else [])]
    wanted = {
        method: [
            Key(method, workers, task.name, seed, _ask_s(given, method))
            for task in tasks
            for seed in range(given.seeds)
        ]
        for method in methods
    }
    known = read(given.traces)
    missing = [key for keys in wanted.values() for key in keys if key not in known]
    known |= make(missing, tasks, given.traces, given.jobs, given.peer_python)
    return {method: together(known, keys, tasks) for method, keys in wanted.items()}


def _ask_s(given: argparse.Namespace, method: str) -> float:
    learns = method in METHODS and METHODS[method].searcher is not None
    return float(given.ask_s) if learns else 0.0


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
