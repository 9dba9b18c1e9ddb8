"""Trials that wait in a slot: who follows whom, on whose resources, and what comes back."""

import pytest

from tests.core.world import World
from trialwright.core.experiment import Experiment
from trialwright.core.plan import Plan
from trialwright.core.queues import ENOUGH, Queues
from trialwright.core.trial import State
from trialwright.messages import Failed, Finished, Launch, Lost, Node, Queued, StopRequested
from trialwright.schedulers import ASHA, FIFO, HyperBand, MedianStopping
from trialwright.stopping import stop_rule
from trialwright.streams import Streams

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
