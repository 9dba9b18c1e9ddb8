"""The Pareto front of the trials that have ended: kept up to date trial by trial, for displays."""

from __future__ import annotations

import math
from operator import le

from trialwright.core.plan import Plan
from trialwright.core.scores import number, violations
from trialwright.core.trial import Trial

Cost = tuple[float, ...]


class Front:
    """Counts the trials that no other one dominates, by their last values; see ``Result.pareto_front``.

    A trial that ends is compared with the front, not with all trials.

    Args:
        plan: has the objectives and the outcome constraints. With fewer than two objectives nothing is kept.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._is_kept = len(plan.metrics) > 1
        self._costs: dict[int, Cost] = {}  # of all trials that count
        self._front: dict[Cost, int] = {}  # how many trials have this cost
        self._is_stale = False  # a trial has left: those that it dominated may be on the front again

    @property
    def size(self) -> int | None:
        """How many trials are on the front; None with fewer than two objectives."""
        if not self._is_kept:
            return None
        if self._is_stale:
            self._front, self._is_stale = {}, False
            for cost in self._costs.values():
                self._insert(cost)
        return sum(self._front.values())

    def add(self, trial: Trial) -> None:
        """A trial has ended."""
        cost = self._cost(trial) if self._is_kept else None
        if cost is not None:
            self._costs[trial.id] = cost
            self._insert(cost)

    def remove(self, trial: Trial) -> None:
        """A trial that has ended is tried again."""
        self._is_stale = self._costs.pop(trial.id, None) is not None or self._is_stale

    def _cost(self, trial: Trial) -> Cost | None:
        """Return the last value of each objective, sign-flipped so that smaller is better; None if it cannot count."""
        plan, metrics = self._plan, trial.metrics
        cost = tuple(sign * number(metrics.get(name)) for name, sign in zip(plan.metrics, plan.signs, strict=True))
        is_feasible = all(excess <= 0 for excess in violations(plan.outcome_constraints, metrics))
        return cost if is_feasible and all(map(math.isfinite, cost)) else None

    def _insert(self, cost: Cost) -> None:
        if cost in self._front:
            self._front[cost] += 1
        elif not any(all(map(le, other, cost)) for other in self._front):
            worse = [other for other in self._front if all(map(le, cost, other))]
            for other in worse:
                del self._front[other]
            self._front[cost] = 1
