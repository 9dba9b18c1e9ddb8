"""One run as the page sees it: what its settings say, and the index that follows its journal."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from trialwright.messages import Plain
from trialwright.page.index import Index
from trialwright.storage import formats, lock, tables
from trialwright.storage.database import reading
from trialwright.storage.place import JOURNAL, find_run

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
        """Whether a process drives it, or it has ended, or was killed before."""
        if is_driven(self.path):
            return "running"
        with reading(self.path / JOURNAL) as database:
            [(status,)] = database.execute("SELECT status FROM experiments").fetchall()
        return "closed" if status == "closed" else "interrupted"


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
