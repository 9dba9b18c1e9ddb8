"""What the index of the cluster says is what a recount of all machines says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwright.core.cluster import Machine
from trialwright.core.ledger import Ledger
from trialwright.errors import InternalError
from trialwright.messages import Node, Placement
from trialwright.resources import UNIT, Request, has_units, to_request

AMOUNTS = [
    {"cpu": 1.0},
    {"cpu": 0.5, "gpu": 0.18},
    {"gpu": 1 / 3},
    {"gpu": 0.5, "cpu": 2},
    {"gpu": 1},
    {"gpu": 2, "cpu": 1},
    {"cpu": 3, "tpu": 0.1},
    {"cpu": 1, "memory": 5},
    {"cpu": 40},
]
REQUESTS = [to_request(amounts) for amounts in AMOUNTS]
REQUESTS += [REQUESTS[0] + REQUESTS[4], REQUESTS[7] + REQUESTS[7] + REQUESTS[1]]
MACHINES = st.sampled_from(
    [{"cpu": 4}, {"cpu": 2, "gpu": 2}, {"gpu": 3, "cpu": 3.5}, {"cpu": 8, "gpu": 1, "tpu": 1}, {"cpu": 6, "memory": 12}]
)
OTHERS = st.sampled_from([{}, {}, {"cpu": 1.5}, {"gpu": 0.7}, {"gpu": 1, "cpu": 2}, {"memory": 3, "cpu": 9, "tpu": 1}])
NODES = st.lists(st.builds(Node, st.sampled_from("abcde"), MACHINES, OTHERS), max_size=5, unique_by=lambda n: n.name)
STEPS = st.lists(st.one_of(st.sampled_from(REQUESTS), st.integers(0, 30), NODES), min_size=1, max_size=25)


class Recount:
    """The machines, and the placements that are in their books: every answer is counted from these."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.grants: dict[int, list[tuple[Placement, bool]]] = {}  # in the books, or not

    def set_nodes(self, nodes: list[Node]) -> None:
        self.nodes, before, self.grants = nodes, self.grants, {}
        for owner, grant in before.items():
            self.grants[owner] = []
            for placement, _ in grant:
                self.grants[owner].append((placement, self.is_there(placement)))

    def is_there(self, placement: Placement) -> bool:
        for node in self.nodes:
            if node.name == placement.node:
                free, devices = self.left(node, others=False)
                share = placement.units.get("gpu", 0) // (len(placement.gpus) or 1)
                return all(gpu < len(devices) and devices[gpu] >= share for gpu in placement.gpus) and all(
                    free.get(name, 0) >= units for name, units in placement.units.items() if name != "gpu"
                )
        return False

    def left(self, node: Node, *, others: bool = True, granted: bool = True) -> tuple[dict[str, int], list[int]]:
        free = {name: has_units(amount) for name, amount in node.resources.items()}
        devices = [UNIT] * (free.pop("gpu", 0) // UNIT)
        booked = [place for grant in self.grants.values() for place, is_booked in grant if is_booked]
        for placement in [place for place in booked if place.node == node.name and granted]:
            for name, units in placement.units.items():
                if name != "gpu":
                    free[name] -= units
            for gpu in placement.gpus:
                devices[gpu] -= placement.units["gpu"] // len(placement.gpus)
        theirs = {name: has_units(amount) for name, amount in (node.others if others else {}).items()}
        for name in free:
            free[name] -= theirs.get(name, 0)
        whole = theirs.get("gpu", 0)
        for gpu in reversed(range(len(devices))):
            taken = min(devices[gpu], whole)
            devices[gpu], whole = devices[gpu] - taken, whole - taken
        return free, devices

    def fitting(self, bundle: dict[str, int]) -> list[str]:
        """The machines where it fits, the best one first."""
        found = []
        for place, node in enumerate(self.nodes):
            free, devices = self.left(node)
            if how_many(bundle, free, devices):
                share = bundle.get("gpu", 0)
                begins = not any(share <= left < UNIT for left in devices) if 0 < share < UNIT else False
                found.append((begins, bool(devices), place, node.name))
        return [name for *_, name in sorted(found)]


def how_many(bundle: dict[str, int], free: dict[str, int], devices: list[int]) -> int:
    rooms = [free.get(name, 0) // units for name, units in bundle.items() if name != "gpu"]
    if (gpu := bundle.get("gpu", 0)) > UNIT:
        rooms.append(devices.count(UNIT) * UNIT // gpu)
    elif gpu:
        rooms.append(sum(left // gpu for left in devices))
    return max(min(rooms), 0)


def how_many_by_granting(ledger: Ledger, request: Request) -> int:
    owners = []
    while ledger.fits(request):
        owners.append(1000 + len(owners))
        ledger.grant(owners[-1], request)
    for owner in owners:
        ledger.release(owner)
    return len(owners)


@settings(max_examples=200)
@given(standard=st.sampled_from([None, *REQUESTS]), nodes=NODES, steps=STEPS)
def test_the_index_agrees_with_a_recount_whatever_is_granted_booked_released_or_moved(standard, nodes, steps):
    """A tuple is a request, a number a release, a list the machines there are from now on. The second ledger is told
    what the first has chosen."""
    ledger, second, recount = Ledger(standard), Ledger(standard), Recount()
    for owner, step in enumerate([nodes, *steps]):
        if isinstance(step, list):
            for each in (ledger, second, recount):
                each.set_nodes(step)
        elif isinstance(step, tuple):
            if ledger.fits(step):
                best = recount.fitting(step[0])[0]
                placements = ledger.grant(owner, step)
                assert placements[0].node == best
                assert [place.units for place in placements] == list(step)
                second.book(owner, placements)
                recount.grants[owner] = [(place, True) for place in placements]
        elif recount.grants:
            leaving = list(recount.grants)[step % len(recount.grants)]
            for each in (ledger, second):
                each.release(leaving)
            del recount.grants[leaving]
        ledger.check()
        second._now.check(ledger._now)
        assert all(ledger.holds(each) for each in recount.grants)
        for request in REQUESTS:
            agrees(ledger, recount, request)


def agrees(ledger: Ledger, recount: Recount, request: Request) -> None:
    room = ledger.room(request)
    assert ledger.fits(request) == (room > 0)
    if len(request) == 1:
        left = [recount.left(node) for node in recount.nodes]
        bare = [recount.left(node, others=False, granted=False) for node in recount.nodes]
        assert room == sum(how_many(request[0], *each) for each in left)
        assert ledger.could_hold(request) == any(how_many(request[0], *each) for each in bare)
        assert ledger.is_possible(request) >= ledger.could_hold(request) >= ledger.fits(request)


@settings(max_examples=50)
@given(nodes=NODES, held=st.lists(st.sampled_from(REQUESTS), max_size=6), request=st.sampled_from(REQUESTS))
def test_room_is_how_many_can_be_granted(nodes, held, request):
    ledger = Ledger()
    ledger.set_nodes(nodes)
    for owner, each in enumerate(held):
        if ledger.fits(each):
            ledger.grant(owner, each)
    assert ledger.room(request) == how_many_by_granting(ledger, request)
    ledger.check()


def test_more_granted_than_there_is_is_found():
    machine, expected = Machine(Node("n", {"cpu": 1})), Machine(Node("n", {"cpu": 1}))
    for each in (machine, expected):
        each.book(Placement("n", {"cpu": 20_000}), -1)
    with pytest.raises(InternalError, match="node n is overbooked"):
        machine.check(expected)
