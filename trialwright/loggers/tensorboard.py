"""Event files for TensorBoard: each report's numbers as scalars, and the hyper-parameters when a trial has ended.

``tensorboard --logdir <run>`` shows each trial as a run of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from trialwright.loggers import events
from trialwright.loggers.rows import Logged, Row

SUFFIX = ".trialwright"
_NO_SCALARS = frozenset(  # they say when a report came, which each event does anyway
    {"pid", "timestamp", "time_total_s", "training_iteration", "step", "time_s"}
)


class TensorBoardFormat:
    """One file a trial, opened for each batch of rows.

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
        files = sorted(trial.directory.glob(f"events.out.tfevents.*{SUFFIX}"))
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
        for earlier in trial.directory.glob(f"events.out.tfevents.*{SUFFIX}"):
            earlier.unlink()
        name = f"events.out.tfevents.{int(when):010d}.{socket.gethostname()}{SUFFIX}"
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
