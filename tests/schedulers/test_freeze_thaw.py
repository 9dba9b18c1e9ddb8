"""Freeze-thaw: the searcher says what goes on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import Curve, Hand, simulate
from trialwright import Engine, Simulated
from trialwright.errors import PolicyError
from trialwright.messages import Ask, Launch, SamplesAdded, StopRequested, Suggested, Suggestion
from trialwright.schedulers import FreezeThaw
from trialwright.searchers import GP, Random
from trialwright.searchers.gp.maximise import Effort
from trialwright.space import uniform
from trialwright.workloads import CrossingCurves

QUICK = Effort(everywhere=64, nearby=32, starts=1, rounds=10)


@dataclass
class Advisor(Random):
    """A new trial, and the trial that has been paused longest, take turns."""

    learns = True
    answers_next = True

    def suggest(self, history, requests, rng):
        request, paused = requests[0], [trial for trial in history.trials if trial.paused]
        if request.kind == "next" and paused and (request.sample < 0 or history.moment % 2):
            return [Suggestion(paused[0].config, {"advised": history.moment}, resume=paused[0].id)]
        return super().suggest(history, requests, rng) if request.sample >= 0 else [None]


class TestContract(SchedulerContract):
    def make(self):
        return FreezeThaw(max_t=27, levels=5)

    def searcher(self):
        return Advisor()


def test_levels_lie_evenly_on_a_logarithmic_scale_and_the_last_is_where_trials_end():
    assert FreezeThaw(max_t=50).steps == [1, 2, 4, 6, 9, 14, 21, 32, 50]
    assert FreezeThaw(max_t=81, grace_period=3, levels=4).steps == [3, 9, 27, 81]
    assert FreezeThaw(max_t=1).steps == [1]


@pytest.mark.parametrize("wrong", [{"max_t": 0}, {"grace_period": 0}, {"max_t": 9, "grace_period": 10}, {"levels": 1}])
def test_levels_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        FreezeThaw(**wrong)


def consulted(**plan):
    """A trial that is paused, and an ask for what is best next."""
    hand = Hand(FreezeThaw(max_t=9, levels=3), cpus=1, answers=False, learns=True, **plan)
    [first] = [each for each in hand.first if isinstance(each, Ask)]
    hand(Suggested(first.ask, (Suggestion({"x": 0.5}),)))
    hand.started(0)
    hand.reported(0, 1, 0.5, checkpoint="there")
    [ask] = [each for each in hand.halted(0) if isinstance(each, Ask)]
    return hand, ask


def test_the_searcher_is_asked_for_the_best_of_a_new_trial_and_those_that_are_paused():
    _, ask = consulted()
    [request] = ask.requests
    assert (request.kind, request.trial, request.sample, request.tags) == ("next", 1, 1, {"levels": [1, 3, 9]})


def test_the_paused_trial_that_it_names_continues_to_the_next_level():
    hand, ask = consulted()
    [launch] = [
        each for each in hand(Suggested(ask.ask, (Suggestion({}, {"a": 1}, resume=0),))) if isinstance(each, Launch)
    ]
    assert (launch.trial, launch.until[0].value, hand.trial(0).tags["a"]) == (0, 3, 1)


def test_the_number_of_a_new_trial_that_was_not_wanted_is_that_of_the_next():
    hand, ask = consulted()
    hand(Suggested(ask.ask, (Suggestion({}, resume=0),)))
    hand.started(0)
    hand.reported(0, 3, 0.5, checkpoint="there")
    [ask] = [each for each in hand.halted(0) if isinstance(each, Ask)]
    assert [(each.trial, each.sample) for each in ask.requests] == [(1, 1)]


def test_with_no_samples_left_only_paused_trials_may_be_named():
    hand, ask = consulted(samples=1)
    assert ask.requests[0].sample == -1
    with pytest.raises(PolicyError, match="names no trial of this run"):
        hand(Suggested(ask.ask, (Suggestion({"x": 0.1}),)))


def test_an_answer_about_a_trial_that_has_ended_meanwhile_is_void_and_asked_again():
    hand, ask = consulted()
    hand(StopRequested(0))
    [again] = [each for each in hand(Suggested(ask.ask, (Suggestion({}, resume=0),))) if isinstance(each, Ask)]
    assert (again.requests[0].kind, hand.experiment.voids) == ("next", 1)


def test_it_asks_one_question_at_a_time():
    simulation = simulate(Curve(9), FreezeThaw(max_t=9, levels=3), Simulated(workers=4), searcher=Advisor(), samples=8)
    is_open = set()
    for moment in simulation.moments:
        is_open.discard(getattr(moment.event, "ask", None))
        is_open |= {each.ask for each in moment.commands if isinstance(each, Ask)}
        assert len(is_open) <= 1


class Silent(Advisor):
    """Names no paused trial."""

    def suggest(self, history, requests, rng):
        return Random.suggest(self, history, requests, rng) if requests[0].sample >= 0 else [None]


@pytest.mark.parametrize("workers", [1, 3])
def test_paused_trials_that_the_searcher_never_names_are_ended_when_nothing_else_is_left(workers):
    executor = Simulated(workers=workers)
    simulation = simulate(Curve(9), FreezeThaw(max_t=9, levels=3), executor, searcher=Silent(), samples=5)
    assert simulation.experiment.done
    assert {str(trial.outcome) for trial in simulation.experiment.trials.values()} == {"stopped (never resumed)"}


def test_samples_that_are_added_after_the_searcher_has_named_nothing_are_asked_for():
    hand, ask = consulted(samples=1)
    hand(Suggested(ask.ask, (None,)))
    [more] = [each for each in hand(SamplesAdded(1)) if isinstance(each, Ask)]
    assert (more.requests[0].kind, more.requests[0].sample) == ("next", 1)


def test_a_trial_whose_value_is_not_finite_ends_at_its_level():
    hand = Hand(FreezeThaw(max_t=9, levels=3), cpus=1, learns=True, samples=1)
    hand.started(0)
    hand.reported(0, 1, float("nan"))
    hand.halted(0)
    assert str(hand.trial(0).outcome) == "stopped (its value is not finite)"


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_with_a_model_it_trains_the_good_ones_to_the_end_and_few_of_the_others(workers):
    curves = CrossingCurves(steps=27)
    result = Engine(
        curves, curves.space, metric="loss", num_samples=40, searcher=GP(effort=QUICK), scheduler=FreezeThaw(max_t=27),
        executor=Simulated(workers=workers), storage=None, seed=1, verbose=0, time_budget_s=400.0 / workers,
    ).run()  # fmt: skip
    steps = sum(trial.step for trial in result)
    whole = [trial for trial in result if trial.outcome == "completed"]
    assert whole
    assert steps < 0.6 * 27 * len(result)
    assert result.best_trial in whole
    assert result.best_trial.config["quality"] < 0.25


@pytest.mark.parametrize("searcher", ["random", "tpe", "cmaes"])
def test_a_searcher_that_cannot_answer_is_refused_before_the_run(searcher):
    with pytest.raises(
        ValueError,
        match="FreezeThaw asks the searcher which paused trial goes on, and .* cannot answer: use searcher='gp'",
    ):
        Engine(print, {"x": uniform(0, 1)}, metric="loss", searcher=searcher, scheduler=FreezeThaw(), verbose=0).run()
