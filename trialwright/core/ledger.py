"""The ledger: who holds which resources. Pure, in integers: what is granted and what is free always add up.

Amounts are counted in units of 1/10,000 (see ``trialwright.resources``). Every grant has exactly one owner. It is
written when the trial is launched and erased when its work is known to have ended. What a grant, a release, and a
question cost does not grow with the number of machines.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView

from trialwright.core.cluster import Cluster, Machine
from trialwright.errors import InternalError
from trialwright.messages import Node, Placement
from trialwright.resources import UNIT, Request, Units


class Ledger:
    """Grants of resources to trials.

    Args:
        standard: the request that most trials have: ``room`` for it is known without looking at the machines.
    """

    def __init__(self, standard: Request | None = None) -> None:
        self._standard = standard
        self._nodes: dict[str, Node] = {}
        self._bare: dict[str, Node] = {}  # the same, without what others hold on them
        self._known: dict[str, Node] = {}  # all that have been there, likewise
        self._to_come: tuple[Node, ...] = ()  # those that may still be added
        self._now = Cluster(())  # with what is granted
        self._empty = Cluster(())  # the same machines, if nothing were held on them
        self._ever = Cluster(())  # all that have been there or may come, if nothing were held on them
        self._grants: dict[int, tuple[Placement, ...]] = {}
        self._booked: dict[int, tuple[Placement, ...]] = {}  # those of them that are in the books of ``_now``

    def set_nodes(self, nodes: Iterable[Node], to_come: tuple[Node, ...] = ()) -> None:
        """Set the machines that are present, and those that may still be added. Grants on machines that left, or came
        back too small for them, stay written until they are released."""
        self._nodes = {node.name: node for node in nodes}
        # What other programs hold changes often, the machines seldom: only these cost the clusters that hold nothing.
        bare = {name: Node(name, node.resources) for name, node in self._nodes.items()}
        if (bare, to_come) != (self._bare, self._to_come):
            self._bare, self._known, self._to_come = bare, self._known | bare, to_come
            self._empty, self._ever = Cluster(bare.values()), Cluster([*self._known.values(), *self._to_come])
        self._now = Cluster(self._nodes.values(), self._standard)
        self._booked = {owner: self._book_what_fits(placements) for owner, placements in self._grants.items()}

    def fits(self, request: Request) -> bool:
        """Tell whether the request could be granted now."""
        return self._now.fits(request)

    def room(self, request: Request) -> int:
        """Return how many such requests could be granted now, side by side."""
        return self._now.room(request)

    def could_hold(self, request: Request) -> bool:
        """Tell whether the present machines could hold the request if nothing else were held on them."""
        return self._empty.fits(request)

    def is_possible(self, request: Request) -> bool:
        """Tell whether the request could be granted on machines that are present, that were and may come back, or that
        may be added."""
        return self._ever.fits(request)

    def grant(self, owner: int, request: Request) -> tuple[Placement, ...]:
        """Choose where each bundle of the request goes, and write the grant.

        Raises:
            InternalError: the request does not fit, or the owner holds a grant.
        """
        if owner in self._grants:
            raise InternalError(f"trial {owner} already holds {self._grants[owner]}")
        placements = self._now.place(request)
        if placements is None:
            raise InternalError(f"{request} for trial {owner} does not fit on any machine")
        self._grants[owner] = self._booked[owner] = placements
        return placements

    def book(self, owner: int, placements: tuple[Placement, ...]) -> None:
        """Write a grant that was chosen earlier.

        Raises:
            InternalError: it cannot be booked, or the owner holds a grant. Nothing is written then.
        """
        if owner in self._grants:
            raise InternalError(f"trial {owner} already holds {self._grants[owner]}")
        booked = self._book_what_fits(placements)
        if booked != placements:  # half a trial cannot start
            self._give_back(booked)
            raise InternalError(f"{placements} for trial {owner} cannot be booked")
        self._grants[owner] = self._booked[owner] = placements

    def release(self, owner: int) -> None:
        """Erase the owner's grant."""
        del self._grants[owner]
        # Only what is in the books of the machines of now: a grant on one that has left adds nothing when it returns.
        self._give_back(self._booked.pop(owner))

    def hand_over(self, owner: int, successor: int) -> None:
        """Give the owner's grant to another trial."""
        self._grants[successor], self._booked[successor] = self._grants.pop(owner), self._booked.pop(owner)

    @property
    def owners(self) -> KeysView[int]:
        """The trials that hold a grant."""
        return self._grants.keys()

    def held(self, owner: int) -> tuple[Placement, ...]:
        """Return what was granted to this trial."""
        return self._grants[owner]

    def holds(self, owner: int) -> bool:
        """Tell whether this trial holds a grant."""
        return owner in self._grants

    def largest(self, request: Request) -> str:
        """Describe the machine that has enough of most of the resources named in this request, by those resources."""
        wanted: Units = {}
        for bundle in request:
            wanted |= {name: max(units, wanted.get(name, 0)) for name, units in bundle.items()}
        best = max(self._now.machines.values(), key=lambda machine: _held(machine, wanted), default=None)
        if best is None:
            return "nothing: there is no machine"
        amounts = {name: best.total.get(name, 0) / UNIT for name in wanted}
        return str({name: int(amount) if amount == int(amount) else amount for name, amount in amounts.items()})

    def used(self) -> dict[str, tuple[float, float]]:
        """Return, for each resource, how much is granted and how much there is, in the user's units."""
        granted = self._now.granted
        return {name: (granted[name] / UNIT, total / UNIT) for name, total in self._now.total.items()}

    def check(self) -> None:
        """Recount every book: what is granted and what is free add up to what there is, and nothing is below zero."""
        fresh = Cluster(self._nodes.values(), self._standard)
        for placements in self._booked.values():
            for placement in placements:
                fresh.book(placement, -1)
        self._now.check(fresh)

    def _book_what_fits(self, placements: tuple[Placement, ...]) -> tuple[Placement, ...]:
        booked: tuple[Placement, ...] = ()
        for placement in placements:
            if self._now.covers(placement):
                self._now.book(placement, -1)
                booked += (placement,)
        return booked

    def _give_back(self, placements: tuple[Placement, ...]) -> None:
        for placement in placements:
            self._now.book(placement, +1)


def _held(machine: Machine, wanted: Units) -> int:
    return sum(machine.total.get(name, 0) >= units for name, units in wanted.items())
