"""The ledger's books: grants, machines that come and go, what others hold, and what all that costs."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.core.counting import count_calls, count_lines
from trialwright.core.ledger import Ledger
from trialwright.errors import InternalError
from trialwright.messages import Node, Placement
from trialwright.resources import Request, to_request

# Grants ---------------------------------------------------------------------------------------------------------------


def a_ledger(*nodes: dict[str, float]) -> Ledger:
    ledger = Ledger()
    ledger.set_nodes([Node(f"n{index}", resources) for index, resources in enumerate(nodes)])
    return ledger


def grant_all(ledger: Ledger, request: Request) -> list[Placement]:
    """Grant the request as often as it fits."""
    placements = []
    while ledger.fits(request):
        placements += ledger.grant(len(placements), request)
        ledger.check()
    return placements


def test_80_trials_of_0_18_gpu_fit_on_16_devices_five_to_one():
    ledger, request = a_ledger({"cpu": 64, "gpu": 8}, {"cpu": 64, "gpu": 8}), to_request({"cpu": 1, "gpu": 0.18})
    assert ledger.room(request) == 80
    devices = Counter((placement.node, placement.gpus) for placement in grant_all(ledger, request))
    assert devices == {(node, (index,)): 5 for node in ("n0", "n1") for index in range(8)}
    assert ledger.used() == {"gpu": (pytest.approx(14.4), 16.0), "cpu": (80.0, 128.0)}


def test_three_thirds_fit_on_one_device_and_a_fourth_does_not():
    ledger, third = a_ledger({"cpu": 8, "gpu": 1}), to_request({"gpu": 1 / 3})
    assert [placement.gpus for placement in grant_all(ledger, third)] == [(0,)] * 3
    assert ledger.room(third) == 0


def test_whole_gpus_are_untouched_devices_of_one_node():
    ledger = a_ledger({"gpu": 2}, {"gpu": 4})
    ledger.grant(0, to_request({"gpu": 0.1}))
    four, two = to_request({"gpu": 4}), to_request({"gpu": 2})
    assert ledger.room(two) == 2
    [place] = ledger.grant(1, four)
    assert place.gpus == (0, 1, 2, 3)
    assert not ledger.fits(two), "a device that is shared is no whole one"
    ledger.release(1)
    assert [place.gpus for owner in (2, 3) for place in ledger.grant(owner, two)] == [(0, 1), (2, 3)]


def test_a_share_goes_to_the_fullest_device_that_has_room():
    ledger = a_ledger({"gpu": 1}, {"gpu": 2})
    half, third, whole = to_request({"gpu": 0.5}), to_request({"gpu": 0.3}), to_request({"gpu": 1})
    wanted = [half, third, half, half, whole]
    places = [place for owner, request in enumerate(wanted) for place in ledger.grant(owner, request)]
    assert [(place.node, *place.gpus) for place in places] == [("n0", 0), ("n0", 0), ("n1", 0), ("n1", 0), ("n1", 1)]


def test_a_share_goes_to_a_partly_used_device_of_a_later_machine_before_an_untouched_one_is_begun():
    ledger, half = a_ledger({"gpu": 1}, {"gpu": 1, "cpu": 1}), to_request({"gpu": 0.5})
    ledger.grant(0, to_request({"gpu": 0.5, "cpu": 1}))
    assert [place.node for owner in (1, 2) for place in ledger.grant(owner, half)] == ["n1", "n0"]


def test_what_needs_no_gpu_goes_to_machines_without_as_long_as_there_is_room():
    ledger, one = a_ledger({"cpu": 4, "gpu": 4}, {"cpu": 4}), to_request({"cpu": 1})
    assert [place.node for owner in range(4) for place in ledger.grant(owner, one)] == ["n1"] * 4
    assert ledger.fits(to_request({"cpu": 1, "gpu": 1}))
    assert [place.node for place in ledger.grant(4, one)] == ["n0"]


def test_custom_resources_and_memory_are_counted_by_node():
    ledger, request = a_ledger({"cpu": 4, "memory": 8e9, "tpu": 1}), to_request({"memory": 3e9, "tpu": 0.25})
    assert len(grant_all(ledger, request)) == 2


def test_a_trial_holds_one_grant():
    ledger, request = a_ledger({"cpu": 4}), to_request({"cpu": 1})
    ledger.grant(7, request)
    with pytest.raises(InternalError, match="trial 7 already holds"):
        ledger.grant(7, request)


def test_nothing_drifts_after_a_hundred_thousand_grants():
    ledger, thirds = a_ledger({"cpu": 1, "gpu": 1}), to_request({"cpu": 0.1, "gpu": 1 / 3})
    grant, release = ledger.grant, ledger.release
    for owner in range(100_000):
        grant(owner, thirds)
        if owner >= 2:
            release(owner - 2)
    ledger.check()
    release(99_998)
    release(99_999)
    assert ledger.used() == {"cpu": (0.0, 1.0), "gpu": (0.0, 1.0)}


def test_what_does_not_fit_is_not_granted():
    ledger = a_ledger({"cpu": 1})
    with pytest.raises(InternalError, match="for trial 0 does not fit on any machine"):
        ledger.grant(0, to_request({"cpu": 2}))
    assert not ledger.holds(0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda now: now.machines["n0"].row.update(cpu=40_000), "the amounts of n0 are inconsistent"),
        (lambda now: now.granted.update(cpu=0), "room and grants are counted as"),
        (lambda now: now._index._nodes[1].update(cpu=0), "the index of free amounts says"),
    ],
)
def test_amounts_that_are_inconsistent_are_found(spoil, message):
    ledger = a_ledger({"cpu": 4}, {"cpu": 1})
    ledger.grant(0, to_request({"cpu": 1}))
    ledger.check()
    spoil(ledger._now)
    with pytest.raises(InternalError, match=message):
        ledger.check()


@pytest.mark.parametrize(
    ("nodes", "request_", "largest"),
    [
        ([{"cpu": 8, "gpu": 2}], {"cpu": 1, "gpu": 4}, "{'cpu': 8, 'gpu': 2}"),
        ([{"cpu": 8}], {"gpu": 1}, "{'gpu': 0}"),
        ([{"cpu": 8}, {"cpu": 2, "gpu": 1}], {"cpu": 1, "gpu": 2}, "{'cpu': 8, 'gpu': 0}"),
        ([{"cpu": 2.5}], {"cpu": 3}, "{'cpu': 2.5}"),
        ([], {"cpu": 3}, "nothing: there is no machine"),
    ],
)
def test_the_largest_request_that_can_ever_be_granted_is_described(nodes, request_, largest):
    ledger = a_ledger(*nodes)
    assert not ledger.could_hold(to_request(request_))
    assert ledger.largest(to_request(request_)) == largest


# Machines that come and go --------------------------------------------------------------------------------------------


def test_a_grant_on_a_machine_that_left_is_written_until_it_is_released():
    ledger, one = a_ledger({"cpu": 2}), to_request({"cpu": 1})
    ledger.grant(0, one)
    ledger.set_nodes([])
    ledger.check()
    assert ledger.holds(0)
    assert ledger.room(one) == 0
    ledger.set_nodes([Node("n0", {"cpu": 2})])
    assert ledger.room(one) == 1, "it came back, and the work on it is not known to have ended"
    ledger.release(0)
    assert ledger.room(one) == 2
    ledger.check()


@pytest.mark.parametrize("smaller", [{"cpu": 1}, {"gpu": 2}, {"cpu": 8, "gpu": 1}])
def test_a_machine_that_comes_back_too_small_for_its_grants_is_never_overbooked(smaller):
    ledger = a_ledger({"cpu": 8, "gpu": 4})
    for owner in range(4):
        ledger.grant(owner, to_request({"cpu": 2, "gpu": 1}))
    ledger.set_nodes([Node("n0", smaller)])
    ledger.check()
    for owner in range(4):
        ledger.release(owner)
        ledger.check()
    assert ledger.used() == {name: (0.0, amount) for name, amount in smaller.items()}


def test_a_machine_that_left_may_come_back():
    ledger, two = a_ledger({"cpu": 2}), to_request({"cpu": 2})
    ledger.set_nodes([Node("n1", {"cpu": 1})])
    assert (ledger.could_hold(two), ledger.is_possible(two)) == (False, True)
    assert not ledger.is_possible(to_request({"cpu": 3}))


def test_what_a_machine_that_may_be_added_could_hold_is_possible():
    ledger, two = Ledger(), to_request({"cpu": 2})
    ledger.set_nodes([], (Node("type", {"cpu": 2}),))
    assert (ledger.fits(two), ledger.could_hold(two), ledger.is_possible(two)) == (False, False, True)
    assert not ledger.is_possible(to_request({"cpu": 3}))
    ledger.set_nodes([])
    assert not ledger.is_possible(two)


# What programs outside this run hold ----------------------------------------------------------------------------------


def test_what_others_hold_is_not_granted_but_may_become_free():
    ledger, two = Ledger(), to_request({"cpu": 2})
    ledger.set_nodes([Node("n0", {"cpu": 4, "memory": 8}, {"cpu": 3, "memory": 8})])
    assert (ledger.fits(two), ledger.could_hold(two), ledger.room(to_request({"cpu": 1}))) == (False, True, 1)
    assert ledger.used() == {"cpu": (0.0, 4.0), "memory": (0.0, 8.0)}


def test_others_who_take_what_is_granted_get_it_once_it_is_released():
    ledger, one = a_ledger({"cpu": 4}), to_request({"cpu": 1})
    for owner in range(3):
        ledger.grant(owner, one)
    ledger.set_nodes([Node("n0", {"cpu": 4}, {"cpu": 3})])
    ledger.check()
    rooms = []
    for owner in range(3):
        rooms.append(ledger.room(one))
        ledger.release(owner)
    assert [*rooms, ledger.room(one)] == [0, 0, 0, 1]


def test_others_hold_the_last_gpus():
    ledger = Ledger()
    ledger.set_nodes([Node("n0", {"gpu": 4}, {"gpu": 1.5})])
    assert (ledger.room(to_request({"gpu": 1})), ledger.room(to_request({"gpu": 0.5}))) == (2, 5)
    assert [place.gpus for place in ledger.grant(0, to_request({"gpu": 0.5}))] == [(2,)]
    assert [place.gpus for place in ledger.grant(1, to_request({"gpu": 2}))] == [(0, 1)]
    assert not ledger.fits(to_request({"gpu": 0.1}))


# Several bundles ------------------------------------------------------------------------------------------------------


def test_bundles_are_placed_all_or_none():
    ledger = a_ledger({"cpu": 2}, {"cpu": 3}, {"gpu": 1})
    pair = ({"cpu": 20_000}, {"cpu": 20_000})
    three = (*pair, {"gpu": 10_000})
    assert (ledger.fits(three), ledger.room(three), ledger.room(pair)) == (True, 1, 1)
    assert [place.node for place in ledger.grant(0, three)] == ["n0", "n1", "n2"]
    four = ({"cpu": 10_000}, {"cpu": 10_000})
    assert (ledger.fits(four), ledger.could_hold(four)) == (False, True)
    before = ledger.used()
    with pytest.raises(InternalError, match="does not fit"):
        ledger.grant(1, four)
    assert ledger.used() == before
    ledger.check()
    ledger.release(0)
    assert all(held == 0 for held, _ in ledger.used().values())


def test_several_empty_bundles_have_room_without_end_where_there_is_a_machine():
    assert a_ledger({"cpu": 1}).room(({}, {})) > 1e9
    assert Ledger().room(({}, {})) == 0


# Grants that a journal brings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        Placement("n9", {"cpu": 10_000}),
        Placement("n0", {"cpu": 50_000}),
        Placement("n0", {"tpu": 1}),
        Placement("n0", {"gpu": 10_000}, (2,)),
        Placement("n0", {"gpu": 20_000}, (0, 1)),
        Placement("n0", {"gpu": 10_000}, ()),
    ],
)
def test_what_cannot_be_booked_is_refused_whole(bad):
    ledger = a_ledger({"cpu": 4, "gpu": 2})
    ledger.book(0, (Placement("n0", {"gpu": 5_000}, (1,)),))
    with pytest.raises(InternalError, match="for trial 1 cannot be booked"):
        ledger.book(1, (Placement("n0", {"cpu": 10_000}), bad))
    assert not ledger.holds(1)
    assert ledger.used() == {"cpu": (0.0, 4.0), "gpu": (0.5, 2.0)}
    with pytest.raises(InternalError, match="trial 0 already holds"):
        ledger.book(0, (Placement("n0", {"cpu": 10_000}),))
    ledger.check()


# What it costs --------------------------------------------------------------------------------------------------------


def cost(count: Callable[[Callable[[], object]], int], machines: int, request: Request, *, is_standard: bool) -> int:
    """Each machine has another amount of memory, and all but the last have no CPU left."""
    ledger = Ledger(request if is_standard else None)
    ledger.set_nodes([Node(f"n{i:03}", {"cpu": 4, "gpu": 4, "memory": 16 + i / 7}) for i in range(machines)])
    for owner in range(machines - 1):
        ledger.grant(owner, to_request({"cpu": 4}))

    def work() -> None:
        assert ledger.fits(request)
        assert ledger.could_hold(request)
        assert ledger.is_possible(request)
        ledger.grant(-1, request)
        ledger.release(-1)
        ledger.used()
        if is_standard:
            ledger.room(request)

    return count(work)


@pytest.mark.parametrize("amounts", [{"cpu": 1}, {"cpu": 1, "memory": 3}, {"cpu": 1, "gpu": 0.5}, {"gpu": 2}])
@pytest.mark.parametrize("is_standard", [True, False])
def test_what_the_ledger_costs_does_not_grow_with_the_machines(amounts, is_standard):
    request = to_request(amounts)
    calls = {n: cost(count_calls, n, request, is_standard=is_standard) for n in (1, 10, 100, 400)}
    assert max(calls.values()) <= 1.5 * calls[1]
    lines = {n: cost(count_lines, n, request, is_standard=is_standard) for n in (10, 400)}
    assert lines[400] <= 2 * lines[10], "at most with the depth of a tree: 4 steps for 10, 9 for 400"
