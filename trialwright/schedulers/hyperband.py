"""HyperBand (Li et al. 2016, arXiv 1603.06560): synchronous successive halving, in brackets with more trials or with
longer trials.

Notation: eta = reduction factor; R = max_t; s = a bracket's number of halvings, from s_max down to 0, and again.
Bracket s admits n = ceil((s_max + 1) / (s + 1) * eta^s) trials and lets them run to R eta^-s first. At each level its
members pause until all have come, or died; the best floor(n / eta) of them go on to eta times as much, the others
end. Levels are found by repeated division of R, never by a logarithm, and are floored to whole units.

It cannot dead-lock. A dead trial counts as the worst. A bracket that will not be filled any more (``can_ask`` is False)
goes on with the members it has. A paused trial holds no resources.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from trialwright.html import SettingsTable
from trialwright.messages import (
    Boundary,
    Choice,
    Continue,
    Drop,
    New,
    Outcome,
    Pause,
    Plain,
    Report,
    Resume,
    Start,
    Stop,
    Until,
    Verdict,
    Wait,
)
from trialwright.schedulers.base import RIVALS, TrialView
from trialwright.streams import Streams

Standing = tuple[float, int]  # score, trial: smaller is better, and the older trial wins a tie


@dataclass(slots=True)
class Bracket:
    """Trials that are halved together."""

    halvings: int
    room: int  # how many more it admits
    place: int = 0  # which level its members are on their way to
    members: set[int] = field(default_factory=set)
    scores: dict[int, float] = field(default_factory=dict)  # of those that have come to the level

    @property
    def complete(self) -> bool:
        """All members that are left have reached the level."""
        return self.room == 0 and bool(self.members) and len(self.scores) == len(self.members)

    def plain(self) -> list[Plain]:
        """Everything it remembers."""
        scores: list[Plain] = [[trial, score] for trial, score in self.scores.items()]
        return [self.halvings, self.room, self.place, [*sorted(self.members)], scores]

    def halve(self, eta: float) -> tuple[list[Standing], int]:
        """Go to the next level; return how the members stood, best first, and how many of them come along."""
        ranked = sorted((self.scores[trial], trial) for trial in self.members)
        size = max(1, math.floor(len(ranked) / eta))  # a bracket in which trials died goes on with at least one
        survivors = [trial for score, trial in ranked[:size] if score < math.inf]  # what diverged never goes on
        self.place, self.members, self.scores = self.place + 1, set(survivors), {}
        return ranked, len(survivors)


class Halving(NamedTuple):
    """How the members of a bracket stood at a level."""

    level: float
    ranked: list[Standing]
    survivors: int

    def why(self, trial: int) -> dict[str, Plain]:
        """How one of them did."""
        [(rank, value)] = [(rank, value) for rank, (value, other) in enumerate(self.ranked, 1) if other == trial]
        return {
            "rung": self.level,
            "value": value,
            "rank": rank,
            "of": len(self.ranked),
            "survivors": self.survivors,
            "cut_off": self.ranked[self.survivors - 1][0] if self.survivors else None,
            "best": [[other, value] for value, other in self.ranked[:RIVALS]],
        }


Queue = dict[int, Halving | None]  # trials in order, and what was decided about them; None after a restore


@dataclass
class HyperBand(SettingsTable):
    """Halves each bracket of trials, level by level, until one trial is left.

    Args:
        max_t: no trial runs longer.
        reduction_factor: eta, more than 1.
        time_attr: the metric that levels are measured in: ``step``, ``time_s``, or any metric that only grows.
        stop_last_trials: end trials at ``max_t``; else they may continue.

    Raises:
        ValueError: an argument is out of its range.
    """

    max_t: float = 81
    reduction_factor: float = 3
    time_attr: str = "step"
    stop_last_trials: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.max_t < math.inf:
            raise ValueError(f"max_t must be at least 1 and finite, not {self.max_t}")
        if not self.reduction_factor > 1:
            raise ValueError(f"reduction_factor must be more than 1, not {self.reduction_factor}")

    def setup(self, rng: Streams) -> None:
        """Begin with an empty first bracket."""
        self._levels = sorted(self._divided())
        self._brackets: list[Bracket] = []
        self._bracket_of: dict[int, int] = {}
        self._losers: Queue = {}  # paused, to be dropped
        self._winners: Queue = {}  # paused, to be resumed
        self._latest: tuple[int, Halving | None] | None = None  # whom the last answer was about, and what it went by
        self._full = False  # no new trial will come

    def _divided(self) -> Iterator[float]:
        """Yield the levels from the last to the first; those that are floored to the same units are one."""
        yield self.max_t
        last, level = self.max_t, self.max_t / self.reduction_factor
        while level >= 1:
            if math.floor(level) < last:
                last = float(math.floor(level))
                yield last
            level /= self.reduction_factor

    def on_start(self, trial: TrialView) -> Start:
        """Admit the trial to the open bracket."""
        self._full = False
        number = self._open()
        bracket = self._brackets[number]
        bracket.members.add(trial.id)
        bracket.room -= 1
        self._bracket_of[trial.id] = number
        return Start(self._until(bracket), {"bracket": bracket.halvings})

    def _open(self) -> int:
        if not self._brackets or self._brackets[-1].room == 0:
            most = len(self._levels) - 1
            halvings = most - len(self._brackets) % (most + 1)
            room = math.ceil((most + 1) / (halvings + 1) * self.reduction_factor**halvings)
            self._brackets.append(Bracket(halvings, room))
        return len(self._brackets) - 1

    def _until(self, bracket: Bracket) -> Until:
        rest = self._levels[len(self._levels) - 1 - bracket.halvings + bracket.place :]
        return (Boundary(self.time_attr, ">=", rest[0]),) if rest else ()

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Note the score; the last trial to reach the level decides it for all."""
        bracket, self._latest = self._brackets[self._bracket_of[trial.id]], None
        # At the end there is nothing to compare: the last members do not wait for each other.
        if cast(float, report.metrics[self.time_attr]) >= self.max_t:
            if self.stop_last_trials:
                return Stop(f"{self.time_attr} reached max_t = {self.max_t:g}", outcome="completed")
            return Continue(())
        value = report.values[0]
        bracket.scores[trial.id] = value if math.isfinite(value) else math.inf
        if not bracket.complete:
            return Pause()
        self._settle(bracket)
        if trial.id in self._losers:
            self._take(self._losers, trial.id)
            return Stop(f"not among the best 1/{self.reduction_factor:g} of its bracket")
        self._take(self._winners, trial.id)
        return Continue(self._until(bracket))

    def _settle(self, bracket: Bracket) -> None:
        level = self._levels[len(self._levels) - 1 - bracket.halvings + bracket.place]
        ranked, survivors = bracket.halve(self.reduction_factor)
        halving = Halving(level, ranked, survivors)
        self._losers |= {trial: halving for _, trial in ranked[survivors:]}
        self._winners |= dict.fromkeys(sorted(bracket.members), halving)

    def _take(self, queue: Queue, trial: int | None = None) -> int:
        """Take this trial out of a queue, or the first."""
        taken = next(iter(queue)) if trial is None else trial
        self._latest = (taken, queue.pop(taken))
        return taken

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """The bracket does not wait for a trial that has ended."""
        bracket = self._brackets[self._bracket_of.pop(trial.id)]
        for queue in (self._losers, self._winners):
            queue.pop(trial.id, None)
        if trial.id in bracket.members:
            bracket.members.remove(trial.id)
            bracket.scores.pop(trial.id, None)  # else ``complete`` would count it among those that have come
            if bracket.complete:
                self._settle(bracket)

    def next(self, can_ask: bool) -> Choice:
        """Drop the worse trials, resume the better ones, then fill brackets."""
        if not can_ask and not self._full:
            self._close()
        if self._losers:
            return Drop(self._take(self._losers), f"not among the best 1/{self.reduction_factor:g} of its bracket")
        if self._winners:
            trial = self._take(self._winners)
            return Resume(trial, self._until(self._brackets[self._bracket_of[trial]]))
        return New() if can_ask else Wait()

    def _close(self) -> None:
        """No new trial will come: the open bracket goes on as it is."""
        self._full = True
        if self._brackets:
            self._brackets[-1].room = 0
            if self._brackets[-1].complete:
                self._settle(self._brackets[-1])

    def why(self) -> dict[str, Plain]:
        """The rank of the trial of the last answer in its bracket; nothing if it was only paused."""
        trial, halving = self._latest or (-1, None)
        return {} if halving is None else halving.why(trial)

    def state(self) -> Plain:
        """Every bracket with its members, and the trials to drop and to resume."""
        return {
            "brackets": [bracket.plain() for bracket in self._brackets],
            "of": [[trial, number] for trial, number in self._bracket_of.items()],
            "losers": list(self._losers),
            "winners": list(self._winners),
            "full": self._full,
        }

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        saved = cast("dict[str, list[tuple[int, int, int, list[int], list[tuple[int, float]]]]]", state)
        self._brackets = [
            Bracket(halvings, room, place, set(members), {int(trial): score for trial, score in scores})
            for halvings, room, place, members, scores in saved["brackets"]
        ]
        rest = cast("dict[str, list[int]]", state)
        self._bracket_of = dict(cast("dict[str, list[tuple[int, int]]]", state)["of"])
        self._losers, self._winners = dict.fromkeys(rest["losers"]), dict.fromkeys(rest["winners"])
        self._full = bool(rest["full"])
