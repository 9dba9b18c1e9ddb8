"""One run as the page sees it: what its settings say, and the index that follows its journal."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from trialwright.errors import StorageError
from trialwright.messages import Plain
from trialwright.page.index import Index
from trialwright.runs import Objective, RunState, objectives_of, planned_of, state_of
from trialwright.storage import formats, tables
from trialwright.storage.database import reading
from trialwright.storage.place import JOURNAL, find_run

TRIES, AGAIN_S = 3, 0.3  # how often a journal that cannot be read is tried again, and after how long


@dataclass(frozen=True)
class ShownRun:
    """A run that is shown: ``settings`` are the keywords of its Engine as far as they are plain data."""

    path: Path
    name: str
    created: str
    settings: Mapping[str, Any]
    objectives: tuple[Objective, ...]
    index: Index

    @property
    def state(self) -> RunState:
        """See ``RunInfo``."""
        return state_of(self.path)

    @property
    def planned(self) -> int | None:
        """How many new trials it plans; None for unlimited."""
        return planned_of(self.path, self.settings)


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
    goals = objectives_of(told)
    index = Index(path / JOURNAL, goals[0][1] if goals else "min")
    return ShownRun(path, str(told.get("name") or path.name), str(created), told, goals, index)
