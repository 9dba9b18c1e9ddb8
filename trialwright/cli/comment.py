"""The command ``comment``: writes and shows comments of people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from trialwright import runs
from trialwright.cli.command import Json, Run, Storage, command
from trialwright.cli.printing import print_json, print_table
from trialwright.storage import comments


@command(
    "comment",
    'trialwright comment digits-2026 "used the old data"\n'
    'trialwright comment digits-2026 "diverges late" --trial 7\n'
    "trialwright comment digits-2026",
)
def comment(
    run: Run,
    text: Annotated[str | None, typer.Argument(help="What to write; without it, all are shown.")] = None,
    *,
    trial: Annotated[int | None, typer.Option(help="The number of a trial.", show_default=False)] = None,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Write a comment on a run or a trial, or show all comments."""
    path = runs.find(run, storage)
    written = [comments.comment(path, text, trial)] if text is not None else _of(path, trial)
    if json:
        print_json([asdict(each) for each in written])
    else:
        print_table(((each.written, each.trial, each.text) for each in written), ("written", "trial", "comment"))


def lines(path: Path, trial: int | None) -> Iterator[tuple[str, object]]:
    """Yield the comments on a run (None) or a trial as pairs for a table of facts."""
    yield from (("comment", f"{each.text} ({each.written})") for each in comments.comments(path) if each.trial == trial)


def _of(path: Path, trial: int | None) -> list[comments.Comment]:
    return [each for each in comments.comments(path) if trial is None or each.trial == trial]
