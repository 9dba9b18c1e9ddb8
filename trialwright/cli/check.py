"""Commands that check: ``verify`` a run's journal, and ``doctor`` for this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trialwright import runs
from trialwright.cli.command import FAILED, Json, Run, Storage, command
from trialwright.cli.doctor import Finding, findings
from trialwright.cli.printing import print_json, print_pairs, print_table
from trialwright.errors import StorageError
from trialwright.storage.sqlite import SqliteStore


@command("verify", "trialwright verify digits-2026 && echo whole")
def verify(run: Run, *, storage: Storage = None, json: Json = False) -> None:
    """Check that the journal of a run is not damaged. This looks at the pages of the file, the checksums of all events,
    settings and trials, and whether the checkpoints are there."""
    path = runs.find(run, storage)
    found = checked(path)
    if json:
        print_json(found)
    else:
        print_pairs(found.items())
    if found["problems"]:
        raise typer.Exit(FAILED)


def checked(path: Path) -> dict[str, Any]:
    """Return what a check of a run has found: ``problems`` is empty if all is well."""
    found: dict[str, Any] = {"run": path.name, "events": None, "trials": None, "digest": None, "problems": []}
    try:
        store = SqliteStore.open(path, read_only=True)  # checks the pages and the settings
        found["digest"] = store.digest  # every line by its mark, and whether any is missing
        rows = [*store.trials()]
        found["events"], found["trials"] = runs.describe(path).events, len(rows)
    except StorageError as error:
        found["problems"].append(str(error))
        return found
    for row in rows:
        for name in {row.checkpoint, row.best_checkpoint} - {None}:
            if not (path / str(name)).is_dir():
                found["problems"].append(f"the checkpoint {name} of trial {row.id} is missing")
    return found


@command("doctor", "trialwright doctor\ntrialwright doctor --json | jq '.[] | select(.state != \"ok\")'")
def doctor(
    *,
    ray: Annotated[bool, typer.Option(help="Import Ray, which takes seconds.")] = True,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Check this machine: Python, Ray, GPUs, disk, libraries. It says what to mend, and how."""
    found = findings(storage, with_ray=ray)
    if json:
        print_json([each._asdict() for each in found])
    else:
        print_table(map(_line, found), ("what", "state", "found", "to mend it"))
    if any(each.state == "broken" for each in found):
        raise typer.Exit(FAILED)


def _line(finding: Finding) -> tuple[object, ...]:
    return (finding.what, finding.state, finding.found, finding.mend)
