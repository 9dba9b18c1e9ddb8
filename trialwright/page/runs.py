"""Which runs a page shows: one, or all in a directory."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from trialwright import runs
from trialwright.page.queries import Answer, told
from trialwright.page.run import ShownRun, open_run
from trialwright.runs import RunInfo, Unreadable
from trialwright.storage import lock
from trialwright.storage.place import JOURNAL, home, is_run

MOST = 500  # runs that are listed
QUICK_S = 0.5  # how long the list waits for runs that were not read before: large ones are read meanwhile


class Runs:
    """The runs in a directory, or one of them.

    Args:
        where: a run's directory, or one in which there are runs; None for where runs are kept by default.

    Raises:
        ValueError: there is no such directory.
    """

    def __init__(self, where: Path | None = None) -> None:
        self._where = (home() if where is None else where).expanduser().resolve()
        if not self._where.is_dir():
            raise ValueError(f"there is no directory {str(self._where)!r}")
        self.is_one = is_run(self._where)
        self._opened: dict[str, ShownRun] = {}
        self._described: dict[str, tuple[object, Future[RunInfo | Unreadable]]] = {}
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="trialwright-page-list")
        self._lock = threading.Lock()

    def get(self, name: str) -> ShownRun | None:
        """Return the run in the directory of this name; None if there is none."""
        path = self._paths().get(name)
        if path is None:
            return None
        with self._lock:
            if name not in self._opened:
                self._opened[name] = open_run(path)
            return self._opened[name]

    def listed(self) -> list[Answer]:
        """Return a line about each run, the newest first. A line with ``"reading": True`` is not complete yet."""
        until = time.monotonic() + QUICK_S
        paths = self._paths()
        if self.is_one:  # the page goes on to the run itself
            return [_unread(name) for name in paths]
        small_first = sorted(paths, key=lambda name: (paths[name] / JOURNAL).stat().st_size)
        described = {name: self._describe(name, paths[name]) for name in small_first}
        reading = {name: described[name] for name in paths}
        wait(reading.values(), max(0.0, until - time.monotonic()))
        return [_line(info.result()) if info.done() else _unread(name) for name, info in reading.items()]

    def _paths(self) -> dict[str, Path]:
        if self.is_one:
            return {self._where.name: self._where}
        return {path.name: path for path in runs.run_paths(self._where)[:MOST]}

    def _describe(self, name: str, path: Path) -> Future[RunInfo | Unreadable]:
        noted = lock.committed(path)
        stamp = (path / JOURNAL).stat().st_mtime_ns, lock.driver(path), noted and noted.is_paused
        with self._lock:
            known = self._described.get(name)
            # One that is being read is not read again: it changes all the time, and would never be done.
            if known is None or (known[0] != stamp and known[1].done()):
                known = self._described[name] = (stamp, self._reader.submit(runs.described, path))
            return known[1]


def _line(run: RunInfo | Unreadable) -> Answer:
    if isinstance(run, Unreadable):
        return {"id": run.id, "name": run.id, "state": "unreadable", "problem": run.problem}
    return {
        "id": run.id,
        "name": run.name,
        "created": run.created.isoformat(sep=" ", timespec="seconds"),
        "state": run.state,
        "trials": run.trials,
        "wanted": run.planned,
        "metric": run.metric,
        "mode": run.objectives[0][1] if run.objectives else None,
        "best": run.best and run.best.value,
        "now": run.elapsed_s,
        "searcher": told(run.settings.get("searcher")),
        "scheduler": told(run.settings.get("scheduler")),
    }


def _unread(name: str) -> Answer:
    return {"id": name, "name": name, "state": "", "reading": True, "problem": "it is being read"}
