"""One run as the page sees it: what its settings say, and the index that follows its journal."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, cast

from trialwright.errors import StorageError
from trialwright.messages import Plain
from trialwright.page.index import Index
from trialwright.storage import formats, lock, tables
from trialwright.storage.database import reading
from trialwright.storage.place import JOURNAL, find_run

TRIES, AGAIN_S = 3, 0.3  # how often a journal that cannot be read is tried again, and after how long

State = Literal["running", "closed", "interrupted"]


@dataclass(frozen=True)
class ShownRun:
    """A run that is shown: ``settings`` are the keywords of its Engine as far as they are plain data."""

    path: Path
    name: str
    created: str
    settings: Mapping[str, Any]
    objectives: tuple[tuple[str, str], ...]
    index: Index

    @property
    def state(self) -> State:
        """Whether a process drives it, or nothing is left to be done, or it can be resumed; as ``runs.describe``."""
        if is_driven(self.path):
            return "running"
        known = lock.committed(self.path)
        if known is not None and known.is_over is not None:
            return "closed" if known.is_over else "interrupted"
        with reading(self.path / JOURNAL) as database:
            [(status,)] = database.execute("SELECT status FROM experiments").fetchall()
        return "closed" if status == "closed" else "interrupted"


P = ParamSpec("P")
T = TypeVar("T")


def patiently(ask: Callable[P, T], *args: P.args, **keywords: P.kwargs) -> T:
    """Ask a journal, again if it cannot be read: at its end a run's log is removed, perhaps at this moment.

    Raises:
        StorageError: it cannot be read at all.
    """
    for _ in range(TRIES):
        try:
            return ask(*args, **keywords)
        except StorageError:
            time.sleep(AGAIN_S)
    return ask(*args, **keywords)


def open_run(given: str | os.PathLike[str]) -> ShownRun:
    """Open a run to show it; nothing is read of its trials yet.

    Raises:
        ValueError: there is no run, or one of format 1.
        StorageError: its journal is damaged.
    """
    path = find_run(given).resolve()
    with reading(path / JOURNAL) as database:
        # Its pages are not checked: that would read the whole file before anything is shown.
        version = formats.recognised(database, path / JOURNAL)
        told = cast("Mapping[str, Plain]", tables.settings(database, path / JOURNAL)["data"])
        [(created,)] = database.execute("SELECT created FROM experiments").fetchall()
    formats.refuse_old(path / JOURNAL, version)
    goals = objectives(told)
    index = Index(path / JOURNAL, goals[0][1] if goals else "min")
    return ShownRun(path, str(told.get("name") or path.name), str(created), told, goals, index)


def objectives(told: Mapping[str, Plain]) -> tuple[tuple[str, str], ...]:
    """Return the metrics of a run, each with its mode."""
    metrics, modes = _several(told.get("metric")), _several(told.get("mode") or "min")
    return tuple(zip(metrics, modes * len(metrics) if len(modes) == 1 else modes, strict=False))


def is_driven(path: Path) -> bool:
    """Tell whether a process drives the run in this directory now."""
    try:
        descriptor = os.open(path / lock.NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # none ever has, or it cannot be known
        return False
    try:
        # A shared lock, for a moment: the driver's is exclusive.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _several(given: Plain) -> list[str]:
    return [str(each) for each in given] if isinstance(given, list) else [] if given is None else [str(given)]
