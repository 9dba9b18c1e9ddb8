"""Where the time of a run goes: measured during the run, for the summary at its end."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from trialwright.core.experiment import Experiment
from trialwright.messages import Launch, Started
from trialwright.progress import Best, Snapshot, Statistics
from trialwright.space.values import fresh

LAG_PERIOD_S = 0.05
LAGS_KEPT = 10_000


class Meter:
    """Counts what a summary needs. Wall-clock time stays in here: no decision depends on it."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.handle_s = 0.0
        self.searcher_s = 0.0
        self._open_s, self._open_hint = 0.0, ""
        self._queue_max = 0
        self._lags: deque[float] = deque(maxlen=LAGS_KEPT)
        self._lag_max = 0.0
        self._launched: dict[tuple[int, int], float] = {}
        self._launch_s, self._launches = 0.0, 0
        self._rate = (self.began, 0, 0.0)  # when, how many reports there were then, and their rate before

    async def watch(self) -> None:
        """Measure how late the loop is, until cancelled."""
        while True:
            due = time.perf_counter() + LAG_PERIOD_S
            await asyncio.sleep(LAG_PERIOD_S)
            lag = max(time.perf_counter() - due, 0.0)
            self._lags.append(lag)
            self._lag_max = max(self._lag_max, lag)

    def opened(self, open_s: float, hint: str) -> None:
        """Note how long it took until trials could run, and a hint on how to start sooner."""
        self._open_s, self._open_hint = open_s, hint

    def turn(self, events: int, handle_s: float) -> None:
        """Note a turn of the loop."""
        self.handle_s += handle_s
        self._queue_max = max(self._queue_max, events)

    def launched(self, launch: Launch, now: float) -> None:
        """Note a launch."""
        self._launched[launch.trial, launch.attempt] = now

    def started(self, event: Started, now: float) -> None:
        """Note a start: how long the launch took."""
        self._launch_s += now - self._launched.pop((event.trial, event.attempt), now)
        self._launches += 1

    def statistics(self, experiment: Experiment, commits: int, commit_s: float, commit_max_s: float) -> Statistics:
        """Return the sums."""
        lags = sorted(self._lags)
        return Statistics(
            wall_s=time.perf_counter() - self.began,
            handle_s=self.handle_s,
            loop_lag_p99_s=lags[len(lags) * 99 // 100] if lags else 0.0,
            loop_lag_max_s=self._lag_max,
            queue_max=self._queue_max,
            commits=commits,
            commit_s=commit_s,
            commit_max_s=commit_max_s,
            searcher_s=self.searcher_s,
            launch_mean_s=self._launch_s / max(self._launches, 1),
            idle_s=dict(experiment.idle_s),
            open_s=self._open_s,
            open_hint=self._open_hint,
        )

    def snapshot(self, experiment: Experiment, now: float, name: str, directory: str | None) -> Snapshot:
        """Return the run as it is now, for people."""
        plan, best = experiment.plan, experiment.scores.best
        outcomes = experiment.outcomes - experiment.never_began
        states = {state.value: count for state, count in experiment.counts.items()}
        return Snapshot(
            name=name,
            directory=directory,
            elapsed_s=now,
            states=states | {"ended": outcomes.total()},
            outcomes=outcomes,
            wanted=plan.samples,
            best=Best(best.id, plan.metrics[0], plan.signs[0] * best.best[0], fresh(best.config))
            if best and best.best
            else None,
            resources=experiment.ledger.used(),
            reports=experiment.reports,
            reports_per_s=self._reports_per_s(experiment.reports),
            stopped=experiment.stopped,
            warnings=tuple(experiment.warnings),
            failures=experiment.failures,
        )

    def _reports_per_s(self, reports: int) -> float:
        """The rate since about a second ago."""
        when, before, rate = self._rate
        elapsed = time.perf_counter() - when
        if elapsed > 1.0:
            rate = (reports - before) / elapsed
            self._rate = (time.perf_counter(), reports, rate)
        return rate or reports / max(time.perf_counter() - self.began, 1e-9)
