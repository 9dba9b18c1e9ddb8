"""What a searcher is shown: a log as it was at one moment, as records of trials or in columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from trialwright.history.log import NONE, Block, Entry, Kind, Log
from trialwright.history.record import Record, Reports, Unread
from trialwright.messages import Tags
from trialwright.on_demand import OnDemand

RECORDS_MAX = 50_000  # kept for searchers that go through all trials at each ask; a record takes some 500 bytes

_TRIAL = np.dtype([(name, np.int32) for name in ("birth", "head", "outcome", "until")] + [("paused", np.bool_)])


class View:
    """A log's trials at one moment: row i is the i-th trial in the order of the numbers.

    Attributes:
        moment: the number of entries of the log that it shows.
        ids: the trials' numbers, in ascending order.
        trials: a row for each, with NONE for unknown. ``birth`` is the index in the log's ``configs`` and ``tags``,
            ``outcome`` the index in its ``outcomes``, ``head`` the row of the last report; others as in ``Record``.
        previous: for each report, the row of the trial's report before it, or NONE. Rows here are never changed: where
            a trial goes back to an earlier step, its next report skips those that it repeats. So a head always leads
            to the trial's reports as they were then.
    """

    def __init__(self, log: Log, moment: int = 0) -> None:
        self.log = log
        self.moment = 0
        self.ids = Block(np.int32)
        self.trials = Block(_TRIAL)
        self.previous = Block(np.int32)
        self._births = 0  # entries that say that a trial exists, or has another config or tags
        self._firsts: dict[int, int] = {}  # of births as clones: the row of the first report that may come
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
                self._births = place + 1
                if head != NONE:
                    self._note_clone(birth, place)
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

    def _note_clone(self, before: int, birth: int) -> None:
        """A trial that has reported is born again: if its config is another, its reports so far are inherited."""
        first = self._firsts.get(before, 0)
        if before == NONE or self.log.configs[before] != self.log.configs[birth]:
            first = len(self.previous)
        if first:
            self._firsts[birth] = first

    def _chained(self, head: int, end: int) -> int:
        """Chain the new reports to that of the last earlier step: a retry repeats steps, and a clone goes back."""
        first, steps = len(self.previous), self.log.steps.room
        begin = steps[first]
        while head != NONE and steps[head] >= begin:
            head = int(self.previous.room[head])
        self.previous.append(head)
        self.previous.extend(np.arange(first, end - 1), end - 1 - first)
        return end - 1

    def newest_tags(self) -> Iterator[Tags]:
        """Yield all tags of searchers and schedulers, the newest first."""
        return (self.log.tags[place] for place in reversed(range(self._births)))

    def find(self, trial: int) -> int:
        """Return the row where this trial is, or would be."""
        return int(self.ids.filled.searchsorted(np.int32(trial)))  # a Python int would make it copy the whole column

    def _row(self, trial: int) -> int:
        row = self.find(trial)
        if row == len(self.ids) or self.ids.room[row] != trial:
            self.ids.insert(row, trial)
            self.trials.insert(row, (NONE, NONE, NONE, NONE, False))
        return row

    def record(self, row: int) -> Record:
        """Return the record of a trial; the same object until the trial changes."""
        trial = int(self.ids.room[row])
        record = self._records.get(trial)
        if record is None:
            # All at once: to know which is the oldest would cost more than to read them again.
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
            read=partial(self._reports, head, self._firsts.get(birth, 0)),
        )

    def _reports(self, head: int, first: int) -> Reports:
        rows = []
        while head != NONE:
            rows.append(head)
            head = int(self.previous.room[head])
        return self.log.reports(rows[::-1], first)

    def firsts(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return, for each of these trials, the lowest row that a report with its present config can have."""
        if not self._firsts:
            return np.zeros(len(rows), np.int32)
        births = self.trials.room["birth"][rows].tolist()
        return np.array([self._firsts.get(birth, 0) for birth in births], np.int32)

    def back_to(self, heads: npt.NDArray[np.int32], step: float) -> npt.NDArray[np.int32]:
        """Return, for reports in these rows, the rows of the last reports of the same trials up to a step; NONE where
        there is none."""
        heads = heads.copy()
        steps, previous = self.log.steps.room, self.previous.room
        late = np.flatnonzero(heads != NONE)
        while (late := late[steps[heads[late]] > step]).size:
            heads[late] = previous[heads[late]]
            late = late[heads[late] != NONE]
        return heads


class History:
    """The trials up to one moment, in the order of their numbers.

    Args:
        trials: the records of a history without a run.
        view: of a run's log, at this moment, instead of ``trials``.

    Attributes:
        log: the log that it shows.
        moment: the number of entries of the log at this moment.
        rows: the number of reports at this moment.
    """

    __slots__ = ("_view", "log", "moment", "rows")

    def __init__(self, trials: Sequence[Record] = (), view: View | None = None) -> None:
        self._view = view or _view_of(trials)
        self.log, self.moment, self.rows = self._view.log, self._view.moment, len(self._view.previous)

    @property
    def view(self) -> View:
        """Its trials in columns. The view is shared, and advances with the run's next ask."""
        if self._view.moment != self.moment:  # it has advanced: a history kept from an earlier ask needs its own
            self._view = View(self.log, self.moment)
        return self._view

    def __len__(self) -> int:
        return len(self.view.ids)

    def __eq__(self, other: object) -> bool:
        return self.trials == other.trials if isinstance(other, History) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def trials(self) -> Sequence[Record]:
        """All trials. Going through them takes time for each: ``changed`` returns those that have changed."""
        return OnDemand(range(len(self)), lambda row: self.view.record(row))  # noqa: PLW0108 - the view advances

    def record(self, trial: int) -> Record:
        """Return the record of the trial with this number.

        Raises:
            KeyError: there is no such trial.
        """
        view = self.view
        row = view.find(trial)
        if row == len(view.ids) or view.ids.room[row] != trial:
            raise KeyError(trial)
        return view.record(row)

    # What is new -----------------------------------------------------------------------------------------------------

    def follows(self, before: History | None) -> bool:
        """Tell whether this is the same run as ``before``, at the same moment or a later one.

        If it is not, what was learnt from ``before`` does not hold.
        """
        return before is not None and before.log is self.log and before.moment <= self.moment

    def changed(self, before: History | None) -> npt.NDArray[np.int32]:
        """Return the numbers, in ascending order, of the trials that have changed since ``before``; if this does not
        follow it, those of all trials."""
        if before is None or not self.follows(before):
            return self.view.ids.filled.copy()
        return np.unique(self.log.entries.room["trial"][before.moment : self.moment])

    def entries(self, before: History | None) -> Iterator[Entry]:
        """Yield all entries since ``before``, in order of arrival; if this does not follow it, all entries."""
        first, row = (before.moment, before.rows) if before is not None and self.follows(before) else (0, 0)
        return self.log.written(first, row, self.moment)


class HistoryLog(Log):
    """A log with the view that all its readers share.

    One thread writes, and one reads. ``until`` takes time for the entries since the last call.
    """

    def __init__(self) -> None:
        super().__init__()
        self.view = View(self)

    def until(self, seen: int) -> History:
        """Return the history as it was when the log had ``seen`` entries."""
        moment = min(seen, self._length)
        if moment < self.view.moment:
            return History(view=View(self, moment))
        self.view.advance(moment)
        return History(view=self.view)


def _view_of(trials: Sequence[Record]) -> View:
    log = HistoryLog() if trials else _NOTHING
    for record in trials:
        log.add(record)
    return View(log, len(log)) if trials else _NOTHING.view


_NOTHING = HistoryLog()  # never written: all empty histories share it
