"""The history: all that a searcher may know. Trials in the order of their numbers, never in the order of arrival.

The experiment writes (``HistoryLog``); a searcher reads a ``History``, which is the log as it was at one moment. The
log only grows, so a moment is a number (``Ask.seen``), taking one costs nothing, and a searcher in another thread reads
while the loop writes.

Values are objectives, sign-flipped so that smaller is better: a vector a step.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from trialist.messages import Config, Outcome, Tags

Values: TypeAlias = tuple[float, ...]


@dataclass(slots=True)
class Record:
    """What is known of one trial at one moment. ``steps[i]`` is where ``values[i]`` was reported; ``outcome`` is None
    while it lives."""

    id: int
    config: Config
    tags: Tags
    steps: list[int] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class _Born:
    trial: int
    config: Config
    tags: Tags


@dataclass(frozen=True, slots=True)
class _Seen:
    trial: int
    first_step: int
    values: Sequence[Values]


@dataclass(frozen=True, slots=True)
class _Ended:
    trial: int
    outcome: Outcome


class HistoryLog:
    """What happened, in order of arrival; it only grows.

    One thread writes, and one reads. A moment later than the last that was asked for costs what happened in between.
    """

    def __init__(self) -> None:
        self._entries: list[_Born | _Seen | _Ended] = []
        self._folded = _Folded()

    def __len__(self) -> int:
        return len(self._entries)

    def born(self, trial: int, config: Config, tags: Tags) -> None:
        """A trial exists, or (a clone) goes on with another configuration."""
        self._entries.append(_Born(trial, config, tags))

    def seen(self, trial: int, first_step: int, values: Sequence[Values]) -> None:
        """A trial reported values at consecutive steps."""
        self._entries.append(_Seen(trial, first_step, values))

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
        self._records: dict[int, Record] = {}
        self._ids: list[int] = []  # in order
        self._own: set[int] = set()  # trials whose records nobody else has seen yet

    def until(self, seen: int, entries: Sequence[_Born | _Seen | _Ended]) -> History:
        self._own.clear()
        for entry in entries[self.seen : seen]:
            self._fold(entry)
        self.seen = seen
        return History(tuple(map(self._records.__getitem__, self._ids)))

    def _fold(self, entry: _Born | _Seen | _Ended) -> None:
        record = self._record(entry.trial)
        match entry:
            case _Born(_, config, tags):
                record.config, record.tags = config, tags
            case _Seen(_, first_step, values):
                # A retry repeats steps, and a clone goes back: the last time counts.
                kept = bisect_left(record.steps, first_step)
                del record.steps[kept:], record.values[kept:]
                record.steps.extend(range(first_step, first_step + len(values)))
                record.values.extend(values)
            case _Ended(_, outcome):
                record.outcome = outcome

    def _record(self, trial: int) -> Record:
        """Return a record of the trial that may be changed."""
        if trial in self._own:
            return self._records[trial]
        self._own.add(trial)
        old = self._records.get(trial)
        if old is None:
            insort(self._ids, trial)
            self._records[trial] = Record(trial, {}, {})
        else:
            self._records[trial] = replace(old, steps=[*old.steps], values=[*old.values])
        return self._records[trial]


@dataclass(frozen=True, slots=True)
class History:
    """The trials up to one moment, in the order of their numbers."""

    trials: tuple[Record, ...] = ()

    def __len__(self) -> int:
        return len(self.trials)
