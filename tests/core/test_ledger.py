"""The ledger's books, and whose turn it is."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwright.core.ledger import OVERTAKES, Ledger, Line
from trialwright.errors import InternalError
from trialwright.messages import Node
from trialwright.resources import to_units

# Units ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        (1, 10_000),
        (0.57, 5_700),  # 0.57 * 10,000 is 5,699.999...
        (0.29, 2_900),
        (1 / 3, 3_333),
        (2 / 3, 6_666),
        (0.18, 1_800),
        (0.0001, 1),
        (0.00019, 1),
        (1.1, 11_000),
        (3.2e10, 320_000_000_000_000),
    ],
)
def test_amounts_are_floored_to_ten_thousandths(amount, units):
    assert to_units({"cpu": amount}) == {"cpu": units}


@given(st.integers(1, 10**9))
def test_every_amount_that_is_written_with_four_decimals_is_kept_exactly(units):
    assert to_units({"cpu": float(f"{units // 10_000}.{units % 10_000:04}")}) == {"cpu": units}


def test_zeros_are_left_out():
    assert to_units({"cpu": 1, "gpu": 0, "memory": 0.0}) == {"cpu": 10_000}


@pytest.mark.parametrize("amount", [-1, -0.5, math.nan, math.inf, -math.inf, 0.00009, 1e-300])
def test_a_bad_amount_is_refused_with_its_name_and_value(amount):
    with pytest.raises(ValueError, match=rf"'tpu'.*{amount!r}".replace("+", r"\+")):
        to_units({"cpu": 1, "tpu": amount})


@pytest.mark.parametrize("amount", [True, False, "1", None, 1j])
def test_what_is_no_number_is_refused_with_its_name_and_value(amount):
    with pytest.raises(TypeError) as caught:
        to_units({"tpu": amount})
    assert "'tpu'" in str(caught.value)
    assert repr(amount) in str(caught.value)


@pytest.mark.parametrize("amount", [1.5, 2.0001])
def test_more_than_one_gpu_must_be_a_whole_number_of_them(amount):
    with pytest.raises(ValueError, match=f"'gpu' = {amount}: more than one GPU must be a whole number"):
        to_units({"gpu": amount})


def test_one_and_a_half_cpus_are_fine():
    assert to_units({"cpu": 1.5}) == {"cpu": 15_000}


# Grants ---------------------------------------------------------------------------------------------------------------


def a_ledger(*nodes: dict[str, float]) -> Ledger:
    ledger = Ledger()
    ledger.set_nodes([Node(f"n{index}", resources) for index, resources in enumerate(nodes)])
    return ledger


def grant_all(ledger: Ledger, request: dict[str, int]) -> list:
    """Grant the request as often as it fits."""
    placements = []
    while ledger.fits(request):
        placements.append(ledger.grant(len(placements), request))
        ledger.check()
    return placements


def test_80_trials_of_0_18_gpu_fit_on_16_devices_five_to_one():
    ledger, request = a_ledger({"cpu": 64, "gpu": 8}, {"cpu": 64, "gpu": 8}), to_units({"cpu": 1, "gpu": 0.18})
    assert ledger.room(request) == 80
    devices = Counter((placement.node, placement.gpus) for placement in grant_all(ledger, request))
    assert devices == {(node, (index,)): 5 for node in ("n0", "n1") for index in range(8)}
    assert ledger.used() == {"gpu": (pytest.approx(14.4), 16.0), "cpu": (80.0, 128.0)}


def test_three_thirds_fit_on_one_device_and_a_fourth_does_not():
    ledger, third = a_ledger({"cpu": 8, "gpu": 1}), to_units({"gpu": 1 / 3})
    assert [placement.gpus for placement in grant_all(ledger, third)] == [(0,)] * 3
    assert ledger.room(third) == 0


def test_whole_gpus_are_untouched_devices_of_one_node():
    ledger = a_ledger({"gpu": 2}, {"gpu": 4})
    ledger.grant(0, to_units({"gpu": 0.1}))
    four, two = to_units({"gpu": 4}), to_units({"gpu": 2})
    assert ledger.room(two) == 2
    assert ledger.grant(1, four).gpus == (0, 1, 2, 3)
    assert not ledger.fits(two), "a device that is shared is no whole one"
    ledger.release(1)
    assert [ledger.grant(owner, two).gpus for owner in (2, 3)] == [(0, 1), (2, 3)]


def test_a_share_goes_to_the_fullest_device_that_has_room():
    ledger = a_ledger({"gpu": 1}, {"gpu": 2})
    half, third = to_units({"gpu": 0.5}), to_units({"gpu": 0.3})
    first = ledger.grant(0, half)
    assert [ledger.grant(owner, third) for owner in (1,)] == [type(first)("n0", third, (0,))]
    assert ledger.grant(2, half).node == "n1"
    assert ledger.grant(3, half).gpus == (0,)
    assert ledger.grant(4, to_units({"gpu": 1})).gpus == (1,), "the second device was left whole"


def test_custom_resources_and_memory_are_counted_by_node():
    ledger, request = a_ledger({"cpu": 4, "memory": 8e9, "tpu": 1}), to_units({"memory": 3e9, "tpu": 0.25})
    assert len(grant_all(ledger, request)) == 2


def test_a_trial_holds_one_grant():
    ledger, request = a_ledger({"cpu": 4}), to_units({"cpu": 1})
    ledger.grant(7, request)
    with pytest.raises(InternalError, match="trial 7 already holds"):
        ledger.grant(7, request)


def test_nothing_drifts_after_a_million_grants():
    ledger, thirds = a_ledger({"cpu": 1, "gpu": 1}), to_units({"cpu": 0.1, "gpu": 1 / 3})
    grant, release = ledger.grant, ledger.release
    for owner in range(1_000_000):
        grant(owner, thirds)
        if owner >= 2:
            release(owner - 2)
    ledger.check()
    release(999_998)
    release(999_999)
    assert ledger.used() == {"cpu": (0.0, 1.0), "gpu": (0.0, 1.0)}


def test_books_that_do_not_balance_are_found():
    ledger = a_ledger({"cpu": 4})
    ledger.grant(0, to_units({"cpu": 1}))
    ledger._machines["n0"].free["cpu"] += 1
    with pytest.raises(InternalError, match="books of n0 do not balance"):
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
    assert ledger.capacity(to_units(request_)) == 0
    assert ledger.largest(to_units(request_)) == largest


# Machines that come and go --------------------------------------------------------------------------------------------


def test_a_grant_on_a_machine_that_left_is_written_until_it_is_released():
    ledger, one = a_ledger({"cpu": 2}), to_units({"cpu": 1})
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
        ledger.grant(owner, to_units({"cpu": 2, "gpu": 1}))
    ledger.set_nodes([Node("n0", smaller)])
    ledger.check()
    for owner in range(4):
        ledger.release(owner)
        ledger.check()
    assert ledger.used() == {name: (0.0, amount) for name, amount in smaller.items()}


REQUESTS = [
    {"cpu": 1.0},
    {"cpu": 0.5, "gpu": 0.18},
    {"gpu": 1 / 3},
    {"gpu": 0.5, "cpu": 2},
    {"gpu": 1},
    {"gpu": 2, "cpu": 1},
    {"cpu": 3, "tpu": 0.1},
]
MACHINES = [{"cpu": 4}, {"cpu": 2, "gpu": 2}, {"gpu": 3, "cpu": 3.5}, {"cpu": 8, "gpu": 1, "tpu": 1}]
NODES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(MACHINES)), max_size=3, unique_by=lambda n: n[0])
STEPS = st.lists(
    st.one_of(st.sampled_from(range(len(REQUESTS))), st.tuples(st.integers(0, 30)), NODES), min_size=1, max_size=25
)


def how_many_fit(ledger: Ledger, owner: int, request: dict[str, int]) -> int:
    """By brute force: grant until nothing fits, then take it all back."""
    owners = []
    while ledger.fits(request):
        owners.append(owner + len(owners))
        ledger.grant(owners[-1], request)
    for each in owners:
        ledger.release(each)
    return len(owners)


@settings(max_examples=200, deadline=None)
@given(nodes=NODES, steps=STEPS)
def test_whatever_is_granted_released_or_moved_the_books_balance_and_room_is_what_fits(nodes, steps):
    """A number is a request, a tuple a release, a list the machines there are from now on."""
    ledger, held, owner = Ledger(), [], 0
    ledger.set_nodes(Node(*node) for node in nodes)
    for step in steps:
        if isinstance(step, list):
            ledger.set_nodes(Node(*node) for node in step)
        elif isinstance(step, tuple):
            if held:
                ledger.release(held.pop(step[0] % len(held)))
        else:
            request = to_units(REQUESTS[step])
            room = ledger.room(request)
            assert ledger.fits(request) == (room > 0)
            assert room == how_many_fit(ledger, 1000, request) <= ledger.capacity(request)
            if room:
                placement = ledger.grant(owner, request)
                assert len(placement.gpus) == math.ceil(request.get("gpu", 0) / 10_000)
                held.append(owner)
                owner += 1
        ledger.check()
        assert all(ledger.holds(each) for each in held)
    for each in held:
        ledger.release(each)
    ledger.check()
    assert all(used == 0 for used, _ in ledger.used().values())


# Whose turn it is -----------------------------------------------------------------------------------------------------

BIG, SMALL, TINY = {"cpu": 40_000}, {"cpu": 10_000}, {"cpu": 5_000}


def always(request: dict[str, int]) -> int:
    return 1


def only(*sizes: dict[str, int]):
    return lambda request: request in sizes


def drain(line: Line, fits=always, capacity=always) -> list[int]:
    picked = []
    while (trial := line.pick(fits, capacity)) is not None:
        picked.append(trial)
    return picked


def a_line(*requests: dict[str, int]) -> Line:
    line = Line()
    for trial, request in enumerate(requests):
        line.add(trial, request)
    return line


def test_trials_start_in_the_order_in_which_they_came_whatever_their_sizes():
    assert drain(a_line(BIG, SMALL, BIG, TINY, SMALL)) == [0, 1, 2, 3, 4]


def test_trials_of_equal_size_keep_their_order_when_they_overtake():
    assert drain(a_line(BIG, SMALL, SMALL, BIG, SMALL), only(SMALL)) == [1, 2, 4]


def test_the_first_in_line_is_overtaken_by_at_most_16_and_then_nothing_starts_before_it():
    line = a_line(BIG, *[SMALL] * 30)
    assert OVERTAKES == 16
    assert drain(line, only(SMALL)) == list(range(1, 17))
    assert line.blocked(always)
    assert line.pick(only(SMALL), always) is None
    assert drain(line) == [0, *range(17, 31)], "once it fits, it is its turn, and then the others'"
    assert not line.blocked(always)


def test_the_count_is_the_first_in_lines_own():
    line = a_line(BIG, *[SMALL] * 20, BIG, *[SMALL] * 20)
    drain(line, only(SMALL))
    assert line.pick(always, always) == 0
    assert drain(line, only(SMALL)) == [*range(17, 21), *range(22, 38)], (
        "4 came before the second big one, 16 overtake it"
    )


def test_what_no_machine_could_hold_keeps_nobody_waiting():
    line = a_line(BIG, *[SMALL] * 30)
    assert drain(line, only(SMALL), only(SMALL)) == list(range(1, 31))
    assert not line.blocked(only(SMALL))
    assert drain(line) == [0]


def test_whoever_leaves_the_line_is_not_picked():
    line = a_line(SMALL, SMALL, SMALL)
    line.remove(1)
    line.remove(1)
    assert (1 in line, 2 in line, len(line)) == (False, True, 2)
    assert drain(line) == [0, 2]


@settings(deadline=None)
@given(st.lists(st.sampled_from([BIG, SMALL, TINY]), max_size=60), st.lists(st.sampled_from([BIG, SMALL, TINY])))
def test_nobody_is_overtaken_by_more_than_16_while_it_is_first(requests, fitting):
    line = a_line(*requests)
    waiting, overtaken = list(range(len(requests))), 0
    while (trial := line.pick(only(*fitting), always)) is not None:
        first = waiting[0]
        waiting.remove(trial)
        overtaken = 0 if trial == first else overtaken + 1
        assert overtaken <= OVERTAKES
    assert not waiting or overtaken == OVERTAKES or all(requests[trial] not in fitting for trial in waiting)
