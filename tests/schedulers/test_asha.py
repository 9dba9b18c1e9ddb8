"""ASHA, stopping and promoting."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import Curve, simulate
from trialwright.executors.simulated import Simulated
from trialwright.messages import Continue, Launch, New, Outcome, Pause, Report, Resume, Start, Stop, Wait, at_step
from trialwright.schedulers import ASHA, AsyncHyperBand
from trialwright.streams import Streams


class TestStopping(SchedulerContract):
    rungs = True

    def make(self):
        return ASHA(max_t=27, reduction_factor=3)


class TestStoppingInBrackets(SchedulerContract):
    rungs = True

    def make(self):
        return ASHA(max_t=27, reduction_factor=3, brackets=3)


class TestPromoting(SchedulerContract):
    rungs = True

    def make(self):
        return ASHA(max_t=27, reduction_factor=3, promote=True)


class TestPromotingInBrackets(SchedulerContract):
    rungs = True

    def make(self):
        return ASHA(max_t=20, grace_period=2, reduction_factor=2, brackets=2, promote=True, stop_last_trials=False)


class TestAsyncHyperBand(SchedulerContract):
    rungs = True

    def make(self):
        return AsyncHyperBand(max_t=27, reduction_factor=3)


class TestByTime(SchedulerContract):
    rungs = True

    def make(self):
        return ASHA(max_t=20, reduction_factor=3, time_attr="time_s")


def an_asha(**arguments: Any) -> Any:
    scheduler = ASHA(**arguments)
    scheduler.setup(Streams(0))
    return scheduler


def trial(number: int, **tags: Any) -> Any:
    return SimpleNamespace(id=number, tags=tags)


def report(scheduler: ASHA, number: int, step: int, value: float) -> Any:
    return scheduler.on_report(trial(number), Report(step, (value,), {"step": step, "time_s": 10.0 * step}))


def start(scheduler: ASHA, *numbers: int) -> None:
    for number in numbers:
        scheduler.on_start(trial(number))


# Rungs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_t", "eta", "levels"),
    [
        (243, 3, [1, 3, 9, 27, 81]),
        (10**3, 10, [1, 10, 100]),
        (10**6, 10, [1, 10, 100, 1_000, 10_000, 100_000]),
        (9**5, 9, [1, 9, 81, 729, 6_561]),
        (125, 5, [1, 5, 25]),
        (244, 3, [1, 3, 9, 27, 81, 243]),
        (100, 4, [1, 4, 16, 64]),
        (1, 4, []),
    ],
)
def test_rungs_are_exact(max_t, eta, levels):
    """A logarithm in floating point loses the last of them: log(243, 3) is 4.999..."""
    assert [rung.level for rung in an_asha(max_t=max_t, reduction_factor=eta)._rungs[0]] == levels


def test_a_trial_climbs_from_rung_to_rung_and_ends_at_max_t():
    scheduler = an_asha(max_t=9, reduction_factor=3)
    assert scheduler.on_start(trial(0)) == Start(at_step(1))
    assert report(scheduler, 0, 1, 0.5) == Continue(at_step(3))
    assert report(scheduler, 0, 3, 0.5) == Continue(at_step(9))
    assert report(scheduler, 0, 9, 0.5) == Stop("step reached max_t = 9", outcome="completed")


def test_without_stop_last_trials_the_last_lease_has_no_end():
    scheduler = an_asha(max_t=9, reduction_factor=3, stop_last_trials=False)
    start(scheduler, 0)
    report(scheduler, 0, 1, 0.5)
    assert report(scheduler, 0, 3, 0.5) == Continue(())


def test_brackets_start_at_later_rungs_and_are_dealt_in_proportion():
    scheduler = an_asha(max_t=27, reduction_factor=3, brackets=3)
    starts = [scheduler.on_start(trial(number)) for number in range(13_000)]
    firsts = {1: at_step(1), 3: at_step(3), 9: at_step(9)}
    for bracket, (level, until) in enumerate(firsts.items()):
        mine = [start for start in starts if start.tags == {"bracket": bracket}]
        assert all(start.until == until for start in mine)
        assert len(mine) == pytest.approx(13_000 * {1: 9, 3: 4, 9: 2}[level] / 15, rel=0.1)  # 9/4 : 3/3 : 1/2


@given(st.integers(1, 5), st.integers(2, 5))
def test_async_hyperband_deals_each_bracket_what_hyperband_would_spend_alike(halvings, eta):
    scheduler = AsyncHyperBand(max_t=eta**halvings, reduction_factor=eta)
    scheduler.setup(Streams(0))
    costs = []
    for share, rungs in zip(scheduler._weights, scheduler._rungs, strict=True):
        levels = [*(rung.level for rung in rungs), scheduler.max_t]
        costs.append(share * sum(level / eta**place for place, level in enumerate(levels)))
    assert len(costs) == halvings + 1
    assert costs == pytest.approx([costs[0]] * len(costs))


def test_brackets_do_not_meet():
    scheduler = an_asha(max_t=27, reduction_factor=3, brackets=2)
    dealt: dict[int, list[int]] = {0: [], 1: []}
    for number in range(40):
        dealt[int(scheduler.on_start(trial(number)).tags["bracket"])].append(number)
    for number in dealt[0][:9]:
        report(scheduler, number, 3, 0.1)
    assert report(scheduler, dealt[1][0], 3, 0.9) == Continue(at_step(9)), "the first of its bracket"


# Cut-offs -------------------------------------------------------------------------------------------------------------


def test_stopping_by_hand():
    """eta = 3: who is among the best ceil(n / 3) of those that have reached the rung goes on."""
    scheduler = an_asha(max_t=9, reduction_factor=3)
    start(scheduler, *range(7))
    # n = 1: 1 goes on; 2: 1; 3: 1; 4: 2; 5: 2; 6: 2; 7: 3
    arrivals = [(0.5, True), (0.6, False), (0.4, True), (0.45, True), (0.5, False), (0.3, True), (0.44, True)]
    for number, (value, goes_on) in enumerate(arrivals):
        verdict = report(scheduler, number, 1, value)
        assert isinstance(verdict, Continue if goes_on else Stop), number
    assert verdict == Continue(at_step(3))


def test_the_reason_of_a_stopped_trial_has_its_rank():
    scheduler = an_asha(max_t=9, reduction_factor=3)
    start(scheduler, 0, 1)
    report(scheduler, 0, 1, 0.5)
    assert report(scheduler, 1, 1, 0.6) == Stop("rank 2 of 2 at step 1")


def test_promoting_by_hand():
    """eta = 3: a free slot resumes the best of the best floor(n / 3) that is paused there."""
    scheduler = an_asha(max_t=9, reduction_factor=3, promote=True)
    start(scheduler, *range(6))
    for number, value in enumerate([0.5, 0.4]):
        assert report(scheduler, number, 1, value) == Pause()
    assert scheduler.next(can_ask=True) == New(), "floor(2 / 3) = 0"
    assert report(scheduler, 2, 1, 0.6) == Pause()
    assert scheduler.next(can_ask=True) == Resume(1, at_step(3)), "the best of three"
    assert scheduler.next(can_ask=True) == New(), "the next best is not among the best one of three"
    assert report(scheduler, 3, 1, 0.3) == Continue(at_step(3)), "it is promotable at once"
    assert report(scheduler, 4, 1, 0.7) == Pause()
    assert scheduler.next(can_ask=True) == New(), "the best floor(5 / 3) = 1 is trial 3, which is promoted"
    assert report(scheduler, 5, 1, 0.9) == Pause()
    assert scheduler.next(can_ask=False) == Wait(), "the best two of six, 3 and 1, are promoted"


def test_the_highest_rung_is_promoted_from_first():
    scheduler = an_asha(max_t=100, reduction_factor=2, promote=True)
    start(scheduler, *range(8))
    for number in range(4):
        report(scheduler, number, 1, number / 10)
    assert scheduler.next(can_ask=True) == Resume(0, at_step(2))
    assert scheduler.next(can_ask=True) == Resume(1, at_step(2))
    assert [report(scheduler, number, 2, number / 10) for number in (0, 1)] == [Pause(), Pause()]
    for number in range(4, 8):
        report(scheduler, number, 1, number / 10)
    assert scheduler.next(can_ask=True) == Resume(0, at_step(4)), "rung 2 before rung 1"
    assert scheduler.next(can_ask=True) == Resume(2, at_step(2))
    assert scheduler.next(can_ask=True) == Resume(3, at_step(2))
    assert scheduler.next(can_ask=True) == New()


def test_a_paused_trial_that_ended_otherwise_is_not_resumed():
    scheduler = an_asha(max_t=9, reduction_factor=3, promote=True)
    start(scheduler, 0, 1, 2)
    for number in range(3):
        report(scheduler, number, 1, 0.5)
    scheduler.on_end(trial(0), Outcome("stopped"))
    assert scheduler.next(can_ask=True) == New(), "its place in the rung stays taken"
    start(scheduler, 3, 4, 5)
    for number in (3, 4, 5):
        report(scheduler, number, 1, 0.9)
    assert scheduler.next(can_ask=True) == Resume(1, at_step(3))


def test_the_older_trial_wins_a_tie():
    scheduler = an_asha(max_t=9, reduction_factor=4, promote=True)
    start(scheduler, 7, 3, 5, 9)
    for number in (7, 3, 5, 9):
        assert report(scheduler, number, 1, 0.5) == Pause()
    assert scheduler.next(can_ask=True) == Resume(3, at_step(4))


@pytest.mark.parametrize("promote", [False, True])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_never_survives_a_rung_even_alone(promote, value):
    scheduler = an_asha(max_t=9, reduction_factor=3, promote=promote)
    start(scheduler, 0)
    assert isinstance(report(scheduler, 0, 1, value), Stop)


# Where rungs are ------------------------------------------------------------------------------------------------------


def standing_at(scheduler: ASHA) -> list[int]:
    return [len(rung.reached) for rung in scheduler._rungs[0]]


@pytest.mark.parametrize("promote", [False, True])
def test_a_report_that_jumps_over_a_rung_is_judged_at_the_highest_it_has_passed_and_nowhere_else(promote):
    scheduler = an_asha(max_t=27, reduction_factor=3, promote=promote)
    start(scheduler, 0, 1, 2)
    assert report(scheduler, 0, 4, 0.1) == (Pause() if promote else Continue(at_step(9)))
    assert standing_at(scheduler) == [0, 1, 0]
    report(scheduler, 1, 1, 0.9)
    assert standing_at(scheduler) == [1, 1, 0], "what was measured at step 4 says nothing about step 1"


def test_a_time_that_repeats_or_goes_back_reaches_no_rung_twice():
    scheduler = an_asha(max_t=27, reduction_factor=3)
    start(scheduler, 0)
    assert report(scheduler, 0, 3, 0.5) == Continue(at_step(9))
    for again in (3, 1, 0, -5):
        assert report(scheduler, 0, again, 0.4) == Continue(at_step(9))
    assert standing_at(scheduler) == [0, 1, 0]


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.floats(-5, 40) | st.integers(-5, 40), st.floats(0, 1)), min_size=1, max_size=60
    ),
    st.booleans(),
)
def test_whatever_the_times_do_only_the_best_of_a_rung_survive_it(reports, promote):
    """Against a slow count: each trial stands once at each rung at most, with the value it had there."""
    scheduler = an_asha(max_t=27, reduction_factor=3, promote=promote)
    start(scheduler, *range(6))
    gone, stands = set[int](), dict[float, dict[int, float]]()
    for number, now, value in reports:
        if number in gone:
            continue
        before = standing_at(scheduler)
        place = scheduler.place(number)
        verdict = scheduler.on_report(trial(number), Report(1, (value,), {"step": now}))
        if isinstance(verdict, Stop | Pause):
            gone.add(number)
        if now >= 27 or standing_at(scheduler) == before:
            continue
        [rung] = [scheduler._rungs[0][i] for i in range(3) if standing_at(scheduler)[i] > before[i]]
        assert rung.level == max(level for level in (1, 3, 9) if level <= now) >= (1, 3, 9)[place]
        others = stands.setdefault(rung.level, {})
        assert number not in others
        others[number] = value
        better = sum((other, who) < (value, number) for who, other in others.items())
        keep = len(others) // 3 if promote else -(-len(others) // 3)
        assert isinstance(verdict, Continue) == (better < keep)


@pytest.mark.parametrize("brackets", [None, 5])
def test_async_hyperband_is_asha_in_all_its_brackets(brackets):
    scheduler = an_asha(brackets=brackets)
    starts = {scheduler.on_start(trial(number)).until for number in range(3000)}
    assert starts == {at_step(level) for level in (1, 4, 16, 64, 100)}
    assert AsyncHyperBand() == AsyncHyperBand(brackets=None)


def test_it_says_why():
    scheduler = an_asha(max_t=9, reduction_factor=3)
    start(scheduler, 0, 1)
    assert scheduler.why() == {}
    report(scheduler, 0, 1, 0.5)
    report(scheduler, 1, 1, 0.6)
    facts = {"rung": 1, "value": 0.6, "rank": 2, "of": 2, "survivors": 1, "cut_off": 0.5}
    assert scheduler.why() == {**facts, "best": [[0, 0.5], [1, 0.6]]}


def test_a_report_beyond_max_t_ends_the_trial_at_once():
    scheduler = an_asha(max_t=27, reduction_factor=3)
    start(scheduler, 0)
    assert isinstance(report(scheduler, 0, 30, 0.5), Stop)


def test_rungs_may_stand_in_any_metric_that_grows():
    scheduler = an_asha(max_t=90, grace_period=10, reduction_factor=3, time_attr="time_s")
    (boundary,) = scheduler.on_start(trial(0)).until
    assert boundary == ("time_s", ">=", 10)
    assert report(scheduler, 0, 1, 0.5) == Continue((boundary._replace(value=30),))
    assert isinstance(report(scheduler, 0, 9, 0.5), Stop)


@pytest.mark.parametrize("promote", [False, True])
def test_trials_stop_at_rungs_and_nowhere_else(promote):
    scheduler = ASHA(max_t=27, reduction_factor=3, promote=promote)
    simulation = simulate(Curve(steps=100), scheduler, Simulated(workers=4), samples=60)
    assert {trial.step for trial in simulation.experiment.trials.values()} <= {1, 3, 9, 27}
    waiting = [event.last_step for event in simulation.events if getattr(event, "waiting", False)]
    assert set(waiting) == {1, 3, 9, 27}


def test_promotion_on_one_worker_finishes_and_takes_the_best_to_the_top():
    simulation = simulate(Curve(steps=100), ASHA(max_t=27, reduction_factor=3, promote=True), Simulated(), samples=60)
    trials = sorted(simulation.experiment.trials.values(), key=lambda trial: trial.config["x"])
    reached = {level: [trial.id for trial in trials if trial.step >= level] for level in (1, 3, 9, 27)}
    assert len(reached[1]) == 60
    assert 20 <= len(reached[3]) <= 30
    assert len(reached[9]) < len(reached[3]) * 2 / 3  # more than a third, because early promotions are guesses
    assert 1 <= len(reached[27]) <= 6
    best = [trial.id for trial in trials[:20]]
    assert set(best) <= set(reached[3]), "the best third of all has been promoted at least once"
    assert trials[0].id in reached[27]
    assert trials[0].outcome.kind == "completed"


def test_a_promoted_trial_resumes_from_where_it_paused():
    simulation = simulate(Curve(steps=100), ASHA(max_t=27, reduction_factor=3, promote=True), Simulated(), samples=30)
    resumed = [launch for launch in simulation.commands(Launch) if launch.attempt > 1]
    assert resumed
    assert {launch.checkpoint.step for launch in resumed} <= {1, 3, 9}
    assert simulation.experiment.reports == sum(trial.step for trial in simulation.experiment.trials.values())


# Bad arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"max_t": 0}, "grace_period must be in .0, max_t = 0., not 1"),
        ({"grace_period": 0}, "grace_period must be in .*, not 0"),
        ({"grace_period": 200}, "grace_period must be in .0, max_t = 100., not 200"),
        ({"max_t": math.nan}, "grace_period must be in"),
        ({"max_t": math.inf}, "grace_period must be in .0, max_t = inf., not 1"),
        ({"reduction_factor": 1}, "reduction_factor must be more than 1, not 1"),
        ({"reduction_factor": math.nan}, "reduction_factor must be more than 1, not nan"),
        ({"brackets": 0}, "brackets must be from 1 to 5 here, not 0"),
        ({"brackets": 6}, "brackets must be from 1 to 5 here, not 6"),
    ],
)
def test_bad_arguments_are_refused_with_their_values(arguments, text):
    with pytest.raises(ValueError, match=text):
        ASHA(**arguments)


def test_a_bracket_that_the_searcher_names_is_the_trials():
    scheduler = an_asha(max_t=27, reduction_factor=3, brackets=3, promote=True)
    for bracket in (2, 0, 1):
        assert scheduler.on_start(trial(bracket, bracket=bracket)) == Start(at_step(3**bracket), {"bracket": bracket})
    assert an_asha(max_t=27, reduction_factor=3).on_start(trial(0, bracket=2)) == Start(at_step(1)), "it has only one"


@pytest.mark.parametrize("named", [3, -1, "1"])
def test_a_bracket_that_there_is_not_is_refused(named):
    with pytest.raises(ValueError, match=f"trial 4 name bracket {named!r}, not 0 to 2"):
        an_asha(max_t=27, reduction_factor=3, brackets=3).on_start(trial(4, bracket=named))
