"""The journal as a file: how it is made, how it is known again, how an old one is brought up to date."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import apsw

from trialwright.errors import StorageError
from trialwright.messages import Plain
from trialwright.storage import tables
from trialwright.storage.database import DAMAGED, blame, connect, transaction

APPLICATION_ID = 0x5472_6C73  # "Trls": tells `file` and us whose database it is

# A migration brings a journal from the format of its place here, counted from 1, to the next one. So their number says
# what today's format is.
MIGRATIONS: tuple[Callable[[apsw.Connection], None], ...] = ()
FORMAT = 1 + len(MIGRATIONS)


def make(path: Path, settings: dict[str, Plain]) -> None:
    """Write an empty journal under another name, and rename it: one that has its name is complete.

    Raises:
        ValueError: there is one already.
        StorageError: the disk does not let us.
    """
    if path.exists():
        raise ValueError(f"{str(path.parent)!r} has a run already: resume that one, or choose another directory")
    with blame(path):
        draft = _empty_draft(path)
        database = connect(draft, create=True)
        try:
            tables.create(database, path.parent, FORMAT, settings)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
        finally:
            database.close()
        draft.rename(path)
        _sync(path.parent)


def check(database: apsw.Connection, path: Path, *, migrate: bool = False) -> None:
    """Refuse what is not ours, or damaged, or from the future; bring what is from the past to today's format.

    Raises:
        StorageError: it is one of these, or from the past and must not be changed.
    """
    if database.pragma("application_id") != APPLICATION_ID:
        raise StorageError(f"{path} is not a journal of Trialwright")
    version = database.pragma("user_version")
    if version > FORMAT:
        raise StorageError(
            f"{path} has format {version}, and this Trialwright knows up to {FORMAT}: upgrade Trialwright"
        )
    verdict = database.pragma("integrity_check")  # the quick one does not look at the index that frames() goes by
    if verdict != "ok":
        raise StorageError(f"{path} is damaged: {verdict}; {DAMAGED}")
    if version < FORMAT and not migrate:
        raise StorageError(f"{path} has the old format {version}: open it for writing once, to bring it up to date")
    if version < FORMAT:
        _migrate(database, path, version)


def _migrate(database: apsw.Connection, path: Path, version: int) -> None:
    """Keep a copy of the old file, then apply what is missing, all of it or nothing."""
    backup = path.with_name(f"{path.name}.format_{version}")
    backup.unlink(missing_ok=True)
    database.execute("VACUUM INTO ?", (str(backup),))
    with transaction(database):
        for migration in MIGRATIONS[version - 1 :]:
            migration(database)
        database.execute(f"PRAGMA user_version = {FORMAT}")


def _empty_draft(path: Path) -> Path:
    draft = path.with_name(path.name + ".draft")
    for leftover in path.parent.glob(draft.name + "*"):
        leftover.unlink()
    return draft


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
