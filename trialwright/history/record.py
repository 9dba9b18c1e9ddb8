"""A record: what is known of one trial at one moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeAlias

from trialwright.messages import Config, Metric, Outcome, Tags

Values: TypeAlias = tuple[float, ...]


@dataclass(slots=True, eq=False)
class Record:
    """What is known of one trial at one moment. It does not change: what happens later is in another record.

    Attributes:
        id: the trial's number.
        config: in its plain form.
        tags: of searcher and scheduler.
        steps: of its reports, in ascending order; of a repeated step, the last report counts.
        values: of its reports: objectives, smaller is better, then outcome constraints, which are met if at most 0.
            ``values[i]`` belongs to ``steps[i]``.
        outcome: how it ended; None before that.
        metrics: each whole report, if the searcher has asked for them; else empty.
        sems: standard errors of the objectives at each report, 0 where unknown; empty if all are.
        times: running time in seconds at each report, to seven digits; empty if it was not measured.
        paused: it has given its resources back, and may be resumed.
        until: the step at which its lease ends; None if no step ends it, or the trial was never launched. If that is
            not later than its last step, the next report gets a decision.
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
        """Fill the lists. Python calls this only for attributes that are not set yet."""
        if name not in Reports._fields:
            raise AttributeError(name)
        self.steps, self.values, self.times, self.metrics, self.sems, self.inherited = self._read()
        return getattr(self, name)

    def __reduce__(self) -> tuple[type[Record], tuple[object, ...]]:
        """Be copied or pickled as a plain record, without the log behind it."""
        return Record, tuple(getattr(self, each.name) for each in fields(Record))
