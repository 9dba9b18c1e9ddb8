"""The ledger: who holds which resources, and whose turn it is. Pure, in integers, and the books always balance.

A *unit* is 1/10,000 of what the user counts in (CPUs, GPUs, bytes). Requests are floored to units once, at the border,
so that three thirds fit on a device and no sum ever drifts. CPUs, memory, and custom resources are counted per node;
GPUs per device, because a trial that asks for half a GPU needs both halves of its half on the same one.

Every grant has exactly one owner. It is written when the trial is launched and erased when its work is known to have
ended.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from trialwright.errors import InternalError
from trialwright.messages import Node, Placement
from trialwright.resources import UNIT, Units, has_units

OVERTAKES = 16

Size = tuple[tuple[str, int], ...]  # a request that can be a key


@dataclass(slots=True)
class _Machine:
    """A node's books: what it has, and what of that is free."""

    total: Units
    free: Units
    devices: list[int] = field(default_factory=list)  # free units of each GPU

    @classmethod
    def of(cls, node: Node) -> _Machine:
        total = {name: has_units(amount) for name, amount in node.resources.items()}
        gpus = total.pop("gpu", 0) // UNIT
        return cls(total, dict(total), [UNIT] * gpus)

    def pick_devices(self, units: int) -> tuple[int, ...] | None:
        """Best fit: a share goes to the fullest device that still has room; whole GPUs go to untouched ones."""
        if units > UNIT:
            whole = [index for index, free in enumerate(self.devices) if free == UNIT]
            return tuple(whole[: units // UNIT]) if len(whole) * UNIT >= units else None
        fitting = [(free, index) for index, free in enumerate(self.devices) if free >= units]
        return (min(fitting)[1],) if fitting else None

    def fits(self, request: Units) -> bool:
        for name, units in request.items():
            there = self.pick_devices(units) is not None if name == "gpu" else self.free.get(name, 0) >= units
            if not there:
                return False
        return True

    def room(self, request: Units) -> int:
        """How many such requests fit side by side."""
        least = sys.maxsize
        for name, units in request.items():
            least = min(least, self._room_on_devices(units) if name == "gpu" else self.free.get(name, 0) // units)
        return least

    def _room_on_devices(self, gpu: int) -> int:
        return sum(free // gpu for free in self.devices) if gpu <= UNIT else self.devices.count(UNIT) * UNIT // gpu

    def covers(self, placement: Placement) -> bool:
        """Tell whether this placement could be booked here, device by device."""
        shares = [placement.units["gpu"] // len(placement.gpus)] * len(placement.gpus) if placement.gpus else []
        return all(
            index < len(self.devices) and self.devices[index] >= share
            for index, share in zip(placement.gpus, shares, strict=True)
        ) and all(self.free.get(name, 0) >= units for name, units in placement.units.items() if name != "gpu")

    def book(self, placement: Placement, sign: int) -> None:
        """Take (sign = -1) or give back (+1) what a placement holds."""
        for name, units in placement.units.items():
            if name == "gpu":
                for index in placement.gpus:
                    self.devices[index] += sign * units // len(placement.gpus)
            else:
                self.free[name] += sign * units


class Ledger:
    """Grants of resources to trials."""

    def __init__(self) -> None:
        self._machines: dict[str, _Machine] = {}
        self._known: dict[str, _Machine] = {}  # all that have been there, as they are with nothing on them
        self._capacities: dict[Size, int] = {}  # of the machines there are now
        self._grants: dict[int, tuple[Placement, _Machine]] = {}  # the machine may have left the cluster

    def set_nodes(self, nodes: Iterable[Node]) -> None:
        """Take note of the machines there are now. Grants on machines that left, or came back too small for them, stay
        written until they are released."""
        self._capacities.clear()
        self._machines = {node.name: _Machine.of(node) for node in nodes}
        self._known |= {name: _empty(machine) for name, machine in self._machines.items()}
        for owner, (placement, _) in self._grants.items():
            machine = self._machines.get(placement.node)
            if machine is not None and machine.covers(placement):
                machine.book(placement, -1)
                self._grants[owner] = placement, machine

    def fits(self, request: Units) -> bool:
        """Tell whether the request could be granted now."""
        return any(machine.fits(request) for machine in self._machines.values())

    def room(self, request: Units) -> int:
        """Return how many such requests could be granted now, side by side."""
        room = 0
        for machine in self._machines.values():
            room += machine.room(request)
        return room

    def capacity(self, request: Units) -> int:
        """Return how many such requests fit when nothing else is held; 0 if the request can never be granted."""
        size = tuple(request.items())
        if size not in self._capacities:
            self._capacities[size] = sum(_empty(machine).room(request) for machine in self._machines.values())
        return self._capacities[size]

    def could_hold(self, request: Units) -> bool:
        """Tell whether a machine that is there could hold it."""
        return self.capacity(request) > 0

    def is_possible(self, request: Units) -> bool:
        """Tell whether the request could be granted on a machine that is there, or that has been and may come back."""
        return any(machine.fits(request) for machine in self._known.values())

    def book(self, owner: int, placements: tuple[Placement, ...]) -> None:
        """Write what was granted, without choosing."""
        [placement] = placements
        machine = self._machines[placement.node]
        machine.book(placement, -1)
        self._grants[owner] = placement, machine

    def grant(self, owner: int, request: Units) -> tuple[Placement, ...]:
        """Write a grant: on the node whose fitting GPU is fullest, then on the first. The request must fit."""
        if owner in self._grants:
            raise InternalError(f"trial {owner} already holds {self._grants[owner][0]}")
        name, machine = min(
            ((name, machine) for name, machine in self._machines.items() if machine.fits(request)),
            key=lambda item: self._tightness(item[1], request),
        )
        gpu = request.get("gpu", 0)
        placement = Placement(name, request, (machine.pick_devices(gpu) or ()) if gpu else ())
        machine.book(placement, -1)
        self._grants[owner] = placement, machine
        return (placement,)

    def _tightness(self, machine: _Machine, request: Units) -> int:
        devices = machine.pick_devices(request["gpu"]) if "gpu" in request else None
        return machine.devices[devices[0]] if devices else 0

    def release(self, owner: int) -> None:
        """Erase the owner's grant."""
        placement, machine = self._grants.pop(owner)
        machine.book(placement, +1)

    def holds(self, owner: int) -> bool:
        """Tell whether this trial holds a grant."""
        return owner in self._grants

    def largest(self, request: Units) -> str:
        """Describe the largest request that could ever be granted of the resources named in this one."""
        best = max(
            self._machines.values(), key=lambda m: sum(_share(m, n, u) >= 1 for n, u in request.items()), default=None
        )
        if best is None:
            return "nothing: there is no machine"
        amounts = {name: (len(best.devices) if name == "gpu" else best.total.get(name, 0) / UNIT) for name in request}
        return str({name: int(amount) if amount == int(amount) else amount for name, amount in amounts.items()})

    def used(self) -> dict[str, tuple[float, float]]:
        """Return, for each resource, how much is granted and how much there is, in the user's units."""
        books: dict[str, tuple[float, float]] = {}
        for machine in self._machines.values():
            rows = [(name, total - machine.free[name], total) for name, total in machine.total.items()]
            if machine.devices:
                all_gpus = UNIT * len(machine.devices)
                rows.append(("gpu", all_gpus - sum(machine.devices), all_gpus))
            for name, held, total in rows:
                before = books.get(name, (0.0, 0.0))
                books[name] = (before[0] + held / UNIT, before[1] + total / UNIT)
        return books

    def check(self) -> None:
        """Recount every book: what is granted and what is free add up to what there is, and nothing is below zero."""
        for name, machine in self._machines.items():
            fresh = _empty(machine)
            for placement, held in self._grants.values():
                if held is machine:
                    fresh.book(placement, -1)
            if (fresh.free, fresh.devices) != (machine.free, machine.devices):
                raise InternalError(f"books of {name} do not balance: {fresh} should be {machine}")
            if min([*machine.free.values(), *machine.devices, 0]) < 0:
                raise InternalError(f"node {name} is overbooked: {machine}")


def _empty(machine: _Machine) -> _Machine:
    return _Machine(machine.total, dict(machine.total), [UNIT] * len(machine.devices))


def _share(machine: _Machine, name: str, units: int) -> float:
    total = len(machine.devices) * UNIT if name == "gpu" else machine.total.get(name, 0)
    return total / units


class Line:
    """Whose turn it is.

    Waiting trials start in the order in which they came; while the first of them does not fit, at most 16 later ones
    may overtake it, and then nothing starts before it does. What no machine could hold is first only once one could.
    """

    def __init__(self) -> None:
        # One queue for each size of request: only the heads compete, so a turn costs the number of sizes, not of
        # trials.
        self._queues: dict[Size, OrderedDict[int, int]] = {}  # trial -> when it came
        self._sizes: dict[int, Size] = {}
        self._arrivals = 0
        self._overtaken: tuple[int, int] = (-1, 0)  # the first in line, and how often it was overtaken

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, trial: int) -> bool:
        return trial in self._sizes

    def head(self, could_hold: Callable[[Units], bool]) -> int | None:
        """Return the first in line among those that a machine could hold."""
        return next((trial for trial, size in self._sizes.items() if could_hold(dict(size))), None)

    @property
    def is_full(self) -> bool:
        """As many wait as are looked at."""
        return len(self) > OVERTAKES

    def add(self, trial: int, request: Units) -> None:
        """Put a trial at the end of the line."""
        size = tuple(sorted(request.items()))
        self._arrivals += 1
        self._sizes[trial] = size
        self._queues.setdefault(size, OrderedDict())[trial] = self._arrivals

    def remove(self, trial: int) -> None:
        """Take a trial out of the line, wherever it stands; nothing happens if it does not."""
        size = self._sizes.pop(trial, None)
        if size is not None:
            del self._queues[size][trial]
            if not self._queues[size]:
                del self._queues[size]

    def pick(self, fits: Callable[[Units], bool], capacity: Callable[[Units], int]) -> int | None:
        """Take out and return the trial whose turn it is; ``None`` if nobody's."""
        if not self._sizes:
            return None
        if len(self._queues) == 1:
            [(size, queue)] = self._queues.items()
            trial = next(iter(queue)) if fits(dict(size)) else None
            if trial is not None:
                self.remove(trial)
            return trial
        heads = sorted(
            (arrival, trial, size)
            for size, queue in self._queues.items()
            for trial, arrival in islice(queue.items(), 1)
        )
        for place, (_, trial, size) in enumerate(heads):
            if fits(dict(size)):
                first = next((before for _, before, wanted in heads[:place] if capacity(dict(wanted))), None)
                if first is not None and not self._overtake(first):
                    return None
                self.remove(trial)
                return trial
        return None

    def blocked(self, capacity: Callable[[Units], int]) -> bool:
        """The first in line has been overtaken as often as it may be."""
        first, count = self._overtaken
        return count >= OVERTAKES and first in self._sizes and capacity(dict(self._sizes[first])) > 0

    def _overtake(self, first: int) -> bool:
        count = self._overtaken[1] if self._overtaken[0] == first else 0
        if count < OVERTAKES:
            self._overtaken = (first, count + 1)
        return count < OVERTAKES
