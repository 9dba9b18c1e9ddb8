"""How SQLite is used: with which settings a database is opened, what a transaction is, what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from trialwright.errors import StorageError
from trialwright.storage.files import is_full

_SAFE = ("trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON", "mmap_size = 0")
_DURABLE = ("journal_mode = WAL", "synchronous = FULL", "journal_size_limit = 67108864")  # bytes
_BUSY_MS = 5000

DAMAGED = (
    "the file is damaged, or journal.sqlite-wal beside it belongs to another run: keep a copy of both, "
    "and restore a backup"
)
_ADVICE: dict[type[Exception], str] = {
    apsw.FullError: "make room on that disk, then resume the run",
    apsw.CorruptError: DAMAGED,
    apsw.CantOpenError: "check that the directory is there and can be written to",
    apsw.ReadOnlyError: "check that the directory can be written to, then resume the run",
    apsw.BusyError: "another program holds a write lock on it: end that one, then resume the run",
    FileNotFoundError: "the run's directory was moved or deleted during the run",
}


@contextmanager
def blame(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the system into one that names the file and what to do."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        known = (text for kind, text in _ADVICE.items() if isinstance(error, kind))
        advice = _ADVICE[apsw.FullError] if is_full(error) else next(known, "check the disk, then resume the run")
        raise StorageError(f"{path}: {error}; {advice}") from error


def connect(path: Path, *, create: bool = False) -> apsw.Connection:
    """Open a database for writing, or make one."""
    return _connect(path, apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0))


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """Give a connection that can only read, and that sees the journal as it is now, even if it is used for long."""
    with blame(path):
        database = _connect(path, apsw.SQLITE_OPEN_READONLY)
        try:
            database.execute("BEGIN")
            yield database
        except (ValueError, TypeError, KeyError) as error:
            raise StorageError(f"{path} holds something that this Trialwright cannot read: {error}") from error
        finally:
            database.close()


def make_durable(database: apsw.Connection) -> None:
    """Set a database so that commits survive a power cut, and readers do not wait for the writer."""
    for pragma in _DURABLE:
        database.execute(f"PRAGMA {pragma}")


@contextmanager
def transaction(database: apsw.Connection) -> Iterator[None]:
    """Run a transaction, all or nothing. The first error is raised, even if the rollback fails too."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            database.execute("ROLLBACK")
        raise


def _connect(path: Path, flags: int) -> apsw.Connection:
    database = apsw.Connection(str(path), flags=flags)
    database.set_busy_timeout(_BUSY_MS)
    for pragma in _SAFE:
        database.execute(f"PRAGMA {pragma}")
    return database
