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
    """What happened, in order of arrival; it only grows."""

    def __init__(self) -> None:
        self._entries: list[_Born | _Seen | _Ended] = []

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
        records: dict[int, Record] = {}
        for entry in self._entries[:seen]:
            _fold(records, entry)
        return History(tuple(records[trial] for trial in sorted(records)))


def _fold(records: dict[int, Record], entry: _Born | _Seen | _Ended) -> None:
    match entry:
        case _Born(trial, config, tags) if trial in records:
            records[trial].config, records[trial].tags = config, tags
        case _Born(trial, config, tags):
            records[trial] = Record(trial, config, tags)
        case _Seen(trial, first_step, values):
            record = records[trial]
            kept = bisect_left(
                record.steps, first_step
            )  # a retry repeats steps, and a clone goes back: the last time counts
            del record.steps[kept:], record.values[kept:]
            record.steps.extend(range(first_step, first_step + len(values)))
            record.values.extend(values)
        case _Ended(trial, outcome):
            records[trial].outcome = outcome


@dataclass(frozen=True, slots=True)
class History:
    """The trials up to one moment, in the order of their numbers."""

    trials: tuple[Record, ...] = ()

    def __len__(self) -> int:
        return len(self.trials)
