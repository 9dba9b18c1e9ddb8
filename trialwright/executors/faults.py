"""Faults of a simulated world: what goes wrong in it, and how often, by seed."""

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
    """What goes wrong. Each is an average, of independent draws; by default nothing does.

    Messages of one attempt arrive in the order in which it said them, as on any connection; but a late one is overtaken
    by those of other trials, and by the news that its own worker is lost.

    Args:
        lost_per_hour: how often a worker is lost, per hour of its time.
        preempted_per_hour: how often a worker is taken away, per hour of its time; that is not held against its trial.
        notice_s: how long before that it is told, so that its next report saves a checkpoint.
        nodes_lost_per_hour: how often a machine is lost, with all workers on it, per hour of its time.
        node_back_s: how long such a machine is gone.
        stragglers: the share of steps that take ``slowdown`` times as long.
        slowdown: how many times as long.
        late: the share of messages that take ``late_s`` longer to arrive.
        late_s: how much longer.
        duplicated: the share of messages that arrive twice.
        until_s: when all of this ends.

    Raises:
        ValueError: a rate is negative, a share is not within [0, 1], a slowdown is less than 1. All problems are told.
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
    def need_dice(self) -> bool:
        """Each step or message may be hit."""
        return bool(self.stragglers or self.late or self.duplicated)

    def stretch(self, now: float, dice: np.random.Generator) -> float:
        """Return how many times as long as usual a step takes."""
        return self.slowdown if self._strikes(self.stragglers, now, dice) else 1.0

    def lateness_s(self, now: float, dice: np.random.Generator) -> float:
        """Return how much longer than usual a message is on its way."""
        return draw(self.late_s, dice) if self._strikes(self.late, now, dice) else 0.0

    def doubles(self, now: float, dice: np.random.Generator) -> bool:
        """Tell whether a message arrives twice."""
        return self._strikes(self.duplicated, now, dice)

    def _strikes(self, share: float, now: float, dice: np.random.Generator) -> bool:
        return share > 0 and now < self.until_s and dice.random() < share

    def doom(self, launch: Launch, now: float, streams: Streams) -> Doom | None:
        """Return how the worker of an attempt will be lost by itself; None if it will not."""
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
    """How a worker will be lost: when, what is said then, and from when on it knows."""

    at: float
    event: Lost
    noticed_at: float = math.inf

    @property
    def unnoticed(self) -> Doom:
        """The same for a worker that has done what it could."""
        return replace(self, noticed_at=math.inf)


class Outages:
    """The machines of a cluster, each of which is there until it is lost, and away until it is back.

    Args:
        nodes: all of them.
        faults: how often, how long, and until when.
        streams: of the seed.
        now: when this begins; all are there.
    """

    def __init__(self, nodes: Sequence[Node], faults: Faults, streams: Streams, now: float) -> None:
        self._nodes, self._faults = {node.name: node for node in nodes}, faults
        self._dice = {name: streams("node", number) for number, name in enumerate(self._nodes)}
        self._lost_at: dict[str, float] = {}
        self._away: set[str] = set()
        self._changes = [(at, name) for name in self._nodes if (at := self._lose(name, now)) < math.inf]
        heapify(self._changes)

    @property
    def present(self) -> CapacityChanged:
        """The machines there are now."""
        return CapacityChanged(tuple(node for name, node in self._nodes.items() if name not in self._away))

    def lost_at(self, node: str) -> float:
        """Return when a machine will be lost, or was, if it is away."""
        return self._lost_at.get(node, math.inf)

    @property
    def due(self) -> float:
        """When the next machine is lost, or comes back."""
        return self._changes[0][0] if self._changes else math.inf

    def change(self) -> None:
        """That time has come."""
        now, name = heappop(self._changes)
        if name in self._away:
            self._away.remove(name)
            change_at = self._lose(name, now)
        else:
            self._away.add(name)
            change_at = now + draw(self._faults.node_back_s, self._dice[name])
        if change_at < math.inf:
            heappush(self._changes, (change_at, name))

    def _lose(self, name: str, now: float) -> float:
        """Fix when a machine that is there from now on will be lost."""
        rate = self._faults.nodes_lost_per_hour
        lost_at = now + float(self._dice[name].exponential(HOUR_S / rate)) if rate else math.inf
        self._lost_at[name] = lost_at if lost_at < self._faults.until_s else math.inf
        return self._lost_at[name]


def _life_s(rate: float, streams: Streams, name: str, *key: int) -> float:
    return float(streams(name, *key).exponential(HOUR_S / rate)) if rate else math.inf
