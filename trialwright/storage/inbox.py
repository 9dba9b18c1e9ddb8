"""A run's inbox: requests of other processes, in a small database beside the journal, to which any process may write.

The driver reads it now and then. Each request has a number, which its event keeps in the journal: so no request is
carried out twice, whatever process dies at which moment.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import apsw

from trialwright.codec import read_plain, to_plain
from trialwright.errors import StorageError, nearest, refuse
from trialwright.messages import ContinueRequested, Enqueued, PauseRequested, Plain, SamplesAdded, StopRequested
from trialwright.storage import tables
from trialwright.storage.database import blame, reading, transaction
from trialwright.storage.place import JOURNAL, find_run

NAME = "inbox.sqlite"
COMMIT_S = 1.0  # how long a trial may have begun before the journal shows it
BODY_SHOWN = 80  # characters of a request that are quoted in a warning
# The table keeps its first name: programs of other versions write to it too.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    sent TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    kind TEXT NOT NULL,
    body TEXT NOT NULL CHECK (json_valid(body))
) STRICT
"""


@dataclass(frozen=True)
class Unreadable:
    """A request that is invalid: its number, and what is wrong."""

    letter: int  # the number, by its name in ``Enqueued``
    problem: str


Requested: TypeAlias = Enqueued | StopRequested | PauseRequested | ContinueRequested | SamplesAdded
InboxRequest: TypeAlias = Requested | Unreadable
_OF_TRIALS: dict[str, Callable[..., Requested]] = {
    "stop": StopRequested,
    "pause": PauseRequested,
    "continue": ContinueRequested,
}


def enqueue(run: str | os.PathLike[str], config: Mapping[str, object]) -> int:
    """Ask the run in this directory to try a configuration, in addition to num_samples; return the request's number.

    A request that comes when the run is over is carried out when the run is resumed.

    Args:
        run: the run's directory.
        config: what to try, whole or in part.

    Raises:
        ValueError: there is no run in this directory, or the configuration is not in its space: the message lists all
            problems.
        TypeError: the configuration is not plain data.
    """
    from trialwright.space.plain import (
        plain_data,
    )  # here, as below: it imports NumPy, and a command should answer at once

    directory = find_run(run)
    if not isinstance(config, Mapping):
        raise TypeError(f"config must be a dict, not {config!r}")
    refuse(_problems(directory / JOURNAL, dict(config)), "the config")
    return post(directory, "enqueue", {"config": plain_data(dict(config))})


def add_samples(run: str | os.PathLike[str], count: int) -> int:
    """Ask the run in this directory for more new trials than planned; return the request's number.

    A request that comes when the run is over is carried out when the run is resumed.

    Args:
        run: the run's directory.
        count: how many more.

    Raises:
        ValueError: there is no run in this directory, its number of trials is unlimited, or the count is below 1.
        TypeError: the count is not a whole number.
    """
    directory = find_run(run)
    if not _is_number(count):
        raise TypeError(f"count must be a whole number, not {count!r}")
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    with reading(directory / JOURNAL) as database:
        told = cast("dict[str, Any]", tables.settings(database, directory / JOURNAL)["data"])
    if told.get("num_samples") == -1:
        raise ValueError(f"no samples can be added to {directory.name!r}: their number is unlimited")
    return post(directory, "add-samples", {"count": count})


def stop(run: str | os.PathLike[str], trial: int | None = None) -> int:
    """Ask the run in this directory to stop a trial, or all; return the request's number.

    Args:
        run: the run's directory.
        trial: its number; None for the whole run.

    Raises:
        ValueError: there is no run in this directory, or no such trial in it, or that one has ended.
        TypeError: the trial is not a number.
    """
    return _post_for(run, "stop", trial)


def pause(run: str | os.PathLike[str], trial: int | None = None) -> int:
    """Ask the run in this directory to pause a trial, or itself; return the request's number.

    A trial that is paused stops, and frees its resources. A run that is paused starts no more trials; those that run
    continue to their end. ``unpause`` takes both back; a resume continues a run that was paused.

    Args:
        run: the run's directory.
        trial: its number; None for the whole run.

    Raises:
        ValueError, TypeError: as ``stop``.
    """
    return _post_for(run, "pause", trial)


def unpause(run: str | os.PathLike[str], trial: int | None = None) -> int:
    """Ask the run in this directory to continue what ``pause`` has paused; return the request's number.

    A trial continues from its last checkpoint; without one it starts from its beginning.

    Args:
        run: the run's directory.
        trial: its number; None for the run and all its trials that were paused by request.

    Raises:
        ValueError, TypeError: as ``stop``.
    """
    return _post_for(run, "continue", trial)


def _post_for(run: str | os.PathLike[str], kind: str, trial: int | None) -> int:
    directory = find_run(run)
    if trial is not None:
        if not _is_number(trial):
            raise TypeError(f"trial must be the number of a trial, or None for the whole run, not {trial!r}")
        _check_trial(directory / JOURNAL, trial)
    return post(directory, kind, {"trial": trial})


def requests(run: Path, after: int) -> list[InboxRequest]:
    """Return the requests after the one with this number: events, or ``Unreadable`` for invalid ones.

    Raises:
        StorageError: the inbox cannot be read.
    """
    # Opening would create the file: a run that gets no requests has no inbox.
    if not (run / NAME).exists():
        return []
    with _open(run) as database:
        rows = database.execute("SELECT number, kind, body FROM letters WHERE number > ? ORDER BY number", (after,))
        return [_request(int(str(number)), str(kind), str(body)) for number, kind, body in rows]


def newest(run: Path) -> int:
    """Return the number of the newest request; 0 if there is none, or if the inbox cannot be read now."""
    with suppress(StorageError):
        return max((request.letter for request in requests(run, 0)), default=0)
    return 0


def _request(number: int, kind: str, body: str) -> InboxRequest:
    """Read one row, which may hold anything: any process may write to the file."""
    try:
        return _event(number, kind, json.loads(body))
    # RecursionError: JSON that is nested a thousand deep. No row may end the run, from whichever program it comes.
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        return Unreadable(number, f"{kind} {body[:BODY_SHOWN]} cannot be read: {type(error).__name__}: {error}")


def _event(number: int, kind: str, body: dict[str, Plain]) -> Requested:
    if kind == "enqueue":
        from trialwright.space.plain import data_of

        config = data_of(read_plain(body["config"]))
        if not isinstance(config, dict):
            raise TypeError("the config is not a dict")
        return Enqueued(config, letter=number)
    if kind == "add-samples":
        if not (_is_number(count := body["count"]) and cast(int, count) > 0):
            raise TypeError("the count is not a whole number above 0")
        return SamplesAdded(cast(int, count), letter=number)
    if kind not in _OF_TRIALS:
        raise ValueError("there is no such kind of request")
    # Not body.get: a request whose trial is missing would stop the whole run.
    trial = body["trial"]
    if trial is not None and not _is_number(trial):
        raise TypeError("the trial is not a number")
    return _OF_TRIALS[kind](trial, letter=number)


def _is_number(trial: object) -> bool:
    # True is an int in Python, and would stop trial 1.
    return isinstance(trial, int) and not isinstance(trial, bool)


def _problems(journal: Path, config: dict[str, object]) -> list[str]:
    """Return what is wrong with a config. The journal does not hold a space with functions or objects: then only the
    names are checked, against the first trial's."""
    with reading(journal) as database:
        told = cast("dict[str, Any]", tables.settings(database, journal)["data"])
        first = next(tables.trials(database, journal, marked=False), None)
    if "space" in told:
        from trialwright.space import Space

        return Space.from_plain(told["space"]).validate(config, partial=True)
    known = config if first is None else first.config
    return [f"{name}: there is no such parameter{nearest(str(name), known)}" for name in config if name not in known]


def _check_trial(journal: Path, trial: int) -> None:
    """Refuse a trial that the run does not have, or that has ended."""
    until = time.monotonic() + COMMIT_S
    while trial not in (states := _outcomes(journal)) and time.monotonic() < until:
        time.sleep(0.02)  # a trial may ask for its own end before the disk has it
    if trial not in states:
        living = [number for number, outcome in states.items() if not outcome]
        raise ValueError(f"there is no trial {trial} in {str(journal.parent)!r}; not ended are: {living or 'none'}")
    if states[trial]:
        raise ValueError(f"trial {trial} in {str(journal.parent)!r} has ended: {states[trial]}")


def _outcomes(journal: Path) -> dict[int, str | None]:
    with reading(journal) as database:
        return {trial.id: trial.outcome for trial in tables.trials(database, journal, marked=False)}


def post(run: Path, kind: str, body: Mapping[str, object]) -> int:
    """Write a message, unchecked, into the inbox of the run in this directory; return its number."""
    text = json.dumps(to_plain(dict(body)))
    with _open(run) as database:
        # The first writer makes the table; of two at once one waits for the other, and IF NOT EXISTS lets it go on.
        database.execute(_SCHEMA)
        _widen(database)
        database.execute("INSERT INTO letters (kind, body) VALUES (?, ?)", (kind, text))
        return database.last_insert_rowid()


def _widen(database: apsw.Connection) -> None:
    """Let a table that an earlier version has made take requests of other kinds than that version knew."""
    [(text,)] = database.execute("SELECT sql FROM sqlite_schema WHERE name = 'letters'").fetchall()
    if "CHECK (kind IN" not in str(text):
        return
    with transaction(database):
        database.execute("ALTER TABLE letters RENAME TO narrow")
        database.execute(_SCHEMA)
        database.execute("INSERT INTO letters SELECT * FROM narrow")  # with its number: none is given twice
        database.execute("DROP TABLE narrow")


@contextmanager
def _open(run: Path) -> Iterator[apsw.Connection]:
    with blame(run / NAME):
        database = apsw.Connection(str(run / NAME))
        try:
            # Any number of processes write here, and the driver reads: without a timeout one of them gets BUSY at once.
            database.set_busy_timeout(5000)
            yield database
        finally:
            database.close()
