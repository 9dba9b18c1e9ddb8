"""A record: what is known of one trial at one moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeAlias

from trialwright.messages import Config, Metric, Outcome, Tags

Values: TypeAlias = tuple[float, ...]


@dataclass(slots=True, eq=False)
class Record:
    """What is known of one trial at one moment. It stays as it is: what happens later is in another record.

    Attributes:
        id: the trial's number.
        config: in its plain form.
        tags: what searcher and scheduler have noted about it.
        steps: where it reported, in order, from the beginning; of a step that was repeated, the last time counts.
        values: what it reported there: objectives, the smaller the better, then outcome constraints, met where at most
            0. ``values[i]`` belongs to ``steps[i]``.
        outcome: how it ended; None while it lives.
        metrics: all of each report, for searchers that have asked for it: else there is none.
        sems: standard errors of the objectives at each report, 0 where it is not known; empty where none is.
        times: running time in seconds at each report, to seven digits; empty where nobody has measured it.
        paused: it has given its resources back, and may be resumed.
        until: the step up to which it was let go last; None where no step ends its lease, or it was never launched.
            Where that is no later than its last step, the next report decides.
        inherited: how many of the first reports were made with another config: the trial has become a clone since.
    """

    id: int
    config: Config
    tags: Tags
    steps: list[int] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    outcome: Outcome | None = None
    metrics: list[dict[str, Metric]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    paused: bool = False
    until: int | None = None
    inherited: int = 0
    sems: list[Values] = field(default_factory=list)

    @property
    def last(self) -> Values | None:
        """The values of the last report; None before the first. Cheaper than ``values[-1]``, however many there are."""
        return self.values[-1] if self.values else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return all(getattr(self, each.name) == getattr(other, each.name) for each in fields(Record))

    __hash__ = None  # type: ignore[assignment]  # its lists could be changed


class Reports(NamedTuple):
    """A trial's reports, an entry each; all lists after the second may be empty. ``inherited`` is as in ``Record``."""

    steps: list[int]
    values: list[Values]
    times: list[float]
    metrics: list[dict[str, Metric]]
    sems: list[Values]
    inherited: int = 0


class Unread(Record):
    """A record whose reports are read when they are first asked for: most searchers want no more than the last."""

    __slots__ = ("_last", "_read")

    def __init__(
        self,
        trial: int,
        config: Config,
        tags: Tags,
        outcome: Outcome | None,
        *,
        paused: bool,
        until: int | None,
        last: Values | None,
        read: Callable[[], Reports],
    ) -> None:
        self.id, self.config, self.tags, self.outcome = trial, config, tags, outcome
        self.paused, self.until = paused, until
        self._last, self._read = last, read

    @property
    def last(self) -> Values | None:
        return self._last

    def __getattr__(self, name: str) -> object:
        """Fill the lists. Python comes here only for what is not there yet."""
        if name not in Reports._fields:
            raise AttributeError(name)
        self.steps, self.values, self.times, self.metrics, self.sems, self.inherited = self._read()
        return getattr(self, name)

    def __reduce__(self) -> tuple[type[Record], tuple[object, ...]]:
        """Be copied, or sent, as a plain record: without the log behind it."""
        return Record, tuple(getattr(self, each.name) for each in fields(Record))
