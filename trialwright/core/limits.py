"""Limits: the time of the run and of each trial, and the failures after which a run is stopped."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping

from trialwright.core.plan import Plan
from trialwright.core.trial import Trial
from trialwright.messages import Outcome


class Limits:
    """Keeps count of a run's time and failures."""

    def __init__(self, plan: Plan) -> None:
        self.are_timed = plan.time_budget_s is not None or plan.trial_timeout_s is not None
        self._plan = plan
        self._timeouts: list[tuple[float, int, int]] = []  # when, trial, attempt: a heap
        self._failures: Counter[str] = Counter()  # by their error
        self._successes = 0

    def deadline(self, *, budget: bool) -> float | None:
        """Return when time is up next; ``budget`` tells whether the run's own still counts."""
        times = [self._timeouts[0][0]] if self._timeouts else []
        if self._plan.time_budget_s is not None and budget:
            times.append(self._plan.time_budget_s)
        return min(times, default=None)

    def started(self, now: float, trial: Trial) -> None:
        """Start the clock of a trial's attempt."""
        if self._plan.trial_timeout_s is not None:
            heapq.heappush(self._timeouts, (now + self._plan.trial_timeout_s, trial.id, trial.attempt))

    def over(self, now: float) -> str | None:
        """Return why the run's time is up, if it is."""
        budget_s = self._plan.time_budget_s
        return f"time budget of {budget_s:g} s" if budget_s is not None and now >= budget_s else None

    def overdue(self, now: float, trials: Mapping[int, Trial]) -> Iterator[tuple[Trial, Outcome]]:
        """Yield, once each, the trials whose time is up, and how they end."""
        while self._timeouts:
            due, number, attempt = self._timeouts[0]
            trial = trials[number]
            is_stale = trial.attempt != attempt or not trial.active
            if due > now and not is_stale:
                return
            heapq.heappop(self._timeouts)
            if not is_stale:
                yield trial, Outcome("stopped", f"timeout of {self._plan.trial_timeout_s:g} s")

    def ended(self, trial: Trial, outcome: Outcome) -> str | None:
        """Count a trial's end. Return why the run should stop, if its failures call for that."""
        if outcome.kind not in ("failed", "lost"):
            self._successes += outcome.kind in ("completed", "stopped")
            return None
        self._failures[trial.error] += 1
        count = self._failures[trial.error]
        if self._plan.fail_fast:
            return f"trial {trial.id} failed: {trial.error}"
        if not self._successes and 0 < self._plan.same_failures <= count:
            return f"{count} trials failed the same way, and none succeeded: {trial.error}"
        return None

    def forgive(self, error: str) -> None:
        """A trial with this error is tried again: count such failures from 0."""
        self._failures[error] = 0
