"""Freeze-thaw (Swersky et al. 2014, arXiv 1406.3896): trials run for some steps and pause, and a model of their
learning curves chooses what runs next: one of them, or a new trial.

The model is the searcher's. This scheduler only says how far a trial goes each time, along levels that are apart by
about the same factor, so that few decisions are made where curves are flat. R = max_t, r = grace period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from trialwright.html import SettingsTable
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
class FreezeThaw(SettingsTable):
    """Pauses each trial at each level, and asks the searcher which trial runs next.

    A paused trial resumes from its last checkpoint; without checkpoints it starts again each time.

    Args:
        max_t: the last level, in steps: a trial that reaches it is completed.
        grace_period: the first level.
        levels: how many levels there are at most.

    Raises:
        ValueError: an argument is out of its range.
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
        """A new trial runs to the first level."""
        return Start(at_step(self.steps[0]))

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Pause at each level but the last; stop a trial without a finite value."""
        # Asked first: a trial that has come to its end is complete, whatever its last value is.
        if report.step >= self.max_t:
            return Stop(f"step reached max_t = {self.max_t:g}", outcome="completed")
        if not math.isfinite(report.values[0]):
            return Stop("its value is not finite")
        self._paused.add(trial.id)
        return Pause()

    def on_resume(self, trial: TrialView) -> Until:
        """The searcher has chosen this trial: it runs to the next level."""
        self._paused.discard(trial.id)
        return at_step(next(step for step in self.steps if step > trial.step))

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """It cannot be resumed."""
        self._paused.discard(trial.id)

    def next(self, can_ask: bool) -> Choice:
        """Ask the searcher, as long as there is something to choose."""
        return Consult({"levels": [*self.steps]}) if can_ask or self._paused else Wait()

    def state(self) -> Plain:
        """Which trials are paused."""
        return [*sorted(self._paused)]

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        self._paused = set(cast("list[int]", state))
