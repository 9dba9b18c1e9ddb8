"""Comments of people on a run or a trial, at any time: lines of JSON in a file beside the journal.

They are not in the journal: no decision depends on them, so a run can get them also while no process drives it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from trialwright.errors import StorageError
from trialwright.storage.database import reading
from trialwright.storage.place import JOURNAL, find_run

NAME = "comments.jsonl"


@dataclass(frozen=True)
class Comment:
    """A comment. ``trial`` is None for the whole run; ``written`` is a time of UTC in ISO 8601."""

    written: str
    trial: int | None
    text: str


def comment(run: str | os.PathLike[str], text: str, trial: int | None = None) -> Comment:
    """Write a comment on a run, or on one of its trials.

    Args:
        run: the run's directory.
        text: what to write.
        trial: its number; None for the whole run.

    Raises:
        ValueError: there is no run in this directory, or no such trial in it, or the comment is empty.
        OSError: the file cannot be written.
    """
    directory = find_run(run)
    if not text.strip():
        raise ValueError("the comment is empty")
    if trial is not None and not _has(directory / JOURNAL, trial):
        raise ValueError(f"there is no trial {trial} in {str(directory)!r}")
    written = Comment(datetime.now(UTC).isoformat(timespec="seconds"), trial, text)
    with (directory / NAME).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(written)) + "\n")
    return written


def comments(run: str | os.PathLike[str]) -> tuple[Comment, ...]:
    """Return the comments on a run and on its trials, in the order in which they were written.

    Raises:
        ValueError: there is no run in this directory.
        StorageError: a line of the file is not a comment.
    """
    path = find_run(run) / NAME
    if not path.exists():
        return ()
    try:
        return tuple(Comment(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines())
    except (ValueError, TypeError) as error:
        raise StorageError(f"a line of {str(path)!r} is not a comment: {error}; correct or delete it") from error


def _has(journal: Path, trial: int) -> bool:
    with reading(journal) as database:
        return bool(database.execute("SELECT 1 FROM trials WHERE id = ?", (trial,)).fetchall())
