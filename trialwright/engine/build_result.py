"""Makes the result of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import cast

from trialwright.core.experiment import Experiment
from trialwright.core.trial import Trial, has_begun
from trialwright.engine.arguments import Arguments
from trialwright.engine.controller import Controller
from trialwright.engine.running import say
from trialwright.errors import said
from trialwright.executors.base import Run
from trialwright.messages import Checkpoint
from trialwright.on_demand import OnDemand
from trialwright.progress import Best, Snapshot, summary_lines
from trialwright.results import Result
from trialwright.storage.base import Statistics as StoreStatistics
from trialwright.trial_result import Frames, TrialResult

MANY = 10_000  # trials: of so many, results that are never looked at would take more than half of the memory


def build_result(
    arguments: Arguments, experiment: Experiment, controller: Controller, frames: Frames, commits: StoreStatistics
) -> Result:
    """Return the result of a run."""
    plan, directory = arguments.plan, controller.run.directory
    # By number: those tried again are in their old places, and those that only waited are left out.
    begun = [*filter(has_begun, map(itemgetter(1), sorted(experiment.trials.items())))]

    def make(trial: Trial) -> TrialResult:
        return _trial_result(trial, arguments, controller.run, frames)

    return Result(
        name=arguments.name,
        metric=plan.metrics[0] if plan.metrics else None,
        mode=plan.modes[0] if plan.modes else "min",
        # Only once nothing changes any more: made late, it would show trials of different moments.
        trials=OnDemand(begun, make) if experiment.done and len(begun) >= MANY else [*map(make, begun)],
        path=directory,
        stopped=experiment.stopped,
        wall_s=controller.now(),
        statistics=controller.meter.statistics(experiment, commits.commits, commits.commit_s, commits.longest_commit_s),
        warnings=tuple(experiment.warnings),
        objectives=tuple(zip(plan.metrics, plan.modes, strict=True)),
        constraints=plan.outcome_constraints,
        logarithmic=arguments.space.logarithmic,
        notes=arguments.notes,
        _space=arguments.space,
    )


def _trial_result(trial: Trial, arguments: Arguments, run: Run, frames: Frames) -> TrialResult:
    outcome = trial.outcome
    best = None if trial.best is None else (arguments.plan.signs[0] * trial.best[0], trial.best[1])
    return TrialResult(
        id=trial.id,
        state=trial.state.value,
        outcome=outcome.kind if outcome else None,
        reason=outcome.reason if outcome else "",
        attempts=trial.attempt,
        config=arguments.space.resolve(trial.config),
        metrics=dict(trial.metrics),  # a copy: while the run goes on, the trial changes
        best=best,
        error=trial.error,
        traceback=trial.traceback,
        directory=run.trial_directory(trial.id),
        started=trial.started,
        ended=trial.ended,
        worker=trial.worker,
        _frames=frames,
        _best_saved=_located(trial.best_checkpoint, run),
        saved=_located(trial.checkpoint, run),
        step=trial.step,
        best_metrics=dict(trial.best_metrics),
        _periods=trial.periods if trial.before else (),
        descents=tuple(each._replace(before=arguments.space.resolve(each.before)) for each in trial.descents),
    )


def _located(checkpoint: Checkpoint | None, run: Run) -> Checkpoint | None:
    return checkpoint and replace(checkpoint, path=run.located(checkpoint.path))


def best_of(result: Result) -> Best | None:
    """Return the best trial for the summary: the same as ``result.best()``."""
    try:
        trial = result.best()
    except ValueError:  # no metric, or no trial that may be the best
        return None
    metric = result.metric or ""
    values = {name: trial.best_metrics[name] for name, _ in result.objectives if name in trial.best_metrics}
    return Best(trial.id, metric, cast(float, trial.best_metrics[metric]), trial.config, values)


def summarised(result: Result, last: Snapshot, verbose: int) -> Result:
    """Print the summary. The result is not lost if that fails: an object in a config may raise when it is shown."""
    try:
        told = replace(last, best=best_of(result), stopped=result.stopped)
        say(*summary_lines(told, result.statistics, verbose))
    except Exception as error:
        return replace(result, warnings=(*result.warnings, f"the summary could not be made: {said(error)}"))
    return result


@dataclass
class Found:
    """The state of a run, for code outside its loop."""

    path: Path | None = None
    result: Result | None = None  # when it is over
    make: Callable[[str], Result] | None = None  # makes the one so far; called with the reason why the run is not over
    is_late: Callable[[], bool] = bool  # its time budget is used up

    def so_far(self, why: str) -> Result | None:
        """Return the result, with the trials as they are now; None if nothing had begun."""
        if self.result is None and self.make is not None:
            try:
                return self.make(why)
            except Exception as error:  # its loop was left behind in the middle of something
                say(f"there is no result so far: {said(error)}")
        return self.result
