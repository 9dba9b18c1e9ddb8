"""The cluster: all machines that are there, and where on them a request is placed.

Machines without GPUs come first, so that what needs no GPU leaves those with GPUs to what does. A share of a GPU goes
to a machine with a partly used one that has room; only then is an untouched one begun. Else the first machine is taken.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

from trialwright.core.free_index import FreeIndex, Need
from trialwright.core.machine import ROOM, SHARED, SNUG, Machine
from trialwright.errors import InternalError
from trialwright.messages import Node, Placement
from trialwright.resources import UNIT, Request, Units


class Cluster:
    """The machines, and an index of what is free on them.

    Args:
        nodes: the machines, with nothing granted yet. Of several with one name, the last counts.
        standard: the request that most trials have: how often it fits is known without looking. If it has several
            bundles, it is counted like any other.
    """

    def __init__(self, nodes: Iterable[Node], standard: Request | None = None) -> None:
        self._standard = standard[0] if standard is not None and len(standard) == 1 else None
        self._standard_needs = _needs_of_standard(self._standard or {})
        self.machines = {node.name: Machine(node, self._standard) for node in nodes}
        self._in_order = sorted(self.machines.values(), key=lambda machine: bool(machine.devices))
        self._index = FreeIndex([machine.row for machine in self._in_order])
        for place, machine in enumerate(self._in_order):
            machine.place = place
        self._room = sum(machine.row[ROOM] for machine in self._in_order)  # for the standard bundle
        self.total: Counter[str] = Counter()  # units
        for machine in self.machines.values():
            self.total.update(machine.total)
        self.granted = dict.fromkeys(self.total, 0)  # units

    def fits(self, request: Request) -> bool:
        """Tell whether all bundles of the request could be placed now."""
        if len(request) == 1:
            bundle = request[0]
            return self._room > 0 if bundle == self._standard else self._find(bundle) is not None
        placements = self.place(request)  # only booking tells: bundles of one request take room from each other
        if placements is not None:
            self._undo(placements)
        return placements is not None

    def room(self, request: Request) -> int:
        """Return how many such requests could be placed now, side by side."""
        if len(request) == 1:
            [bundle] = request
            if bundle == self._standard:
                return self._room
            return sum([machine.room(bundle) for machine in self._in_order])
        return self._room_for_several(request)

    def place(self, request: Request) -> tuple[Placement, ...] | None:
        """Choose a place for each bundle, one after the other, and book it. Return ``None`` if one does not fit; then
        nothing is booked."""
        placements: tuple[Placement, ...] = ()
        for bundle in request:
            machine = self._find(bundle)
            if machine is None:
                self._undo(placements)
                return None
            placement = machine.choose(bundle)
            self.book(placement, -1)
            placements += (placement,)
        return placements

    def covers(self, placement: Placement) -> bool:
        """Tell whether this very placement can be booked."""
        machine = self.machines.get(placement.node)
        return machine is not None and machine.covers(placement)

    def book(self, placement: Placement, sign: int) -> None:
        """Take (sign = -1) or give back (+1) what a placement holds."""
        machine, units = self.machines[placement.node], placement.units
        before = machine.row[ROOM]
        machine.book(placement, sign)
        self._room += machine.row[ROOM] - before
        for name in units:
            self.granted[name] -= sign * units[name]
        self._index.changed(machine.place, (*units, *machine.keys))

    def check(self, expected: Cluster) -> None:
        """Raise ``InternalError`` if any number is not as it is on another cluster, on which everything was granted
        anew."""
        for name, machine in self.machines.items():
            machine.check(expected.machines[name])
        self._index.check()
        counts, right = (self._room, self.granted), (expected._room, expected.granted)
        if counts != right:
            raise InternalError(f"room and grants are counted as {counts}, not {right}")

    def _find(self, bundle: Units) -> Machine | None:
        for need in self._standard_needs if bundle == self._standard else _needs(bundle):
            place = self._index.first(need)
            if place is not None:
                return self._in_order[place]
        return None

    def _undo(self, placements: Iterable[Placement]) -> None:
        for placement in placements:
            self.book(placement, +1)

    def _room_for_several(self, request: Request) -> int:
        """By trying: bundles of different kinds take room from each other."""
        if not any(request):
            return sys.maxsize if self.fits(request) else 0  # what takes nothing could be placed without end
        placed: list[tuple[Placement, ...]] = []
        while (placements := self.place(request)) is not None:
            placed.append(placements)
        for placements in placed:
            self._undo(placements)
        return len(placed)


def _needs(bundle: Units) -> tuple[Need, ...]:
    """Return what to look for, in order of preference: a share of a GPU goes to one that is partly used, if it can."""
    anywhere = tuple(bundle.items())
    if "gpu" not in bundle or bundle["gpu"] >= UNIT:
        return (anywhere,)
    return (tuple([(SHARED if name == "gpu" else name, units) for name, units in anywhere]), anywhere)


def _needs_of_standard(bundle: Units) -> tuple[Need, ...]:
    """Return the two counts that machines keep for the standard bundle: what they find fits without a closer look."""
    return (((SNUG, 1),), ((ROOM, 1),)) if len(_needs(bundle)) > 1 else (((ROOM, 1),),)
