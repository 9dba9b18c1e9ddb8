"""MOASHA: ASHA for several objectives (Schmucker et al. 2021, arXiv 2106.12639), in the order of NSGA-II.

Notation: eta = reduction factor; the rungs stand at r, r eta, r eta^2, ... below R = max_t; n = trials that have
reached a rung. A trial goes on if fewer than ceil(n / eta) come before it: those on better fronts, and on its own front
those in less crowded places (Deb et al. 2002). The ends of a front are never crowded, so its extremes survive.

What an insertion costs grows with the rung: of two objectives, with how many fronts something moves through; of more,
with the size of the fronts it touches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, cast

from trialwright.html import SettingsTable
from trialwright.messages import (
    Boundary,
    Choice,
    Continue,
    New,
    Outcome,
    Plain,
    Report,
    Start,
    Stop,
    Until,
    Verdict,
    Wait,
)
from trialwright.schedulers.base import RIVALS, TrialView
from trialwright.schedulers.fronts import Fronts
from trialwright.streams import Streams


@dataclass(slots=True)
class _Rung:
    level: float
    reached: Fronts = field(default_factory=Fronts)


@dataclass
class MOASHA(SettingsTable):
    """Stops each trial at a rung unless it is among the best 1/eta of the trials there, by several objectives.

    The run's ``metric`` is a list: all have the same weight, whatever their scales. With one metric it is ASHA.

    Args:
        max_t: no trial runs longer.
        grace_period: the first rung.
        reduction_factor: eta, more than 1.
        time_attr: the metric that rungs are measured in: ``step``, ``time_s``, or any metric that only grows.
        stop_last_trials: end trials at ``max_t``; else they may continue after the last rung.

    Raises:
        ValueError: an argument is out of its range.
    """

    max_t: float = 100
    grace_period: float = 1
    reduction_factor: float = 4
    time_attr: str = "step"
    stop_last_trials: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.grace_period <= self.max_t < math.inf:
            raise ValueError(f"grace_period must be in (0, max_t = {self.max_t}], not {self.grace_period}")
        if not self.reduction_factor > 1:
            raise ValueError(f"reduction_factor must be more than 1, not {self.reduction_factor}")

    def setup(self, rng: Streams) -> None:
        """Begin with empty rungs."""
        self._rungs = [_Rung(level) for level in self._levels()]
        self._places: dict[int, int] = {}  # trial -> the rung it is going to
        self._latest: dict[str, Plain] = {}

    def _levels(self) -> Iterator[float]:
        level = self.grace_period
        while level < self.max_t:
            yield level
            level *= self.reduction_factor

    def on_start(self, trial: TrialView) -> Start:
        """The trial runs to the first rung."""
        self._places[trial.id] = 0
        return Start(self._until(0))

    def _until(self, place: int) -> Until:
        if place < len(self._rungs):
            return (Boundary(self.time_attr, ">=", self._rungs[place].level),)
        return (Boundary(self.time_attr, ">=", self.max_t),) if self.stop_last_trials else ()

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Judge the trial at the highest rung that it has passed."""
        place, now = self._places[trial.id], cast(float, report.metrics[self.time_attr])
        if self.stop_last_trials and now >= self.max_t:
            return Stop(f"{self.time_attr} reached max_t = {self.max_t:g}", outcome="completed")
        # A report may come past several rungs, if they are measured in seconds; the trial is judged once.
        while place + 1 < len(self._rungs) and now >= self._rungs[place + 1].level:
            place += 1
        if place >= len(self._rungs) or now < self._rungs[place].level:
            return Continue(self._until(place))
        # NaN is neither more nor less than anything: on a front it would never be dominated.
        if not all(map(math.isfinite, report.values)):
            return Stop(f"not finite at {self.time_attr} {self._rungs[place].level:g}")
        return self._judge(trial.id, report.values, place)

    def _judge(self, trial: int, values: tuple[float, ...], place: int) -> Verdict:
        rung = self._rungs[place]
        number = rung.reached.add((values, trial))
        survivors = math.ceil(len(rung.reached) / self.reduction_factor)  # the first to come goes on
        before = rung.reached.before(number)
        # Crowding takes time for each point of a front, and only decides on the front that the cut goes through.
        if before < survivors < before + len(rung.reached[number]):
            before += rung.reached.ahead((values, trial), number)
        self._latest = {
            "rung": rung.level,
            "values": [*values],
            "front": number,
            "rank": before + 1,
            "of": len(rung.reached),
            "survivors": survivors,
            "best": [[other, [*of_other]] for of_other, other in rung.reached[0][:RIVALS]],
        }
        if before >= survivors:
            return Stop(f"rank {before + 1} of {len(rung.reached)} at {self.time_attr} {rung.level:g}")
        self._places[trial] = place + 1
        return Continue(self._until(place + 1))

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Its values stay in the rungs."""
        del self._places[trial.id]

    always_new: ClassVar[bool] = True

    def next(self, can_ask: bool) -> Choice:
        """A new trial, as long as there are any."""
        return New() if can_ask else Wait()

    def why(self) -> dict[str, Plain]:
        """The front of the last trial that was judged, its rank, and a few of the first front."""
        return dict(self._latest)

    def state(self) -> Plain:
        """Which trials have reached each rung, and where each trial is."""
        return {
            "rungs": [[[trial, *v] for front in rung.reached for v, trial in front] for rung in self._rungs],
            "places": [[trial, place] for trial, place in self._places.items()],
        }

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        saved = cast("dict[str, list[list[tuple[float, ...]]]]", state)["rungs"]
        for rung, points in zip(self._rungs, saved, strict=True):
            rung.reached = Fronts((tuple(values), int(trial)) for trial, *values in points)
        self._places = dict(cast("dict[str, list[tuple[int, int]]]", state)["places"])
