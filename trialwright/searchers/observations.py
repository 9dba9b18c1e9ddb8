"""Observations: a history as arrays, for models, kept up to date at the cost of what is new.

n: trials, in the order of their numbers. d: columns of the space. m: objectives. c: outcome constraints.
A trial's *reach* is the last step that it reported with its config; infinite if that was its end. A *level* is a step
at which trials stand: paused, stopped, or ended. Trials are compared at one level, because a value after 3 steps and
one after 27 say little of each other (Li et al. 2018; Falkner et al. 2018, arXiv 1807.01774, section 4).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from trialwright.history import History, Record
from trialwright.history.log import NONE
from trialwright.messages import Config
from trialwright.searchers.base import Problem
from trialwright.searchers.pareto import best_first
from trialwright.space.values import Bools, Floats, Ints

UNKNOWN, PENDING, DONE, FAILED, SHORT = range(5)
"""What is known of a trial: nothing can be (it never ran, was ended before its first report, or has a config that is
none of the space); it runs, or waits to, and has come to no level; it has finite values at the level; it crashed, or
its values are not finite; it has finite values at a lower level and no further."""

FAR = 1e300  # stands for what is not finite at a lower level
LEVELS_MAX = 12
"""More levels than these are thinned to evenly spaced logarithms: where every report is judged, every step is one."""


class Observations:
    """All trials of a history as rows, compared at the highest level that enough of them have reached.

    Args:
        problem: that is searched.
        enough: so many trials are compared at least, if there are; by default one more than the space has columns,
            from 3 to 10.

    Attributes:
        ids: the trials' numbers, shape (n,).
        units: their configs, shape (n, d); inactive columns are 0.5.
        active: which columns their configs have, shape (n, d).
        values: objectives at the level, the smaller the better, shape (n, m); NaN unless DONE.
        violations: outcome constraints there, met where at most 0, shape (n, c); NaN unless DONE.
        state: UNKNOWN, PENDING, DONE, FAILED, or SHORT, shape (n,).
        reach: shape (n,); 0 where nothing was reported.
        runs: which run, or wait to, shape (n,).
        paused: which may be resumed, shape (n,).
        levels: where trials stand, which rise; infinite for "at their end".
        level: the highest of them that enough have reached, where trials are compared.
    """

    ids: npt.NDArray[np.int64]
    units: Floats
    active: Bools
    values: Floats
    violations: Floats
    state: npt.NDArray[np.int8]
    reach: Floats
    _head: npt.NDArray[np.int32]
    _end: npt.NDArray[np.int8]
    runs: Bools
    paused: Bools
    _is_strange: Bools

    def __init__(self, problem: Problem, enough: int | None = None) -> None:
        d = problem.space.dimension
        self._problem = problem
        self._enough = min(max(d + 1, 3), 10) if enough is None else enough
        self._history = History()
        self._configs: list[Config | None] = []  # of each row
        self._standing: Counter[float] = Counter()  # reaches of trials that do not run
        self.levels, self.level = [math.inf], math.inf
        self._buffers: dict[str, npt.NDArray[np.generic]] = {
            "ids": np.empty(0, np.int64),
            "units": np.empty((0, d)),
            "active": np.empty((0, d), np.bool_),
            "values": np.empty((0, problem.objectives)),
            "violations": np.empty((0, problem.constraints)),
            "state": np.empty(0, np.int8),
            "reach": np.empty(0),
            "_head": np.empty(0, np.int32),  # row of the last report with this config, in the history's log
            "_end": np.empty(0, np.int8),
            "runs": np.empty(0, np.bool_),
            "paused": np.empty(0, np.bool_),
            "_is_strange": np.empty(0, np.bool_),  # the config is none of the space: a mutation made it
        }
        self._resize(0)

    def __len__(self) -> int:
        return len(self._configs)

    @property
    def history(self) -> History:
        """The history behind the rows."""
        return self._history

    @property
    def records(self) -> Sequence[Record]:
        """The records behind the rows."""
        return self._history.trials

    def update(self, history: History) -> None:
        """Become this history. What has not changed since the last one costs nothing, unless the level changes."""
        if not history.follows(self._history):
            self._resize(0)
        rows = self._rows_of(history.changed(self._history), history)
        self._history = history
        self._forget(rows[rows < len(self)])
        self._resize(len(history))
        self._encode(rows)
        self._stand(rows)
        # Only these two decide what a row's state is: if they stay, so do all rows that have not changed.
        before, self.levels = (self.levels[0], self.level), self._levels() or [math.inf]
        reached = (level for level in self.levels[:0:-1] if np.count_nonzero(self.reach >= level) >= self._enough)
        self.level = next(reached, self.levels[0])  # the highest that enough have come to, else the lowest
        self._compare(rows if before == (self.levels[0], self.level) else np.arange(len(self)))

    @property
    def count(self) -> int:
        """How many trials have finite values at some level."""
        return int(np.count_nonzero((self.state == DONE) | (self.state == SHORT)))

    def rows(self, state: int) -> Ints:
        """Return which rows are in this state."""
        return np.flatnonzero(self.state == state)

    def _levels(self) -> list[float]:
        """Return the levels that there are, which rise; none of them close together, if they are many."""
        levels = sorted(level for level, count in self._standing.items() if count > 0 and level > 0)
        if len(levels) <= LEVELS_MAX:
            return levels
        finite = [level for level in levels if level < math.inf]
        wanted = np.geomspace(finite[0], finite[-1], LEVELS_MAX - 1)
        # geomspace may round up past a level, which then would be passed over.
        places = np.searchsorted(finite, wanted * (1 - 1e-9))
        return [finite[place] for place in np.unique(np.minimum(places, len(finite) - 1))] + levels[len(finite) :]

    def best_first(self, count: int | None = None) -> Ints:
        """Return the rows that are DONE or SHORT from best to worst; only the first ``count``, if that is given.

        A trial that is SHORT comes where its rank at its own level puts it among those that have gone further: if two
        of these are better there, after the best two.
        """
        m, order, short = self._problem.objectives, self.rows(DONE), self.rows(SHORT)
        order = order[best_first(self.values[order], self.violations[order], None if len(short) else count)]
        place = self.place(short)
        for index in np.unique(place)[::-1]:
            rows = np.concatenate([order, short[place == index]])
            # A trial that went further may have been NaN here: it comes last at this level, and keeps its place above.
            outputs = np.nan_to_num(self.outputs_at(rows, self.levels[index]), nan=FAR, posinf=FAR, neginf=-FAR)
            found = best_first(outputs[:, :m], outputs[:, m:])
            is_new = found >= len(order)
            order = np.insert(order, np.cumsum(~is_new)[is_new], rows[found[is_new]])
        return order[:count]

    def until(self, rows: Ints) -> Floats:
        """Return the steps that these rows were let go to last, shape (k,); that of the level, where none was set."""
        until = self._history.view.trials.room["until"][rows]
        return np.where(until == NONE, self.step_of(self.level), until)

    def place(self, rows: Ints) -> Ints:
        """Return which level these rows have come to, -1 if to none."""
        return np.searchsorted(self.levels, self.reach[rows], "right") - 1

    def step_of(self, level: float) -> float:
        """Return a level as a step: the end is where the trial that went furthest has ended."""
        if level < math.inf:
            return level
        heads = self._head[self.reach == math.inf]
        return float(self._history.log.steps.room[heads].max(initial=1))

    def outputs_at(self, rows: Ints, level: float) -> Floats:
        """Return the objectives and constraints that these rows reported at a level, shape (k, m + c); NaN where they
        have not come so far. Of a trial that has ended earlier by itself, its last ones."""
        return self._reports(self._heads_at(rows, level))

    def sems_at(self, rows: Ints, level: float) -> Floats:
        """Return the standard errors of the objectives there, shape (k, m); 0 where they are not known."""
        sems = np.zeros((len(rows), self._problem.objectives))
        known = self._history.log.sems
        for place, head in enumerate(self._heads_at(rows, level).tolist() if known else ()):
            if head in known:
                sems[place] = known[head]
        return sems

    def _heads_at(self, rows: Ints, level: float) -> npt.NDArray[np.int32]:
        """Return the rows of the log in which these rows reported at a level, NONE where they did not."""
        heads = np.where(self.reach[rows] >= level, self._head[rows], NONE)
        heads = self._history.view.back_to(heads, level)
        before = heads < self._history.view.firsts(rows)  # another config reported it
        return np.where(before, NONE, heads).astype(np.int32)

    def _reports(self, heads: npt.NDArray[np.int32]) -> Floats:
        """Return what was reported in these rows of the log, shape (k, m + c); NaN where there is none."""
        outputs = np.full((len(heads), self._problem.objectives + self._problem.constraints), math.nan)
        found = heads != NONE
        if found.any():
            outputs[found] = self._history.log.values.room[heads[found]]
        return outputs

    # Rows ------------------------------------------------------------------------------------------------------------

    def _rows_of(self, changed: npt.NDArray[np.int32], history: History) -> Ints:
        """Return the rows that are to be written: what follows a new trial has moved, mostly nothing."""
        n, rows = len(self), history.view.ids.filled.searchsorted(changed)
        is_new = rows >= n
        # A trial with a lower number may come late, enqueued while others ran: all rows behind it move.
        is_new[~is_new] = self.ids[rows[~is_new]] != changed[~is_new]
        return np.union1d(rows, np.arange(rows[is_new].min(initial=n), len(history)))

    def _resize(self, n: int) -> None:
        """Have n rows, of which the first stay; room doubles, so that a row costs the same whatever n is."""
        if not n:
            self._standing.clear()
        for name, buffer in self._buffers.items():
            if n > len(buffer):
                grown = np.empty((max(n, 2 * len(buffer), 64), *buffer.shape[1:]), buffer.dtype)
                grown[: len(buffer)] = buffer
                self._buffers[name] = grown
            setattr(self, name, self._buffers[name][:n])
        del self._configs[n:]
        self._configs += [None] * (n - len(self))

    def _encode(self, rows: Ints) -> None:
        """Write the numbers of these rows, and the configs of those that have another one."""
        view = self._history.view
        self.ids[rows] = view.ids.room[rows]
        births = view.trials.room["birth"][rows].tolist()
        configs = {row: view.log.configs[birth] for row, birth in zip(rows.tolist(), births, strict=True)}
        self._encode_configs({row: config for row, config in configs.items() if self._configs[row] is not config})

    def _encode_configs(self, configs: Mapping[int, Config]) -> None:
        """Write configs: all at once, unless some are none of the space."""
        rows, space = [*configs], self._problem.space
        try:
            if rows:
                self.units[rows], self.active[rows] = space.encode([*map(space.resolve, configs.values())])
                self._is_strange[rows] = False
        except ValueError:
            if len(rows) > 1:
                for row in rows:
                    self._encode_configs({row: configs[row]})
            else:
                self.units[rows], self.active[rows], self._is_strange[rows] = 0.5, False, True
        for row, config in configs.items():
            self._configs[row] = config

    # How far they have come ------------------------------------------------------------------------------------------

    def _forget(self, rows: Ints) -> None:
        self._standing.subtract(self.reach[rows[~self.runs[rows]]].tolist())

    def _stand(self, rows: Ints) -> None:
        """Write how far these rows have come, and whether they go on."""
        view, log = self._history.view, self._history.log
        known = view.trials.room[rows]
        end = np.array([0 if each == NONE else _END[log.outcomes[each].kind] for each in known["outcome"].tolist()])
        is_unfit = (end == _CRASHED) | self._is_strange[rows]
        head = np.where((known["head"] < view.firsts(rows)) | is_unfit, NONE, known["head"])
        step = np.where(head == NONE, 0, log.steps.room[head]) if len(log.steps) else np.zeros(len(rows))
        is_cut = (known["until"] != NONE) & (step >= known["until"])  # its scheduler had to say whether it goes on
        is_whole = (head != NONE) & ((end == _COMPLETED) | ((end == _STOPPED) & ~is_cut))
        self._head[rows], self._end[rows] = head, end
        self.reach[rows] = np.where(is_whole, math.inf, step)
        self.runs[rows], self.paused[rows] = (end == _LIVES) & ~known["paused"], known["paused"]
        self._standing.update(self.reach[rows[~self.runs[rows]]].tolist())

    def _compare(self, rows: Ints) -> None:
        """Write the states of these rows, and their values at the level."""
        m, outputs, last = self._problem.objectives, self.outputs_at(rows, self.level), self._reports(self._head[rows])
        runs, end, is_short = self.runs[rows], self._end[rows], self.reach[rows] < self.level
        is_pending = runs & (self.reach[rows] < self.levels[0])
        is_fine = np.isfinite(np.where(is_short[:, None], last, outputs)).all(axis=1)
        # What completed without a report counts as failed; what was stopped before its first report, as not known.
        is_silent = (self._head[rows] == NONE) & (end != _COMPLETED)
        states = [UNKNOWN, FAILED, PENDING, UNKNOWN, FAILED, SHORT]
        cases = [self._is_strange[rows], end == _CRASHED, is_pending, is_silent, ~is_fine, is_short]
        state = np.select(cases, states, DONE)
        outputs[state != DONE] = math.nan
        self.state[rows], self.values[rows], self.violations[rows] = state, outputs[:, :m], outputs[:, m:]


_LIVES, _COMPLETED, _STOPPED, _CRASHED = range(4)
_END = {"completed": _COMPLETED, "stopped": _STOPPED, "cancelled": _STOPPED, "failed": _CRASHED, "lost": _CRASHED}
