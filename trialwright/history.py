"""The history: all that a searcher may know. Trials in the order of their numbers, never in the order of arrival.

The experiment writes (``HistoryLog``); a searcher reads a ``History``, which is the log as it was at one moment. The
log only grows, so a moment is a number (``Ask.seen``), taking one costs nothing, and a searcher in another thread reads
while the loop writes.

The log is in columns, with a row for each entry, and a row for each report: under 200 bytes for a trial of four. A
``View`` has a row for each trial. There is one for all searchers of a run, which moves on with the moments that are
asked for; so an ask costs what is new.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import partial
from itertools import groupby
from typing import Any, ClassVar, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from trialwright.columns import Block
from trialwright.messages import Config, Metric, Outcome, Tags, Until, at_step
from trialwright.record import Record, Reports, Unread, Values

__all__ = ["Entry", "History", "HistoryLog", "Kind", "Record", "Values"]

RECORDS_MAX = 50_000  # kept for those who go through all trials at each ask: at some 500 bytes, no more than these
STEP_MAX = 2**31 - 1
NONE = -1  # in a column of places

_ENTRY = np.dtype([("kind", np.uint8), ("trial", np.int32), ("place", np.int32)])
_TRIAL = np.dtype([(name, np.int32) for name in ("birth", "head", "outcome", "until")] + [("paused", np.bool_)])


class Kind(IntEnum):
    """What an entry of the log says."""

    BORN = 0
    SEEN = 1
    LAUNCHED = 2
    EXTENDED = 3
    PAUSED = 4
    ENDED = 5


class Entry(NamedTuple):
    """One entry of a log, as it was written: ``what`` are the arguments after the trial."""

    kind: Kind
    trial: int
    what: tuple[Any, ...]


class HistoryLog:
    """What happened, in order of arrival; it only grows.

    One thread writes, and one reads. A moment later than the last that was asked for costs what happened in between.

    An entry's ``place`` leads to what it is about. Of a birth, it is where in ``configs`` and ``tags``; of reports, the
    row after the last of them; of a lease, the step that ends it; of an end, where in ``outcomes``, of which those that
    are equal are there once.
    """

    def __init__(self) -> None:
        self.keeps_metrics = False  # the searcher wants to see whole reports
        self.entries = Block(_ENTRY)
        self.steps, self.times = Block(np.int32), Block(np.float32)
        self.values = Block(np.float64, 0)
        self.configs: list[Config] = []
        self.tags: list[Tags] = []
        self.outcomes: list[Outcome] = []
        self.metrics: dict[int, dict[str, Metric]] = {}  # by row
        self._numbers: dict[Outcome, int] = {}
        self._length = 0
        self.view = View(self)

    def __len__(self) -> int:
        return self._length

    # Writing ---------------------------------------------------------------------------------------------------------

    def born(self, trial: int, config: Config, tags: Tags) -> None:
        """A trial exists; or (a clone) goes on with another configuration; or is tried again though it had ended."""
        self.configs.append(config)
        self.tags.append(tags)
        self._write(Kind.BORN, trial, len(self.configs) - 1)

    def seen(
        self,
        trial: int,
        first_step: int,
        values: Sequence[Values],
        metrics: Sequence[dict[str, Metric]] = (),
        times: Sequence[float] = (),
    ) -> None:
        """A trial reported values at consecutive steps, at least at one.

        Args:
            trial: its number.
            first_step: the step of the first report.
            values: of each report; all reports of a log have as many.
            metrics: the whole reports, where they are kept.
            times: running time in seconds at each report, where it was measured.
        """
        first, count = len(self.steps), len(values)
        if not first:
            self.values = Block(np.float64, len(values[0]))
        if len(values[0]) != self.values.room.shape[1]:
            raise ValueError(f"{values[0]} are not {self.values.room.shape[1]} values, as other reports have")
        self.values.extend(values, count)
        self.steps.extend(first_step if count == 1 else np.arange(first_step, first_step + count), count)
        self.times.extend(times or math.nan, count)
        self.metrics.update(enumerate(metrics, first))
        self._write(Kind.SEEN, trial, first + count)

    def launched(self, trial: int, until: Until) -> None:
        """A trial was given resources, for the first time or again, to run until there."""
        self._write(Kind.LAUNCHED, trial, _next_step(until))

    def extended(self, trial: int, until: Until) -> None:
        """A trial that runs may go on until there."""
        self._write(Kind.EXTENDED, trial, _next_step(until))

    def paused(self, trial: int) -> None:
        """A trial gave its resources back, and may be resumed."""
        self._write(Kind.PAUSED, trial, NONE)

    def ended(self, trial: int, outcome: Outcome) -> None:
        """A trial ended."""
        number = self._numbers.setdefault(outcome, len(self.outcomes))
        if number == len(self.outcomes):
            self.outcomes.append(outcome)
        self._write(Kind.ENDED, trial, number)

    def write(self, entry: Entry) -> None:
        """Write an entry of another log."""
        self._WRITERS[entry.kind](self, entry.trial, *entry.what)

    def add(self, record: Record) -> None:
        """Have this trial be as the record says."""
        self.born(record.id, record.config, record.tags)
        at = range(len(record.steps))
        for _, group in groupby(at, lambda place: record.steps[place] - place):  # steps without a gap
            run = [*group]
            part = slice(run[0], run[-1] + 1)
            rest = record.metrics[part], record.times[part]
            self.seen(record.id, record.steps[run[0]], record.values[part], *rest)
        if record.until is not None:
            self.extended(record.id, at_step(record.until))
        if record.paused:
            self.paused(record.id)
        if record.outcome is not None:
            self.ended(record.id, record.outcome)

    def _write(self, kind: Kind, trial: int, place: int) -> None:
        self.entries.append((kind, trial, place))
        self._length += 1  # last, so that who reads finds all of the entry

    _WRITERS: ClassVar[dict[Kind, Callable[..., None]]] = {
        Kind.BORN: born,
        Kind.SEEN: seen,
        Kind.LAUNCHED: launched,
        Kind.EXTENDED: extended,
        Kind.PAUSED: paused,
        Kind.ENDED: ended,
    }

    # Reading ---------------------------------------------------------------------------------------------------------

    def until(self, seen: int) -> History:
        """Return the history as it was when the log had ``seen`` entries."""
        moment = min(seen, self._length)
        if moment < self.view.moment:
            return History(view=View(self, moment))
        self.view.advance(moment)
        return History(view=self.view)

    def written(self, first: int, first_row: int, end: int) -> Iterator[Entry]:
        """Yield these entries as they were written; ``first_row`` is where the reports of the first begin."""
        for number, trial, place in self.entries.room[first:end].tolist():
            kind = Kind(number)
            yield Entry(kind, trial, self._what(kind, first_row, place))
            first_row = place if kind is Kind.SEEN else first_row

    def _what(self, kind: Kind, first_row: int, place: int) -> tuple[Any, ...]:
        match kind:
            case Kind.BORN:
                return self.configs[place], self.tags[place]
            case Kind.SEEN:
                reports = self.reports(range(first_row, place))
                return reports.steps[0], reports.values, reports.metrics, reports.times
            case Kind.LAUNCHED | Kind.EXTENDED:
                return (at_step(place) if place != NONE else (),)
            case Kind.PAUSED:
                return ()
            case Kind.ENDED:
                return (self.outcomes[place],)

    def reports(self, rows: Sequence[int]) -> Reports:
        """Return the reports in these rows."""
        if not rows:
            return Reports([], [], [], [])
        part = slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] == len(rows) - 1 else rows
        times = self.times.room[part].tolist()
        return Reports(
            self.steps.room[part].tolist(),
            [tuple(row) for row in self.values.room[part].tolist()],
            [] if math.isnan(times[0]) else times,
            [self.metrics[row] for row in rows if row in self.metrics] if self.metrics else [],
        )


def _next_step(until: Until) -> int:
    """Return the first step that ends this lease."""
    step = min((each.value for each in until if each.metric == "step" and each.op == ">="), default=math.inf)
    return max(math.ceil(step), 0) if step <= STEP_MAX else NONE


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

    def __init__(self, log: HistoryLog, moment: int = 0) -> None:
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


class History:
    """The trials up to one moment, in the order of their numbers.

    Args:
        trials: of which to make one, without a run.
        view: of a log, at this moment, instead.

    Attributes:
        log: of which it is a moment.
        moment: how many entries the log had.
        rows: how many reports.
    """

    __slots__ = ("_view", "log", "moment", "rows")

    def __init__(self, trials: Sequence[Record] = (), view: View | None = None) -> None:
        self._view = view or _view_of(trials)
        self.log, self.moment, self.rows = self._view.log, self._view.moment, len(self._view.previous)

    @property
    def view(self) -> View:
        """Its trials in columns. They are shared, and move on with the next moment that the run is asked for."""
        if self._view.moment != self.moment:  # it has moved on: who keeps a history of an earlier ask needs another
            self._view = View(self.log, self.moment)
        return self._view

    def __len__(self) -> int:
        return len(self.view.ids)

    def __eq__(self, other: object) -> bool:
        return self.trials == other.trials if isinstance(other, History) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @property
    def trials(self) -> Sequence[Record]:
        """All trials. To go through them costs time for each: ``changed`` says which are new."""
        return _Trials(self)

    def record(self, trial: int) -> Record:
        """Return what is known of the trial with this number.

        Raises:
            KeyError: there is none.
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
        """Return the numbers of the trials to which something has happened since ``before``, which rise; where this
        does not follow it, those of all trials."""
        if before is None or not self.follows(before):
            return self.view.ids.filled.copy()
        return np.unique(self.log.entries.room["trial"][before.moment : self.moment])

    def entries(self, before: History | None) -> Iterator[Entry]:
        """Yield all that has happened since ``before``, in order of arrival; where this does not follow it, all."""
        first, row = (before.moment, before.rows) if before is not None and self.follows(before) else (0, 0)
        return self.log.written(first, row, self.moment)


def _view_of(trials: Sequence[Record]) -> View:
    log = HistoryLog() if trials else _NOTHING
    for record in trials:
        log.add(record)
    return View(log, len(log)) if trials else _NOTHING.view


_NOTHING = HistoryLog()  # nobody writes it


class _Trials(Sequence[Record]):
    """The records of a history, each made when it is asked for."""

    def __init__(self, history: History) -> None:
        self._history = history

    def __len__(self) -> int:
        return len(self._history)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        rows = range(len(self))[place]
        view = self._history.view
        return view.record(rows) if isinstance(rows, int) else tuple(map(view.record, rows))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == its for one, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))
