"""The one thread that writes a journal.

It takes all turns that have queued up while it was busy, and commits them as one transaction: under load many turns
share a sync. The caller, an event loop, only puts turns into a queue; encoding them is the thread's work too.
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
from trialwright.storage.base import Statistics, Turn, failed
from trialwright.storage.database import blame, connect, make_durable, reading, transaction
from trialwright.storage.lock import Committed, DriverLock

CLOSE_S = 60.0  # how long close() waits for the disk
LINGER_S = 0.005  # how long turns that nothing waits for are gathered, for one commit to be shared by more of them

_Waiting: TypeAlias = tuple[Turn, Future[None]]


class Writer:
    """The thread, and what only it may use: the connection, the chain, the lock. Made by ``open``."""

    def __init__(self, path: Path, lock: DriverLock, database: apsw.Connection, chain: journal.Chain) -> None:
        self.settings = tables.settings(database, path)
        self.digest = chain.digest
        self.statistics = Statistics()
        self._path = path
        self._lock = lock
        self._database = database
        self._chain = chain
        # When it is opened: a file that is replaced later is found by comparing with this.
        self._files = _identities(path)
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._is_awaited = threading.Event()  # a commit of something in the queue
        self._appended = 0  # counted by the caller, the next by the thread: so neither needs a lock
        self._settled = 0
        self._is_over = False
        self._failure: StorageError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="trialwright-journal", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path, lock: DriverLock) -> Writer:
        """Open a journal for writing: check it, migrate it to the current format, and find where its chain ends.

        It is checked by a connection that cannot write: closing one that can makes SQLite copy the log into the file,
        and the log may be another run's.

        Raises:
            StorageError: it is damaged, of a newer format, or cannot be opened.
        """
        with reading(path) as database:
            version, chain = formats.check(database, path), journal.Chain()
            # The whole journal is read before anything is appended: a chain must not go on behind damage.
            deque(tables.lines(database, path, chain, lock.committed), maxlen=0)
        with blame(path):
            database = connect(path)
            try:
                if version != formats.FORMAT:
                    # A migration may write other lines: their chain is computed anew.
                    formats.update(database, path, version)
                    chain = journal.Chain()
                    deque(tables.lines(database, path, chain), maxlen=0)
                # Only now: changing to WAL writes to the file, which must have been found whole.
                make_durable(database)
                tables.set_status(database, "open")
                return cls(path, lock, database, chain)
            # Also for KeyboardInterrupt: else the connection would stay open until it is collected.
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
            return failed(StorageError(f"{self._path} was closed: nothing can be appended"))
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a turn that was appended cannot be taken back
        # Before the queue: ``pending`` must never be negative.
        self._appended += 1
        self._queue.put((turn, future))
        if turn.is_awaited:
            self._is_awaited.set()
        return future

    def close(self) -> None:
        """Commit what was appended, and end the thread; closing twice is not an error.

        Raises:
            StorageError: the disk does not answer.
        """
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._is_awaited.set()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            raise StorageError(f"{self._path}: the disk did not answer within {CLOSE_S:.0f} s")

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
        """Wait for a turn, and return it with all others in the queue, and whether more may come."""
        batch: list[_Waiting] = []
        # Turns that nothing waits for are gathered; one that is awaited, now or while we wait, ends the wait at once.
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
        """Commit a batch, and settle its futures. After one failure nothing is committed any more: the journal would
        have a gap."""
        self._failure = self._failure or self._commit([turn for turn, _ in batch])
        # Before the futures: who waits for one may look at ``pending`` at once.
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
                # After the commit, before it is acknowledged: what was written to a deleted file is lost.
                self._check_in_place()
        except Exception as error:  # after any error nothing may be acknowledged
            return StorageError(f"the journal cannot be written, and the run cannot go on: {error}")
        # After the commit: the note may be behind, never ahead, else a crash in between would make a good journal look
        # cut.
        self._is_over = self._is_over or any(turn.is_last for turn in turns)
        how = self._is_over, turns[-1].is_paused, turns[-1].samples
        self._lock.note(Committed(self._chain.length, self._chain.mark, *how))
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
        """Leave one plain file, without a log, which is readable on a read-only disk; a reader prevents that."""
        try:
            if not self._failure:
                tables.set_status(self._database, "closed")
                # Leaving WAL needs the file for itself. With a reader there it is not waited for: the log stays, and is
                # complete.
                self._database.set_busy_timeout(0)
                self._database.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._database.close()


def _identities(path: Path) -> list[tuple[int, int]]:
    """Return the identities of the files: SQLite goes on writing to a deleted file without noticing."""
    statuses = [os.stat(path), os.stat(f"{path}-wal")]  # noqa: PTH116
    return [(status.st_dev, status.st_ino) for status in statuses]
