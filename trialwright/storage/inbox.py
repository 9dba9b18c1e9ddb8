"""A run's inbox: what other processes want of it. A small database beside the journal, which anybody may write to.

The driver looks into it now and then. A letter has a number; the event that it becomes carries it into the journal, and
so a letter is never carried out twice, whatever dies when.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import apsw

from trialwright.codec import read_plain, to_plain
from trialwright.messages import Enqueued, Plain, StopRequested
from trialwright.space.plain import data_of, plain_data
from trialwright.storage.database import blame

NAME = "inbox.sqlite"
BODY_SHOWN = 80  # characters of a letter that are quoted in a warning
_SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    sent TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    kind TEXT NOT NULL CHECK (kind IN ('enqueue', 'stop')),
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT
"""


@dataclass(frozen=True)
class Unreadable:
    """A letter that is none: its number, and what is wrong."""

    letter: int
    problem: str


Letter: TypeAlias = Enqueued | StopRequested | Unreadable


def enqueue(run: Path, config: Mapping[str, object]) -> int:
    """Ask the run in this directory to try a configuration, beyond its samples; return the letter's number.

    A letter that comes when the run is over is not lost: it is carried out when the run is resumed.

    Raises:
        ValueError: there is no run in this directory.
        TypeError: the configuration is no plain data.
    """
    return _send(run, "enqueue", {"config": plain_data(dict(config))})


def stop(run: Path, trial: int | None = None) -> int:
    """Ask the run in this directory to stop a trial, or all; return the letter's number.

    Raises:
        ValueError: there is no run in this directory.
        TypeError: the trial is no number of one.
    """
    if trial is not None and not _is_number(trial):
        raise TypeError(f"trial must be the number of a trial, or None for the whole run, not {trial!r}")
    return _send(run, "stop", {"trial": trial})


def letters(run: Path, after: int) -> list[Letter]:
    """Return what has come since the letter of this number, as events as far as it can be read.

    Raises:
        StorageError: the inbox cannot be read.
    """
    if not (run / NAME).exists():
        return []
    with _open(run) as database:
        rows = database.execute("SELECT number, kind, body FROM letters WHERE number > ? ORDER BY number", (after,))
        return [_letter(int(str(number)), str(kind), str(body)) for number, kind, body in rows]


def _letter(number: int, kind: str, body: str) -> Letter:
    """Read one row. Anybody may write to the file, whatever they like."""
    try:
        return _event(number, kind, json.loads(body))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        return Unreadable(number, f"{kind} {body[:BODY_SHOWN]} cannot be read: {type(error).__name__}: {error}")


def _event(number: int, kind: str, body: dict[str, Plain]) -> Enqueued | StopRequested:
    if kind == "enqueue":
        config = data_of(read_plain(body["config"]))
        if not isinstance(config, dict):
            raise TypeError("the config is no dict")
        return Enqueued(config, letter=number)
    if kind != "stop":
        raise ValueError("there is no such kind of letter")
    trial = body["trial"]
    if trial is not None and not _is_number(trial):
        raise TypeError("the trial is no number of one")
    return StopRequested(cast("int | None", trial), letter=number)


def _is_number(trial: object) -> bool:
    return isinstance(trial, int) and not isinstance(trial, bool)


def _send(run: Path, kind: str, body: Mapping[str, object]) -> int:
    if not (run / "journal.sqlite").exists():
        raise ValueError(f"there is no run in {str(run)!r}")
    text = json.dumps(to_plain(dict(body)))
    with _open(run) as database:
        database.execute(_SCHEMA)
        database.execute("INSERT INTO letters (kind, body) VALUES (?, ?)", (kind, text))
        return database.last_insert_rowid()


@contextmanager
def _open(run: Path) -> Iterator[apsw.Connection]:
    with blame(run / NAME):
        database = apsw.Connection(str(run / NAME))
        try:
            database.set_busy_timeout(5000)
            yield database
        finally:
            database.close()
