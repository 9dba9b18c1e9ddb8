"""The history: all that a searcher may know. Trials in the order of their numbers, never in the order of arrival.

The experiment writes (``HistoryLog``); a searcher reads a ``History``, which is the log as it was at one moment. The
log only grows, so a moment is a number (``Ask.seen``), taking one costs nothing, and a searcher in another thread reads
while the loop writes.

Values are objectives, sign-flipped so that smaller is better: a vector a step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from trialwright.messages import Config, Metric, Outcome, Tags

Values: TypeAlias = tuple[float, ...]


@dataclass(slots=True)
class Record:
    """What is known of one trial at one moment. ``steps[i]`` is where ``values[i]`` was reported; ``outcome`` is None
    while it lives; ``metrics[i]`` is all of that report, for searchers that have asked for it: else there is none."""

    id: int
    config: Config
    tags: Tags
    steps: list[int] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    outcome: Outcome | None = None
    metrics: list[dict[str, Metric]] = field(default_factory=list)


class _Born(NamedTuple):
    trial: int
    config: Config
    tags: Tags


class _Seen(NamedTuple):
    trial: int
    first_step: int
    values: Sequence[Values]
    metrics: Sequence[dict[str, Metric]]


class _Ended(NamedTuple):
    trial: int
    outcome: Outcome


class HistoryLog:
    """What happened, in order of arrival; it only grows.

    One thread writes, and one reads. A moment later than the last that was asked for costs what happened in between.
    """

    def __init__(self) -> None:
        self.keeps_metrics = False  # the searcher wants to see whole reports
        self._entries: list[_Born | _Seen | _Ended] = []
        self._folded = _Folded()

    def __len__(self) -> int:
        return len(self._entries)

    def born(self, trial: int, config: Config, tags: Tags) -> None:
        """A trial exists; or (a clone) goes on with another configuration; or is tried again though it had ended."""
        self._entries.append(_Born(trial, config, tags))

    def seen(
        self, trial: int, first_step: int, values: Sequence[Values], metrics: Sequence[dict[str, Metric]] = ()
    ) -> None:
        """A trial reported values at consecutive steps; ``metrics`` are the whole reports, where they are kept."""
        self._entries.append(_Seen(trial, first_step, values, metrics))

    def ended(self, trial: int, outcome: Outcome) -> None:
        """A trial ended."""
        self._entries.append(_Ended(trial, outcome))

    def until(self, seen: int) -> History:
        """Return the history as it was when the log had ``seen`` entries."""
        if seen < self._folded.seen:
            self._folded = _Folded()
        return self._folded.until(seen, self._entries)


class _Folded:
    """A log's entries up to a moment, as records. A record that has been handed out is never changed: what happens to
    its trial later makes a new one."""

    def __init__(self) -> None:
        self.seen = 0
        self._ids: list[int] = []  # in order
        self._records: list[Record] = []  # theirs
        self._own: set[int] = set()  # trials whose records nobody else has seen yet

    def until(self, seen: int, entries: Sequence[_Born | _Seen | _Ended]) -> History:
        self._own.clear()
        for entry in entries[self.seen : seen]:
            self._fold(entry)
        self.seen = seen
        return History(tuple(self._records))

    def _fold(self, entry: _Born | _Seen | _Ended) -> None:
        record = self._record(entry.trial)
        match entry:
            case _Born(_, config, tags):
                record.config, record.tags, record.outcome = config, tags, None
            case _Seen(_, first_step, values, metrics):
                # A retry repeats steps, and a clone goes back: the last time counts.
                kept = bisect_left(record.steps, first_step)
                del record.steps[kept:], record.values[kept:], record.metrics[kept:]
                record.steps.extend(range(first_step, first_step + len(values)))
                record.values.extend(values)
                record.metrics.extend(metrics)
            case _Ended(_, outcome):
                record.outcome = outcome

    def _record(self, trial: int) -> Record:
        """Return a record of the trial that may be changed."""
        place = bisect_left(self._ids, trial)
        if trial in self._own:
            return self._records[place]
        self._own.add(trial)
        if place == len(self._ids) or self._ids[place] != trial:
            self._ids.insert(place, trial)
            self._records.insert(place, Record(trial, {}, {}))
        else:
            old = self._records[place]
            self._records[place] = Record(
                trial, old.config, old.tags, [*old.steps], [*old.values], old.outcome, [*old.metrics]
            )
        return self._records[place]


@dataclass(frozen=True, slots=True)
class History:
    """The trials up to one moment, in the order of their numbers."""

    trials: tuple[Record, ...] = ()

    def __len__(self) -> int:
        return len(self.trials)
