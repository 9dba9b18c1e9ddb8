"""The cluster: all machines that are there, what is free on each, and where a request is placed.

CPUs, memory, and custom resources are counted for the whole machine; GPUs each for itself, because a trial that asks
for half a GPU needs both halves of its half on the same one.

Machines without GPUs come first, so that what needs no GPU leaves those with GPUs to what does. A share of a GPU goes
to a machine with a partly used one that has room; only then is an untouched one begun. Else the first machine is taken.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable

from trialwright.core.free_index import FreeIndex, Key, Need, Row
from trialwright.errors import InternalError
from trialwright.messages import Node, Placement
from trialwright.resources import UNIT, Request, Units, has_units

# Keys of a machine's row that are not names of resources
SHARED = 0  # free units of the emptiest GPU that is partly used
ROOM = 1  # how many standard bundles fit side by side
SNUG = 2  # 1 if the standard bundle is a share of a GPU, and fits on one that is partly used


class Machine:
    """What of a machine is granted, and what is free.

    ``row`` is what a ``FreeIndex`` looks at: the free units of each resource (below zero if programs outside this run
    took what was granted to it), for ``"gpu"`` those of untouched devices only; and what the keys above say.

    Args:
        node: the machine, with nothing granted yet.
        standard: the bundle that most trials ask for.
    """

    def __init__(self, node: Node, standard: Units | None = None) -> None:
        self.name = node.name
        self.place = 0  # in the index
        self.total = {name: has_units(amount) for name, amount in node.resources.items()}
        # A fraction of a GPU at the end would be no device of its own: only whole ones count.
        self.devices = [UNIT] * (self.total.pop("gpu", 0) // UNIT)  # units of each GPU that are not granted
        if self.devices:
            self.total["gpu"] = UNIT * len(self.devices)
        self._others = {name: has_units(amount) for name, amount in node.others.items() if name in self.total}
        self._standard = standard
        self._share = gpu if standard is not None and (gpu := standard.get("gpu", 0)) < UNIT else 0
        self.row: Row = {name: units - self._others.get(name, 0) for name, units in self.total.items()}
        self.row[ROOM] = self.row[SNUG] = 0
        self.keys: tuple[Key, ...] = (SHARED, ROOM, SNUG) if self.devices else (ROOM,)  # that change with any grant
        self._note_devices()
        self._note_standard()

    def choose(self, bundle: Units) -> Placement:
        """Return the placement of a bundle that fits here: which devices it gets."""
        return Placement(self.name, bundle, self._pick_devices(bundle["gpu"]) if "gpu" in bundle else ())

    def room(self, bundle: Units) -> int:
        """Return how many such bundles fit side by side."""
        least, row = sys.maxsize, self.row
        for name, units in bundle.items():
            if name == "gpu" and units < UNIT:
                fitting = sum([left // units for left in self._free])
            else:
                fitting = row[name] // units if name in row else 0
            if fitting < least:  # noqa: PLR1730 - a call for each name costs more than the rest of this
                least = fitting
        return least if least > 0 else 0  # noqa: FURB136 - as above

    def covers(self, placement: Placement) -> bool:
        """Tell whether this placement can be booked, device by device, next to what is granted already."""
        # What other programs hold does not count: they may have come after this was granted.
        for name, units in placement.units.items():
            if name == "gpu":
                share = units // max(len(placement.gpus), 1)
                free = [self.devices[gpu] if gpu < len(self.devices) else 0 for gpu in placement.gpus]
                if min(free, default=0) < share:
                    return False
            elif self._not_granted(name) < units:
                return False
        return True

    def book(self, placement: Placement, sign: int) -> None:
        """Take (sign = -1) or give back (+1) what a placement holds."""
        row = self.row
        for name, units in placement.units.items():
            if name == "gpu":
                for gpu in placement.gpus:
                    self.devices[gpu] += sign * units // len(placement.gpus)
                self._note_devices()
            else:
                row[name] += sign * units
        self._note_standard()

    def check(self, expected: Machine) -> None:
        """Raise ``InternalError`` if these amounts are not as expected, or more is granted than there is."""
        if (self.row, self.devices) != (expected.row, expected.devices):
            raise InternalError(
                f"the amounts of {self.name} are inconsistent: {self.row}, {self.devices} "
                f"should be {expected.row}, {expected.devices}"
            )
        if min([*map(self._not_granted, self.total), *self.devices, 0]) < 0:
            raise InternalError(f"node {self.name} is overbooked: {self.row}, {self.devices}")

    def _not_granted(self, name: str) -> int:
        return self.row.get(name, 0) + self._others.get(name, 0)

    def _pick_devices(self, units: int) -> tuple[int, ...]:
        """Best fit: a share goes to the fullest device that still has room; whole GPUs go to untouched ones."""
        if units > UNIT:
            return tuple([gpu for gpu, left in enumerate(self._free) if left == UNIT][: units // UNIT])
        # Also one whole GPU: only an untouched one has so much left.
        return (min([(left, gpu) for gpu, left in enumerate(self._free) if left >= units])[1],)

    def _free_devices(self) -> list[int]:
        """Return the free units of each device. Which devices other programs use is not known: the last ones that are
        not granted are counted as theirs."""
        others = self._others.get("gpu", 0)
        if not others:
            return self.devices
        free = []
        for left in reversed(self.devices):
            taken = min(others, left)
            free.append(left - taken)
            others -= taken
        return free[::-1]

    def _note_devices(self) -> None:
        self._free = self._free_devices()
        if self._free:
            self.row["gpu"] = self._free.count(UNIT) * UNIT
        self.row[SHARED] = max([left for left in self._free if left < UNIT], default=0)

    def _note_standard(self) -> None:
        if self._standard is not None:
            self.row[ROOM] = self.room(self._standard)
            if self._share:
                self.row[SNUG] = 1 if self.row[ROOM] and self._share <= self.row[SHARED] else 0


class Cluster:
    """The machines, and an index of what is free on them.

    Args:
        nodes: the machines, with nothing granted yet. Of several with one name, the last counts.
        standard: the request that most trials have: how often it fits is known without looking. If it has several
            bundles, it is counted like any other.
    """

    def __init__(self, nodes: Iterable[Node], standard: Request | None = None) -> None:
        self._standard = standard[0] if standard is not None and len(standard) == 1 else None
        # Machines count how often the standard bundle fits: what these counts find fits without a closer look.
        self._standard_needs: tuple[Need, ...] = (((ROOM, 1),),)
        if len(_needs(self._standard or {})) > 1:
            self._standard_needs = (((SNUG, 1),), ((ROOM, 1),))
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
            # Asked with almost every event: a number that is kept up to date, instead of a search.
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
