"""A run's inbox: what other processes want of it. A small database beside the journal, which anybody may write to.

The driver looks into it now and then. A letter has a number; the event that it becomes carries it into the journal, and
so a letter is never carried out twice, whatever dies when.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import apsw

from trialwright.codec import read_plain, to_plain
from trialwright.messages import Config, Enqueued, Plain, StopRequested
from trialwright.storage.database import blame

NAME = "inbox.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    sent TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    kind TEXT NOT NULL CHECK (kind IN ('enqueue', 'stop')),
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT
"""


def enqueue(run: Path, config: Mapping[str, object]) -> int:
    """Ask the run in this directory to try a configuration, beyond its samples; return the letter's number.

    Raises:
        ValueError: there is no run in this directory.
        TypeError: the configuration is no plain data.
    """
    return _send(run, "enqueue", {"config": dict(config)})


def stop(run: Path, trial: int | None = None) -> int:
    """Ask the run in this directory to stop a trial, or all; return the letter's number.

    Raises:
        ValueError: there is no run in this directory.
    """
    return _send(run, "stop", {"trial": trial})


def letters(run: Path, after: int) -> list[Enqueued | StopRequested]:
    """Return what has come since the letter of this number, as events.

    Raises:
        StorageError: the inbox cannot be read.
    """
    if not (run / NAME).exists():
        return []
    with _open(run) as database:
        rows = database.execute("SELECT number, kind, body FROM letters WHERE number > ? ORDER BY number", (after,))
        return [_event(int(str(number)), str(kind), json.loads(str(body))) for number, kind, body in rows]


def _event(number: int, kind: str, body: dict[str, Plain]) -> Enqueued | StopRequested:
    if kind == "enqueue":
        return Enqueued(cast(Config, read_plain(body["config"])), letter=number)
    trial = body["trial"]
    return StopRequested(trial if isinstance(trial, int) else None, letter=number)


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
