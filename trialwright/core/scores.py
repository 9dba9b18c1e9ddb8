"""Scores: what reports are worth as objectives, and which trial is the best so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trialwright.core.plan import Plan
from trialwright.core.trial import Trial
from trialwright.messages import Boundary, Metric, Reported
from trialwright.metrics import sem

Columns = Mapping[str, Sequence[Metric]]


class Improvement(NamedTuple):
    """When the best value of a run was last improved, and what was the best before; costs are sign-flipped."""

    now: float  # seconds of the run
    before: float | None = None  # None: there was no value before
    before_trial: int | None = None


class Scores:
    """Reads the plan's metrics out of frames of reports."""

    def __init__(self, plan: Plan) -> None:
        self.best: Trial | None = None  # by the first objective, among reports that violate no outcome constraint
        self.improved: Improvement | None = None  # how the best value was found
        self._least = math.inf  # the best value
        self._metrics, self._signs = plan.metrics, plan.signs
        self._metric = plan.metrics[0] if plan.metrics else None
        self._constraints = plan.outcome_constraints
        self._saved_for = plan.checkpoint_score

    def note(self, trial: Trial, event: Reported, now: float = 0.0) -> None:
        """Take in a frame: the trial's best, and the best of all; ``now`` is in seconds of the run."""
        column = event.columns.get(self._metric) if self._metric is not None else None
        if column is None:
            return
        sign, least = self._signs[0], math.inf if trial.best is None else trial.best[0]
        found: int | None = None
        for index, value in enumerate(column):
            cost = sign * number(value)
            # Infinity the wrong way is the result of an overflow, not of a perfect model; NaN fails both comparisons.
            if -math.inf < cost < least and all(excess <= 0 for excess in self.violations(event, index)):
                found, least = index, cost
        if found is not None:
            trial.best, trial.best_metrics = (least, event.first_step + found), event.row(found)
        before = self.best
        # Of equal trials the lowest number, as in ``Result.best``: else a display and the summary name different ones.
        if trial.best and (
            before is None or before.best is None or (trial.best[0], trial.id) < (before.best[0], before.id)
        ):
            self.best = trial
        if found is not None and least < self._least:
            self.improved = Improvement(now, self._least, before.id) if before else Improvement(now)
            self._least = least

    def values(self, columns: Columns, index: int) -> tuple[float, ...]:
        """Return the objectives of one report, sign-flipped so that smaller is better; NaN where there is none."""
        return tuple(
            [
                sign * number(columns[metric][index]) if metric in columns else math.nan
                for sign, metric in zip(self._signs, self._metrics, strict=True)
            ]
        )

    def sems(self, columns: Columns, count: int) -> list[tuple[float, ...]]:
        """Return the standard errors of the objectives at each of so many reports; none where none was reported."""
        known = {name: columns[name] for name in map(sem, self._metrics) if name in columns}
        rows = ({name: column[index] for name, column in known.items()} for index in range(count))
        return [standard_errors(self._metrics, row) for row in rows] if known else []

    def violations(self, event: Reported, index: int) -> tuple[float, ...]:
        """Return how far one report of a frame is beyond each outcome constraint, which may be on ``time_s`` too."""
        return violations(self._constraints, event.row(index)) if self._constraints else ()

    def cost_to_keep(self, trial: Trial) -> float:
        """Return what a trial's checkpoint is kept for, smaller first: 0 if all are worth the same."""
        if self._saved_for is None:
            return 0.0
        metric, mode = self._saved_for  # any metric, so it is not among the objectives' signs
        return number(trial.metrics.get(metric)) * (-1.0 if mode == "max" else 1.0)


def violations(constraints: Sequence[Boundary], metrics: Mapping[str, Metric]) -> tuple[float, ...]:
    """Return how far a report is beyond each constraint: at most 0 where it is met, NaN where nothing was reported."""
    return tuple(_sign(each) * (number(metrics.get(each.metric)) - each.value) for each in constraints)


def standard_errors(metrics: Sequence[str], row: Mapping[str, Metric]) -> tuple[float, ...]:
    """Return the standard error of each metric that a report gives; 0 where it gives none, or none that is finite."""
    found = [number(row.get(sem(metric))) for metric in metrics]
    return tuple([each if 0.0 < each < math.inf else 0.0 for each in found])


def _sign(constraint: Boundary) -> float:
    return 1.0 if constraint.op == "<=" else -1.0


def number(value: Metric) -> float:
    """Return a reported value as a float; what is no number is NaN."""
    return float(value) if isinstance(value, int | float) else math.nan
