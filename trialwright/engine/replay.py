"""From a journal to the experiment that it was written by: how a run that was interrupted is taken up again."""

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
    """Return the experiment as the journal left it, the time that the run has reached, and what is left to be done.

    Events on which nothing could be decided, because handling one of them failed, are decided now. Of the commands that
    follow, only deletions still mean something: the workers that the others are for are gone.
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
                f"the journal goes another way than the replay at event {number} "
                f"({entry.event}, at {entry.now:.3f} s): it was written by another version, or with another scheduler "
                "or stop rule than is given now"
            )
    return experiment, began_s, leftover


def retries(experiment: Experiment, how: Retry) -> list[Event]:
    """Return what has all trials tried again that failed, or that ended only because the whole run was stopped."""
    return [
        RetryRequested(trial.id, how == "checkpoint")
        for trial in experiment.trials.values()
        if trial.outcome is not None
        and (trial.outcome.kind in ("failed", "lost") or trial.outcome.reason == experiment.stopped)
        and trial.ended is not None
    ]


def more_samples(experiment: Experiment, wanted: int | None) -> list[Event]:
    """A resumed run may be given more samples than it was told."""
    before = experiment.samples
    if before == wanted:
        return []
    if before is None or wanted is None or wanted < before:
        raise ValueError(f"the run was told to try {before} trials; on resume there can be more, not {wanted}")
    if experiment.stopped is not None:
        raise ValueError(f"the run was stopped ({experiment.stopped}): it takes no more samples")
    return [SamplesAdded(wanted - before)]
