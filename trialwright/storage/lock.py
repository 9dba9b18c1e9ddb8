"""One driver a run: whoever wants to write a journal holds the lock on ``<run>/driver.lock``."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import weakref
from datetime import UTC, datetime
from pathlib import Path

from trialwright.errors import RunLocked
from trialwright.storage.database import blame


class DriverLock:
    """Held by the one process that drives a run. The system lets go of it when that process dies, however it dies.

    Raises:
        RunLocked: another process holds it.
        StorageError: the disk does not let us.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / "driver.lock"
        with blame(path):
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
        """Let the next one have it."""
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
