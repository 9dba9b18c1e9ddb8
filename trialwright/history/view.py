"""A view of a log: its trials at one moment, a row each."""

from __future__ import annotations

from functools import partial

import numpy as np

from trialwright.history.columns import Block
from trialwright.history.log import NONE, Kind, Log
from trialwright.history.record import Record, Reports, Unread

RECORDS_MAX = 50_000  # kept for those who go through all trials at each ask: at some 500 bytes, no more than these

_TRIAL = np.dtype([(name, np.int32) for name in ("birth", "head", "outcome", "until")] + [("paused", np.bool_)])


class View:
    """A log's trials at one moment: row i is the i-th trial in the order of the numbers.

    Attributes:
        moment: how many entries of the log are in it.
        ids: the trials' numbers, which rise.
        trials: what is known of each, NONE where nothing is. ``birth`` is where in the log's ``configs`` and ``tags``,
            ``outcome`` where in its ``outcomes``, ``head`` the row of the last report; the rest is as in ``Record``.
        previous: of each report, the row of the trial's report before it, or NONE. What was written here is never
            changed: where a trial goes back, its next report leads past those that it has taken back. So whoever has a
            head has the trial's reports as they were.
    """

    def __init__(self, log: Log, moment: int = 0) -> None:
        self.log = log
        self.moment = 0
        self.ids = Block(np.int32)
        self.trials = Block(_TRIAL)
        self.previous = Block(np.int32)
        self._records: dict[int, Record] = {}  # those that were asked for, by number, while they hold
        self.advance(moment)

    def advance(self, moment: int) -> None:
        """Take in what happened up to this moment."""
        for kind, trial, place in self.log.entries.room[self.moment : moment].tolist():
            self._records.pop(trial, None)
            self._take_in(kind, self._row(trial), place)
        self.moment = moment

    def _take_in(self, kind: int, row: int, place: int) -> None:
        birth, head, outcome, until, paused = self.trials.room[row].item()
        match kind:
            case Kind.BORN:
                birth, outcome = place, NONE
            case Kind.SEEN:
                head = self._chained(head, place)
            case Kind.LAUNCHED:
                until, paused = place, False
            case Kind.EXTENDED:
                until = place
            case Kind.PAUSED:
                paused = True
            case Kind.ENDED:
                outcome, paused = place, False
        self.trials.room[row] = birth, head, outcome, until, paused

    def _chained(self, head: int, end: int) -> int:
        """Put the new reports behind those of earlier steps: a retry repeats steps, and a clone goes back."""
        first, steps = len(self.previous), self.log.steps.room
        begin = steps[first]
        while head != NONE and steps[head] >= begin:
            head = int(self.previous.room[head])
        self.previous.append(head)
        self.previous.extend(np.arange(first, end - 1), end - 1 - first)
        return end - 1

    def find(self, trial: int) -> int:
        """Return the row where this trial is, or would be."""
        return int(self.ids.filled.searchsorted(np.int32(trial)))  # with a Python int, it would copy all the column

    def _row(self, trial: int) -> int:
        row = self.find(trial)
        if row == len(self.ids) or self.ids.room[row] != trial:
            self.ids.insert(row, trial)
            self.trials.insert(row, (NONE, NONE, NONE, NONE, False))
        return row

    def record(self, row: int) -> Record:
        """Return what is known of a trial; the same object until something happens to it."""
        trial = int(self.ids.room[row])
        record = self._records.get(trial)
        if record is None:
            if len(self._records) >= RECORDS_MAX:
                self._records.clear()
            record = self._records[trial] = self._read(row, trial)
        return record

    def _read(self, row: int, trial: int) -> Record:
        log, (birth, head, outcome, until, paused) = self.log, self.trials.room[row].item()
        return Unread(
            trial,
            log.configs[birth] if birth != NONE else {},
            log.tags[birth] if birth != NONE else {},
            log.outcomes[outcome] if outcome != NONE else None,
            paused=paused,
            until=until if until != NONE else None,
            last=tuple(log.values.room[head].tolist()) if head != NONE else None,
            read=partial(self._reports, head),
        )

    def _reports(self, head: int) -> Reports:
        rows = []
        while head != NONE:
            rows.append(head)
            head = int(self.previous.room[head])
        return self.log.reports(rows[::-1])
