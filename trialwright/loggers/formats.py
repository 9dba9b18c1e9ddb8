"""The formats of log files: ``progress.csv``, ``result.json``, and TensorBoard's event files."""

from __future__ import annotations

import csv
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cloudpickle

from trialwright.errors import nearest
from trialwright.loggers import events
from trialwright.loggers.rows import Logged, Row

KINDS = ("csv", "json", "tensorboard")
CSV_NAME = "progress.csv"
JSON_NAME = "result.json"
PICKLE_NAME = "params.pkl"
EVENTS_SUFFIX = ".trialwright"
_NO_SCALARS = frozenset(  # they say when a report came, which each event does anyway
    {"pid", "timestamp", "time_total_s", "training_iteration", "step", "time_s"}
)


class Format(Protocol):
    """One kind of log file. It is new whenever a process begins to write, and may throw away what it finds."""

    def start(self, trial: Logged) -> None:
        """A trial's configuration is known, for the first time or as another one."""

    def keep(self, trial: Logged) -> None:
        """Add to what is there of a trial, which comes from an earlier process."""

    def write(self, trial: Logged, rows: Sequence[Row]) -> None:
        """A trial reported."""

    def end(self, trial: Logged) -> None:
        """A trial ended, for good."""


def check(kinds: Sequence[str]) -> None:
    """Refuse what cannot be written.

    Raises:
        ValueError: a kind that is not known, or none.
    """
    if not kinds:
        raise ValueError(f"no kind of log file is given; the kinds are {', '.join(KINDS)}")
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"there is no kind of log file {kind!r}{nearest(kind, KINDS)}")


def made(kind: str, prefix: str) -> Format:
    """Return what writes files of this kind."""
    if kind == "tensorboard":
        return TensorBoardFormat(prefix)
    return CSVFormat() if kind == "csv" else JSONFormat()


class CSVFormat:
    """``progress.csv``: one row a report, one column a metric, as VisKit and ``pandas.read_csv`` take it.

    A metric that comes later than the first row gets its column then: the file is written anew, which is rare.
    """

    def __init__(self) -> None:
        self._columns: dict[int, list[str]] = {}

    def start(self, trial: Logged) -> None:
        """Nothing: the first row makes the file."""

    def keep(self, trial: Logged) -> None:
        """Read the columns that are there."""
        path = trial.directory / CSV_NAME
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self._columns[trial.id] = next(csv.reader(file), [])

    def write(self, trial: Logged, rows: Sequence[Row]) -> None:
        """Add rows."""
        path = trial.directory / CSV_NAME
        known = self._columns.get(trial.id, [])
        columns = list(dict.fromkeys([*known, *(name for row in rows for name in row.flat)]))
        earlier = _read_csv(path) if known and columns != known else []
        self._columns[trial.id] = columns
        with path.open("a" if columns == known else "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            if columns != known:
                writer.writeheader()
            writer.writerows(earlier)
            writer.writerows(row.flat for row in rows)

    def end(self, trial: Logged) -> None:
        """Forget the columns: a trial that has ended reports no more."""
        self._columns.pop(trial.id, None)


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class JSONFormat:
    """``result.json``: one JSON object a line and report. The configuration is in ``params.json``, not in every line;
    and pickled in ``params.pkl``, for programs that read its values from there, as Ray Tune's users do.

    NaN and infinities are written as Python's ``json`` does, and as it reads them.
    """

    def __init__(self) -> None:
        self._begun: set[int] = set()

    def start(self, trial: Logged) -> None:
        """Write the configuration; the first row makes the other file."""
        (trial.directory / PICKLE_NAME).write_bytes(cloudpickle.dumps(trial.config))

    def keep(self, trial: Logged) -> None:
        """Write behind the lines that are there."""
        self._begun.add(trial.id)

    def write(self, trial: Logged, rows: Sequence[Row]) -> None:
        """Add rows."""
        mode = "a" if trial.id in self._begun else "w"
        self._begun.add(trial.id)
        with (trial.directory / JSON_NAME).open(mode, encoding="utf-8") as file:
            file.writelines(f"{json.dumps(row.nested, default=str)}\n" for row in rows)

    def end(self, trial: Logged) -> None:
        """Nothing is open."""


class TensorBoardFormat:
    """TensorBoard's event files: each report's numbers as scalars, and the hyper-parameters when a trial has ended.

    ``tensorboard --logdir <run>`` shows each trial as a run of its own. A trial has one file, opened for each batch of
    rows.

    Args:
        prefix: what the names of metrics begin with.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._paths: dict[int, Path] = {}
        self._last: dict[int, dict[str, float]] = {}

    def start(self, trial: Logged) -> None:
        """Nothing: the first row makes the file."""

    def keep(self, trial: Logged) -> None:
        """Write behind the last file."""
        files = sorted(trial.directory.glob(f"events.out.tfevents.*{EVENTS_SUFFIX}"))
        self._paths.update({trial.id: files[-1]} if files else {})

    def write(self, trial: Logged, rows: Sequence[Row]) -> None:
        """Add rows."""
        with self._path(trial, rows[0].time).open("ab") as file:
            for row in rows:
                self._last[trial.id] = self._scalars(row)
                file.write(events.scalars(row.time, row.step, self._last[trial.id]))

    def _scalars(self, row: Row) -> dict[str, float]:
        return {
            self._prefix + name: value
            for name, value in row.flat.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and name not in _NO_SCALARS
        }

    def _path(self, trial: Logged, when: float) -> Path:
        """Return the trial's file; it is begun where there is none yet."""
        if trial.id in self._paths:
            return self._paths[trial.id]
        for earlier in trial.directory.glob(f"events.out.tfevents.*{EVENTS_SUFFIX}"):
            earlier.unlink()
        name = f"events.out.tfevents.{int(when):010d}.{socket.gethostname()}{EVENTS_SUFFIX}"
        path = self._paths[trial.id] = trial.directory / name
        path.write_bytes(events.opening(when))
        return path

    def end(self, trial: Logged) -> None:
        """Say which hyper-parameters led to which last metrics, and how the trial ended. It need not have reported."""
        if trial.varied:
            session = events.Session(trial.started, trial.ended, trial.outcome in ("failed", "lost"))
            with self._path(trial, trial.ended).open("ab") as file:
                file.write(events.hyper_parameters(session, trial.varied, self._last.get(trial.id, ())))
        self._last.pop(trial.id, None)
        self._paths.pop(trial.id, None)
