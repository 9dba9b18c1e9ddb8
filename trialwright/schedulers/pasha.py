"""PASHA: ASHA that finds out how long trials must run (Bohdal et al. 2023, arXiv 2207.06940).

Notation: the rungs are those of promoting ASHA; K = the highest that is open, at first the second; f_k(c) = the value
of trial c at rung k; e = a tolerance.

No trial is promoted beyond rung K. Whenever a trial comes to it, the trials there are ranked by f_K, and by f_(K-1) as
they were one rung before. The two agree if at each place the trial of the first ranking is within e of the trial of the
second, in f_(K-1) (*soft ranking*). If they do not, the order is not settled, and K grows by one.

e is what noise alone makes of a difference. Curves of two trials that cross twice or more are taken to be as good as
equal (criss-crossing, section 4.3): e is the 90th percentile of the distances, at their last common point, of all pairs
at rung K that do. So every report is looked at, and waits for it.

The best trial of a run is then one of the highest rung that was needed, often far from trained: train its
configuration again.
"""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from trialwright.html import SettingsTable
from trialwright.messages import (
    EVERY_REPORT,
    Choice,
    Continue,
    Outcome,
    Plain,
    Report,
    Resume,
    Start,
    Stop,
    Verdict,
    at_step,
)
from trialwright.schedulers.asha import ASHA
from trialwright.schedulers.base import TrialView
from trialwright.streams import Streams

PERCENT = 90  # of the distances between curves that criss-cross: what e is

Curve = dict[float, float]  # time -> value


@dataclass
class PASHA(SettingsTable):
    """Promotes as ASHA does, but opens a higher rung only if the rankings at the highest two rungs disagree.

    Args:
        max_t: no trial runs longer.
        grace_period: the first rung.
        reduction_factor: eta, more than 1.
        time_attr: the metric that rungs are measured in: ``step``, ``time_s``, or any metric that only grows.

    Raises:
        ValueError: an argument is out of its range.
    """

    max_t: float = 100
    grace_period: float = 1
    reduction_factor: float = 3
    time_attr: str = "step"

    def __post_init__(self) -> None:
        levels = (self.max_t, self.grace_period, self.reduction_factor)
        self._asha = ASHA(*levels, promote=True, time_attr=self.time_attr)

    def setup(self, rng: Streams) -> None:
        """Begin with two rungs."""
        self._asha.setup(rng)
        self._levels = self._asha.levels
        self._curves: dict[int, Curve] = {}
        self._values: list[dict[int, float]] = [{} for _ in self._levels]  # of each rung, by trial
        self._open(min(1, len(self._levels)))

    def _open(self, rung: int) -> None:
        """Let trials go as far as this rung; whom they meet there is not known yet."""
        self._asha.open = rung
        self._distances: list[float] = []  # of pairs at that rung that criss-cross, least first

    @property
    def tolerance(self) -> float:
        """e; 0 as long as no curves have crossed twice."""
        count = len(self._distances)
        return self._distances[math.ceil(count * PERCENT / 100) - 1] if count else 0.0

    def on_start(self, trial: TrialView) -> Start:
        """The trial runs to its first report."""
        self._asha.on_start(trial)
        self._curves[trial.id] = {}
        return Start(EVERY_REPORT)

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Note the value; at a rung, promote or pause; at the highest open rung, decide whether to open the next
        one."""
        now, value = cast(float, report.metrics[self.time_attr]), report.values[0]
        if not math.isfinite(value):
            return Stop(f"its value is not finite at {self.time_attr} {now:g}")
        self._curves[trial.id][now] = value
        before = self._asha.place(trial.id)
        # ASHA judges first: a trial that opens the next rung by what it shows pauses here all the same.
        verdict = self._asha.on_report(trial, report)
        self._note(trial.id, value, now, before)
        return Continue(at_step(report.step + 1)) if isinstance(verdict, Continue) else verdict

    def _note(self, trial: int, value: float, now: float, before: int) -> None:
        """The trial has come to a rung, perhaps: the highest that it has come past."""
        reached = [rung for rung in range(before, len(self._levels)) if now >= self._levels[rung]]
        # A retried trial comes here a second time: the ranking keeps what it was judged by.
        if not reached or trial in self._values[reached[-1]]:
            return
        rung = reached[-1]
        self._values[rung][trial] = value
        if rung == self._asha.open:
            self._compare(trial, rung)
            if not self._settled(rung):
                self._open(rung + 1)

    def _compare(self, trial: int, rung: int) -> None:
        """Add the distances between this trial and those that were at the rung before it, where their curves say that
        they are as good as equal."""
        for other in self._values[rung]:
            if other != trial and other in self._curves:  # the curve of a trial that has ended is gone
                distance = criss_cross(self._curves[trial], self._curves[other])
                if distance is not None:
                    insort(self._distances, distance)

    def _settled(self, rung: int) -> bool:
        here, below = self._values[rung], self._values[rung - 1]
        members = [trial for trial in here if trial in below]  # who skipped a rung tells nothing
        now = sorted(members, key=lambda trial: (here[trial], trial))
        then = sorted(members, key=lambda trial: (below[trial], trial))
        return all(abs(below[a] - below[b]) <= self.tolerance for a, b in zip(now, then, strict=True))

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Forget its curve; its values stay in the rungs."""
        self._asha.on_end(trial, outcome)
        del self._curves[trial.id]

    def next(self, can_ask: bool) -> Choice:
        """The best promotable trial of the highest rung that is left upwards, else a new one."""
        choice = self._asha.next(can_ask)
        return Resume(choice.trial, EVERY_REPORT) if isinstance(choice, Resume) else choice

    def why(self) -> dict[str, Plain]:
        """The rank of the trial at its rung, the highest open rung, and the tolerance."""
        top = self._asha.open
        return {**self._asha.why(), "open": [*self._levels, self.max_t][top], "tolerance": self.tolerance}

    def state(self) -> Plain:
        """The rungs, the curves of trials that have not ended, and the highest open rung."""
        return {
            "asha": self._asha.state(),
            "curves": [[trial, [[*point] for point in curve.items()]] for trial, curve in self._curves.items()],
            "values": [[[trial, value] for trial, value in rung.items()] for rung in self._values],
            "open": self._asha.open,
            "distances": [*self._distances],
        }

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        saved = cast("dict[str, Plain]", state)
        self._asha.restore(saved["asha"])
        curves = cast("list[tuple[int, list[tuple[float, float]]]]", saved["curves"])
        self._curves = {trial: dict(points) for trial, points in curves}
        self._values = [dict(rung) for rung in cast("list[list[tuple[int, float]]]", saved["values"])]
        self._open(cast(int, saved["open"]))
        self._distances = list(cast("list[float]", saved["distances"]))


def criss_cross(one: Curve, other: Curve) -> float | None:
    """Return how far two curves are apart at their last common point if their order has changed twice; else None."""
    common = sorted(one.keys() & other.keys())
    differences = [one[time] - other[time] for time in common]
    signs = [difference > 0 for difference in differences if difference]  # equal values change no order
    changes = sum(a != b for a, b in pairwise(signs))
    return abs(differences[-1]) if changes >= 2 else None
