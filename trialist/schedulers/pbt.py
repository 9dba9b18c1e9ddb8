"""Population based training (Jaderberg et al. 2017, arXiv 1711.09846): truncation selection, asynchronous.

Every ``interval`` a member of the population is compared with the latest scores of the others. If it is in the worst
quantile, it goes on from the checkpoint of a member drawn from the best quantile (*exploit*), with a variation of that
member's configuration (*explore*). The variation is a searcher's answer to an "explore" request:
``searchers/perturb.py``, or a model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from trialist.messages import (
    Boundary,
    Choice,
    Clone,
    Continue,
    New,
    Outcome,
    Plain,
    Report,
    Start,
    Until,
    Verdict,
    Wait,
)
from trialist.schedulers.base import TrialView
from trialist.streams import Streams


@dataclass
class PBT:
    """Replaces the worst members of a population by variations of the best.

    Args:
        interval: how much of ``time_attr`` lies between two decisions about a member.
        quantile: the share of the population that is replaced, and that is copied; in (0, 0.5].
        burn_in: no member is replaced before this.
        time_attr: ``step``, ``time_s``, or any metric that only grows.

    Raises:
        ValueError: an argument is out of its range.
    """

    interval: float = 10
    quantile: float = 0.25
    burn_in: float = 0
    time_attr: str = "step"

    def __post_init__(self) -> None:
        if not self.interval > 0:
            raise ValueError(f"interval must be more than 0, not {self.interval}")
        if not 0 < self.quantile <= 0.5:
            raise ValueError(f"quantile must be in (0, 0.5], not {self.quantile}")

    def setup(self, rng: Streams) -> None:
        """Begin with an empty population."""
        self._rng = rng
        self._scores: dict[int, tuple[float, float]] = {}  # value, and when it was reached

    def on_start(self, trial: TrialView) -> Start:
        """The first decision comes after one interval."""
        return Start(self._after(0))

    def _after(self, now: float) -> Until:
        return (Boundary(self.time_attr, ">=", now + self.interval),)

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Replace the trial if it is among the worst."""
        now, value = cast(float, report.metrics[self.time_attr]), report.values[0]
        self._scores[trial.id] = (value if math.isfinite(value) else math.inf, now)
        best, worst = self._quantiles()
        if now < self.burn_in or trial.id not in worst:
            return Continue(self._after(now))
        donor = best[int(self._rng("pbt", trial.id, report.step).integers(len(best)))]
        return Clone(donor, self._after(self._scores[donor][1]))  # it takes the donor's place in time

    def _quantiles(self) -> tuple[list[int], list[int]]:
        ranked = sorted(self._scores, key=lambda trial: (self._scores[trial][0], trial))
        size = min(math.ceil(len(ranked) * self.quantile), len(ranked) // 2)
        return ranked[:size], ranked[len(ranked) - size :]

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Whoever has ended is no donor: copies that never catch up with its last score would be replaced for ever."""
        self._scores.pop(trial.id, None)

    def next(self, can_ask: bool) -> Choice:
        """The population is the searcher's first suggestions."""
        return New() if can_ask else Wait()

    def state(self) -> Plain:
        """The latest score of each member."""
        return [[trial, *score] for trial, score in self._scores.items()]

    def restore(self, state: Plain) -> None:
        """Take the scores back."""
        scores = cast(list[tuple[int, float, float]], state)
        self._scores = {int(trial): (value, now) for trial, value, now in scores}
