"""A journal on disk, in SQLite: ``<run>/journal.sqlite``, which any SQLite tool can read.

Three promises. A turn whose future is done survives the death of the process and of the machine: commits are synced
(``FULL``, in ``database.py``). Once a commit has failed nothing is acknowledged any more (``writer.py``). And one
process writes at a time (``lock.py``). Each reader has a connection of its own, which cannot write.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import apsw

from trialwright.errors import StorageError
from trialwright.messages import Plain, Reported
from trialwright.storage import formats, journal, place, tables
from trialwright.storage.base import Entry, Statistics, TrialRow, Turn, failed
from trialwright.storage.database import reading
from trialwright.storage.lock import DriverLock, committed
from trialwright.storage.writer import Writer


class SqliteStore:
    """Keeps a run in a directory. Made by ``create`` or ``open``."""

    def __init__(
        self, path: Path, settings: dict[str, Plain], writer: Writer | None, version: int = formats.FORMAT
    ) -> None:
        self.format = version
        self._path = path
        self._settings = settings
        self._writer = writer  # None: the store is read only

    @classmethod
    def create(cls, directory: str | os.PathLike[str], settings: dict[str, Plain]) -> SqliteStore:
        """Make the directory and its journal, and open it for writing.

        Raises:
            ValueError: the path cannot be a directory, or has a run already.
            RunLocked: another process drives it.
            StorageError: the disk is full or fails.
        """
        path = Path(directory) / "journal.sqlite"
        place.make_directory(path.parent)
        lock = _lock(path.parent)
        try:
            formats.make(path, settings)
            # After the journal was made: what an earlier journal's driver has noted here would make the new one look
            # cut.
            lock.forget()
            return cls(path, settings, Writer.open(path, lock))
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, directory: str | os.PathLike[str], *, read_only: bool = False) -> SqliteStore:
        """Open the journal of a run: to resume it or, ``read_only``, while another process may drive it.

        A journal of an older format is read as it is; to resume it, it is migrated to the current format.

        Raises:
            ValueError: there is no run, or its format cannot be resumed.
            RunLocked: another process drives it.
            StorageError: it is damaged, of a newer format, or cannot be opened.
        """
        path = place.find_run(directory) / place.JOURNAL
        # Readers take no lock: many may look while one driver writes.
        if read_only:
            with reading(path) as database:
                version = formats.check(database, path)
                return cls(path, tables.settings(database, path), None, version)
        lock = _lock(path.parent)
        try:
            writer = Writer.open(path, lock)
            return cls(path, writer.settings, writer)
        except BaseException:
            lock.release()
            raise

    def __getstate__(self) -> dict[str, object]:
        """A copy or an unpickled store reads the same file, and cannot write."""
        return {**vars(self), "_writer": None}

    @property
    def is_watched(self) -> bool:
        return True

    @property
    def settings(self) -> dict[str, Plain]:
        return self._settings

    @property
    def pending(self) -> int:
        return self._writer.pending if self._writer else 0

    @property
    def digest(self) -> str:
        if self._writer:
            return self._writer.digest
        chain = journal.Chain()
        with reading(self._path) as database:
            # A read-only store has no writer that knows the digest: the journal is hashed anew. maxlen=0 consumes the
            # lines without keeping them.
            deque(self._lines(database, chain), maxlen=0)
        return chain.digest

    def append(self, turn: Turn) -> Future[None]:
        if self._writer:
            return self._writer.append(turn)
        return failed(StorageError(f"{self._path} was opened read only"))

    def check(self) -> float:
        """Check the whole journal by its marks, without decoding its lines; return the time of its last event.

        Raises:
            StorageError: it is damaged.
        """
        with reading(self._path) as database:
            deque(self._lines(database, journal.Chain()), maxlen=0)
            return tables.last_time(database)

    def entries(self) -> Iterator[Entry]:
        with reading(self._path) as database:
            # A connection of its own for each iterator: it keeps the moment at which it began, and an iterator that is
            # dropped half read blocks no other.
            lines = self._lines(database, journal.Chain())
            yield from journal.assemble(map(formats.reader(self.format), lines))

    def frames(self, trial: int) -> Iterator[Reported]:
        with reading(self._path) as database:
            yield from tables.frames(database, trial, formats.reader(self.format))

    def trials(self) -> Iterator[TrialRow]:
        with reading(self._path) as database:
            yield from tables.trials(database, self._path, marked=self.format >= formats.FIRST)

    def statistics(self) -> Statistics:
        return self._writer.statistics if self._writer else Statistics()

    def close(self) -> None:
        """Commit what was appended, and close the store; closing twice is not an error.

        Raises:
            StorageError: the disk does not answer. A failed commit is raised by its future, not here.
        """
        if self._writer:
            self._writer.close()

    def _lines(self, database: apsw.Connection, chain: journal.Chain) -> Iterator[str]:
        # The note is read first: the journal may have grown since, and is never behind it.
        return tables.lines(database, self._path, chain, committed(self._path.parent))


def _lock(directory: Path) -> DriverLock:
    place.warn_of_network(directory)
    return DriverLock(directory)
