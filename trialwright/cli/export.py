"""The command ``export``: trials or reports of a run, for other programs."""

from __future__ import annotations

import csv
import json as jsonlib
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from trialwright import runs
from trialwright.cli.command import Run, Storage, command
from trialwright.cli.look import columns_of, trial_facts
from trialwright.cli.printing import escaped, finite
from trialwright.errors import nearest
from trialwright.storage.database import reading
from trialwright.storage.place import JOURNAL
from trialwright.trial_query import query_trials

_REPORTS = "SELECT trial, attempt, step, time_s, metrics FROM results ORDER BY trial, attempt, step"


class What(StrEnum):
    """What a row is."""

    TRIALS = "trials"
    REPORTS = "reports"


KINDS = ("csv", "json", "jsonl", "tensorboard")


@command(
    "export",
    "trialwright export digits-2026 --to csv -o trials.csv\n"
    "trialwright export digits-2026 --to jsonl --what reports | head\n"
    "trialwright export digits-2026 --to tensorboard",
)
def export(
    run: Run,
    *,
    to: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = "csv",
    what: Annotated[What, typer.Option(help="A row for each trial, or for each report.")] = What.TRIALS,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file; by default the standard output.", show_default=False)
    ] = None,
    storage: Storage = None,
) -> None:
    """Write trials or reports as CSV, JSON, or TensorBoard's files. TensorBoard's are in the directories of the
    trials."""
    path = runs.find(run, storage)
    if to not in KINDS:
        raise ValueError(f"{to!r} is no kind of export{nearest(to, KINDS)}")
    if to == "tensorboard":
        from trialwright.loggers import export as write_logs

        write_logs(path, "tensorboard")
        print(f"tensorboard --logdir {escaped(str(path / 'trials'))}")
        return
    rows = _reports(path) if what is What.REPORTS else _trials(path, flat=to == "csv")
    if output is None:
        _write(rows, to, sys.stdout)
        return
    with output.open("w", encoding="utf-8", newline="") as stream:
        _write(rows, to, stream)


def _trials(path: Path, *, flat: bool) -> Iterator[dict[str, Any]]:
    for row in query_trials(path):
        yield columns_of(row) if flat else trial_facts(row)


def _reports(path: Path) -> Iterator[dict[str, Any]]:
    with reading(path / JOURNAL) as database:
        for trial, attempt, step, time_s, metrics in database.execute(_REPORTS):
            about = {"trial": trial, "attempt": attempt, "step": step, "time_s": time_s}
            yield {**about, **jsonlib.loads(str(metrics))}


def _write(rows: Iterator[dict[str, Any]], to: str, stream: TextIO) -> None:
    if to == "jsonl":
        for row in rows:
            print(jsonlib.dumps(finite(row), default=str), file=stream)
    elif to == "json":
        print(jsonlib.dumps(finite([*rows]), indent=2, default=str), file=stream)
    else:
        _write_csv([*rows], stream)


def _write_csv(rows: Sequence[dict[str, Any]], stream: TextIO) -> None:
    names = [*dict.fromkeys(name for row in rows for name in row)]
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
