"""Reports and verdicts: what a frame says about its trial, and what the scheduler and the stop rules decide on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from trialwright.core.judge import Judge
from trialwright.core.scores import Scores
from trialwright.core.trial import State, Trial
from trialwright.core.trials import Trials
from trialwright.messages import (
    Checkpoint,
    Clone,
    Continue,
    Outcome,
    Pause,
    Report,
    Reported,
    Resize,
    Stop,
    Verdict,
)

NOTED_MAX = 200  # metrics that are warned of in one run: a name may hold a number that grows


class Reports:
    """Takes in frames of reports, and carries out the verdicts on those that wait for one."""

    def __init__(self, trials: Trials, judge: Judge, scores: Scores) -> None:
        self.count = 0
        self._noted: set[str] = set()  # metrics that were warned of
        self._trials = trials
        self._judge = judge
        self._scores = scores

    def take(self, trial: Trial, event: Reported) -> None:
        """A frame of the trial has come."""
        self._trials.move(trial, Reported)
        self._record(trial, event)
        if event.waiting and trial.state is State.RUNNING:  # a stopping trial's answer is the Halt that it was sent
            self._answer(trial, event)

    def note(self, notes: Mapping[str, str]) -> None:
        """Warn of metrics that are not kept as reported: once for each name, whichever trials report it."""
        for name in [name for name in notes if name not in self._noted][: NOTED_MAX - len(self._noted)]:
            self._noted.add(name)
            self._trials.warn(notes[name])

    def _answer(self, trial: Trial, event: Reported) -> None:
        # A retry repeats the steps since its checkpoint: the scheduler has judged these, and must not count them twice.
        repeated, metrics = event.last_step <= trial.judged_step, trial.metrics
        if repeated or not any(boundary.met(metrics) for boundary in self._trials.lease(trial)):
            self._trials.extend(trial, trial.until)
            return
        trial.judged_step = event.last_step
        report = Report(event.last_step, self._scores.values(event.columns, -1), metrics)
        self._carry_out(trial, self._judge.report(trial, report))

    def _carry_out(self, trial: Trial, verdict: Verdict) -> None:
        trials = self._trials
        match verdict:
            case Continue(until):
                trials.extend(trial, until)
            case Stop(reason, everyone, outcome):
                trials.halt(trial, State.ENDED, Outcome(outcome, reason))
                if everyone:
                    trials.stop_all(reason)
            case Pause():
                if trial.checkpoint is None:
                    trials.warn(
                        "a trial was paused without a checkpoint; when it is resumed, it starts again from step 0"
                    )
                trials.halt(trial, State.PAUSED)
            case Clone(donor, until):
                if trials.clone(trial, donor, until):
                    trials.halt(trial, State.WAITING)  # its worker is let go while the searcher thinks
                else:
                    trials.extend(trial, until)
            case Resize(resources, until):
                trials.resize(trial, resources, until)
            case _:
                assert_never(verdict)

    def _record(self, trial: Trial, event: Reported) -> None:
        trial.step = event.last_step
        trial.latest, trial.reported = event, self._trials.now
        self._trials.supply.news = True
        self.count += len(event.time_s)
        for text in self._trials.missing.heard(event, trial.until):
            self._trials.warn(text)
        self._scores.note(trial, event, self._trials.now)
        if self._trials.learns:
            self._note_history(event)
        if event.checkpoint is not None:
            is_best = trial.best is not None and trial.best[1] == event.last_step
            checkpoint = Checkpoint(event.checkpoint, event.last_step, event.time_s[-1])
            cost = self._scores.cost_to_keep(trial)
            self._trials.commands += self._trials.retention.save(trial, checkpoint, best=is_best, cost=cost)

    def _note_history(self, event: Reported) -> None:
        count, columns, scores = range(len(event.time_s)), event.columns, self._scores
        history = self._trials.history
        # A row for each report of the frame: learning curves need all steps, not only those at which it waited.
        values = [(*scores.values(columns, index), *scores.violations(event, index)) for index in count]
        metrics = [event.row(index) for index in count] if history.keeps_metrics else ()
        history.seen(event.trial, event.first_step, values, metrics, event.time_s, scores.sems(columns, len(count)))
