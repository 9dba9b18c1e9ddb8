"""Explanations: the reasons of a run's decisions, from its scheduler while the journal is replayed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self, TypeAlias

from trialwright.core.experiment import Experiment
from trialwright.engine.arguments import Arguments
from trialwright.messages import (
    Choice,
    Drop,
    Outcome,
    Plain,
    Report,
    Reported,
    Resume,
    Start,
    Until,
    Verdict,
)
from trialwright.results import Decided
from trialwright.schedulers.base import Scheduler, TrialView
from trialwright.storage.base import Entry, Store
from trialwright.streams import Streams

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


@dataclass(frozen=True)
class Explainer:
    """Explains a run, also once it is over.

    It needs the scheduler of the run, which it may be impossible to pickle: a pickled result has no explanations.
    """

    arguments: Arguments
    store: Store

    def __call__(self) -> list[Decided]:
        return list(explain(self.arguments, self.store.entries()))

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[], type[tuple[Decided, ...]]], tuple[()]]:
        return _nothing_to_tell, ()


def _nothing_to_tell() -> type[tuple[Decided, ...]]:
    """Return the stand-in for an explainer in a result without a run."""
    return tuple


def explain(arguments: Arguments, entries: Iterable[Entry]) -> Iterator[Decided]:
    """Yield all decisions about running and paused trials, in order, with the scheduler's reasons.

    A scheduler without ``why`` is not asked: then there are only the decisions.
    """
    listening = _Listening(copy.copy(arguments.scheduler))
    experiment = _experiment(arguments, listening) if hasattr(arguments.scheduler, "why") else None
    for entry in entries:
        listening.forget()
        if entry.decisions is None:  # the run ended while it handled this event: no decision follows
            return
        if experiment is not None:
            experiment.replay(entry.now, entry.event, entry.decisions)
        yield from _decided(entry, listening, experiment)


def _experiment(arguments: Arguments, listening: _Listening) -> Experiment:
    listening.setup(Streams(arguments.plan.seed))
    return Experiment(arguments.plan, listening, _Silent(arguments.rule.boundaries), learns=False)


def _decided(entry: Entry, listening: _Listening, experiment: Experiment | None) -> Iterator[Decided]:
    choices = iter(listening.choices)
    for decision in entry.decisions or ():
        if isinstance(decision, Verdict) and isinstance(entry.event, Reported):
            own, facts = listening.verdict or (None, {})
            yield Decided(
                entry.now, entry.event.trial, entry.event.last_step, decision, facts if own == decision else {}
            )
        elif isinstance(decision, Choice):
            facts = next(choices, {})
            if isinstance(decision, Resume | Drop):
                yield Decided(entry.now, decision.trial, _step(decision.trial, experiment), decision, facts)


def _step(trial: int, experiment: Experiment | None) -> int | None:
    return None if experiment is None else experiment.trials[trial].step
