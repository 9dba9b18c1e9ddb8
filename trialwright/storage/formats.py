"""The journal as a file: how it is made, recognised, and migrated from an old format."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import apsw

from trialwright.errors import StorageError
from trialwright.messages import Plain
from trialwright.storage import journal, tables
from trialwright.storage.base import Turn
from trialwright.storage.database import DAMAGED, blame, connect, transaction
from trialwright.storage.files import sync

# The upper half of a journal's application_id, "Tr", tells `file` and us whose database it is. The lower half is a
# random number of the run. It is in the file's head and in `experiments`, which is in every log: each commit writes it.
APPLICATION = 0x5472
_HEADER, _RUN = 72, slice(70, 72)  # bytes of the file: where SQLite keeps that lower half

# Format 1, used before 0.1.0, had other decisions, on other lines: it is only read. A migration brings a journal from
# the format of its place here, counted from 2, to the next one. So their number gives the current format.
MIGRATIONS: tuple[Callable[[apsw.Connection], None], ...] = ()
FIRST = 2
FORMAT = FIRST + len(MIGRATIONS)


def make(path: Path, settings: dict[str, Plain]) -> None:
    """Write an empty journal under another name, and rename it: one that has its name is complete.

    Raises:
        ValueError: there is a journal already.
        StorageError: the disk is full or fails.
    """
    # Asked under the lock (see SqliteStore.create), so no other driver can make one in between.
    if path.exists():
        raise ValueError(f"{str(path.parent)!r} already holds a run: resume it, or choose another directory")
    with blame(path):
        # Made under another name: a crash here would leave a journal without tables, which neither a new run nor a
        # resume could use.
        draft = _empty_draft(path)
        database = connect(draft, create=True)
        try:
            run = secrets.randbits(16)
            tables.create(database, path.parent, FORMAT, run, settings)
            # By PRAGMAs that take no parameters: both values are numbers of ours.
            database.execute(f"PRAGMA application_id = {APPLICATION << 16 | run}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
        finally:
            database.close()
        draft.rename(path)
        # The first commits are synced, and would be lost with the file's name.
        sync(path.parent)


def recognised(database: apsw.Connection, path: Path) -> int:
    """Return the format of a journal, whose pages are not checked: for a look that must be fast.

    Raises:
        StorageError: it is not a journal of ours, has a later format, or has the log of another run.
    """
    if int(str(database.pragma("application_id"))) >> 16 != APPLICATION:
        raise StorageError(f"{path} is not a journal of Trialwright")
    version = int(str(database.pragma("user_version")))
    if version > FORMAT:
        raise StorageError(
            f"{path} has format {version}, and this version knows formats up to {FORMAT}: upgrade Trialwright"
        )
    if version >= FIRST:
        _check_log(database, path)
    return version


def check(database: apsw.Connection, path: Path) -> int:
    """Return the format of a journal.

    Raises:
        StorageError: it is not a journal of ours, is damaged, or has a later format.
    """
    # Before the check of the pages: with the log of another run SQLite reads pages of both, and would say "damaged",
    # which sends the user to the backups instead of to the right log.
    version = recognised(database, path)
    verdict = database.pragma("integrity_check")  # the quick one does not look at the index that frames() goes by
    if verdict != "ok":
        raise StorageError(f"{path} is damaged: {verdict}; {DAMAGED}")
    return version


def reader(version: int) -> Callable[[str], Turn]:
    """Return the function that reads the lines of a journal of this format."""
    return journal.read_format_1 if version < FIRST else journal.read


def refuse_old(path: Path, version: int) -> None:
    """Refuse to resume a run whose decisions this version cannot replay.

    Raises:
        ValueError: it is of format 1.
    """
    if version < FIRST:
        run = str(path.parent)
        raise ValueError(
            f"{path} has format {version}, which can be loaded but not resumed: start a new run from its results, "
            f"Engine(..., earlier=trialwright.load({run!r}))"
        )


def update(database: apsw.Connection, path: Path, version: int) -> None:
    """Migrate a journal to the current format: keep a copy of the old file, then apply the missing migrations, all or
    none.

    Raises:
        ValueError: it cannot be migrated.
    """
    refuse_old(path, version)
    backup = path.with_name(f"{path.name}.format_{version}")
    # A crash during an earlier attempt may have left half of one; VACUUM INTO refuses a file that exists.
    backup.unlink(missing_ok=True)
    # Not a copy of the file: what is committed may still be in the log beside it.
    database.execute("VACUUM INTO ?", (str(backup),))
    with transaction(database):
        for migration in MIGRATIONS[version - FIRST :]:
            migration(database)
        database.execute(f"PRAGMA user_version = {FORMAT}")


def _check_log(database: apsw.Connection, path: Path) -> None:
    """Refuse a log of another run: SQLite itself would read its pages as this file's."""
    [(run,)] = database.execute("SELECT run FROM experiments").fetchall()
    # Read from the file itself: PRAGMA application_id reads through the log, and so says what the log says.
    with path.open("rb") as file:
        own = int.from_bytes(file.read(_HEADER)[_RUN])
    if run != own:
        raise StorageError(f"{path}-wal is the log of another run: put this run's own log in its place")


def _empty_draft(path: Path) -> Path:
    draft = path.with_name(path.name + ".draft")
    # With its -wal and -journal: SQLite would roll an old journal back into the new file.
    for leftover in path.parent.glob(draft.name + "*"):
        leftover.unlink()
    return draft
