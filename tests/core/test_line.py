"""Whose turn it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.counting import count_calls
from trialwright.core.ledger import Ledger
from trialwright.core.line import LOOKED_AT, OVERTAKES, Line
from trialwright.messages import Node
from trialwright.resources import Request, to_request

BIG, SMALL, TINY = ({"cpu": 40_000},), ({"cpu": 10_000},), ({"cpu": 5_000},)
GPU, BOTH = ({"gpu": 10_000},), ({"cpu": 10_000, "gpu": 10_000},)


def always(request: Request) -> bool:
    return True


def only(*requests: Request):
    return lambda request: request in requests


def drain(line: Line, fits=always, could_hold=always) -> list[int]:
    picked = []
    while (trial := line.pick(fits, could_hold)) is not None:
        picked.append(trial)
    return picked


def a_line(*requests: Request) -> Line:
    line = Line()
    for trial, request in enumerate(requests):
        line.add(trial, request)
    return line


def test_trials_start_in_the_order_in_which_they_came_whatever_their_sizes():
    assert drain(a_line(BIG, SMALL, BIG, TINY, SMALL)) == [0, 1, 2, 3, 4]


def test_trials_of_equal_size_keep_their_order_when_they_overtake():
    assert drain(a_line(BIG, SMALL, SMALL, BIG, SMALL), only(SMALL)) == [1, 2, 4]


def test_the_head_is_overtaken_by_at_most_16_and_then_nothing_starts_before_it():
    line = a_line(BIG, *[SMALL] * 30)
    assert (OVERTAKES, LOOKED_AT) == (16, 17)
    assert drain(line, only(SMALL)) == list(range(1, 17))
    assert line.pick(only(SMALL), always) is None
    assert line.head(always) == 0
    assert drain(line) == [0, *range(17, 31)], "once it fits, it is its turn, and then the others'"


def test_each_head_has_a_count_of_its_own():
    line = a_line(BIG, *[SMALL] * 20, BIG, *[SMALL] * 20)
    drain(line, only(SMALL))
    assert line.pick(always, always) == 0
    assert drain(line, only(SMALL)) == [*range(17, 21), *range(22, 38)], (
        "4 came before the second big one, 16 overtake it"
    )


def test_a_head_that_was_set_aside_keeps_its_count():
    line = a_line(BIG, *[SMALL] * 30)
    assert drain(a_line(BIG), only(SMALL)) == []
    assert [line.pick(only(SMALL), always) for _ in range(10)] == list(range(1, 11))
    assert line.pick(only(SMALL), only(SMALL)) == 11, "it takes nothing from what cannot be held"
    line.look_again()
    assert drain(line, only(SMALL)) == list(range(12, 18))


# Requests that share nothing ------------------------------------------------------------------------------------------


def test_what_shares_no_resource_with_the_head_starts_when_it_fits_and_is_not_counted():
    line = a_line(GPU, *[SMALL] * 40)
    assert drain(line, only(SMALL)) == list(range(1, 41))
    for trial in range(41, 71):
        line.add(trial, BOTH)
    assert drain(line, only(BOTH)) == list(range(41, 57)), "none of the 40 was counted"


def test_a_head_that_may_not_be_overtaken_blocks_only_what_shares_a_resource_with_it():
    line = a_line(GPU, *[BOTH] * 16)
    assert drain(line, only(BOTH)) == list(range(1, 17))
    for trial, request in [(17, BOTH), (18, SMALL), (19, BOTH), (20, SMALL)]:
        line.add(trial, request)
    assert drain(line, only(BOTH, SMALL)) == [18, 20]


def test_of_several_bundles_each_may_compete():
    pair = (*GPU, *SMALL)
    assert drain(a_line(pair, *[TINY] * 30), only(TINY)) == list(range(1, 17))
    assert drain(a_line(GPU, *[pair] * 30), only(pair)) == list(range(1, 17))


# What no machine could hold -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 16, 17, 100])
def test_what_no_machine_could_hold_blocks_nothing_however_many_there_are(count):
    line = a_line(*[BIG] * count, *[SMALL] * 30)
    assert drain(line, only(SMALL), only(SMALL)) == list(range(count, count + 30))
    assert (len(line), 0 in line, line.head(only(SMALL))) == (count, True, None)
    line.look_again()
    assert drain(line) == list(range(count))


def test_what_was_set_aside_stands_in_its_old_place_once_the_machines_have_changed():
    line = a_line(TINY, BIG, TINY, GPU, TINY)
    assert line.pick(only(SMALL), only(SMALL, TINY)) is None
    line.remove(3)
    line.add(5, SMALL)
    line.look_again()
    assert drain(line) == [0, 1, 2, 4, 5]


# Coming and going -----------------------------------------------------------------------------------------------------


def test_a_trial_that_was_removed_from_the_line_is_not_picked():
    line = a_line(SMALL, SMALL, SMALL)
    line.remove(1)
    line.remove(1)
    assert (1 in line, 2 in line, len(line)) == (False, True, 2)
    assert drain(line) == [0, 2]


def test_the_line_is_full_when_one_more_would_not_be_looked_at():
    line = a_line(*[SMALL] * 16)
    assert not line.is_full
    line.add(16, SMALL)
    assert line.is_full
    line.remove(3)
    assert not line.is_full


REQUESTS = [BIG, SMALL, TINY, GPU, BOTH]
STEPS = st.lists(st.one_of(st.sampled_from(REQUESTS), st.integers(0, 60), st.none()), max_size=80)


@settings(deadline=None)
@given(STEPS, st.lists(st.sampled_from(REQUESTS)), st.lists(st.sampled_from(REQUESTS)))
def test_the_turns_are_those_that_the_rule_says(steps, fitting, impossible):
    """A request joins the line, a number leaves it, and None is a turn."""
    line, waiting, overtaken, came = Line(), {}, {}, 0
    fitting = [request for request in fitting if request not in impossible]
    for step in steps:
        if step is None:
            trial = line.pick(only(*fitting), lambda request: request not in impossible)
            assert trial == whose_turn(waiting, overtaken, fitting, impossible)
            waiting.pop(trial, None)
        elif isinstance(step, int):
            line.remove(step)
            waiting.pop(step, None)
        else:
            line.add(came, step)
            waiting[came] = step
            came += 1
        assert len(line) == len(waiting)
        assert all(trial in line for trial in waiting)


def whose_turn(waiting, overtaken, fitting, impossible):
    """The rule, told simply: ``overtaken`` counts by trial."""
    standing = [item for item in waiting.items() if item[1] not in impossible][:LOOKED_AT]
    head = next((trial for trial, request in standing if request not in fitting), None)
    for trial, request in standing:
        if request not in fitting:
            continue
        if head is None or trial < head or not set(waiting[head][0]) & set(request[0]):
            return trial
        if overtaken.get(head, 0) < OVERTAKES:
            overtaken[head] = overtaken.get(head, 0) + 1
            return trial
    return None


# What it costs --------------------------------------------------------------------------------------------------------


def turn_among(count: int) -> int:
    """Count the calls of one turn where each trial wants another size and none fits."""
    ledger = Ledger()
    ledger.set_nodes([Node("a", {"cpu": 1, "memory": 1})])
    ledger.grant(-1, to_request({"cpu": 1}))
    line = a_line(*[to_request({"cpu": 1, "memory": 0.0002 + i * 1e-4}) for i in range(count)])
    return count_calls(lambda: line.pick(ledger.fits, ledger.could_hold))


def test_a_turn_costs_the_same_however_many_wait_and_of_however_many_sizes():
    few = turn_among(LOOKED_AT)
    assert turn_among(1_000) == turn_among(5_000) == few
    assert few <= 1.5 * turn_among(12), "fewer than 17 are cheaper, each by its own question"


def test_each_request_is_asked_about_once_a_turn():
    asked = []
    line = a_line(BIG, *[SMALL] * 8, *[TINY] * 8, *[BIG] * 8)
    assert line.pick(lambda request: asked.append(request) or False, always) is None
    assert asked == [BIG, SMALL, TINY]


@pytest.mark.parametrize("count", [10, 5_000])
def test_leaving_the_middle_costs_the_same_however_many_wait(count):
    line = a_line(*[SMALL] * count)
    assert count_calls(lambda: line.remove(count // 2)) == 5
