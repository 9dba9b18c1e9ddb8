"""Resource changing: changes a trial's resources at decision points, together with any other scheduler.

Whenever another trial has ended, its resources are free; once there are no more trials to start with them, a policy
divides them among those that are left. A trial is resized by launching it again from its last checkpoint.

Notation: first = what a trial asked for at first; step = the least that it can get more, by default as much again; a
trial's resources are always first + k step, k >= 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol, TypeAlias, cast

from trialwright.html import SettingsTable
from trialwright.messages import (
    Boundary,
    Choice,
    Clone,
    Continue,
    New,
    Node,
    Outcome,
    Plain,
    Report,
    Resize,
    Resume,
    Start,
    Until,
    Verdict,
)
from trialwright.schedulers.base import FIFO, Scheduler, TrialView
from trialwright.streams import Streams

Amounts: TypeAlias = Mapping[str, float]  # of each resource, in the user's units


@dataclass(frozen=True)
class Room:
    """The resources of all machines, and what each trial has of them."""

    nodes: tuple[Node, ...]
    first: Amounts
    held: Mapping[int, Amounts]  # of each trial that runs
    scores: Mapping[int, float]  # the latest of each, smaller is better

    def total(self, name: str) -> float:
        """How much there is of a resource, on all machines."""
        return sum(node.resources.get(name, 0.0) for node in self.nodes)

    def free(self, name: str) -> float:
        """How much of it is free."""
        return self.total(name) - sum(amounts.get(name, 0.0) for amounts in self.held.values())


class Policy(Protocol):
    """Says what a trial should have: pure, plain data."""

    def __call__(self, trial: int, room: Room) -> Amounts:
        """Return a trial's resources from now on."""


@dataclass(frozen=True)
class _Steps(SettingsTable):
    """What the policies have in common: how much more a trial can get at a time.

    Args:
        increase_by: the step; None: as much again as a trial asked for at first.
        increase_by_times: how many steps at most; None for no limit.
        reserve: what is left to others.
    """

    increase_by: Amounts | None = None
    increase_by_times: int | None = None
    reserve: Amounts = field(default_factory=dict)

    def grown(self, room: Room, budget: Mapping[str, float]) -> Amounts:
        """Return the most that a trial can have within a budget, and on one machine."""
        step = {name: amount for name, amount in (self.increase_by or room.first).items() if amount > 0}
        largest = max((_times(room.first, step, node.resources) for node in room.nodes), default=0)
        times = min(largest, _times(room.first, step, budget))
        if self.increase_by_times is not None:
            times = min(times, self.increase_by_times)
        return {
            name: room.first.get(name, 0.0) + max(times, 0) * step.get(name, 0.0) for name in {**room.first, **step}
        }


def _times(first: Amounts, step: Amounts, size: Amounts) -> int:
    spare = [(size.get(name, 0.0) - first.get(name, 0.0)) / amount for name, amount in step.items()]
    return math.floor(min(spare, default=0.0) + 1e-9)  # (0.7 - 0.4) / 0.1 is less than 3: a step would be lost


@dataclass(frozen=True)
class EvenShare(_Steps):
    """Gives every running trial the same resources."""

    compares: ClassVar[bool] = False

    def __call__(self, trial: int, room: Room) -> Amounts:
        """Its share, in whole steps."""
        names = {name for node in room.nodes for name in node.resources}
        return self.grown(room, {n: (room.total(n) - self.reserve.get(n, 0.0)) / len(room.held) for n in names})


@dataclass(frozen=True)
class TopJob(_Steps):
    """Gives all free resources to the best running trial; the others keep theirs."""

    def __call__(self, trial: int, room: Room) -> Amounts:
        """All of it for the best, by the latest score."""
        held, best = room.held[trial], min(room.held, key=lambda other: (room.scores.get(other, math.inf), other))
        if trial != best:
            return held
        names = {name for node in room.nodes for name in node.resources}
        return self.grown(room, {n: held.get(n, 0.0) + room.free(n) - self.reserve.get(n, 0.0) for n in names})


@dataclass
class ResourceChanging(SettingsTable):
    """Changes the resources of trials that another scheduler lets continue.

    Args:
        base: the scheduler that decides how long trials run.
        policy: what a trial should have: ``EvenShare()``, ``TopJob()``, or a function of a trial's number and a
            ``Room``.
        interval: a trial may be resized every so many steps, and when ``base`` judges it.

    Raises:
        ValueError: the interval is not above 0.
    """

    base: Scheduler = field(default_factory=FIFO)
    policy: Policy = field(default_factory=EvenShare)
    interval: float = 1

    def __post_init__(self) -> None:
        if not self.interval > 0:
            raise ValueError(f"interval must be more than 0, not {self.interval}")

    @property
    def compares(self) -> bool:
        """The base or the policy compares trials; a policy without this attribute may do so."""
        return any(getattr(part, "compares", True) for part in (self.base, self.policy))

    def setup(self, rng: Streams) -> None:
        """Begin without trials, and on no machine."""
        self.base.setup(rng)
        self._nodes: tuple[Node, ...] = ()
        self._first: dict[int, Amounts] = {}
        self._has: dict[int, Amounts] = {}  # as long as it lives, also while it is paused
        self._running: set[int] = set()
        self._scores: dict[int, float] = {}
        self._until: dict[int, Until] = {}  # what the base has said
        self._more = True  # there are trials to be started

    def on_capacity(self, nodes: tuple[Node, ...]) -> None:
        """These are the machines now."""
        self._nodes = nodes

    def on_start(self, trial: TrialView) -> Start:
        """The trial has the resources that it requested."""
        self._first[trial.id] = self._has[trial.id] = trial.resources
        self._running.add(trial.id)
        start = self.base.on_start(trial)
        return replace(start, until=self._lease(trial.id, start.until, 0))

    def _lease(self, trial: int, until: Until, step: int) -> Until:
        self._until[trial] = until
        return tuple(dict.fromkeys((*until, Boundary("step", ">=", step + self.interval))))

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Ask the base if the report concerns it; if the trial continues, ask the policy what it should have."""
        until, value = self._until[trial.id], next(iter(report.values), math.inf)
        self._has[trial.id] = trial.resources  # a wish may not have come true
        self._scores[trial.id] = value if math.isfinite(value) else math.inf
        concerned = any(boundary.met(report.metrics) for boundary in until)
        verdict = self.base.on_report(trial, report) if concerned else Continue(until)
        if isinstance(verdict, Continue):
            return self._go_on(trial, self._lease(trial.id, verdict.until, report.step))
        if isinstance(verdict, Clone | Resize):
            return replace(verdict, until=self._lease(trial.id, verdict.until, report.step))
        self._running.discard(trial.id)
        return verdict

    def _go_on(self, trial: TrialView, until: Until) -> Verdict:
        if self._more:
            return Continue(until)
        wanted = dict(self.policy(trial.id, Room(self._nodes, self._first[trial.id], self._held, self._scores)))
        if wanted == self._has[trial.id]:
            return Continue(until)
        self._has[trial.id] = wanted
        return Resize(wanted, until)

    @property
    def _held(self) -> dict[int, Amounts]:
        return {trial: self._has[trial] for trial in sorted(self._running)}

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Its resources are free."""
        self.base.on_end(trial, outcome)
        self._running.discard(trial.id)
        del self._first[trial.id], self._has[trial.id], self._until[trial.id]
        self._scores.pop(trial.id, None)

    def next(self, can_ask: bool) -> Choice:
        """As the base answers."""
        choice = self.base.next(can_ask)
        if isinstance(choice, Resume):
            self._running.add(choice.trial)
            # Its step is not known here: a boundary in the past is met at its next report.
            return replace(choice, until=self._lease(choice.trial, choice.until, 0))
        # While trials wait to be started, a trial that grew would take their room.
        self._more = can_ask and (self._more or isinstance(choice, New))
        return choice

    def why(self) -> dict[str, Plain]:
        """The base's answer, and what each trial has."""
        why = getattr(self.base, "why", dict)
        return {**why(), "held": {str(trial): dict(amounts) for trial, amounts in self._held.items()}}

    def state(self) -> Plain:
        """The base's state, and what each trial has."""
        return cast(
            Plain,
            {
                "base": self.base.state(),
                "nodes": [[node.name, node.resources] for node in self._nodes],
                "trials": [
                    [trial, first, self._has[trial], self._scores.get(trial), [[*b] for b in self._until[trial]]]
                    for trial, first in self._first.items()
                ],
                "running": sorted(self._running),
                "more": self._more,
            },
        )

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        saved = cast("dict[str, list[list[object]]]", state)
        self.base.restore(cast("dict[str, Plain]", state)["base"])
        self._nodes = tuple(Node(*node) for node in saved["nodes"])  # type: ignore[arg-type]
        self._first, self._has, self._scores, self._until = {}, {}, {}, {}
        self._running = set(cast("list[int]", saved["running"]))
        for number, first, has, score, until in saved["trials"]:
            trial = cast(int, number)
            self._first[trial], self._has[trial] = cast(Amounts, first), cast(Amounts, has)
            self._until[trial] = tuple(Boundary(*each) for each in cast("list[tuple[str, str, float]]", until))  # type: ignore[arg-type]
            if score is not None:
                self._scores[trial] = cast(float, score)
        self._more = bool(saved["more"])
