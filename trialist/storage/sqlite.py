"""A journal on disk, in SQLite: ``<run>/journal.sqlite``, which any SQLite tool can read.

Three promises. A turn whose future is done survives the death of the process and of the machine: commits are synced
(``FULL``). Once a commit has failed nothing is acknowledged any more. And one process writes at a time, which the lock
on ``<run>/driver.lock`` sees to.

All writing is done by one thread. It takes whatever has queued up while it was busy, and commits that as one
transaction: under load a sync is shared by many turns. The caller, an event loop, only puts turns into a queue; making
text of them is the thread's work too. Whoever reads has a connection of his own, which cannot write.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import platform
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias, cast

import apsw

from trialist.errors import RunLocked, StorageError
from trialist.messages import Plain, Reported
from trialist.storage import journal
from trialist.storage.base import Entry, Statistics, TrialRow, Turn

APPLICATION_ID = 0x5472_6C73  # "Trls": tells `file` and us whose database it is
CLOSE_S = 60.0  # how long close() waits for the disk

# A migration brings a journal from the format of its place here, counted from 1, to the next one. So their number says
# what today's format is.
MIGRATIONS: tuple[Callable[[apsw.Connection], None], ...] = ()
FORMAT = 1 + len(MIGRATIONS)

_SAFE = ("trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON", "mmap_size = 0")
_DURABLE = ("journal_mode = WAL", "synchronous = FULL", "journal_size_limit = 67108864")  # bytes
_BUSY_MS = 5000

_INSERT_EVENT = "INSERT INTO events (seq, now, body, decisions, digest, mark) VALUES (?, ?, ?, ?, ?, ?)"
_SELECT_EVENTS = "SELECT seq, mark, now, body, decisions, digest FROM events ORDER BY seq"
_UPSERT_TRIAL = """
    INSERT OR REPLACE INTO trials VALUES (:id, :state, :outcome, :reason, :attempt, :step, :config, :tags, :metrics,
        :checkpoint, :error, :traceback, :started, :ended)"""
_SELECT_TRIALS = """
    SELECT id, state, outcome, reason, attempt, step, config, tags, metrics,
           checkpoint, error, traceback, started, ended
      FROM trials ORDER BY id"""
_INSERT_EXPERIMENT = """
    INSERT INTO experiments VALUES (1, :name, :created, :format, :trialist, :python, :host, 'open', :settings,
        :checksum, 0, :mark)"""
_FRAMES = "SELECT now, body, NULL, NULL FROM events WHERE kind = 'Reported' AND trial = ? ORDER BY seq"
_JSON_COLUMNS = ("config", "tags", "metrics")

_ADVICE: dict[type[Exception], str] = {
    apsw.FullError: "make room on that disk, then resume the run",
    apsw.CorruptError: "the file is damaged: keep a copy of it and of journal.sqlite-wal, and restore a backup",
    apsw.CantOpenError: "check that the directory is there and can be written to",
    apsw.ReadOnlyError: "check that the directory can be written to, then resume the run",
    apsw.BusyError: "another program holds a write lock on it: end that one, then resume the run",
    FileNotFoundError: "the run's directory was moved or deleted while the run was going on",
}
_Waiting: TypeAlias = tuple[Turn, Future[None]]


class SqliteStore:
    """Keeps a run in a directory. Made by ``create`` or ``open``."""

    def __init__(self, path: Path, settings: dict[str, Plain], writer: _Writer | None) -> None:
        self._path = path
        self._settings = settings
        self._writer = writer  # none: it is only read

    @classmethod
    def create(cls, directory: str | os.PathLike[str], settings: dict[str, Plain]) -> SqliteStore:
        """Make the directory and its journal, and open it for writing.

        Raises:
            ValueError: the path cannot be a directory, or has a run already.
            RunLocked: another process is at it.
            StorageError: the disk does not let us.
        """
        path = Path(directory) / "journal.sqlite"
        _make_directory(path.parent)
        lock = _Lock(path.parent)
        try:
            _make(path, settings)
            return cls(path, settings, _Writer.opened(path, lock))
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, directory: str | os.PathLike[str], *, read_only: bool = False) -> SqliteStore:
        """Open the journal of a run, to go on with it or, ``read_only``, beside whoever drives it.

        Raises:
            ValueError: there is no run.
            RunLocked: another process drives it.
            StorageError: it is damaged, of a newer format, or cannot be opened.
        """
        path = Path(directory) / "journal.sqlite"
        if not path.is_file():
            raise ValueError(f"there is no run in {str(path.parent)!r}")
        if read_only:
            with _reading(path) as database:
                _check(database, path)
                return cls(path, _read_settings(database, path), None)
        lock = _Lock(path.parent)
        try:
            writer = _Writer.opened(path, lock)
            return cls(path, writer.settings, writer)
        except BaseException:
            lock.release()
            raise

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
        with _reading(self._path) as database:
            _exhaust(_verified(database, self._path, chain))
        return chain.digest

    def append(self, turn: Turn) -> Future[None]:
        if self._writer:
            return self._writer.append(turn)
        return _failed(StorageError(f"{self._path} was opened to be read only"))

    def entries(self) -> Iterator[Entry]:
        with _reading(self._path) as database:
            yield from journal.assemble(journal.read(row) for row in _verified(database, self._path, journal.Chain()))

    def frames(self, trial: int) -> Iterator[Reported]:
        with _reading(self._path) as database:
            for row in database.execute(_FRAMES, (trial,)):
                [event] = journal.read(journal.Row(*row)).events
                assert isinstance(event, Reported)
                yield event

    def trials(self) -> Iterator[TrialRow]:
        with _reading(self._path) as database:
            names = [field.name for field in fields(TrialRow)]
            for values in database.execute(_SELECT_TRIALS):
                row: dict[str, Any] = dict(zip(names, values, strict=True))
                yield TrialRow(**row | {name: journal.decode(row[name]) for name in _JSON_COLUMNS})

    def statistics(self) -> Statistics:
        return self._writer.statistics if self._writer else Statistics()

    def close(self) -> None:
        """Commit what was appended, and let go; closing twice is no error.

        Raises:
            StorageError: the disk does not answer. What failed to be committed is told by its future, not here.
        """
        if self._writer:
            self._writer.close()


# Writing -------------------------------------------------------------------------------------------------------------


class _Writer:
    """The thread that commits, and what it alone may touch: the connection, the chain, the lock."""

    def __init__(self, path: Path, lock: _Lock, database: apsw.Connection, chain: journal.Chain) -> None:
        self.settings = _read_settings(database, path)
        self.digest = chain.digest
        self.statistics = Statistics()
        self._path = path
        self._lock = lock
        self._database = database
        self._chain = chain
        self._files = _identities(path)
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._appended = 0  # counted by the caller, the next by the thread: so neither needs a lock
        self._settled = 0
        self._failure: StorageError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="trialist-journal", daemon=True)
        self._thread.start()

    @classmethod
    def opened(cls, path: Path, lock: _Lock) -> _Writer:
        """Open a journal for writing: check it, bring it to today's format, and find where its chain ends."""
        with _blame(path):
            database = _connect(path, apsw.SQLITE_OPEN_READWRITE)
            try:
                _check(database, path, migrate=True)
                for pragma in _DURABLE:
                    database.execute(f"PRAGMA {pragma}")
                chain = journal.Chain()
                _exhaust(_verified(database, path, chain))
                database.execute("UPDATE experiments SET status = 'open'")
                return cls(path, lock, database, chain)
            except BaseException:
                database.close()
                raise

    @property
    def pending(self) -> int:
        return self._appended - self._settled

    def append(self, turn: Turn) -> Future[None]:
        if self._closed:
            return _failed(StorageError(f"{self._path} was closed: a turn cannot be appended any more"))
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a turn that was appended cannot be taken back
        self._appended += 1
        self._queue.put((turn, future))
        return future

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
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
            with _blame(self._path), _transaction(self._database):
                self._write(turns)
            with _blame(self._path):
                self._check_in_place()
        except Exception as error:  # whatever it was, nothing may be acknowledged after it
            return StorageError(f"the journal cannot be written, and the run cannot go on: {error}")
        self._count(len(turns), depth, time.perf_counter() - began)
        self.digest = self._chain.digest
        return None

    def _check_in_place(self) -> None:
        if _identities(self._path) != self._files:
            raise FileNotFoundError("another file has taken its place")

    def _write(self, turns: list[Turn]) -> None:
        self._database.executemany(_INSERT_EVENT, self._event_rows(turns))
        latest = {row.id: row for turn in turns for row in turn.trials}
        if latest:
            self._database.executemany(_UPSERT_TRIAL, map(_trial_values, latest.values()))
        self._database.execute("UPDATE experiments SET events = ?, mark = ?", (self._chain.length, self._chain.mark))

    def _event_rows(self, turns: list[Turn]) -> Iterator[tuple[Any, ...]]:
        for turn in turns:
            for row in journal.rows(turn):
                self._chain.add(row.line)
                yield self._chain.length, *row, self._chain.mark

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
                self._database.execute("UPDATE experiments SET status = 'closed'")
                self._database.set_busy_timeout(0)
                self._database.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._database.close()


def _trial_values(row: TrialRow) -> dict[str, Any]:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return values | {name: journal.encode(values[name]) for name in _JSON_COLUMNS}


def _failed(error: StorageError) -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(error)
    return future


def _identities(path: Path) -> list[tuple[int, int]]:
    """Say which files these are: SQLite goes on writing to a file that was deleted, and would never notice."""
    statuses = [path.stat(), path.with_name(path.name + "-wal").stat()]
    return [(status.st_dev, status.st_ino) for status in statuses]


# Making and opening --------------------------------------------------------------------------------------------------


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"a run cannot be kept in {str(directory)!r}: there is a file in the way") from error
    except OSError as error:
        raise StorageError(f"a run cannot be kept in {str(directory)!r}: {error.strerror}") from error


def _make(path: Path, settings: dict[str, Plain]) -> None:
    """Write an empty journal under another name, and rename it: one that has its name is complete."""
    if path.exists():
        raise ValueError(f"{str(path.parent)!r} has a run already: resume that one, or choose another directory")
    values = _experiment(path, settings)
    draft = path.with_name(path.name + ".draft")
    with _blame(path):
        for leftover in path.parent.glob(draft.name + "*"):
            leftover.unlink()
        database = _connect(draft, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        try:
            database.execute(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
            database.execute(_INSERT_EXPERIMENT, values)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
        finally:
            database.close()
        draft.rename(path)
        _sync(path.parent)


def _experiment(path: Path, settings: dict[str, Plain]) -> dict[str, Any]:
    text = journal.encode(settings)
    return {
        "name": str(settings.get("name") or path.parent.resolve().name),
        "created": datetime.now(UTC).isoformat(sep=" ", timespec="seconds"),
        "format": FORMAT,
        "trialist": _version(),
        "python": platform.python_version(),
        "host": platform.node(),
        "settings": text,
        "checksum": _checksum(text),
        "mark": journal.Chain().mark,
    }


def _connect(path: Path, flags: int) -> apsw.Connection:
    database = apsw.Connection(str(path), flags=flags)
    database.set_busy_timeout(_BUSY_MS)
    for pragma in _SAFE:
        database.execute(f"PRAGMA {pragma}")
    return database


@contextmanager
def _transaction(database: apsw.Connection) -> Iterator[None]:
    """All of it or nothing. The error that is told is the one that came first, whatever the rollback says."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            database.execute("ROLLBACK")
        raise


def _check(database: apsw.Connection, path: Path, *, migrate: bool = False) -> None:
    """Refuse what is not ours, or damaged, or from the future; bring what is from the past to today's format."""
    if database.pragma("application_id") != APPLICATION_ID:
        raise StorageError(f"{path} is not a journal of Trialist")
    version = database.pragma("user_version")
    if version > FORMAT:
        raise StorageError(f"{path} has format {version}, and this Trialist knows up to {FORMAT}: upgrade Trialist")
    verdict = database.pragma("integrity_check")  # the quick one does not look at the index that frames() goes by
    if verdict != "ok":
        raise StorageError(f"{path} is damaged: {verdict}; {_ADVICE[apsw.CorruptError]}")
    if version < FORMAT and not migrate:
        raise StorageError(f"{path} has the old format {version}: open it for writing once, to bring it up to date")
    if version < FORMAT:
        _migrate(database, path, version)


def _migrate(database: apsw.Connection, path: Path, version: int) -> None:
    """Keep a copy of the old file, then apply what is missing, all of it or nothing."""
    backup = path.with_name(f"{path.name}.format_{version}")
    backup.unlink(missing_ok=True)
    database.execute("VACUUM INTO ?", (str(backup),))
    with _transaction(database):
        for migration in MIGRATIONS[version - 1 :]:
            migration(database)
        database.execute(f"PRAGMA user_version = {FORMAT}")


def _version() -> str:
    try:
        return importlib.metadata.version("trialist")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()[: journal.MARK_LENGTH]


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Reading -------------------------------------------------------------------------------------------------------------


@contextmanager
def _blame(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system say into an error that names the file and what to do."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        known = (text for kind, text in _ADVICE.items() if isinstance(error, kind))
        advice = next(known, "check the disk, then resume the run")
        raise StorageError(f"{path}: {error}; {advice}") from error


@contextmanager
def _reading(path: Path) -> Iterator[apsw.Connection]:
    """Give a connection that can only read, and that sees the journal as it is now however long it takes."""
    with _blame(path):
        database = _connect(path, apsw.SQLITE_OPEN_READONLY)
        try:
            database.execute("BEGIN")
            yield database
        except (ValueError, TypeError, KeyError) as error:
            raise StorageError(f"{path} holds something that this Trialist cannot read: {error}") from error
        finally:
            database.close()


def _read_settings(database: apsw.Connection, path: Path) -> dict[str, Plain]:
    [(text, checksum)] = database.execute("SELECT settings, checksum FROM experiments").fetchall()
    if _checksum(str(text)) != checksum:
        raise StorageError(f"{path} is damaged: its settings are not those that were written")
    return cast("dict[str, Plain]", journal.decode(str(text)))


def _verified(database: apsw.Connection, path: Path, chain: journal.Chain) -> Iterator[journal.Row]:
    """Read the rows of the journal, and check each, and that there are as many as were committed."""
    [(events, mark)] = database.execute("SELECT events, mark FROM experiments").fetchall()
    try:
        for seq, stored, *columns in database.execute(_SELECT_EVENTS):
            row = journal.Row(*columns)
            chain.add(row.line)
            if (seq, stored) != (chain.length, chain.mark):
                raise StorageError(f"{path} is damaged: event {chain.length} is not what was written")
            yield row
    except (apsw.Error, UnicodeDecodeError) as error:
        raise StorageError(f"{path} is damaged: event {chain.length + 1} cannot be read: {error}") from error
    if (events, mark) != (chain.length, chain.mark):
        raise StorageError(f"{path} is damaged: it ends with event {chain.length}, and {events} were committed")


def _exhaust(items: Iterable[object]) -> None:
    deque(items, maxlen=0)


# One driver ----------------------------------------------------------------------------------------------------------


class _Lock:
    """Held by the one process that drives a run. The system lets go of it when that process dies, however it dies."""

    def __init__(self, directory: Path) -> None:
        path = directory / "driver.lock"
        with _blame(path):
            self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                owner = _owner(path)
                self.abandon()
                raise RunLocked(f"the run in {str(directory)!r} is driven by {owner}") from error
            self._sign(self._descriptor)
        self._let_children_go()

    def release(self) -> None:
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.abandon()

    def abandon(self) -> None:
        """Close the file. The lock stays with whoever else has it open."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    @staticmethod
    def _sign(descriptor: int) -> None:
        """Write down whose lock it is: only for the message that the next one gets."""
        owner = {"host": platform.node(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)

    def _let_children_go(self) -> None:
        """A forked child shares the lock, and would hold it after the driver's death: it closes its copy at birth."""
        reference = weakref.ref(self)

        def abandon() -> None:
            lock = reference()
            if lock:
                lock.abandon()

        os.register_at_fork(after_in_child=abandon)


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text())
        return f"process {owner['pid']} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
