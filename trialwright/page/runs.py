"""Which runs a page shows: one, or all in a directory."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from trialwright.page import queries
from trialwright.page.run import ShownRun, is_driven, open_run
from trialwright.storage.place import home, is_run

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
        self._lines: dict[str, tuple[object, Future[queries.Answer]]] = {}
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

    def listed(self) -> list[queries.Answer]:
        """Return a line about each run, the newest first. A line with ``"reading": True`` is not complete yet."""
        until = time.monotonic() + QUICK_S
        paths = self._paths()
        if self.is_one:  # the page goes on to the run itself
            return [_unread(name) for name in paths]
        small_first = sorted(paths, key=lambda name: (paths[name] / "journal.sqlite").stat().st_size)
        lines = {name: self._line(name, paths[name]) for name in small_first}
        reading = {name: lines[name] for name in paths}
        wait(reading.values(), max(0.0, until - time.monotonic()))
        return [line.result() if line.done() else _unread(name) for name, line in reading.items()]

    def _paths(self) -> dict[str, Path]:
        if self.is_one:
            return {self._where.name: self._where}
        runs = [
            (path.stat().st_mtime, path) for path in self._where.iterdir() if is_run(path) and not path.is_symlink()
        ]
        return {path.name: path for _, path in sorted(runs, reverse=True)[:MOST]}

    def _line(self, name: str, path: Path) -> Future[queries.Answer]:
        stamp = (path / "journal.sqlite").stat().st_mtime_ns, is_driven(path)
        with self._lock:
            known = self._lines.get(name)
            # One that is being read is not read again: it changes all the time, and would never be done.
            if known is None or (known[0] != stamp and known[1].done()):
                known = self._lines[name] = (stamp, self._reader.submit(_line, name, path))
            return known[1]


def _line(name: str, path: Path) -> queries.Answer:
    """Ask the journal itself, without an index of all its trials."""
    try:
        run = open_run(path)
    except Exception as error:  # one run that cannot be read must not hide the others
        return {"id": name, "name": name, "state": "unreadable", "problem": str(error)}
    try:
        return queries.line(run)
    finally:
        run.index.close()


def _unread(name: str) -> queries.Answer:
    return {"id": name, "name": name, "state": "", "reading": True, "problem": "it is being read"}
