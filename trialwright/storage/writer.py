"""The one thread that writes a journal.

It takes whatever has queued up while it was busy, and commits that as one transaction: under load a sync is shared by
many turns. The caller, an event loop, only puts turns into a queue; making text of them is the thread's work too.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import apsw

from trialwright.errors import StorageError
from trialwright.storage import formats, journal, tables
from trialwright.storage.base import Statistics, Turn
from trialwright.storage.database import blame, connect, make_durable, reading, transaction
from trialwright.storage.lock import Committed, DriverLock

CLOSE_S = 60.0  # how long close() waits for the disk
LINGER_S = 0.005  # how long turns that nothing waits for are gathered, for one commit to be shared by more of them

_Waiting: TypeAlias = tuple[Turn, Future[None]]


class Writer:
    """The thread, and what it alone may touch: the connection, the chain, the lock. Made by ``open``."""

    def __init__(self, path: Path, lock: DriverLock, database: apsw.Connection, chain: journal.Chain) -> None:
        self.settings = tables.settings(database, path)
        self.digest = chain.digest
        self.statistics = Statistics()
        self._path = path
        self._lock = lock
        self._database = database
        self._chain = chain
        self._files = _identities(path)
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._is_awaited = threading.Event()  # a commit of something in the queue
        self._appended = 0  # counted by the caller, the next by the thread: so neither needs a lock
        self._settled = 0
        self._failure: StorageError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="trialwright-journal", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path, lock: DriverLock) -> Writer:
        """Open a journal for writing: check it, bring it to today's format, and find where its chain ends.

        It is checked by a connection that cannot write: when one is closed that can, SQLite brings the log into the
        file, and that may be another run's log.

        Raises:
            StorageError: it is damaged, of a newer format, or cannot be opened.
        """
        with reading(path) as database:
            version, chain = formats.check(database, path), journal.Chain()
            deque(tables.lines(database, path, chain, lock.committed), maxlen=0)
        with blame(path):
            database = connect(path)
            try:
                if version != formats.FORMAT:
                    formats.update(database, path, version)
                    chain = journal.Chain()
                    deque(tables.lines(database, path, chain), maxlen=0)
                make_durable(database)
                tables.set_status(database, "open")
                return cls(path, lock, database, chain)
            except BaseException:
                database.close()
                raise

    @property
    def pending(self) -> int:
        """How many turns were appended and are not committed."""
        return self._appended - self._settled

    def append(self, turn: Turn) -> Future[None]:
        """Write a turn; see ``Store.append``."""
        if self._closed:
            return failed(StorageError(f"{self._path} was closed: a turn cannot be appended any more"))
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a turn that was appended cannot be taken back
        self._appended += 1
        self._queue.put((turn, future))
        if turn.is_awaited:
            self._is_awaited.set()
        return future

    def close(self) -> None:
        """Commit what was appended, and let go; closing twice is no error.

        Raises:
            StorageError: the disk does not answer.
        """
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._is_awaited.set()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            raise StorageError(f"{self._path}: the disk has not answered for {CLOSE_S:.0f} s")

    def _run(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._take()
            if batch:
                self._settle(batch)
        with suppress(apsw.Error):
            self._leave()
        self._lock.release()

    def _take(self) -> tuple[list[_Waiting], bool]:
        """Wait for a turn, and take it with all others that are there. False: there will be no more."""
        batch: list[_Waiting] = []
        item = self._queue.get()
        self._is_awaited.wait(LINGER_S)
        self._is_awaited.clear()  # before the rest is taken: what comes after that sets it again
        with suppress(queue.Empty):
            while item is not None:
                batch.append(item)
                item = self._queue.get_nowait()
            return batch, False
        return batch, True

    def _settle(self, batch: list[_Waiting]) -> None:
        """Commit a batch, or find out that it cannot be; then tell those who wait."""
        self._failure = self._failure or self._commit([turn for turn, _ in batch])
        self._settled += len(batch)
        for _, future in batch:
            if self._failure:
                future.set_exception(self._failure)
            else:
                future.set_result(None)

    def _commit(self, turns: list[Turn]) -> StorageError | None:
        depth, began = self.pending, time.perf_counter()
        try:
            with blame(self._path), transaction(self._database):
                tables.append(self._database, self._chain, turns)
            with blame(self._path):
                self._check_in_place()
        except Exception as error:  # whatever it was, nothing may be acknowledged after it
            return StorageError(f"the journal cannot be written, and the run cannot go on: {error}")
        self._lock.note(Committed(self._chain.length, self._chain.mark))
        self._count(len(turns), depth, time.perf_counter() - began)
        self.digest = self._chain.digest
        return None

    def _check_in_place(self) -> None:
        if _identities(self._path) != self._files:
            raise FileNotFoundError("another file has taken its place")

    def _count(self, turns: int, depth: int, seconds: float) -> None:
        so_far = self.statistics
        self.statistics = Statistics(
            turns=so_far.turns + turns,
            commits=so_far.commits + 1,
            commit_s=so_far.commit_s + seconds,
            longest_commit_s=max(so_far.longest_commit_s, seconds),
            deepest_queue=max(so_far.deepest_queue, depth),
        )

    def _leave(self) -> None:
        """Leave one plain file behind, readable where nothing can be written, unless somebody is reading it now."""
        try:
            if not self._failure:
                tables.set_status(self._database, "closed")
                self._database.set_busy_timeout(0)
                self._database.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._database.close()


def failed(error: StorageError) -> Future[None]:
    """Return a future that has failed already."""
    future: Future[None] = Future()
    future.set_exception(error)
    return future


def _identities(path: Path) -> list[tuple[int, int]]:
    """Say which files these are: SQLite goes on writing to a file that was deleted, and would never notice."""
    statuses = [os.stat(path), os.stat(f"{path}-wal")]  # noqa: PTH116
    return [(status.st_dev, status.st_ino) for status in statuses]
