"""How long a run still takes is said only as far as it is known."""

import random
from dataclasses import replace

import pytest

from trialwright import ASHA, FIFO, Engine, HyperBand, MedianStopping, space
from trialwright.engine.replay import replayed
from trialwright.engine.snapshots import Snapshots
from trialwright.engine.watchers import Meter
from trialwright.executors import Simulated
from trialwright.progress import Snapshot
from trialwright.progress.time_left import seconds_left, time_left, used

HALF = Snapshot("a", elapsed_s=100.0, wanted=40, states={"ended": 18, "running": 4})


def test_the_pace_so_far_and_the_longest_trial_give_an_estimate():
    mean_s = 4 * 100.0 / 18
    assert seconds_left(HALF) == pytest.approx(100.0 + mean_s)  # as many as have ended are still to begin
    assert seconds_left(replace(HALF, longest_s=50.0)) == pytest.approx(150.0)
    assert time_left(HALF) == "about 2 min left"


def test_when_all_have_begun_the_youngest_may_run_as_long_as_the_longest():
    last = replace(HALF, states={"ended": 38, "running": 2}, longest_s=50.0, youngest_s=20.0)
    assert seconds_left(last) == pytest.approx(30.0)


def test_enqueued_trials_count_too():
    assert seconds_left(replace(HALF, states={"ended": 20, "waiting": 60})) == pytest.approx(300.0)


class Curve:
    """27 steps; how long one takes differs between trials by a factor of up to 3."""

    def start(self, config, seed):
        return 0, random.Random(seed)

    def step(self, config, state):
        done, draws = state
        if done == 27:
            return None
        return (done + 1, draws), {"loss": config["x"] + 1 / (done + 1) + 0.05 * draws.random()}, config["pace"]


@pytest.mark.parametrize(("trials", "workers"), [(100, 4), (100, 16)])
@pytest.mark.parametrize("scheduler", [FIFO(), ASHA(max_t=27), HyperBand(max_t=27), MedianStopping()], ids=repr)
def test_after_a_quarter_of_the_run_it_is_within_a_factor_of_two(scheduler, trials, workers):
    result = Engine(
        Curve(), {"x": space.uniform(0, 1), "pace": space.uniform(0.5, 1.5)}, metric="loss", num_samples=trials, seed=1,
        searcher="random", scheduler=scheduler, executor=Simulated(workers=workers), storage=None, verbose=0,
    ).run()  # fmt: skip
    run = result._explain
    entries = [entry for entry in run.store.entries() if entry.now <= result.wall_s / 4]
    now = entries[-1].now
    estimate = seconds_left(Snapshots(replayed(run.arguments, entries), Meter(), "", None).take(now))
    assert 0.5 < estimate / (result.wall_s - now) < 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"states": {"ended": 1, "running": 4}}, "time left unknown before 2 trials have ended"),
        ({"states": {}, "time_budget_s": 130.0}, "at most 30 s left of the time budget"),
        ({"time_budget_s": 130.0}, "about 30 s left of the time budget"),
        ({"time_budget_s": 90.0}, "about 0 s left of the time budget"),
        ({"time_budget_s": 900.0}, "about 2 min left"),
        ({"wanted": None}, "no end planned"),
        ({"wanted": None, "time_budget_s": 130.0}, "at most 30 s left of the time budget"),
        ({"stopped": "it is over"}, ""),
        ({"starting": "Ray"}, ""),
        ({"states": {"ended": 40}}, ""),
        ({"wanted": 1, "states": {"running": 1}}, "time left unknown before 2 trials have ended"),
    ],
)
def test_what_is_said(changes, text):
    assert time_left(replace(HALF, **changes)) == text


@pytest.mark.parametrize(
    ("busy_s", "text"),
    [(59.0, ""), (90.0, "1.5 slot-minutes (cpu 3)"), (5400.0, "1.5 slot-hours (cpu 3)")],
)
def test_what_was_used(busy_s, text):
    assert used(Snapshot("a", busy_s=busy_s, busy_resource_s={"cpu": 2 * busy_s})) == text


def test_resources_that_are_not_known_are_not_told():
    assert used(Snapshot("a", busy_s=60.0)) == "1 slot-minutes"
