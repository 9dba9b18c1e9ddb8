"""The log behind a history: what happened, in growing columns, in order of arrival."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from itertools import groupby
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from trialwright.history.record import Record, Reports, Values
from trialwright.messages import Config, Metric, Outcome, Tags, Until, at_step

Scalar = TypeVar("Scalar", bound=np.generic)
STEP_MAX = 2**31 - 1
NONE = -1  # in a column of places
_ENTRY = np.dtype([("kind", np.uint8), ("trial", np.int32), ("place", np.int32)])


class Block(Generic[Scalar]):
    """Rows of numbers, to which one thread appends.

    Other threads may read ``room`` up to a length that the writer publishes after it has written the rows. They fetch
    ``room`` once: growing copies all rows into a larger array, which then replaces it, so that the array that a reader
    holds, old or new, has every published row. There is little spare room (a sixteenth), because there are millions of
    rows.

    Args:
        dtype: of the numbers.
        width: how many numbers a row has; None where a row is one number, or what the dtype says.
    """

    __slots__ = ("_length", "room")

    def __init__(self, dtype: type[Scalar] | np.dtype[Scalar], width: int | None = None) -> None:
        self.room: npt.NDArray[Scalar] = np.empty(0 if width is None else (0, width), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def filled(self) -> npt.NDArray[Scalar]:
        """The rows so far, for the thread that writes."""
        return self.room[: self._length]

    def append(self, row: npt.ArrayLike) -> None:
        """Add one row."""
        place = self._length
        if place == len(self.room):
            self._grow(place + 1)
        self.room[place] = row
        self._length = place + 1

    def extend(self, rows: npt.ArrayLike, count: int) -> None:
        """Add ``count`` rows, or one row so often."""
        first, end = self._length, self._length + count
        if end > len(self.room):
            self._grow(end)
        self.room[first:end] = rows
        self._length = end

    def insert(self, place: int, row: npt.ArrayLike) -> None:
        """Insert a row before the one at ``place``. The rows after it move, so no other thread may read meanwhile."""
        self.append(row)
        if place < self._length - 1:
            self.room[place + 1 : self._length] = self.room[place : self._length - 1]
            self.room[place] = row

    def _grow(self, least: int) -> None:
        room = np.empty((least + least // 16 + 16, *self.room.shape[1:]), self.room.dtype)
        room[: self._length] = self.room[: self._length]
        self.room = room


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


class Log:
    """What happened, in order of arrival; it only grows.

    One thread writes, and another may read up to an earlier moment. An entry's ``place`` locates its data: for a birth,
    the index in ``configs`` and ``tags``; for reports, the row after the last of them; for a lease, the step that ends
    it; for an end, the index in ``outcomes``, which has equal ones once.
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
        self.sems: dict[int, Values] = {}  # by row, where they are known
        self._numbers: dict[Outcome, int] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    # Writing ---------------------------------------------------------------------------------------------------------

    def born(self, trial: int, config: Config, tags: Tags) -> None:
        """A trial exists; or (a clone) goes on with another configuration; or is tried again after it had ended."""
        self.configs.append(config)
        self.tags.append(tags)
        self._write(Kind.BORN, trial, len(self.configs) - 1)

    def seen(  # noqa: PLR0917 - what an entry has, in its order
        self,
        trial: int,
        first_step: int,
        values: Sequence[Values],
        metrics: Sequence[dict[str, Metric]] = (),
        times: Sequence[float] = (),
        sems: Sequence[Values] = (),
    ) -> None:
        """A trial reported values at consecutive steps, at least at one.

        Args:
            trial: its number.
            first_step: the step of the first report.
            values: of each report; all reports of a log have as many.
            metrics: the whole reports, where they are kept.
            times: running time in seconds at each report, where it was measured.
            sems: standard errors of the objectives at each report, where they are known.
        """
        first, count = len(self.steps), len(values)
        if not first:
            self.values = Block(np.float64, len(values[0]))
        if len(values[0]) != self.values.room.shape[1]:
            raise ValueError(f"{values[0]} are not {self.values.room.shape[1]} values, as other reports have")
        if count == 1:  # most entries have one report, and this is twice as fast
            self.values.append(values[0])
            self.steps.append(first_step)
            self.times.append(times[0] if times else math.nan)
        else:
            self.values.extend(values, count)
            self.steps.extend(np.arange(first_step, first_step + count), count)
            self.times.extend(times or math.nan, count)
        if metrics:
            self.metrics.update(enumerate(metrics, first))
        if sems:
            self.sems.update((row, each) for row, each in enumerate(sems, first) if any(each))
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
        # A million trials end in a few ways: equal outcomes are stored once.
        number = self._numbers.setdefault(outcome, len(self.outcomes))
        if number == len(self.outcomes):
            self.outcomes.append(outcome)
        self._write(Kind.ENDED, trial, number)

    def write(self, entry: Entry) -> None:
        """Write an entry of another log."""
        self._WRITERS[entry.kind](self, entry.trial, *entry.what)

    def add(self, record: Record) -> None:
        """Write the entries of a trial with this record."""
        self._add_reports(record, range(record.inherited))
        self.born(record.id, record.config, record.tags)
        self._add_reports(record, range(record.inherited, len(record.steps)))
        if record.until is not None:
            self.extended(record.id, at_step(record.until))
        if record.paused:
            self.paused(record.id)
        if record.outcome is not None:
            self.ended(record.id, record.outcome)

    def _add_reports(self, record: Record, places: range) -> None:
        for _, group in groupby(places, lambda place: record.steps[place] - place):  # steps without a gap
            run = [*group]
            part = slice(run[0], run[-1] + 1)
            rest = record.metrics[part], record.times[part], record.sems[part]
            self.seen(record.id, record.steps[run[0]], record.values[part], *rest)

    def _write(self, kind: Kind, trial: int, place: int) -> None:
        self.entries.append((kind, trial, place))
        self._length += 1  # last, so that a reader in another thread finds the whole entry

    _WRITERS: ClassVar[dict[Kind, Callable[..., None]]] = {
        Kind.BORN: born,
        Kind.SEEN: seen,
        Kind.LAUNCHED: launched,
        Kind.EXTENDED: extended,
        Kind.PAUSED: paused,
        Kind.ENDED: ended,
    }

    # Reading ---------------------------------------------------------------------------------------------------------

    def written(self, first: int, first_row: int, end: int) -> Iterator[Entry]:
        """Yield these entries as they were written; ``first_row`` is the row of the first report among them."""
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
                return reports.steps[0], reports.values, reports.metrics, reports.times, reports.sems
            case Kind.LAUNCHED | Kind.EXTENDED:
                return (at_step(place) if place != NONE else (),)
            case Kind.PAUSED:
                return ()
            case Kind.ENDED:
                return (self.outcomes[place],)

    def reports(self, rows: Sequence[int], first: int = 0) -> Reports:
        """Return the reports in these rows, of which those before ``first`` are inherited."""
        if not rows:
            return Reports([], [], [], [], [])
        part = slice(rows[0], rows[-1] + 1) if rows[-1] - rows[0] == len(rows) - 1 else rows
        times = self.times.room[part].tolist()
        return Reports(
            self.steps.room[part].tolist(),
            [tuple(row) for row in self.values.room[part].tolist()],
            [] if math.isnan(times[0]) else times,
            [self.metrics[row] for row in rows if row in self.metrics] if self.metrics else [],
            self._sems(rows) if self.sems else [],
            bisect_left(rows, first),
        )

    def _sems(self, rows: Sequence[int]) -> list[Values]:
        found = [self.sems.get(row) for row in rows]
        unknown = (0.0,) * max(map(len, filter(None, found)), default=0)
        return [each or unknown for each in found] if unknown else []


def _next_step(until: Until) -> int:
    """Return the first step that ends this lease."""
    step = min((each.value for each in until if each.metric == "step" and each.op == ">="), default=math.inf)
    return math.ceil(max(step, 0.0)) if step <= STEP_MAX else NONE
