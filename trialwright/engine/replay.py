"""Replay: rebuilds the experiment from the journal, to resume an interrupted run."""

from __future__ import annotations

from typing import Literal

from trialwright.core.experiment import Experiment
from trialwright.engine.arguments import Arguments
from trialwright.engine.controller import Leftover
from trialwright.errors import ReplayError
from trialwright.messages import Discard, Event, RetryRequested, SamplesAdded
from trialwright.storage.base import Store
from trialwright.streams import Streams

Retry = Literal["checkpoint", "scratch"]  # from where failed trials are tried again


def replay(arguments: Arguments, past: Store | None) -> tuple[Experiment, float, Leftover]:
    """Return the experiment as the journal left it, the run's time so far, and what is left to be done.

    Events without decisions, because handling one of them failed, are decided now. Of the resulting commands only
    deletions are kept: the others are for workers that are gone.
    """
    streams = Streams(arguments.plan.seed)
    arguments.scheduler.setup(streams)
    ahead = getattr(arguments.executor, "ahead", 0)
    experiment = Experiment(
        arguments.plan, arguments.scheduler, arguments.rule, learns=arguments.searcher.learns, ahead=ahead
    )
    experiment.history.keeps_metrics = getattr(arguments.searcher, "sees_metrics", False)
    if arguments.searcher.learns:
        arguments.remember(experiment.history)
    began_s, leftover = 0.0, Leftover()
    for number, entry in enumerate(past.entries() if past else (), start=1):
        began_s = entry.now
        leftover.turns += entry.digest is not None  # each turn is written with one
        if entry.decisions is not None:
            experiment.replay(entry.now, entry.event, entry.decisions)
        else:
            commands = experiment.handle(entry.now, entry.event)
            leftover.commands += [command for command in commands if isinstance(command, Discard)]
            leftover.decisions.append(experiment.judge.take())
        if entry.digest is not None and entry.digest != experiment.digest:
            raise ReplayError(
                f"the replay differs from the journal at event {number} "
                f"({entry.event}, at {entry.now:.3f} s): the journal was written by another version, or with another "
                "scheduler or stop rule than is given now"
            )
    return experiment, began_s, leftover


def retries(experiment: Experiment, how: Retry) -> list[Event]:
    """Return the events that retry all trials that failed, or that ended only because the whole run was stopped."""
    return [
        RetryRequested(trial.id, how == "checkpoint")
        for trial in experiment.trials.values()
        if trial.outcome is not None
        and (trial.outcome.kind in ("failed", "lost") or trial.outcome.reason == experiment.stopped)
        and trial.ended is not None
    ]


def more_samples(experiment: Experiment, wanted: int | None) -> list[Event]:
    """Return the event that raises the number of samples of a resumed run, if it is raised.

    Raises:
        ValueError: there would be fewer samples, or the run was stopped.
    """
    before = experiment.samples
    if before == wanted:
        return []
    if before is None or wanted is None or wanted < before:
        raise ValueError(f"the run has num_samples={before}; a resume can only raise this, not set it to {wanted}")
    if experiment.stopped is not None:
        raise ValueError(f"num_samples cannot be raised: the run was stopped ({experiment.stopped})")
    return [SamplesAdded(wanted - before)]
