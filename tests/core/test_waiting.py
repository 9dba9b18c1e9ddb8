"""Whose turn it is: in the line, and in the slot of a trial that runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.counting import count_calls
from tests.core.world import World
from trialwright.core.experiment import Experiment
from trialwright.core.ledger import Ledger
from trialwright.core.plan import Plan
from trialwright.core.trial import State
from trialwright.core.waiting import ENOUGH, LOOKED_AT, OVERTAKES, Line, Queues
from trialwright.messages import Failed, Finished, Launch, Lost, Node, Queued, StopRequested
from trialwright.resources import Request, to_request
from trialwright.schedulers import ASHA, FIFO, HyperBand, MedianStopping
from trialwright.stopping import stop_rule
from trialwright.streams import Streams

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


TWO_SLOTS = (Node("a", {"cpu": 2}),)


def a_world(ahead=4, *, scheduler=None, stop=None, nodes=TWO_SLOTS, short=True, **plan):
    settings = {"metrics": ("loss",), "modes": ("min",), "samples": 30, "prefetch": 30, **plan}
    scheduler = scheduler or FIFO()
    scheduler.setup(Streams(0))
    world = World(Experiment(Plan(**settings), scheduler, stop_rule(stop), ahead=ahead))
    for _ in range(ENOUGH if short else 0):
        world.experiment._trials.queues.took(0.001)
    world.change(nodes)
    while world.asks:
        ask = next(iter(world.asks.values()))
        world.answer(ask, len(ask.requests))
    return world


def live(world, trial, ending=Finished):
    """A trial starts, reports once, and ends."""
    worker = world.workers[trial]
    if not worker.started:
        world.start(worker)
    world.report(worker, [1.0], save=False)
    world.leave(worker, ending(*worker.key, *(["no"] if ending is Failed else [])))


def waiting(world):
    return [[launch.trial for launch in queue] for queue in world.queues.values()]


def test_short_trials_wait_in_the_slots_of_those_that_run():
    world = a_world()
    assert sorted(world.workers) == [0, 1]
    assert sorted(map(len, waiting(world))) == [4, 4]
    assert world.experiment.counts[State.RUNNING] == world.experiment.active == 2


def test_the_next_one_takes_the_place_and_the_resources_of_the_one_that_ended():
    world = a_world()
    first = world.queues[0, 1][0]
    live(world, 0)
    assert world.experiment.trials[first.trial].state is State.RUNNING
    assert world.experiment.ledger.held(first.trial) == first.placements
    assert not [c for c in world.log[-1][-1] if isinstance(c, Launch) and c.trial == first.trial]


def test_a_queue_is_filled_up_once_half_of_it_is_used():
    world = a_world()
    sizes = []
    for _ in range(6):
        live(world, min(world.workers))
        sizes.append(max(map(len, waiting(world))))
    assert min(sizes) >= 2
    assert max(map(len, waiting(world))) <= 4


def test_the_last_ones_do_not_all_wait_in_one_slot():
    world = a_world(ahead=20, samples=10)
    assert sorted(map(len, waiting(world))) == [2, 4]


@pytest.mark.parametrize("ending", [Finished, Failed])
@pytest.mark.parametrize("scheduler", [FIFO, MedianStopping, lambda: ASHA(max_t=1)])
def test_the_transitions_are_the_same_whether_trials_wait_in_slots_or_not(ending, scheduler):
    one_slot = (Node("a", {"cpu": 1}),)
    worlds = [a_world(ahead, scheduler=scheduler(), nodes=one_slot, same_failures=0) for ahead in (0, 4)]
    for world in worlds:
        while world.workers:
            [trial] = world.workers
            live(world, trial, ending)
    assert worlds[0].experiment.digest == worlds[1].experiment.digest
    assert any(isinstance(d, Queued) for _, _, decisions, *_ in worlds[1].log for d in decisions)


def test_what_waited_in_a_slot_that_is_lost_is_next_and_has_used_no_attempt():
    world = a_world()
    waited = [launch.trial for launch in world.queues[0, 1]]
    world.leave(world.workers[0], Lost(0, 1, "gone", preempted=True))
    assert world.experiment.trials[waited[0]].state is State.RUNNING
    assert [world.experiment.trials[trial].attempt for trial in waited] == [1, 0, 0, 0]
    for trial in [*waited, 0]:  # one of them may do it again, and is to be alone then
        assert not world.queues[trial, world.experiment.trials[trial].attempt]
        live(world, trial)
    assert world.waiting


def test_what_is_handed_back_is_next_in_line_and_nothing_waits_in_slots_until_trials_are_short_again():
    world = a_world()
    handed = [launch.trial for launch in world.queues[0, 1]]
    world.hand_back()
    live(world, 1)
    assert world.queues[0, 1] == world.queues.get((1, 1)) or not world.queues[0, 1]
    live(world, min(trial for trial in world.workers if trial != 0))
    assert not world.experiment._trials.queues.size
    assert all(world.experiment.trials[trial].attempt <= 1 for trial in handed)
    world.settle()
    assert world.experiment.outcomes["completed"] == 30


def test_a_run_that_is_stopped_cancels_what_waits():
    world = a_world()
    waited = [trial for queue in waiting(world) for trial in queue]
    world.happen(StopRequested(None))
    assert waiting(world) == [[], []]
    assert {world.experiment.trials[trial].outcome.kind for trial in waited} == {"cancelled"}


def test_a_trial_that_waits_can_be_stopped_by_itself():
    world = a_world()
    stopped, then = [launch.trial for launch in world.queues[0, 1]][:2]
    world.happen(StopRequested(stopped))
    live(world, 0)
    assert world.experiment.trials[then].state is State.RUNNING


@pytest.mark.parametrize(
    "settings",
    [
        {"stop": {"loss": 0.5}},
        {"stop": lambda trial, metrics: False},
        {"fail_fast": True},
        {"scheduler": ASHA(max_t=9, promote=True)},
        {"scheduler": HyperBand(max_t=9)},
        {"short": False},
        {"ahead": 0},
    ],
    ids=["stop rule", "stop function", "fail fast", "promoting", "hyperband", "nothing known", "executor cannot"],
)
def test_nothing_waits_in_slots_where_what_comes_next_depends_on_what_runs(settings):
    world = a_world(**settings)
    assert world.workers
    assert not world.waiting


def test_how_many_wait_goes_by_how_long_trials_took():
    queues = Queues(64)
    assert queues.size == 0
    for _ in range(ENOUGH):
        queues.took(0.0001)
    assert queues.size == 64
    for _ in range(100):
        queues.took(0.01)
    assert queues.size == 5
    for _ in range(100):
        queues.took(0.1)
    assert queues.size == 0
