"""The teaching copy of the engine tunes, stops bad trials early, and can be replayed; and it is short."""

import math
from itertools import pairwise
from pathlib import Path

import pytest

from examples import mini


@pytest.fixture(scope="module")
def tuned():
    return mini.tune(samples=40, slots=4, seed=0)


def test_it_finds_a_good_configuration(tuned):
    run, _ = tuned
    best = min(run.trials, key=lambda trial: (-len(trial.losses), trial.losses[-1]))
    assert math.dist((best.config["x"], best.config["y"]), (0.3, 0.6)) < 0.2


def test_it_stops_trials_only_at_rungs(tuned):
    run, _ = tuned
    assert {trial.state for trial in run.trials} == {"stopped", "completed"}
    assert {len(trial.losses) for trial in run.trials if trial.state == "stopped"} <= set(mini.RUNGS)
    assert {len(trial.losses) for trial in run.trials if trial.state == "completed"} == {mini.LAST}


def test_no_more_trials_than_slots_run_at_a_time(tuned):
    _, journal = tuned
    run, running = mini.Run(40, 0), []
    for event in journal:
        run, _ = mini.handle(run, event)
        running.append(sum(trial.state == "running" for trial in run.trials))
    assert max(running) == 4
    assert running[-1] == 0


def test_virtual_time_only_grows(tuned):
    _, journal = tuned
    assert all(one.now <= other.now for one, other in pairwise(journal))


def test_a_replay_gives_the_same_state(tuned):
    run, journal = tuned
    assert mini.replay(journal, 40, 0) == run
    assert mini.replay(journal[:100], 40, 0) != run


def test_a_second_run_is_equal_and_another_seed_is_not(tuned):
    assert mini.tune(40, 4, 0) == tuned
    assert mini.tune(40, 4, 1) != tuned


def test_a_trial_runs_without_asking_until_its_lease_ends():
    run, [launch] = mini.handle(mini.Run(samples=1, seed=0), mini.Began(0.0, 1))
    assert launch.until == 1
    run, commands = mini.handle(run, mini.Reported(1.0, 0, 1, 0.5))
    assert commands == [mini.Extend(0, 3)]
    run, commands = mini.handle(run, mini.Reported(2.0, 0, 2, 0.4))
    assert commands == []


def test_a_trial_that_is_worse_than_the_others_at_a_rung_is_halted_and_its_slot_is_filled():
    run, _ = mini.handle(mini.Run(samples=3, seed=0), mini.Began(0.0, 2))
    run, _ = mini.handle(run, mini.Reported(1.0, 0, 1, 0.5))
    run, [halt, launch] = mini.handle(run, mini.Reported(1.5, 1, 1, 0.9))
    assert (halt, launch.trial) == (mini.Halt(1), 2)


def test_it_has_at_most_150_lines():
    assert len(Path(mini.__file__).read_text(encoding="utf-8").splitlines()) <= 150
