"""The books about the trials: whatever does not balance is found, and whatever comes too late changes nothing."""

import pytest

from tests.core.driving import Hand, Script
from trialwright.core import experiment as experiment_module
from trialwright.core.supply import Supply
from trialwright.core.trial import State
from trialwright.errors import InternalError, PolicyError, ReplayError
from trialwright.messages import (
    EVERY_REPORT,
    Ask,
    Cancel,
    Consult,
    Enqueued,
    Launch,
    New,
    Outcome,
    Pause,
    Resize,
    Returned,
    StopRequested,
    Suggested,
    Suggestion,
    Ticked,
    Wait,
    at_step,
)


def count_one_more(experiment):
    experiment.counts[State.WAITING] += 1


def forget_a_pause(experiment):
    experiment._trials.paused.add(0)


def lose_a_grant(experiment):
    experiment.ledger.release(0)


def end_what_runs(experiment):
    experiment.trials[0].outcome, experiment.trials[0].ended = Outcome("completed"), 1.0


def lower_the_limit(experiment):
    experiment._filling.limit = 0


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (count_one_more, "counts .* are not those of the trials"),
        (forget_a_pause, "not those that are paused: {0}"),
        (lose_a_grant, "trial 0 is running and holds a grant: False"),
        (end_what_runs, "trial 0 is running with outcome"),
        (lower_the_limit, "1 trials are active where 0 may be"),
    ],
)
def test_a_book_that_does_not_balance_is_found(spoil, text):
    experiment = Hand(samples=1).experiment
    experiment.check()
    spoil(experiment)
    with pytest.raises(InternalError, match=text):
        experiment.check()


# Answers of the searcher ----------------------------------------------------------------------------------------------


class Consulting(Script):
    """Once a first trial has started, it asks the searcher what is best next."""

    started = 0

    def on_start(self, trial):
        self.started += 1
        return super().on_start(trial)

    def on_resume(self, trial):
        return EVERY_REPORT

    def next(self, can_ask):
        if self.ended:
            return Wait()
        return Consult({"from": "the scheduler"}) if self.started else New({"only": "one"})


def a_paused_trial():
    """A hand with one trial, which is paused, and the ask that says so."""
    hand = Hand(Consulting(verdicts={(0, 1): Pause()}), samples=1, cpus=1)
    hand.started(0)
    hand.reported(0, 1, checkpoint="c")
    hand.answers = False
    [ask] = [command for command in hand.halted(0) if isinstance(command, Ask)]
    return hand, ask


def test_the_trial_that_the_searcher_names_continues_with_its_tags():
    hand, ask = a_paused_trial()
    [launch] = hand(Suggested(ask.ask, (Suggestion({}, {"rank": 1}, resume=0),)))
    assert (launch.trial, launch.attempt) == (0, 2)
    assert hand.trial(0).tags == {"only": "one", "rank": 1}


def test_paused_trials_end_when_the_searcher_names_none_and_nothing_runs():
    hand, ask = a_paused_trial()
    assert hand(Suggested(ask.ask, ())) == [Cancel(0)]
    assert hand.trial(0).outcome == Outcome("stopped", "never resumed")
    assert hand.experiment.done


def a_running_trial():
    """A hand with one trial, which runs, and the question what to do with the free slot beside it."""
    hand = Hand(Consulting(), samples=3, cpus=2, answers=False)
    commands = hand(hand.answer(hand.first[0]))
    [ask] = [command for command in commands if isinstance(command, Ask)]
    return hand, ask


def test_an_answer_that_names_a_trial_that_is_not_paused_is_void_and_the_searcher_is_asked_again():
    hand, ask = a_running_trial()
    [again] = hand(Suggested(ask.ask, (Suggestion({}, resume=0),)))
    assert again.requests == ask.requests
    assert hand.experiment.voids == 1


def test_a_searcher_that_only_names_trials_that_are_not_paused_is_to_blame(monkeypatch):
    monkeypatch.setattr(experiment_module, "VOIDS_MAX", 1)
    hand, ask = a_running_trial()
    with pytest.raises(PolicyError, match="named 1 trials that were not paused; the last: 0"):
        hand(Suggested(ask.ask, (Suggestion({}, resume=0),)))


def test_an_answer_that_names_no_trial_of_the_run_is_a_policy_error():
    hand = Hand(answers=False)
    with pytest.raises(PolicyError, match="names no trial of this run"):
        hand(Suggested(hand.first[0].ask, (Suggestion({"x": 0.0}, resume=7),)))


def test_a_sample_that_was_not_used_for_a_new_trial_is_offered_again():
    supply = Supply(2, 0)
    first = supply.consult({}, 0)
    assert [answer for _, answer in supply.answered(Suggested(first.ask, (Suggestion({}, resume=0),)))]
    again = supply.consult({}, 0)
    assert again.requests == first.requests


# What comes too late or twice -----------------------------------------------------------------------------------------


def test_a_launch_that_comes_back_of_a_trial_that_waits_nowhere_is_an_echo():
    hand = Hand()
    assert hand(Returned(9, 1)) == hand(Returned(0, 1)) == []
    assert hand.experiment.echoes == 2


def test_a_request_that_was_carried_out_is_not_carried_out_again():
    hand = Hand(samples=1)
    hand(Enqueued({"x": 1.0}, letter=1))
    assert hand(Enqueued({"x": 1.0}, letter=1)) == []
    assert len(hand.experiment.trials) == 2
    hand(StopRequested(0, letter=2))
    assert hand(StopRequested(1, letter=2)) == []
    assert hand.trial(1).state is State.RUNNING


def test_an_enqueued_trial_that_waits_for_its_turn_can_be_stopped():
    hand = Hand(samples=1, cpus=1)
    assert hand(Enqueued({"x": 1.0})) == []
    assert hand(StopRequested(1)) == [Cancel(1)]
    assert not [command for command in hand.finished(0) if isinstance(command, Launch)]
    assert hand.experiment.done


def test_a_trial_that_finishes_before_it_is_resized_is_completed():
    hand = Hand(Script(verdicts={(0, 1): Resize({"cpu": 2}, at_step(2))}), samples=1)
    hand.started(0)
    hand.reported(0, 1)
    assert hand.finished(0) == []
    assert hand.trial(0).outcome == Outcome("completed")


# Decisions of the past ------------------------------------------------------------------------------------------------


def test_a_replay_that_needs_a_decision_that_is_not_written_stops():
    hand = Hand(samples=1, cpus=1, answers=False)
    with pytest.raises(ReplayError, match="lacks a decision"):
        hand.experiment.replay(0.0, hand.answer(hand.first[0]), [New()])


def test_a_replay_that_does_not_reach_a_written_decision_stops():
    with pytest.raises(ReplayError, match="did not reach"):
        Hand().experiment.replay(0.0, Ticked(), [Wait(), Outcome("completed")])
