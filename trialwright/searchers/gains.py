"""Gains: how much members of a population have gained, interval by interval, and with which settings.

An interval of a member lies between two decisions about it: where its lease was extended, or it was launched, paused,
cloned, or ended. A clone goes on from its donor's checkpoint, so what it had before is what the donor had there.

d: columns of what varies. n: intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple, TypeAlias

from trialwright.history import History
from trialwright.history.log import Entry, Kind
from trialwright.messages import Config, Tags
from trialwright.space.values import Bools, Floats

Encode: TypeAlias = Callable[[Config], "tuple[Floats, Bools] | None"]
"""From a config to units and activity, both of shape (d,); None where it is none of the space."""


class Interval(NamedTuple):
    """One member's way from one decision to the next."""

    step: int  # where it began
    cost: float  # there: the smaller the better
    gain: float  # by how much the cost fell in a step, on average
    units: Floats
    active: Bools


class Place(NamedTuple):
    """Where a member stands, and with which settings."""

    step: int
    cost: float
    units: Floats
    active: Bools


@dataclass(slots=True)
class _Member:
    config: Config
    tags: Tags
    encoded: tuple[Floats, Bools] | None
    costs: dict[int, float] = field(default_factory=dict)  # by step, in order; finite ones
    begin: int | None = None  # the step at which its interval began, once something was reported in it
    lives: bool = True

    def interval(self) -> Interval | None:
        """Return what it has gained since its interval began, if that is known."""
        if self.begin is None or self.encoded is None:
            return None
        begin = self.begin
        steps = [*takewhile(lambda step: step >= begin, reversed(self.costs))]
        if len(steps) < 2:  # a gain is a difference
            return None
        cost = self.costs[steps[-1]]
        return Interval(steps[-1], cost, (cost - self.costs[steps[0]]) / (steps[0] - steps[-1]), *self.encoded)

    def place(self) -> Place | None:
        """Return where it stands, if that is known."""
        if self.encoded is None or not self.costs:
            return None
        step = next(reversed(self.costs))
        return Place(step, self.costs[step], *self.encoded)


class Gains:
    """The intervals of a history, kept up to date at the cost of what is new.

    Args:
        encode: takes a config apart.
        window: so many of the latest intervals are kept.
    """

    def __init__(self, encode: Encode, window: int) -> None:
        self._encode, self._window = encode, window
        self._history: History | None = None
        self._members: dict[int, _Member] = {}
        self._intervals: list[Interval] = []

    def update(self, history: History) -> None:
        """Become this history."""
        if not history.follows(self._history):
            self._members, self._intervals = {}, []
        for entry in history.entries(self._history):
            self._take(entry)
        del self._intervals[: -self._window]
        self._history = history

    def intervals(self, trial: int) -> list[Interval]:
        """Return the intervals that are over, and that of this trial, about which is just being decided."""
        own = self._members[trial].interval() if trial in self._members else None
        return self._intervals if own is None else [*self._intervals, own]

    def place(self, trial: int | None) -> Place | None:
        """Return where a trial stands."""
        return self._members[trial].place() if trial in self._members else None

    def others(self, trial: int) -> Iterator[Place]:
        """Yield where the other living members stand: what they will gain from there is not known yet."""
        for number, member in self._members.items():
            place = member.place() if member.lives and number != trial else None
            if place is not None:
                yield place

    def _take(self, entry: Entry) -> None:
        member = self._members.get(entry.trial)
        if entry.kind is Kind.SEEN:
            assert member is not None, "a trial starts before it reports"
            self._report(member, *entry.what[:2])
            return
        if member is not None:
            self._close(member)
        if entry.kind is Kind.BORN:
            self._bear(entry.trial, member, *entry.what)
        elif entry.kind is Kind.ENDED and member is not None:
            member.lives = False

    def _report(self, member: _Member, first: int, values: list[tuple[float, ...]]) -> None:
        if member.begin is None:
            member.begin = first - 1
        while member.costs and next(reversed(member.costs)) >= first:  # a retry repeats steps, and a clone goes back
            member.costs.popitem()
        member.costs.update((first + i, each[0]) for i, each in enumerate(values) if math.isfinite(each[0]))

    def _close(self, member: _Member) -> None:
        done, member.begin = member.interval(), None
        if done is not None:
            self._intervals.append(done)

    def _bear(self, trial: int, before: _Member | None, config: Config, tags: Tags) -> None:
        """A new trial; or it goes on as a clone, from what its donor has; or is tried again, as it was."""
        # A retry: its interval goes on from the checkpoint that it has.
        if before is not None and before.config == config and before.tags == tags:
            before.lives = True
            return
        donor = self._members.get(number) if isinstance(number := tags.get("donor"), int) else None
        source = before if donor is None else donor
        costs = {} if source is None else dict(source.costs)
        self._members[trial] = _Member(config, tags, self._encode(config), costs)
