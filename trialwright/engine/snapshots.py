"""Makes the snapshots that displays show: in time that grows with the trials that run, not with all trials."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Mapping

from trialwright.core.experiment import Experiment
from trialwright.core.trial import Trial
from trialwright.core.trials import ENDED_KEPT
from trialwright.engine.watchers import SLOW_SHARE, Meter, Spent
from trialwright.progress.snapshot import RUNNING_KEPT, Best, Ended, Running, Snapshot
from trialwright.space.values import fresh

WINDOW_S = 4.0  # over how long the searcher's share of the time is measured


class Snapshots:
    """Looks at a run, again and again.

    Args:
        experiment: the run.
        meter: has the times that the experiment does not know.
        name: of the run.
        directory: where it is kept; None if it is not.
    """

    def __init__(self, experiment: Experiment, meter: Meter, name: str, directory: str | None) -> None:
        self._experiment, self._meter = experiment, meter
        self._name, self._directory = name, directory
        self._rate = (meter.began, 0, 0.0)  # when, how many reports there were then, and their rate before
        self._spent: deque[Spent] = deque()  # of the last ``WINDOW_S``
        self._ended: deque[Ended] = deque(maxlen=ENDED_KEPT)
        self._ends = 0  # how many ended trials have been looked at

    def take(self, now: float, starting: str = "", waits: str = "") -> Snapshot:
        """Return the run as it is now.

        Args:
            now: seconds of the run.
            starting: what has to start before the first trial can.
            waits: the resources that the run waits for.
        """
        experiment, plan, meter = self._experiment, self._experiment.plan, self._meter
        outcomes = experiment.outcomes - experiment.never_began  # as in the result, which leaves these out
        ages = self._ages(now)
        states = {state.value: count for state, count in experiment.counts.items()}
        return Snapshot(
            name=self._name,
            directory=self._directory,
            elapsed_s=now,
            states=states | {"ended": outcomes.total()},
            outcomes=outcomes,
            wanted=experiment.samples,
            best=self._best(),
            resources=experiment.ledger.used(),
            reports=experiment.reports,
            reports_per_s=self._reports_per_s(experiment.reports),
            stopped=experiment.stopped,
            warnings=tuple(experiment.warnings),
            failures=experiment.failures,
            starting=starting,
            waits=waits or self._searcher(now),
            time_budget_s=plan.time_budget_s,
            front=experiment.front_size,
            running=self._running(now),
            ended=self._ended_since(),
            ends=experiment.ends,
            busy_s=experiment.busy_s,
            longest_s=max([experiment.longest_s, *ages]),
            youngest_s=min(ages, default=None),
            max_t=experiment.max_t,
            busy_resource_s={name: each * experiment.busy_s for name, each in (plan.resources or {}).items()},
            handle_s=meter.handle_s,
            searcher_s=meter.searcher_s,
            idle_s=dict(experiment.idle_s),
        )

    def _best(self) -> Best | None:
        trial, plan, improved = self._experiment.scores.best, self._experiment.plan, self._experiment.scores.improved
        if trial is None or trial.best is None or improved is None:
            return None
        sign = plan.signs[0]
        return Best(
            trial.id,
            plan.metrics[0],
            sign * trial.best[0],
            fresh(trial.config),
            {
                name: value
                for name, value in self._objectives(trial.best_metrics).items()
                if isinstance(value, float | int)
            },
            improved.now,
            None if improved.before is None else sign * improved.before,
            improved.before_trial,
        )

    def _objectives(self, metrics: Mapping[str, object]) -> dict[str, object]:
        return {name: metrics[name] for name in self._experiment.plan.metrics if name in metrics}

    def _ages(self, now: float) -> list[float]:
        """Return for how long each trial runs."""
        begun = (self._experiment.trials[number].begun for number in self._experiment.ledger.owners)
        return [now - each for each in begun if each is not None]

    def _running(self, now: float) -> tuple[Running, ...]:
        trials = (self._experiment.trials[number] for number in self._experiment.ledger.owners)
        newest = heapq.nsmallest(RUNNING_KEPT, trials, key=lambda trial: (-(trial.reported or -1.0), trial.id))
        return tuple(self._running_one(trial, now) for trial in newest)

    def _running_one(self, trial: Trial, now: float) -> Running:
        begun = trial.started
        heard = trial.reported if trial.reported is not None else begun
        return Running(
            trial.id,
            trial.state.value,
            trial.step,
            self._objectives(trial.metrics),
            trial.resources,
            None if begun is None else now - begun,
            None if heard is None else now - heard,
        )

    def _ended_since(self) -> tuple[Ended, ...]:
        """Return the last trials that have ended. Each is looked at once: a trial may be tried again later."""
        new = min(self._experiment.ends - self._ends, len(self._experiment.ended))
        self._ends = self._experiment.ends
        for back in range(new, 0, -1):
            trial = self._experiment.ended[-back]
            if trial.outcome is not None:  # else it is already tried again
                self._ended.append(self._ended_one(self._ends - back + 1, trial))
        return tuple(self._ended)

    def _ended_one(self, number: int, trial: Trial) -> Ended:
        outcome = trial.outcome
        assert outcome is not None, "it has ended"
        metrics, config = self._objectives(trial.metrics), fresh(trial.config)
        return Ended(number, trial.id, outcome.kind, outcome.reason, trial.step, metrics, config, trial.ran_s)

    def _searcher(self, now: float) -> str:
        """Tell whether the run waits for its searcher most of the time."""
        experiment, window = self._experiment, self._spent
        if experiment.done:
            return ""
        window.append(Spent(now, experiment.idle_s.get("searcher", 0.0), experiment.active))
        while len(window) > 2 and window[1].now_s <= now - WINDOW_S:
            window.popleft()
        if not experiment.active and experiment.idle_cause == "searcher":
            return "for the searcher's next suggestion"
        share = window[-1].share_since(window[0])
        is_long = now - window[0].now_s >= WINDOW_S
        return f"for the searcher: {share:.0%} of the slots' time" if is_long and share > SLOW_SHARE else ""

    def _reports_per_s(self, reports: int) -> float:
        """The rate since about a second ago."""
        when, before, rate = self._rate
        elapsed = time.perf_counter() - when
        if elapsed > 1.0:
            rate = (reports - before) / elapsed
            self._rate = (time.perf_counter(), reports, rate)
        # In the first second, and when nothing was reported in the last one: the mean of the whole run.
        return rate or reports / max(time.perf_counter() - self._meter.began, 1e-9)
