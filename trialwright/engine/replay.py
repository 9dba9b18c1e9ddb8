"""Replay: rebuilds the experiment from the journal, to resume an interrupted run, or to explain a run's decisions."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias

from trialwright.core.experiment import Experiment
from trialwright.engine.arguments import Arguments
from trialwright.engine.controller import Leftover
from trialwright.errors import ReplayError
from trialwright.messages import (
    Choice,
    Discard,
    Drop,
    Event,
    Outcome,
    Plain,
    Report,
    Reported,
    Resume,
    RetryRequested,
    SamplesAdded,
    Start,
    Until,
    Verdict,
)
from trialwright.results import Decided
from trialwright.schedulers.base import Scheduler, TrialView
from trialwright.storage.base import Entry, Store
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
        began_s = entry.now  # the run's clock goes on from its last event, and not from when it was interrupted
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
        and trial.ended is not None  # a stopping trial has its outcome before its end
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


Facts: TypeAlias = dict[str, Plain]


@dataclass
class _Listening:
    """A scheduler that passes everything to another one, and keeps its reasons."""

    scheduler: Scheduler
    verdict: tuple[Verdict, Facts] | None = None  # of the event that is being replayed
    choices: list[Facts] = field(default_factory=list)

    def forget(self) -> None:
        """The next event comes."""
        self.verdict, self.choices = None, []

    def _why(self) -> Facts:
        why: Callable[[], Facts] = getattr(self.scheduler, "why", dict)
        return why()

    def setup(self, rng: Streams) -> None:
        self.scheduler.setup(rng)

    def on_start(self, trial: TrialView) -> Start:
        return self.scheduler.on_start(trial)

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        verdict = self.scheduler.on_report(trial, report)
        self.verdict = (verdict, self._why())
        return verdict

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        self.scheduler.on_end(trial, outcome)

    def next(self, can_ask: bool) -> Choice:
        choice = self.scheduler.next(can_ask)
        self.choices.append(self._why() if isinstance(choice, Resume | Drop) else {})
        return choice

    def state(self) -> Plain:
        return self.scheduler.state()

    def restore(self, state: Plain) -> None:
        self.scheduler.restore(state)

    def __getattr__(self, name: str) -> object:
        return getattr(self.scheduler, name)  # on_capacity, if there is one


@dataclass(frozen=True)
class _Silent:
    """Has the boundaries of a stop rule, whose decisions are in the journal and whose code is not run."""

    boundaries: Until

    def reason(self, trial: int, report: Report, config: object) -> None:
        return None

    def stop_all(self) -> None:
        return None


class Explainer(ABC):
    """Explains a run, also once it is over.

    It needs the scheduler of the run, which it may be impossible to pickle: a pickled result has no explanations.
    """

    @abstractmethod
    def __call__(self) -> list[Decided]:
        """Return all decisions about trials, in order."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self  # it never changes, and holds a store that cannot be copied

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _nothing_to_tell, ()


@dataclass(frozen=True)
class RunExplainer(Explainer):
    """Explains a run of this process."""

    arguments: Arguments
    store: Store

    def __call__(self) -> list[Decided]:
        return list(explain(self.arguments, self.store.entries()))


def _nothing_to_tell() -> type[tuple[Decided, ...]]:
    """Return the stand-in for an explainer in a result without a run."""
    return tuple


def explain(arguments: Arguments, entries: Iterable[Entry]) -> Iterator[Decided]:
    """Yield all decisions about running and paused trials, in order, with the scheduler's reasons.

    A scheduler without ``why`` is not asked: then there are only the decisions.
    """
    listening = _Listening(copy.copy(arguments.scheduler))  # the run's own keeps the state of the run
    experiment = None
    if hasattr(arguments.scheduler, "why"):
        listening.setup(Streams(arguments.plan.seed))
        experiment = Experiment(arguments.plan, listening, _Silent(arguments.rule.boundaries), learns=False)
    for entry in entries:
        listening.forget()
        if entry.decisions is None:  # the run ended while it handled this event: no decision follows
            return
        if experiment is not None:
            experiment.replay(entry.now, entry.event, entry.decisions)
        yield from _decided(entry, listening, experiment)


def replayed(arguments: Arguments, entries: Iterable[Entry]) -> Experiment:
    """Return the experiment as the journal left it, for its trials: no stop rule and no searcher is asked."""
    scheduler = copy.copy(arguments.scheduler)
    scheduler.setup(Streams(arguments.plan.seed))
    experiment = Experiment(arguments.plan, scheduler, _Silent(arguments.rule.boundaries), learns=False)
    for entry in entries:
        if entry.decisions is None:
            break
        experiment.replay(entry.now, entry.event, entry.decisions)
    return experiment


def decisions(entries: Iterable[Entry]) -> Iterator[Decided]:
    """Yield all decisions about running and paused trials, in order, without the scheduler's reasons."""
    for entry in entries:
        if entry.decisions is None:
            return
        yield from _decided(entry, None, None)


def _decided(entry: Entry, listening: _Listening | None, experiment: Experiment | None) -> Iterator[Decided]:
    choices = iter(listening.choices if listening else ())
    for decision in entry.decisions or ():
        if isinstance(decision, Verdict) and isinstance(entry.event, Reported):
            # A stop rule may have overruled the scheduler, and a newer scheduler may decide otherwise: then its reasons
            # are not those of this decision.
            own, facts = (listening and listening.verdict) or (None, {})
            yield Decided(
                entry.now, entry.event.trial, entry.event.last_step, decision, facts if own == decision else {}
            )
        elif isinstance(decision, Choice):
            facts = next(choices, {})
            if isinstance(decision, Resume | Drop):
                step = None if experiment is None else experiment.trials[decision.trial].step
                yield Decided(entry.now, decision.trial, step, decision, facts)
