"""Faults: each does what it says, as often as it says, and every run gets over them."""

from collections import Counter
from dataclasses import fields
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.scheduler import Training
from tests.core.driving import Curve, Script, Simulation, simulate
from tests.executors.virtual import an_executor, digest, events, launch, times
from trialwright.executors.simulated import Delays, Faults, Simulated
from trialwright.messages import (
    CapacityChanged,
    Event,
    Extend,
    Finished,
    Lost,
    Node,
    Reported,
    Started,
    TrialEvent,
)
from trialwright.schedulers import ASHA, FIFO, PASHA, PBT, HyperBand, MedianStopping, Scheduler
from trialwright.searchers import Perturb, Random

TWO = [Node("a", {"cpu": 2}), Node("b", {"cpu": 1})]
ALL: dict[str, Any] = {
    "lost_per_hour": 60.0, "preempted_per_hour": 100.0, "notice_s": 5.0, "nodes_lost_per_hour": 60.0,
    "node_back_s": (5.0, 30.0), "stragglers": 0.1, "slowdown": 4.0, "late": 0.2, "late_s": (0.0, 20.0),
    "duplicated": 0.2,
}  # fmt: skip


def suffering(faults: Faults, *, steps: int = 20, samples: int = 30, seed: int = 0, **more: Any) -> Simulation:
    """Trainings of one second a step on three workers, tried again for as long as it takes."""
    told: dict[str, Any] = {"samples": samples, "max_failures": -1, **more}
    return simulate(Curve(steps), told.pop("scheduler", None), Simulated(nodes=TWO, faults=faults, seed=seed), **told)


def of(simulation: Simulation, kind: type) -> list[Any]:
    return [event for event in simulation.events if isinstance(event, kind)]


def lives(simulation: Simulation) -> dict[tuple[int, int], list[TrialEvent]]:
    """What was heard of each attempt."""
    heard: dict[tuple[int, int], list[TrialEvent]] = {}
    for event in simulation.events:
        if isinstance(event, TrialEvent):
            heard.setdefault((event.trial, event.attempt), []).append(event)
    return heard


# Determinism ----------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_faults_and_another_seed_others():
    def once(seed: int) -> str:
        return digest(suffering(Faults(**ALL), seed=seed))

    assert once(1) == once(1) != once(2)


def test_all_faults_were_tried_here():
    assert {field.name for field in fields(Faults)} == ALL.keys() | {"until_s"}


# Each of them ---------------------------------------------------------------------------------------------------------


def test_each_lost_worker_costs_its_own_launch():
    executor = Simulated(delays=Delays(launch_s=0.5), faults=Faults(lost_per_hour=360))
    simulation = simulate(Curve(steps=10), None, executor, samples=9, max_failures=-1)
    moments = [moment for moment in simulation.moments if isinstance(moment.event, Lost | Started)]
    again = [(a, b) for a, b in pairwise(moments) if isinstance(a.event, Lost) and isinstance(b.event, Started)]
    assert len(again) > 5
    assert all(b.now == a.now + 0.5 for a, b in again)


def test_workers_are_lost_as_often_as_they_should_be():
    executor = Simulated(faults=Faults(lost_per_hour=36))
    simulation = simulate(Curve(steps=20), None, executor, samples=500, max_failures=-1, check=False)
    hours = simulation.moments[-1].now / 3600
    assert len(times(simulation, Lost)) == pytest.approx(hours * 36, rel=0.2)


def test_a_lost_worker_says_nothing_more():
    simulation = suffering(Faults(lost_per_hour=200))
    assert simulation.experiment.echoes == 0
    assert times(simulation, Lost)


def test_a_preempted_worker_is_not_held_against_its_trial():
    simulation = suffering(Faults(preempted_per_hour=100), max_failures=0)
    assert len(of(simulation, Lost)) > 5
    assert all(lost.preempted for lost in of(simulation, Lost))
    assert simulation.experiment.outcomes == Counter(completed=30)


def test_a_worker_with_notice_of_its_preemption_saves_a_checkpoint():
    simulation = suffering(Faults(preempted_per_hour=100, notice_s=2.0), max_failures=0)
    for life in lives(simulation).values():
        saved = [event for event in life if isinstance(event, Reported) and event.checkpoint]
        if isinstance(life[-1], Lost) and len(life) > 3:
            assert [event.waiting for event in saved] == [True]
            assert life.index(saved[0]) >= len(life) - 4, "in the last two seconds"
    begun = [life[1] for (_, attempt), life in lives(simulation).items() if attempt > 1 and len(life) > 2]
    assert any(event.first_step > 1 for event in begun if isinstance(event, Reported))


def test_a_worker_without_notice_has_to_begin_again():
    simulation = suffering(Faults(preempted_per_hour=100, notice_s=0.0), max_failures=0)
    begun = [life[1] for (_, attempt), life in lives(simulation).items() if attempt > 1 and len(life) > 2]
    assert begun
    assert {event.first_step for event in begun if isinstance(event, Reported)} == {1}


def test_a_lost_machine_takes_its_workers_with_it_and_no_others_and_comes_back():
    executor = an_executor(nodes=TWO, faults=Faults(nodes_lost_per_hour=1, node_back_s=50.0))
    for trial, node in enumerate("aab"):
        executor.do(launch(trial, node=node))
    heard: list[tuple[float, Event]] = []
    while len([None for _, event in heard if isinstance(event, CapacityChanged)]) < 2:
        heard += [(executor.now(), event) for event in events(executor)]
    (lost_at, first), (back_at, second) = [each for each in heard if isinstance(each[1], CapacityChanged)]
    assert isinstance(first, CapacityChanged)
    assert (len(first.nodes), second, back_at) == (1, CapacityChanged(tuple(TWO)), lost_at + 50)
    gone = {"a": {0, 1}, "b": {2}}["b" if first.nodes[0].name == "a" else "a"]
    ended = {event.trial for _, event in heard if isinstance(event, Lost)}
    assert gone >= ended
    assert {event.trial for _, event in heard if isinstance(event, Finished)} >= {0, 1, 2} - gone


def test_a_run_continues_where_machines_are_left_and_waits_where_there_are_none():
    simulation = suffering(Faults(nodes_lost_per_hour=60, node_back_s=100.0))
    changes = [(moment.now, len(moment.event.nodes)) for moment in simulation.moments
               if isinstance(moment.event, CapacityChanged)]  # fmt: skip
    assert {count for _, count in changes} == {0, 1, 2}
    for (begin, count), (end, _) in pairwise(changes):
        reported = any(begin < at < end for at in times(simulation, Reported))
        assert not (reported and count == 0)
    assert simulation.experiment.outcomes == Counter(completed=30)


def test_who_is_launched_on_a_machine_that_is_away_is_lost_at_once():
    executor = an_executor(nodes=TWO, faults=Faults(nodes_lost_per_hour=1))
    (change,) = events(executor)
    assert isinstance(change, CapacityChanged)
    gone = next(iter({"a", "b"} - {node.name for node in change.nodes}))
    executor.do(launch(node=gone))
    assert Lost(0, 1, "its simulated machine was lost") in events(executor)


def test_stragglers_are_so_many_steps_that_take_so_much_longer():
    simulation = suffering(Faults(stragglers=0.25, slowdown=8.0), steps=100)
    took = [b.time_s[0] - a.time_s[0] for life in lives(simulation).values() for a, b in pairwise(life)
            if isinstance(a, Reported) and isinstance(b, Reported)]  # fmt: skip
    count = Counter(took)
    assert count.keys() == {1.0, 8.0}
    assert count[8.0] / len(took) == pytest.approx(0.25, abs=0.03)


def test_a_late_message_is_overtaken_by_other_trials_and_never_by_its_own():
    faults = Faults(late=0.3, late_s=5.0)
    simulation = suffering(faults)
    made = [(moment.event.time_s[0], moment.now) for moment in simulation.moments if isinstance(moment.event, Reported)]
    assert made != sorted(made)
    for life in lives(simulation).values():
        assert [event.last_step for event in life if isinstance(event, Reported)] == list(range(1, 21))
        assert isinstance(life[-1], Finished)


def test_a_late_message_of_a_lost_worker_is_an_echo_that_changes_nothing():
    simulation = suffering(Faults(lost_per_hour=200, late=0.3, late_s=5.0))
    after = [b for life in lives(simulation).values() for a, b in pairwise(life) if isinstance(a, Lost)]
    assert simulation.experiment.echoes == len(after) > 3
    assert simulation.experiment.outcomes == Counter(completed=30)


def test_so_many_messages_come_twice_one_behind_the_other():
    simulation = suffering(Faults(duplicated=0.2), scheduler=Script())
    once = suffering(Faults(), scheduler=Script())
    twice = [a for a, b in pairwise(of(simulation, TrialEvent)) if a == b]
    assert len(twice) / len(of(once, TrialEvent)) == pytest.approx(0.2, abs=0.05)
    assert list(dict.fromkeys(map(str, of(simulation, TrialEvent)))) == list(map(str, of(once, TrialEvent)))
    assert simulation.moments[-1].now == once.moments[-1].now


def test_an_answer_to_the_copy_of_a_report_lets_no_trial_run_ahead():
    executor = an_executor(faults=Faults(duplicated=1.0))
    executor.do(launch())
    assert events(executor) == [Started(0, 1), Started(0, 1)]
    executor.do(Extend(0, 1, ()))
    first, copy = events(executor)
    assert first == copy
    assert executor.now() == 1.0


def test_faults_end_when_they_should():
    simulation = suffering(Faults(**{**ALL, "until_s": 100.0}), samples=100)
    calm = [m.event for m in simulation.moments if m.now > 100 + 30 + 20]
    assert len(calm) > 100
    assert not [event for event in calm if isinstance(event, Lost | CapacityChanged)]
    assert len(set(map(str, calm))) == len(calm)


# Liveness -------------------------------------------------------------------------------------------------------------

SCHEDULERS: list[Any] = [
    FIFO,
    lambda: ASHA(max_t=9, reduction_factor=3),
    lambda: ASHA(max_t=9, reduction_factor=3, promote=True),
    lambda: HyperBand(max_t=9, reduction_factor=3),
    lambda: PASHA(max_t=27, reduction_factor=3),
    lambda: MedianStopping(grace_period=2),
    lambda: PBT(interval=4, quantile=0.4),
    lambda: PBT(interval=4, quantile=0.4, synchronous=True),
]
UNTIL_S = 300.0


@st.composite
def some_faults(draw: Any) -> Faults:
    chosen = draw(st.sets(st.sampled_from(sorted(ALL)), min_size=1))
    return Faults(**{name: ALL[name] for name in chosen}, until_s=UNTIL_S)


@given(some_faults(), st.sampled_from(SCHEDULERS), st.booleans(), st.integers(0, 99))
@settings(max_examples=25, suppress_health_check=[HealthCheck.differing_executors])
def test_when_faults_end_so_does_the_run_in_as_much_time_as_the_work_takes(faults, make, checkpoints, seed):
    delays = Delays((0.0, 1.0), 0.2, (0.0, 0.5), 0.1, 0.1, 0.1, 0.05)
    executor = Simulated(nodes=TWO, delays=delays, faults=faults, checkpoints=checkpoints, seed=seed)
    scheduler: Scheduler = make()
    simulation = simulate(
        Training(), scheduler, executor, searcher=Perturb(Random()), samples=10, max_failures=-1, seed=seed
    )
    assert simulation.experiment.done
    assert all(trial.outcome for trial in simulation.experiment.trials.values())
    one_training_s = 27 * (1.5 + 2 * 0.5 + 0.2) + 2
    restarts = 1 if checkpoints else 6  # a trial that is paused without a checkpoint begins again
    assert simulation.moments[-1].now <= UNTIL_S + 60 + 10 * one_training_s * restarts


# What makes no sense --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lost_per_hour": -1}, "lost_per_hour must be finite and at least 0, not -1"),
        ({"nodes_lost_per_hour": float("nan")}, "nodes_lost_per_hour must be finite"),
        ({"stragglers": 1.5}, r"stragglers must be within \[0, 1\], not 1.5"),
        ({"slowdown": 0.5}, "slowdown must be finite and at least 1, not 0.5"),
        ({"notice_s": -1.0}, "notice_s must be finite and at least 0, not -1.0"),
        ({"late_s": (2.0, 1.0)}, "late_s must be finite"),
        ({"late": 2, "duplicated": -1}, r"(?s)late must.*duplicated must"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Faults(**arguments)
