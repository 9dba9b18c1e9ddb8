"""Faults of a simulation: what goes wrong, and how often, reproducible by a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush

import numpy as np

from trialwright.errors import refuse
from trialwright.executors.delays import Delay, check_delay, draw
from trialwright.messages import CapacityChanged, Launch, Lost, Node
from trialwright.streams import Streams

HOUR_S = 3600.0
AT_LEAST = {"lost_per_hour": 0, "preempted_per_hour": 0, "nodes_lost_per_hour": 0, "notice_s": 0, "slowdown": 1}
SHARES = ("stragglers", "late", "duplicated")


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Rates and shares are averages of independent draws; by default nothing goes wrong.

    Messages of one attempt arrive in the order in which it sent them, as on any connection; but a late one is overtaken
    by those of other trials, and by the loss of its own worker.

    Args:
        lost_per_hour: how often a worker is lost, per hour of its time.
        preempted_per_hour: how often a worker is preempted, per hour of its time; its trial's failures do not count
            that.
        notice_s: how long before that it gets notice, so that its next report saves a checkpoint.
        nodes_lost_per_hour: how often a machine is lost, with all workers on it, per hour of its time.
        node_back_s: how long such a machine stays away.
        stragglers: the share of steps that take ``slowdown`` times as long.
        slowdown: how many times as long.
        late: the share of messages that take ``late_s`` longer to arrive.
        late_s: how much longer.
        duplicated: the share of messages that arrive twice.
        until_s: when all of this ends.

    Raises:
        ValueError: a rate is negative, a share is not within [0, 1], a slowdown is less than 1; all problems are
            listed.
    """

    lost_per_hour: float = 0.0
    preempted_per_hour: float = 0.0
    notice_s: float = 30.0
    nodes_lost_per_hour: float = 0.0
    node_back_s: Delay = 600.0
    stragglers: float = 0.0
    slowdown: float = 10.0
    late: float = 0.0
    late_s: Delay = 10.0
    duplicated: float = 0.0
    until_s: float = math.inf

    def __post_init__(self) -> None:
        given = vars(self)
        problems = [f"{name} must be finite and at least {least}, not {given[name]!r}"
                    for name, least in AT_LEAST.items() if not least <= given[name] < math.inf]  # fmt: skip
        problems += [f"{name} must be within [0, 1], not {given[name]!r}"
                     for name in SHARES if not 0 <= given[name] <= 1]  # fmt: skip
        refuse(problems, "faults")
        check_delay("node_back_s", self.node_back_s)
        check_delay("late_s", self.late_s)

    @property
    def are_drawn(self) -> bool:
        """There are draws for each step or message."""
        return bool(self.stragglers or self.late or self.duplicated)

    def stretch(self, now: float, rng: np.random.Generator) -> float:
        """Return how many times as long as usual a step takes."""
        return self.slowdown if self._strikes(self.stragglers, now, rng) else 1.0

    def lateness_s(self, now: float, rng: np.random.Generator) -> float:
        """Return how much longer than usual a message takes to arrive."""
        return draw(self.late_s, rng) if self._strikes(self.late, now, rng) else 0.0

    def doubles(self, now: float, rng: np.random.Generator) -> bool:
        """Tell whether a message arrives twice."""
        return self._strikes(self.duplicated, now, rng)

    def _strikes(self, share: float, now: float, rng: np.random.Generator) -> bool:
        return share > 0 and now < self.until_s and rng.random() < share

    def doom(self, launch: Launch, now: float, streams: Streams) -> Doom | None:
        """Return how the worker of an attempt will be lost, apart from its machine; None if it will not."""
        key = launch.trial, launch.attempt
        lost_at = now + _life_s(self.lost_per_hour, streams, "lost", *key)
        taken_at = now + _life_s(self.preempted_per_hour, streams, "preempted", *key)
        if min(lost_at, taken_at) >= self.until_s:
            return None
        if lost_at <= taken_at:
            return Doom(lost_at, Lost(*key, "the simulated worker was lost"))
        return Doom(
            taken_at, Lost(*key, "the simulated worker was preempted", preempted=True), taken_at - self.notice_s
        )


@dataclass(frozen=True, slots=True)
class Doom:
    """How a worker will be lost: when, with which event, and when it gets notice."""

    at: float
    event: Lost
    noticed_at: float = math.inf

    @property
    def unnoticed(self) -> Doom:
        """The same for a worker that has saved a checkpoint since the notice."""
        return replace(self, noticed_at=math.inf)


class Outages:
    """The machines of a cluster: each is present until it is lost, and absent until it is back.

    Args:
        nodes: all machines.
        faults: how often, how long, and until when they are lost.
        streams: the random streams.
        now: the time at the beginning, when all machines are present.
    """

    def __init__(self, nodes: Sequence[Node], faults: Faults, streams: Streams, now: float) -> None:
        self._nodes, self._faults = {node.name: node for node in nodes}, faults
        self._rngs = {name: streams("node", number) for number, name in enumerate(self._nodes)}
        self._lost_at: dict[str, float] = {}
        self._away: set[str] = set()
        self._changes = [(at, name) for name in self._nodes if (at := self._lose(name, now)) < math.inf]
        heapify(self._changes)

    @property
    def present(self) -> CapacityChanged:
        """The machines that are present now."""
        return CapacityChanged(tuple(node for name, node in self._nodes.items() if name not in self._away))

    def lost_at(self, node: str) -> float:
        """Return when a machine will be lost, or was, if it is absent."""
        return self._lost_at.get(node, math.inf)

    @property
    def due(self) -> float:
        """When the next machine is lost, or comes back."""
        return self._changes[0][0] if self._changes else math.inf

    def change(self) -> None:
        """Carry out the change that is due: a machine is lost, or comes back."""
        now, name = heappop(self._changes)
        if name in self._away:
            self._away.remove(name)
            change_at = self._lose(name, now)
        else:
            self._away.add(name)
            change_at = now + draw(self._faults.node_back_s, self._rngs[name])
        if change_at < math.inf:
            heappush(self._changes, (change_at, name))

    def _lose(self, name: str, now: float) -> float:
        """Draw when a machine that is present from now on will be lost."""
        rate = self._faults.nodes_lost_per_hour
        lost_at = now + float(self._rngs[name].exponential(HOUR_S / rate)) if rate else math.inf
        self._lost_at[name] = lost_at if lost_at < self._faults.until_s else math.inf
        return self._lost_at[name]


def _life_s(rate: float, streams: Streams, name: str, *key: int) -> float:
    return float(streams(name, *key).exponential(HOUR_S / rate)) if rate else math.inf
