"""The median rule (Golovin et al. 2017, section 3.2.1): stops trials that are worse than the median of the others.

Notation: t = a point in time, ``grace_period`` plus a multiple of ``interval``; m_j(t) = the mean of what trial j has
reported from the grace period to t; b_i(t) = the best of what trial i has. Trial i ends at t if b_i(t) is worse than
the median of m_j(t), over all other trials that have come to t, whether they still run or not.

Trials are looked at where they come past a point, at their value there. A report that comes past several counts once in
the mean, and stands for its trial at all of them. A time that repeats or goes back is no new point.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, cast

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
from trialwright.schedulers.base import TrialView
from trialwright.schedulers.ranking import Ranking
from trialwright.streams import Streams


@dataclass(slots=True)
class _Course:
    """What one trial has reported."""

    points: int = 0  # that it has come past
    count: int = 0
    total: float = 0.0
    best: float = math.inf
    spared: bool = False  # it was paused, and goes on unjudged

    def note(self, value: float) -> float:
        """Return the mean with one value more."""
        self.count, self.total, self.best = self.count + 1, self.total + value, min(self.best, value)
        mean = self.total / self.count
        return mean if math.isfinite(mean) else math.inf


@dataclass
class MedianStopping(SettingsTable):
    """Stops trials whose best value is worse than the median of the others' running means.

    Args:
        grace_period: no trial is stopped earlier.
        min_samples_required: no trial is stopped before this many others have reached the same point.
        interval: the distance between the points at which trials are compared. Reports in between do not wait, and are
            not seen. Use the distance between two reports, or more.
        time_attr: what these are measured in: ``step``, ``time_s``, or any metric that only grows.
        pause: pause instead of stopping; when nothing else is left to do, paused trials are resumed, and no longer
            compared.

    Raises:
        ValueError: an argument is out of its range.
    """

    grace_period: float = 1
    min_samples_required: int = 3
    interval: float = 1
    time_attr: str = "step"
    pause: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.grace_period < math.inf:
            raise ValueError(f"grace_period must be at least 0 and finite, not {self.grace_period}")
        if not self.min_samples_required >= 1:
            raise ValueError(f"min_samples_required must be at least 1, not {self.min_samples_required}")
        if not 0 < self.interval < math.inf:
            raise ValueError(f"interval must be more than 0 and finite, not {self.interval}")

    def setup(self, rng: Streams) -> None:
        """Begin with no trials."""
        self._courses: dict[int, _Course] = {}
        self._means: list[Ranking[tuple[float, int]]] = []  # at each point
        self._paused: OrderedDict[int, None] = OrderedDict()  # a dict would look through all that were taken out
        self._latest: dict[str, Plain] = {}

    def on_start(self, trial: TrialView) -> Start:
        """The first point is where the grace period ends."""
        self._courses[trial.id] = _Course()
        return Start(self._until(0))

    def _until(self, point: int) -> Until:
        return (Boundary(self.time_attr, ">=", self.grace_period + point * self.interval),)

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Compare the trial at the last point that it has passed, and note its mean at each."""
        course, value = self._courses[trial.id], report.values[0]
        if course.spared:
            return Continue(())
        if not math.isfinite(value):
            self._latest = {"value": math.inf}
            return Stop("its value is not finite")
        reached = self._reached(cast(float, report.metrics[self.time_attr]))
        # Time stood still or went back, as after a retry: no point is passed twice.
        if reached < course.points:
            return Continue(self._until(course.points))
        # One report, one value in the mean, however many points it comes past.
        mean, worse = course.note(value), False
        for point in range(course.points, reached + 1):
            others = self._at(point)
            worse = self._is_worse(course.best, others, point)  # before its own mean is among them
            others.add((mean, trial.id))
        course.points = reached + 1
        return self._end(trial.id) if worse else Continue(self._until(course.points))

    def _reached(self, now: float) -> int:
        point = math.floor((now - self.grace_period) / self.interval)
        return point + 1 if now >= self.grace_period + (point + 1) * self.interval else point  # as the worker tests it

    def _at(self, point: int) -> Ranking[tuple[float, int]]:
        while len(self._means) <= point:
            self._means.append(Ranking())
        return self._means[point]

    def _is_worse(self, best: float, others: Ranking[tuple[float, int]], point: int) -> bool:
        median = _median(others) if others else math.nan
        at = self.grace_period + point * self.interval
        self._latest = {"at": at, "best": best, "median": median, "of": len(others)}
        return len(others) >= self.min_samples_required and best > median

    def _end(self, trial: int) -> Verdict:
        if self.pause:
            self._paused[trial] = None
            return Pause()
        return Stop(f"worse than the median of {self._latest['of']} at {self.time_attr} {self._latest['at']:g}")

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Its reports stay: others are compared with them."""
        del self._courses[trial.id]
        self._paused.pop(trial.id, None)

    always_new: ClassVar[bool] = True

    def next(self, can_ask: bool) -> Choice:
        """A new trial; if there is none, the trial that was paused first."""
        if can_ask or not self._paused:
            return New() if can_ask else Wait()
        trial, _ = self._paused.popitem(last=False)
        self._courses[trial].spared = True
        return Resume(trial, ())

    def why(self) -> dict[str, Plain]:
        """The trial's best value, and the median of the others' means where it was compared."""
        return dict(self._latest)

    def state(self) -> Plain:
        """What each trial has reported, and the means at every point."""
        return {
            "courses": [[trial, c.points, c.count, c.total, c.best, c.spared] for trial, c in self._courses.items()],
            "means": [[[mean, trial] for mean, trial in means] for means in self._means],
            "paused": list(self._paused),
        }

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        courses = cast("dict[str, list[tuple[int, int, int, float, float, bool]]]", state)["courses"]
        self._courses = {trial: _Course(*rest) for trial, *rest in courses}  # type: ignore[arg-type]
        means = cast("dict[str, list[list[tuple[float, int]]]]", state)["means"]
        self._means = [Ranking((mean, int(trial)) for mean, trial in point) for point in means]
        self._paused = OrderedDict.fromkeys(cast("dict[str, list[int]]", state)["paused"])


def _median(means: Ranking[tuple[float, int]]) -> float:
    middle = len(means) // 2
    above = means[middle][0]
    return above if len(means) % 2 or above == math.inf else (means[middle - 1][0] + above) / 2
