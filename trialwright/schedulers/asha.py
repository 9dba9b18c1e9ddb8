"""ASHA, the asynchronous successive halving algorithm (Li et al. 2018, arXiv 1810.05934), stopping and promoting.

Notation: eta = reduction factor; r = grace period; R = max_t. The rungs of bracket s stand at r eta^s, r eta^(s+1), ...
below R, found by integer multiplication (a floating logarithm loses the rung at 243 = 3^5). n = trials that have
reached a rung.

*Stopping* (``promote=False``): a trial that reaches a rung goes on if it is among the best ceil(n / eta) that have,
itself included, so that the first one always does; the others end. Nothing is ever paused, so no checkpoint is needed.

*Promoting* (``promote=True``, Algorithm 2 of the paper): a trial that reaches a rung pauses there, unless it is already
among the best floor(n / eta). A free slot resumes the best trial that has since come into the best floor(n / eta) of
its rung, highest rung first; only if there is none, a new trial starts. It works on one worker, where the stopping rule
lets the first eta - 1 trials run to the end.

A report is judged at the highest rung that it has come past, and at no other: what was skipped is never compared with
what was measured there. A time that repeats or goes back reaches no rung a second time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from trialwright.html import SettingsTable
from trialwright.messages import (
    Boundary,
    Choice,
    Continue,
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
from trialwright.schedulers.ranking import Ranking
from trialwright.streams import Streams

Standing = tuple[float, int]  # value, trial: smaller is better, and the older trial wins a tie


@dataclass(slots=True)
class Rung:
    """The trials that have reached one level."""

    level: float
    reached: Ranking[Standing] = field(default_factory=Ranking)
    waiting: Ranking[Standing] = field(default_factory=Ranking)  # paused here

    def promotable(self, eta: float) -> Standing | None:
        """The best paused trial, if it is among the best floor(n / eta) of the rung."""
        if not self.waiting:
            return None
        best = self.waiting[0]
        return best if self.reached.rank(best) < math.floor(len(self.reached) / eta) else None

    def why(self, standing: Standing, survivors: int) -> dict[str, Plain]:
        """How a trial stands among those that have come here."""
        rivals: list[Plain] = [[trial, value] for value, trial in islice(self.reached, RIVALS)]
        return {
            "rung": self.level,
            "value": standing[0],
            "rank": self.reached.rank(standing) + 1,
            "of": len(self.reached),
            "survivors": survivors,
            "cut_off": self.reached[survivors - 1][0] if survivors else None,
            "best": rivals,
        }


@dataclass
class ASHA(SettingsTable):
    """Stops (or pauses) each trial at a rung unless it is among the best 1/eta of the trials there.

    Args:
        max_t: no trial runs longer.
        grace_period: the first rung: no trial is stopped earlier.
        reduction_factor: eta, more than 1.
        brackets: how many brackets share the trials; bracket s starts its rungs at ``grace_period * eta**s``. A trial
            is assigned to bracket s with a share of ``eta**-s / (rungs + 1)``, as in HyperBand, unless its searcher
            names a bracket in its tags. None: one bracket for each rung, and one without rungs.
        promote: pause and promote instead of stopping.
        time_attr: the metric that rungs are measured in: ``step``, ``time_s``, or any metric that only grows.
        stop_last_trials: end trials at ``max_t``; else they may continue after the last rung.

    Raises:
        ValueError: an argument is out of its range; later, if a searcher names a bracket that does not exist.
    """

    max_t: float = 100
    grace_period: float = 1
    reduction_factor: float = 4
    brackets: int | None = 1
    promote: bool = False
    time_attr: str = "step"
    stop_last_trials: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.grace_period <= self.max_t < math.inf:
            raise ValueError(f"grace_period must be in (0, max_t = {self.max_t}], not {self.grace_period}")
        if not self.reduction_factor > 1:
            raise ValueError(f"reduction_factor must be more than 1, not {self.reduction_factor}")
        most = len(list(self._levels(0))) + 1
        if self.brackets is not None and not 1 <= self.brackets <= most:
            raise ValueError(f"brackets must be from 1 to {most} here, not {self.brackets}")
        self._count = self.brackets or most

    def _levels(self, bracket: int) -> Iterator[float]:
        level = self.grace_period
        for _ in range(bracket):
            level *= self.reduction_factor
        # By multiplication: log(243) / log(3) is a little below 5, and floored it would lose a rung.
        while level < self.max_t:
            yield level
            level *= self.reduction_factor

    def setup(self, rng: Streams) -> None:
        """Begin with empty rungs."""
        self._rng = rng
        self._rungs = [[Rung(level) for level in self._levels(bracket)] for bracket in range(self._count)]
        self._places: dict[int, tuple[int, int]] = {}  # trial -> bracket, and the rung it is going to or paused at
        self._paused: dict[int, float] = {}  # trial -> its value in the rung it is paused at
        self._latest: tuple[Rung, Standing, int] | None = None  # what the last answer went by
        # Later starts cost more, and so do more rungs, of which each costs the same: as in Li et al., algorithm 1.
        weights = [self.reduction_factor**-bracket / (len(rungs) + 1) for bracket, rungs in enumerate(self._rungs)]
        self._weights = [weight / sum(weights) for weight in weights]
        self.open = len(self._rungs[0])  # no trial is promoted from this rung, counted from 0, or a higher one

    @property
    def count(self) -> int:
        """How many brackets there are."""
        return self._count

    @property
    def levels(self) -> tuple[float, ...]:
        """The rungs of the first bracket."""
        return tuple(self._levels(0))

    def place(self, trial: int) -> int:
        """Return the rung, from 0, that a trial runs to or is paused at."""
        return self._places[trial][1]

    def on_start(self, trial: TrialView) -> Start:
        """Assign the trial to a bracket, unless its searcher names one; it runs to the first rung."""
        bracket = self._deal(trial)
        self._places[trial.id] = (bracket, 0)
        return Start(self._boundary(bracket, 0), {"bracket": bracket} if self._count > 1 else {})

    def _deal(self, trial: TrialView) -> int:
        if self._count == 1:
            return 0
        named = trial.tags.get("bracket")
        if named is None:
            return int(self._rng("asha", trial.id).choice(self._count, p=self._weights))
        if not isinstance(named, int) or not 0 <= named < self._count:
            raise ValueError(f"the tags of trial {trial.id} name bracket {named!r}, not 0 to {self._count - 1}")
        return named

    def _boundary(self, bracket: int, place: int) -> Until:
        rungs = self._rungs[bracket]
        if place < len(rungs):
            return (Boundary(self.time_attr, ">=", rungs[place].level),)
        return (Boundary(self.time_attr, ">=", self.max_t),) if self.stop_last_trials else ()

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Judge the trial at the highest rung that it has passed."""
        bracket, place = self._places[trial.id]
        rungs, now = self._rungs[bracket], cast(float, report.metrics[self.time_attr])
        if self.stop_last_trials and now >= self.max_t:
            self._latest = None
            return Stop(f"{self.time_attr} reached max_t = {self.max_t:g}", outcome="completed")
        # A report may come past several rungs, if they are measured in seconds; the trial is judged once.
        while place + 1 < len(rungs) and now >= rungs[place + 1].level:
            place += 1
        if place >= len(rungs) or now < rungs[place].level:
            # Another boundary was met, of time or of a wrapper's: it is no rung.
            return Continue(self._boundary(bracket, place))
        self._places[trial.id] = (bracket, place)
        return self._judge(trial.id, report.values[0], bracket, place)

    def _judge(self, trial: int, value: float, bracket: int, place: int) -> Verdict:
        rung = self._rungs[bracket][place]
        standing = (value if math.isfinite(value) else math.inf, trial)
        rank, n = rung.reached.add(standing), len(rung.reached)
        # A trial that pauses may be promoted later, so it waits until eta are there. One that is stopped has no second
        # chance: the ceiling lets the first to come go on, although nothing is known yet.
        survivors = math.floor(n / self.reduction_factor) if self.promote else math.ceil(n / self.reduction_factor)
        self._latest = (rung, standing, survivors)
        # What diverged does not go on even if all others here did too.
        if rank < survivors and standing[0] < math.inf and place < self.open:
            return Continue(self._advance(trial))
        if not self.promote or standing[0] == math.inf:
            return Stop(f"rank {rank + 1} of {n} at {self.time_attr} {rung.level:g}")
        rung.waiting.add(standing)
        self._paused[trial] = standing[0]
        return Pause()

    def _advance(self, trial: int) -> Until:
        bracket, place = self._places[trial]
        self._places[trial] = (bracket, place + 1)
        return self._boundary(bracket, place + 1)

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Forget the trial; its values stay in the rungs."""
        bracket, place = self._places.pop(trial.id)
        # A paused trial that was cancelled must not be promoted.
        value = self._paused.pop(trial.id, None)
        if value is not None:
            self._rungs[bracket][place].waiting.remove((value, trial.id))

    @property
    def always_new(self) -> bool:
        """Nothing is ever promoted."""
        return not self.promote

    def next(self, can_ask: bool) -> Choice:
        """The best promotable trial of the highest rung, else a new one."""
        if self._paused:
            for rungs in self._rungs:
                # From the top: what is nearly trained tells the most, and the lower rungs would else take every slot.
                for rung in reversed(rungs[: self.open]):
                    best = rung.promotable(self.reduction_factor)
                    if best is not None:
                        return self._promote(rung, best)
        return New() if can_ask else Wait()

    def _promote(self, rung: Rung, best: Standing) -> Resume:
        rung.waiting.remove(best)
        del self._paused[best[1]]
        self._latest = (rung, best, math.floor(len(rung.reached) / self.reduction_factor))
        return Resume(best[1], self._advance(best[1]))

    def why(self) -> dict[str, Plain]:
        """The rank of the trial of the last answer at its rung (1 is the best); ``best`` has the first few."""
        return {} if self._latest is None else self._latest[0].why(*self._latest[1:])

    def state(self) -> Plain:
        """The standings of every rung, and where each trial is."""
        return {
            "rungs": [[[_plain(rung.reached), _plain(rung.waiting)] for rung in rungs] for rungs in self._rungs],
            "places": [[trial, *place] for trial, place in self._places.items()],
        }

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        remembered = cast(dict[str, list[list[list[list[list[float]]]]]], state)
        for rungs, saved in zip(self._rungs, remembered["rungs"], strict=True):
            for rung, (reached, waiting) in zip(rungs, saved, strict=True):
                rung.reached = Ranking((value, int(trial)) for value, trial in reached)
                rung.waiting = Ranking((value, int(trial)) for value, trial in waiting)
        places = cast(dict[str, list[tuple[int, int, int]]], state)["places"]
        self._places = {trial: (bracket, place) for trial, bracket, place in places}
        self._paused = {trial: value for rungs in self._rungs for rung in rungs for value, trial in rung.waiting}


def _plain(standings: Ranking[Standing]) -> list[Plain]:
    return [[value, trial] for value, trial in standings]


@dataclass
class AsyncHyperBand(ASHA):
    """ASHA in as many brackets as there are, from those that judge early to one that never does: like HyperBand
    (Li et al. 2016), but without waiting for others."""

    brackets: int | None = None
