"""Freeze-thaw (Swersky et al. 2014, arXiv 1406.3896): trials run a short way and pause, and a model of their learning
curves says each time what goes on: one of them, or a new one.

The model is the searcher's. This scheduler only says how far a trial goes each time, along levels that are apart by
about the same factor, so that few decisions are made where curves are flat. R = max_t, r = grace period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from trialwright.messages import (
    Choice,
    Consult,
    Outcome,
    Pause,
    Plain,
    Report,
    Start,
    Stop,
    Until,
    Verdict,
    Wait,
    at_step,
)
from trialwright.schedulers.base import TrialView
from trialwright.streams import Streams


@dataclass
class FreezeThaw:
    """Pauses each trial at each level, and asks the searcher what goes on.

    A trial that pauses goes on from its last checkpoint: without checkpoints, each decision begins it again.

    Args:
        max_t: the last level, in steps: a trial that comes there is completed.
        grace_period: the first level.
        levels: how many there are at most.

    Raises:
        ValueError: the levels make no sense.
    """

    max_t: int = 100
    grace_period: int = 1
    levels: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.grace_period <= self.max_t < math.inf:
            raise ValueError(f"grace_period must be in (0, max_t = {self.max_t}], not {self.grace_period}")
        if self.levels < 2:
            raise ValueError(f"levels must be at least 2, not {self.levels}")
        ratio = (self.max_t / self.grace_period) ** (1 / (self.levels - 1))
        # A set: near the first level, where they are less than a step apart, several are rounded to the same step.
        # ``round`` would take halves to even steps, now up and now down.
        self.steps = sorted({math.floor(self.grace_period * ratio**place + 0.5) for place in range(self.levels)})

    def setup(self, rng: Streams) -> None:
        """Begin with no trials."""
        self._paused: set[int] = set()

    def on_start(self, trial: TrialView) -> Start:
        """The first level is as far as a new trial goes."""
        return Start(at_step(self.steps[0]))

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Pause at each level but the last; end what has no value that could be modelled."""
        # Asked first: a trial that has come to its end is complete, whatever its last value is.
        if report.step >= self.max_t:
            return Stop(f"step reached max_t = {self.max_t:g}", outcome="completed")
        if not math.isfinite(report.values[0]):
            return Stop("its value is not finite")
        self._paused.add(trial.id)
        return Pause()

    def on_resume(self, trial: TrialView) -> Until:
        """The searcher has chosen this trial: it goes to the next level."""
        self._paused.discard(trial.id)
        return at_step(next(step for step in self.steps if step > trial.step))

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """It cannot go on."""
        self._paused.discard(trial.id)

    def next(self, can_ask: bool) -> Choice:
        """Ask the searcher, as long as there is something to choose."""
        return Consult({"levels": [*self.steps]}) if can_ask or self._paused else Wait()

    def state(self) -> Plain:
        """Which trials are paused."""
        return [*sorted(self._paused)]

    def restore(self, state: Plain) -> None:
        """Take it back."""
        self._paused = set(cast("list[int]", state))
