"""A machine: what it has, what of that is free, and on which of its GPUs.

CPUs, memory, and custom resources are counted for the whole machine; GPUs each for itself, because a trial that asks
for half a GPU needs both halves of its half on the same one.
"""

from __future__ import annotations

import sys

from trialwright.core.free_index import Key, Row
from trialwright.errors import InternalError
from trialwright.messages import Node, Placement
from trialwright.resources import UNIT, Units, has_units

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
