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
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from trialist.messages import (
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
from trialist.schedulers.base import TrialView
from trialist.streams import Streams

Standing = tuple[float, int]  # value, trial: smaller is better, and the older trial wins a tie


@dataclass(slots=True)
class Rung:
    """The trials that have reached one level, best first."""

    level: float
    reached: list[Standing] = field(default_factory=list)
    waiting: list[Standing] = field(default_factory=list)  # paused here, best first

    def record(self, standing: Standing) -> int:
        """Note that a trial is here; return its rank, from 0."""
        insort(self.reached, standing)
        return bisect_left(self.reached, standing)

    def promotable(self, eta: float) -> int | None:
        """The best paused trial, if it is among the best floor(n / eta) of the rung."""
        if self.waiting and bisect_left(self.reached, self.waiting[0]) < math.floor(len(self.reached) / eta):
            return self.waiting[0][1]
        return None


@dataclass
class ASHA:
    """Stops (or pauses) at each rung the trials that are not among the best 1/eta there.

    Args:
        max_t: no trial goes further than this.
        grace_period: the first rung: no trial is stopped earlier.
        reduction_factor: eta, more than 1.
        brackets: how many brackets share the trials; bracket s starts its rungs at ``grace_period * eta**s``.
            Trials are dealt in
            proportion to what a bracket would need for equal budgets.
        promote: pause and promote instead of stopping.
        time_attr: the metric that rungs are measured in: ``step``, ``time_s``, or any metric that only grows.
        stop_last_trials: end trials at ``max_t``; else they may go on after the last rung.

    Raises:
        ValueError: the levels make no sense.
    """

    max_t: float = 100
    grace_period: float = 1
    reduction_factor: float = 4
    brackets: int = 1
    promote: bool = False
    time_attr: str = "step"
    stop_last_trials: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.grace_period <= self.max_t:
            raise ValueError(f"grace_period must be in (0, max_t = {self.max_t}], not {self.grace_period}")
        if not self.reduction_factor > 1:
            raise ValueError(f"reduction_factor must be more than 1, not {self.reduction_factor}")
        if not 1 <= self.brackets <= len(list(self._levels(0))) + 1:
            raise ValueError(f"brackets must be from 1 to {len(list(self._levels(0))) + 1} here, not {self.brackets}")

    def _levels(self, bracket: int) -> Iterator[float]:
        level = self.grace_period
        for _ in range(bracket):
            level *= self.reduction_factor
        while level < self.max_t:
            yield level
            level *= self.reduction_factor

    def setup(self, rng: Streams) -> None:
        """Begin with empty rungs."""
        self._rng = rng
        self._rungs = [[Rung(level) for level in self._levels(bracket)] for bracket in range(self.brackets)]
        self._places: dict[
            int, tuple[int, int]
        ] = {}  # trial -> its bracket and the rung it is on its way to or paused at
        self._paused: dict[int, float] = {}  # trial -> its value in the rung it is paused at
        weights = [self.reduction_factor**-bracket for bracket in range(self.brackets)]
        self._weights = [weight / sum(weights) for weight in weights]

    def on_start(self, trial: TrialView) -> Start:
        """Deal the trial to a bracket and send it to the first rung."""
        bracket = self._deal(trial.id)
        self._places[trial.id] = (bracket, 0)
        return Start(self._boundary(bracket, 0), {"bracket": bracket} if self.brackets > 1 else {})

    def _deal(self, trial: int) -> int:
        if self.brackets == 1:
            return 0
        return int(self._rng("asha", trial).choice(self.brackets, p=self._weights))

    def _boundary(self, bracket: int, place: int) -> Until:
        rungs = self._rungs[bracket]
        if place < len(rungs):
            return (Boundary(self.time_attr, ">=", rungs[place].level),)
        return (Boundary(self.time_attr, ">=", self.max_t),) if self.stop_last_trials else ()

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Record the trial at every rung it has come past, and judge it at the highest."""
        bracket, place = self._places[trial.id]
        rungs, now = self._rungs[bracket], cast(float, report.metrics[self.time_attr])
        verdict: Verdict = Continue(self._boundary(bracket, place))
        while place < len(rungs) and now >= rungs[place].level and isinstance(verdict, Continue):
            verdict = self._judge(trial.id, report.values[0], bracket, place)
            place = self._places[trial.id][1]
        if self.stop_last_trials and now >= self.max_t:
            return Stop(f"{self.time_attr} reached max_t = {self.max_t:g}", outcome="completed")
        return verdict

    def _judge(self, trial: int, value: float, bracket: int, place: int) -> Verdict:
        rung = self._rungs[bracket][place]
        standing = (value if math.isfinite(value) else math.inf, trial)
        rank, n = rung.record(standing), len(rung.reached)
        survivors = math.floor(n / self.reduction_factor) if self.promote else math.ceil(n / self.reduction_factor)
        if rank < survivors and standing[0] < math.inf:
            return Continue(self._advance(trial))
        if not self.promote or standing[0] == math.inf:
            return Stop(f"rank {rank + 1} of {n} at {self.time_attr} {rung.level:g}")
        insort(rung.waiting, standing)
        self._paused[trial] = standing[0]
        return Pause()

    def _advance(self, trial: int) -> Until:
        bracket, place = self._places[trial]
        self._places[trial] = (bracket, place + 1)
        return self._boundary(bracket, place + 1)

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Forget where the trial was going; what it reached stays in the rungs."""
        bracket, place = self._places.pop(trial.id)
        value = self._paused.pop(trial.id, None)
        if value is not None:
            waiting = self._rungs[bracket][place].waiting
            del waiting[bisect_left(waiting, (value, trial.id))]

    def next(self, can_ask: bool) -> Choice:
        """The best promotable trial of the highest rung, else a new one."""
        if not self.promote:
            return New() if can_ask else Wait()
        for rungs in self._rungs:
            for rung in reversed(rungs):
                trial = rung.promotable(self.reduction_factor)
                if trial is not None:
                    del rung.waiting[0], self._paused[trial]
                    return Resume(trial, self._advance(trial))
        return New() if can_ask else Wait()

    def state(self) -> Plain:
        """The standings of every rung, and where each trial is."""
        return {
            "rungs": [[[_plain(rung.reached), _plain(rung.waiting)] for rung in rungs] for rungs in self._rungs],
            "places": [[trial, *place] for trial, place in self._places.items()],
        }

    def restore(self, state: Plain) -> None:
        """Take the standings back."""
        remembered = cast(dict[str, list[list[list[list[list[float]]]]]], state)
        for rungs, saved in zip(self._rungs, remembered["rungs"], strict=True):
            for rung, (reached, waiting) in zip(rungs, saved, strict=True):
                rung.reached = [(value, int(trial)) for value, trial in reached]
                rung.waiting = [(value, int(trial)) for value, trial in waiting]
        places = cast(dict[str, list[tuple[int, int, int]]], state)["places"]
        self._places = {trial: (bracket, place) for trial, bracket, place in places}
        self._paused = {trial: value for rungs in self._rungs for rung in rungs for value, trial in rung.waiting}


def _plain(standings: list[Standing]) -> list[Plain]:
    return [[value, trial] for value, trial in standings]
