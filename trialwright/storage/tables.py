"""The tables of ``schema.sql``: every statement that writes or reads them.

A batch of rows is written by one statement, which splits them itself. Meanwhile other threads can run: row by row, the
interpreter lock would be released and taken again for each row.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, cast

import apsw

from trialwright.core.trial import Period
from trialwright.errors import StorageError
from trialwright.messages import Plain, Reported
from trialwright.storage import journal
from trialwright.storage.base import TrialRow, Turn
from trialwright.storage.lock import NAME, Committed

_CREATE = """
    INSERT INTO experiments VALUES (1, :run, :name, :created, :format, :version, :python, :host, 'open', :settings,
        :checksum, 0, :mark)"""
# One statement for all rows: carray() passes a whole tuple, and each value carries its mark in front, because an array
# has one column.
_APPEND = """
    INSERT INTO events (seq, mark, line)
    SELECT :before + rowid, substr(value, 1, :mark), substr(value, :mark + 1) FROM carray(:rows)"""
# The number is taken out of the line, so that row and line cannot disagree when they are written.
_SHOW = """
    INSERT OR REPLACE INTO trials (id, mark, line)
    SELECT substr(value, :mark + 1) ->> 0, substr(value, 1, :mark), substr(value, :mark + 1) FROM carray(:rows)"""
FRAMES = "SELECT line FROM events WHERE kind = 'Reported' AND trial = ? ORDER BY seq"

_LOG = (
    "what is missing was in its log, journal.sqlite-wal, which was deleted, damaged, or replaced: "
    f"put it back; or, to go on without it, delete {NAME} beside it"
)
_FIELDS = [field.name for field in fields(TrialRow)]
_BEST, _PERIODS = _FIELDS.index("best"), _FIELDS.index("periods")
_values = attrgetter(*_FIELDS)


def create(database: apsw.Connection, directory: Path, version: int, run: int, settings: dict[str, Plain]) -> None:
    """Make the tables, and write the run's settings."""
    text = journal.encode(settings)
    values = {
        "run": run,
        "name": str(settings.get("name") or directory.resolve().name),
        "created": datetime.now(UTC).isoformat(sep=" ", timespec="seconds"),
        "format": version,
        "version": _version(),
        "python": platform.python_version(),
        "host": platform.node(),
        "settings": text,
        # Settings are not part of the chain: they have a checksum of their own.
        "checksum": _checksum(text),
        "mark": journal.Chain().mark,
    }
    database.execute(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
    database.execute(_CREATE, values)


def append(database: apsw.Connection, chain: journal.Chain, turns: Sequence[Turn]) -> None:
    """Write turns: their events, and the latest rows of their trials."""
    before, rows = chain.length, []
    for turn in turns:
        for line in journal.lines(turn):
            chain.add(line)
            rows.append(chain.mark + line)
    if rows:
        database.execute(_APPEND, {"before": before, "mark": journal.MARK_LENGTH, "rows": apsw.carray(tuple(rows))})
    # Turns share a commit: only the last row of a trial can be seen, so the others are not encoded.
    latest = {row.id: row for turn in turns for row in turn.trials}
    if latest:
        shown = [journal.encode(_values(row)) for row in latest.values()]
        marked = tuple(_checksum(line) + line for line in shown)
        database.execute(_SHOW, {"mark": journal.MARK_LENGTH, "rows": apsw.carray(marked)})
    # In the same transaction, so that a cut at the end of the table is found. This row also has the run's number, which
    # is thereby in every log: see APPLICATION in formats.py.
    database.execute("UPDATE experiments SET events = ?, mark = ?", (chain.length, chain.mark))


def set_status(database: apsw.Connection, status: Literal["open", "closed"]) -> None:
    """Write down whether the run is being driven."""
    database.execute("UPDATE experiments SET status = ?", (status,))


def settings(database: apsw.Connection, path: Path) -> dict[str, Plain]:
    """Read the run's settings.

    Raises:
        StorageError: it is damaged.
    """
    [(text, checksum)] = database.execute("SELECT settings, checksum FROM experiments").fetchall()
    if _checksum(str(text)) != checksum:
        raise StorageError(f"{path} is damaged: its settings are not those that were written")
    return cast("dict[str, Plain]", journal.decode(str(text)))


def lines(database: apsw.Connection, path: Path, chain: journal.Chain, known: Committed | None = None) -> Iterator[str]:
    """Read the journal's lines, check each of them, and check that there are as many as were committed.

    Args:
        database: an open connection.
        path: of the file, for messages.
        chain: is continued by each line.
        known: how far the journal is known to be committed: read before this is called.

    Raises:
        StorageError: the next line, or all from there on, is damaged; or the log is missing, or another run's.
    """
    [(events, mark)] = database.execute("SELECT events, mark FROM experiments").fetchall()
    try:
        for seq, stored, line in database.execute("SELECT seq, mark, line FROM events ORDER BY seq"):
            chain.add(str(line))
            if (seq, stored) != (chain.length, chain.mark):
                raise StorageError(f"{path} is damaged: event {chain.length} is not what was written")
            # The chain is in order and still not ours: a whole journal of another run was put here.
            if known and chain.length == known.events and chain.mark != known.mark:
                raise StorageError(
                    f"{path} has events of another run, from event {chain.length} or an earlier one on; {_LOG}"
                )
            yield str(line)
    # SQLite reads pages as they are needed, so damage may come up in the middle.
    except (apsw.Error, UnicodeDecodeError) as error:
        raise StorageError(f"{path} is damaged: event {chain.length + 1} cannot be read: {error}") from error
    if (events, mark) != (chain.length, chain.mark):
        raise StorageError(f"{path} is damaged: it ends with event {chain.length}, and {events} were committed")
    # The file alone is consistent: only the note of the driver tells that its log is missing.
    if known and chain.length < known.events:
        raise StorageError(f"{path} ends with event {chain.length}, and {known.events} were committed; {_LOG}")


def last_time(database: apsw.Connection) -> float:
    """Return the time of the last event, in seconds of the run."""
    times = database.execute("SELECT now FROM events ORDER BY seq DESC LIMIT 1").fetchall()
    return float(str(times[0][0])) if times else 0.0


def frames(database: apsw.Connection, trial: int, read: Callable[[str], Turn]) -> Iterator[Reported]:
    """Read the reports of a trial."""
    for (line,) in database.execute(FRAMES, (trial,)):
        [event] = read(str(line)).events
        assert isinstance(event, Reported)
        yield event


def trials(database: apsw.Connection, path: Path, *, marked: bool) -> Iterator[TrialRow]:
    """Read the latest rows of the trials, and check each by its mark; format 1 has no marks.

    Raises:
        StorageError: a row is damaged.
    """
    mark = "mark" if marked else "NULL"
    for number, stored, line in database.execute(f"SELECT id, {mark}, line FROM trials ORDER BY id"):  # noqa: S608
        yield _checked(path, number, stored, str(line))


def chosen_trials(database: apsw.Connection, path: Path, numbers: Sequence[int], *, marked: bool) -> Iterator[TrialRow]:
    """Read the latest rows of these trials, in this order, and check each by its mark.

    Raises:
        StorageError: a row is damaged.
    """
    text = f"SELECT id, {'mark' if marked else 'NULL'}, line FROM trials WHERE id = ?"  # noqa: S608 - one of two
    for trial in numbers:
        for number, stored, line in database.execute(text, (trial,)):
            yield _checked(path, number, stored, str(line))


def _checked(path: Path, number: object, stored: object, line: str) -> TrialRow:
    if stored is not None and stored != _checksum(line):
        raise StorageError(f"{path} is damaged: the row of trial {number} is not what was written")
    row = _row(cast("list[Any]", journal.decode(line)))
    # A row's mark covers its line, not the column beside it.
    if row.id != number:
        raise StorageError(f"{path} is damaged: the row of trial {row.id} has the number {number}")
    return row


def _row(values: list[Any]) -> TrialRow:
    """Make a row from its values in the order of the fields; earlier versions have written fewer."""
    values[_BEST:] = [value and tuple(value) for value in values[_BEST : _BEST + 1]] + values[_BEST + 1 :]
    values[_PERIODS:] = [tuple(Period(*each) for each in value) for value in values[_PERIODS:]]
    return TrialRow(*values)


def _version() -> str:
    try:
        return importlib.metadata.version("trialwright")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()[: journal.MARK_LENGTH]
