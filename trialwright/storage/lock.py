"""One driver for each run: it holds the lock on ``<run>/driver.lock``.

The driver writes into that file how far the journal is committed, and whether the run is over or paused. The file is
not synced, so it may be behind, but it is never ahead: a journal that has less than this, or differs there, has lost
its log or has another run's.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

from trialwright.errors import RunLocked
from trialwright.storage.database import blame

NAME = "driver.lock"
LOOKS = 5  # attempts to take the lock: a process that looks whether a driver lives holds it for a moment
LOOK_S = 0.02  # between two of them
_LENGTH = 512  # of what is written: one write of the same length each time, so that readers see all of it or the last


class Committed(NamedTuple):
    """How far a journal is committed, its number of events and the mark of the last; and how the run is then."""

    events: int
    mark: str
    is_over: bool | None = False  # nothing is left to be done; None if an earlier version has written it
    is_paused: bool = False  # it is asked to start no more trials
    samples: int | None = None  # how many new trials are planned, -1 for unlimited; None as above


class Driver(NamedTuple):
    """The process that drives a run; ``pid`` is 0 where the file does not say it."""

    host: str
    pid: int
    since: str  # UTC


def driver(directory: Path) -> Driver | None:
    """Return the process that drives the run in this directory now; None if there is none."""
    try:
        descriptor = os.open(directory / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # no driver has ever been there, or the file cannot be read
        return None
    try:
        # Shared: two that look at the same time do not take each other for a driver.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_driver(directory / NAME)
    except OSError:  # a disk without locks: it cannot be known
        return None
    finally:
        os.close(descriptor)
    return None


def _read_driver(path: Path) -> Driver:
    try:
        owner = json.loads(path.read_text())
        return Driver(str(owner["host"]), int(owner["pid"]), str(owner["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Driver("", 0, "")


def committed(directory: Path) -> Committed | None:
    """Return what the run's last driver wrote; None if the file is not there, or does not say it."""
    try:
        said = json.loads((directory / NAME).read_text())
        how = cast("bool | None", said.get("is_over")), bool(said.get("is_paused")), said.get("samples")
        return Committed(int(said["events"]), str(said["mark"]), *how)
    except (OSError, ValueError, KeyError, TypeError):
        return None


class DriverLock:
    """Held by the one process that drives a run. The system releases it when that process dies, in whatever way.

    Raises:
        RunLocked: another process holds it.
        StorageError: the disk is full or fails.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / NAME
        with blame(path):
            # O_CLOEXEC: a program that the run starts would inherit the lock, and hold it after the run's death. flock,
            # not fcntl's locks: those are released when any descriptor of the file is closed, also by code that only
            # reads it.
            self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if not _taken(self._descriptor):
                self.abandon()
                raise RunLocked(f"the run in {str(directory)!r} is driven by {_owner(path)}")
            self.committed = committed(directory)  # by the driver before this one
            since = datetime.now(UTC).isoformat(timespec="seconds")
            self._size = -1  # of what is written; unknown yet
            self._owner = {"host": platform.node(), "pid": os.getpid(), "since": since}
            try:
                self._sign(self.committed)
            except OSError:
                self.abandon()
                raise
        self._let_children_go()

    def release(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            # Explicitly, not by closing: a forked child that has the file open too would keep the lock.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.abandon()

    def abandon(self) -> None:
        """Close the file. If a forked process has it open too, that one keeps the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def forget(self) -> None:
        """A new journal begins here: erase what was written about one that was deleted."""
        self.committed = None
        self._sign(None)

    def note(self, known: Committed) -> None:
        """Write down how far the journal is committed."""
        with suppress(OSError):  # the file may be behind
            self._sign(known)

    def _sign(self, known: Committed | None) -> None:
        """Write down who holds the lock, for the message of ``RunLocked``, and how far the journal is committed."""
        if self._descriptor is not None:
            text = json.dumps({**self._owner, **(known._asdict() if known else {})}).ljust(_LENGTH).encode()
            # One call and no truncation in front: a reader that comes in between would find an empty file.
            os.pwrite(self._descriptor, text, 0)
            if len(text) != self._size:  # it is the same after each commit
                os.ftruncate(self._descriptor, len(text))
                self._size = len(text)

    def _let_children_go(self) -> None:
        """Have forked children close their copy of the lock, which they would hold after the driver's death."""
        # Functions that are registered for forks can never be removed: a strong reference would keep every lock of a
        # long-lived process.
        reference = weakref.ref(self)

        def abandon() -> None:
            lock = reference()
            if lock:
                lock.abandon()

        os.register_at_fork(after_in_child=abandon)


def _taken(descriptor: int) -> bool:
    """Take the lock, and tell whether that was possible."""
    for look in range(LOOKS):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if look < LOOKS - 1:
            time.sleep(LOOK_S)
    return False


def _owner(path: Path) -> str:
    owner = _read_driver(path)
    return f"process {owner.pid} on {owner.host}, since {owner.since}" if owner.pid else "another process"
