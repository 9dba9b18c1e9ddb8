"""Observations: a history as arrays, for models, kept up to date at the cost of what is new.

n: trials, in the order of their numbers. d: columns of the space. m: objectives. c: outcome constraints.
"""

from __future__ import annotations

import math
from itertools import compress
from operator import is_not

import numpy as np
import numpy.typing as npt

from trialwright.history import History, Record, Values
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

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._records: tuple[Record, ...] = ()
        self._strange: set[int] = set()  # trials whose config is none of the space: somebody's mutation made it
        d = problem.space.dimension
        self._buffers: dict[str, npt.NDArray[np.generic]] = {
            "ids": np.empty(0, np.int64),
            "units": np.empty((0, d)),
            "active": np.empty((0, d), np.bool_),
            "values": np.empty((0, problem.objectives)),
            "violations": np.empty((0, problem.constraints)),
            "state": np.empty(0, np.int8),
        }
        self._resize(0)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def records(self) -> tuple[Record, ...]:
        """The records behind the rows."""
        return self._records

    def update(self, history: History) -> None:
        """Become this history. A record that is the very same as before costs next to nothing."""
        known, records = self._records, history.trials
        shared = min(len(known), len(records))
        changed = [*compress(range(shared), map(is_not, known, records))]
        new = [*range(shared, len(records))]
        self._resize(len(records))
        self._records = records
        self._encode([row for row in changed if _is_another(records[row], known[row])] + new)
        for row in changed + new:
            self._write(row, records[row])

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

    def _encode(self, rows: list[int]) -> None:
        """Write the configs of these rows: all at once, unless some are none of the space."""
        records, space = [self._records[row] for row in rows], self._problem.space
        self._strange.difference_update(record.id for record in records)
        try:
            if rows:
                self.units[rows], self.active[rows] = space.encode([space.resolve(r.config) for r in records])
        except ValueError:
            if len(rows) > 1:
                for row in rows:
                    self._encode([row])
            else:
                self._strange.add(records[0].id)
                self.units[rows], self.active[rows] = 0.5, False

    def _write(self, row: int, record: Record) -> None:
        state, values = (UNKNOWN, ()) if record.id in self._strange else worth(record)
        m = self._problem.objectives
        self.ids[row], self.state[row] = record.id, state
        self.values[row] = values[:m] if values else math.nan
        self.violations[row] = values[m:] if values else math.nan


def _is_another(record: Record, before: Record) -> bool:
    return before.id != record.id or before.config is not record.config


def worth(record: Record) -> tuple[int, Values]:
    """Return the state of a trial whose config is known, and its values where it is DONE."""
    if record.outcome is None:
        return PENDING, ()
    if record.outcome.kind in ("failed", "lost"):
        return FAILED, ()
    if not record.values:
        return (FAILED if record.outcome.kind == "completed" else UNKNOWN), ()
    last = record.values[-1]
    return (DONE, last) if all(map(math.isfinite, last)) else (FAILED, ())
