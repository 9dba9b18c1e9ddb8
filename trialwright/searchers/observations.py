"""Observations: a history as arrays, for models, kept up to date at the cost of what is new.

n: trials, in the order of their numbers. d: columns of the space. m: objectives. c: outcome constraints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from trialwright.history import History, Record, Values
from trialwright.messages import Config
from trialwright.searchers.base import Problem
from trialwright.space.values import Bools, Floats

UNKNOWN, PENDING, DONE, FAILED = range(4)
"""What is known of a trial: nothing can be (it never ran, was ended before its first report, or has a config that is
none of the space); it has not ended; it ended with finite values; it crashed, or ended with values that are not."""


class Observations:
    """All trials of a history as rows; what a trial was worth is what it reported last.

    Attributes:
        ids: the trials' numbers, shape (n,).
        units: their configs, shape (n, d); inactive columns are 0.5.
        active: which columns their configs have, shape (n, d).
        values: objectives, the smaller the better, shape (n, m); NaN unless DONE.
        violations: outcome constraints, met where at most 0, shape (n, c); NaN unless DONE.
        state: UNKNOWN, PENDING, DONE, or FAILED, shape (n,).
    """

    ids: npt.NDArray[np.int64]
    units: Floats
    active: Bools
    values: Floats
    violations: Floats
    state: npt.NDArray[np.int8]
    _is_strange: Bools

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._history = History()
        self._configs: list[Config | None] = []  # of each row
        d = problem.space.dimension
        self._buffers: dict[str, npt.NDArray[np.generic]] = {
            "ids": np.empty(0, np.int64),
            "units": np.empty((0, d)),
            "active": np.empty((0, d), np.bool_),
            "values": np.empty((0, problem.objectives)),
            "violations": np.empty((0, problem.constraints)),
            "state": np.empty(0, np.int8),
            "_is_strange": np.empty(0, np.bool_),  # the config is none of the space: somebody's mutation made it
        }
        self._resize(0)

    def __len__(self) -> int:
        return len(self._configs)

    @property
    def records(self) -> Sequence[Record]:
        """The records behind the rows."""
        return self._history.trials

    def update(self, history: History) -> None:
        """Become this history. What has not changed since the last one costs nothing."""
        if not history.follows(self._history):
            self._resize(0)
        view, rows = history.view, self._rows_of(history.changed(self._history), history)
        self._history = history
        self._resize(len(history))
        records = {row: view.record(row) for row in rows.tolist()}
        self._encode({row: record for row, record in records.items() if self._configs[row] is not record.config})
        for row, record in records.items():
            self._write(row, record)

    def _rows_of(self, changed: npt.NDArray[np.int32], history: History) -> npt.NDArray[np.int64]:
        """Return the rows that are to be written: what follows a new trial has moved, mostly nothing."""
        n, rows = len(self), history.view.ids.filled.searchsorted(changed)
        is_new = rows >= n
        is_new[~is_new] = self.ids[rows[~is_new]] != changed[~is_new]
        return np.union1d(rows, np.arange(rows[is_new].min(initial=n), len(history)))

    def rows(self, state: int) -> npt.NDArray[np.int64]:
        """Return which rows are in this state."""
        return np.flatnonzero(self.state == state)

    def _resize(self, n: int) -> None:
        """Have n rows, of which the first stay; room doubles, so that a row costs the same whatever n is."""
        for name, buffer in self._buffers.items():
            if n > len(buffer):
                grown = np.empty((max(n, 2 * len(buffer), 64), *buffer.shape[1:]), buffer.dtype)
                grown[: len(buffer)] = buffer
                self._buffers[name] = grown
            setattr(self, name, self._buffers[name][:n])
        del self._configs[n:]
        self._configs += [None] * (n - len(self))

    def _encode(self, records: Mapping[int, Record]) -> None:
        """Write the configs of these rows: all at once, unless some are none of the space."""
        rows, space = [*records], self._problem.space
        try:
            if rows:
                configs = [space.resolve(record.config) for record in records.values()]
                self.units[rows], self.active[rows] = space.encode(configs)
                self._is_strange[rows] = False
        except ValueError:
            if len(rows) > 1:
                for row in rows:
                    self._encode({row: records[row]})
            else:
                self.units[rows], self.active[rows], self._is_strange[rows] = 0.5, False, True
        for row, record in records.items():
            self._configs[row] = record.config

    def _write(self, row: int, record: Record) -> None:
        state, values = (UNKNOWN, ()) if self._is_strange[row] else worth(record)
        m = self._problem.objectives
        self.ids[row], self.state[row] = record.id, state
        self.values[row] = values[:m] if values else math.nan
        self.violations[row] = values[m:] if values else math.nan


def worth(record: Record) -> tuple[int, Values]:
    """Return the state of a trial whose config is known, and its values where it is DONE."""
    if record.outcome is None:
        return PENDING, ()
    if record.outcome.kind in ("failed", "lost"):
        return FAILED, ()
    last = record.last
    if last is None:
        return (FAILED if record.outcome.kind == "completed" else UNKNOWN), ()
    return (DONE, last) if all(map(math.isfinite, last)) else (FAILED, ())
