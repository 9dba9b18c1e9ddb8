"""Delays: each belongs to one thing, and to one trial."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.driving import Curve, Script, simulate
from tests.executors.virtual import an_executor, digest, events, launch, times
from trialwright.executors.delays_and_faults import draw
from trialwright.executors.simulated import Delays, Simulated
from trialwright.messages import (
    Ask,
    Checkpoint,
    Extend,
    Halt,
    Halted,
    Pause,
    Reported,
    Started,
    Suggested,
    TrialEvent,
    at_step,
)

FREE = [0.0, 1.0, 2.0, 2.0, 2.0, 3.0]  # where nothing but training takes time


def a_life(delays: Delays) -> list[float]:
    """When these arrive: a start, two reports that wait, the end of the work; another start, from the checkpoint, and a
    report that does not wait."""
    executor, arrivals = an_executor(delays=delays), list[float]()

    def next_is(kind: type) -> Any:
        (event,) = events(executor)
        assert isinstance(event, kind)
        arrivals.append(executor.now())
        return event

    executor.do(launch(until=at_step(1)))
    next_is(Started)
    next_is(Reported)
    executor.do(Extend(0, 1, at_step(2)))
    path = next_is(Reported).checkpoint
    executor.do(Halt(0, 1))
    next_is(Halted)
    executor.do(launch(attempt=2, checkpoint=Checkpoint(path, 2, 2.0)))
    next_is(Started)
    next_is(Reported)
    return arrivals


@pytest.mark.parametrize(
    ("delay", "arrivals"),
    [
        ({}, FREE),
        ({"launch_s": 0.5}, [0.5, 1.5, 2.5, 2.5, 3.0, 4.0]),
        ({"halt_s": 0.5}, [0.0, 1.0, 2.0, 2.5, 2.5, 3.5]),
        ({"report_s": 0.5}, [0.0, 1.5, 3.5, 3.5, 3.5, 5.0]),
        ({"save_s": 0.5}, [0.0, 1.5, 3.0, 3.0, 3.0, 4.0]),
        ({"load_s": 0.5}, [0.0, 1.0, 2.0, 2.0, 2.0, 3.5]),
        ({"decide_s": 0.5}, [0.0, 1.0, 2.5, 3.0, 3.0, 4.0]),
    ],
    ids=str,
)
def test_each_delay_comes_where_it_belongs(delay, arrivals):
    assert a_life(Delays(**delay)) == arrivals


def test_an_answer_of_the_searcher_takes_its_time():
    executor = an_executor(delays=Delays(ask_s=0.5))
    executor.do(Ask(1, (), 0))
    assert events(executor) == [Suggested(1, ())]
    assert executor.now() == 0.5


def test_delays_are_no_training_time():
    executor = an_executor(delays=Delays(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0))
    executor.do(launch(until=at_step(1)))
    events(executor)
    (report,) = events(executor)
    executor.do(Extend(0, 1, at_step(2)))
    (later,) = events(executor)
    assert isinstance(report, Reported)
    assert isinstance(later, Reported)
    assert (report.time_s, later.time_s) == ((1.0,), (2.0,))


# Delays that are drawn ------------------------------------------------------------------------------------------------


def test_each_of_256_pauses_costs_its_own_delay_and_together_no_more_than_the_longest():
    script = Script(until=at_step(1), verdicts={(number, 1): Pause() for number in range(256)})
    executor = Simulated(workers=256, delays=Delays(halt_s=(10.0, 20.0)))
    halted = times(simulate(Curve(steps=5), script, executor, samples=256, check=False), Halted)
    assert len(set(halted)) == 256
    assert 11.0 < min(halted) < 11.5
    assert 20.5 < max(halted) < 21.0


def test_a_function_draws_and_what_is_negative_counts_as_nothing():
    shifts = [a_life(Delays(launch_s=lambda rng: rng.normal(0.0, 1.0)))[0] for _ in range(2)]
    assert shifts[0] == shifts[1]
    executor = an_executor(delays=Delays(launch_s=lambda rng: rng.normal(0.0, 1.0)))
    for trial in range(400):
        executor.do(launch(trial))
    assert sum(isinstance(event, Started) for event in events(executor)) == pytest.approx(200, abs=40)
    assert executor.now() == 0.0


DRAWN = Delays((0.0, 1.0), (0.0, 1.0), lambda rng: rng.exponential(3.0), (0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (0.0, 1.0))


def drawn(seed: int, workers: int = 4) -> Any:
    return simulate(Curve(steps=9), Script(at_step(4)), Simulated(workers, delays=DRAWN, seed=seed), samples=12)


def test_the_same_seed_draws_the_same_and_another_others():
    assert digest(drawn(1)) == digest(drawn(1)) != digest(drawn(2))


def test_a_trial_draws_its_own_however_many_there_are():
    def first_report_s(workers: int) -> list[float]:
        moments = [moment for moment in drawn(1, workers).moments if isinstance(moment.event, Started | Reported)]
        begins = {moment.event.trial: moment.now for moment in moments if isinstance(moment.event, Started)}
        ends = [(m.event.trial, m.now) for m in moments if isinstance(m.event, Reported) and m.event.first_step == 1]
        return [round(now - begins[trial], 9) for trial, now in sorted(ends)]

    assert first_report_s(2) == first_report_s(12)


def test_what_a_trial_says_arrives_in_the_order_in_which_it_says_it():
    said: dict[int, list[TrialEvent]] = {}
    for event in drawn(1).events:
        if isinstance(event, TrialEvent):
            said.setdefault(event.trial, []).append(event)
    for life in said.values():
        assert isinstance(life[0], Started)
        assert [event.last_step for event in life if isinstance(event, Reported)] == list(range(1, 10))
        assert not isinstance(life[-1], Reported)


@given(st.integers(0, 2**32), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_pair_draws_within_it_and_a_number_is_itself(seed, one, other):
    low, high = sorted((one, other))
    rng = np.random.default_rng(seed)
    assert all(low <= draw((low, high), rng) <= high for _ in range(5))
    assert draw(low, rng) == low == draw(low, None)
    assert draw(lambda rng: one - other, rng) == max(one - other, 0.0)


@pytest.mark.parametrize("delay", [(0.0, 0.0), (1.0, 2.0), lambda rng: 1.0], ids=["empty", "pair", "function"])
@pytest.mark.parametrize("name", [field.name for field in fields(Delays)])
def test_a_pair_or_a_function_anywhere_makes_delays_random(name, delay):
    assert Delays(**{name: delay}).are_drawn
    assert not Delays(**{name: 3}).are_drawn


# What is no delay -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delay", "error", "message"),
    [
        (-1.0, ValueError, r"halt_s must be finite, not negative, and a pair in order, not -1.0"),
        (float("nan"), ValueError, "halt_s must be finite"),
        (float("inf"), ValueError, "halt_s must be finite"),
        ((2.0, 1.0), ValueError, r"not \(2.0, 1.0\)"),
        ((1.0, 2.0, 3.0), TypeError, r"a pair \(low, high\)"),
        ("1 s", TypeError, "halt_s must be seconds, a pair"),
        (None, TypeError, "halt_s must be seconds"),
    ],
)
def test_what_is_no_delay_is_refused(delay, error, message):
    with pytest.raises(error, match=message):
        Delays(halt_s=delay)
