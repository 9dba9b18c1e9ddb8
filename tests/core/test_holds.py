"""What the user has paused neither runs nor starts until the user continues it, and the run waits for that."""

import pytest

from tests.core.driving import Hand, Like, Script
from trialwright.core.trial import State
from trialwright.messages import (
    Ask,
    Checkpoint,
    ContinueRequested,
    Enqueued,
    Extend,
    Finished,
    Halt,
    Launch,
    New,
    Outcome,
    Pause,
    PauseRequested,
    Resume,
    StopRequested,
    Wait,
    at_step,
)


def launches(commands):
    return [(each.trial, each.attempt) for each in commands if isinstance(each, Launch)]


def test_a_paused_trial_frees_its_place_and_continues_from_its_checkpoint_once_it_may():
    hand = Hand(samples=2, cpus=1)
    hand.reported(0, 3, checkpoint="c")
    assert hand(PauseRequested(0)) == [Halt(0, 1, durable=True)]
    assert launches(hand.halted(0)) == [(1, 1)]
    assert hand.trial(0).state is State.WAITING
    hand(Finished(1, 1))
    assert not hand.experiment.done
    assert hand.experiment.waits_for == "trials are paused by request, until they are continued: 0"
    assert hand(ContinueRequested(0)) == [Like(Launch, trial=0, attempt=2, checkpoint=Checkpoint("c", 3, 3.0))]
    hand(Finished(0, 2))
    assert hand.experiment.done
    assert hand.trial(0).outcome == Outcome("completed")


def test_a_paused_run_starts_nothing_and_what_runs_continues():
    hand = Hand(Script(), samples=3, cpus=1)
    hand(PauseRequested(None))
    assert hand.experiment.is_paused
    assert hand.reported(0, 1) == [Like(Extend)]
    assert hand(Finished(0, 1)) == []
    assert hand(Enqueued({"x": 0.5})) == []
    assert not hand.experiment.done
    assert "the run is paused by request" in hand.experiment.waits_for
    assert launches(hand(ContinueRequested(None))) == [(1, 1)]
    assert not hand.experiment.is_paused


def test_a_trial_that_waits_can_be_paused_before_it_begins():
    hand = Hand(samples=1, cpus=1)
    hand(Enqueued({"x": 0.5}))
    hand(PauseRequested(1))
    assert launches(hand(Finished(0, 1))) == []
    assert not hand.experiment.done
    assert launches(hand(ContinueRequested(None))) == [(1, 1)]


def test_a_trial_that_has_finished_before_it_hears_of_its_pause_is_completed():
    hand = Hand(samples=1)
    hand(PauseRequested(0))
    hand(Finished(0, 1))
    assert hand.trial(0).outcome == Outcome("completed")
    assert hand.experiment.done


def test_a_trial_that_the_scheduler_resumes_while_it_is_paused_by_request_starts_once_it_may():
    script = Script(verdicts={(0, 1): Pause()}, choices=[New(), New(), Resume(0, at_step(9)), Wait(), Wait()])
    hand = Hand(script, samples=1, cpus=1)
    hand.reported(0, 1, checkpoint="c")
    hand(PauseRequested(0))
    assert hand.halted(0) == []
    assert hand(ContinueRequested(0)) == [Like(Launch, trial=0, attempt=2, until=at_step(9))]


def test_a_paused_trial_can_be_stopped():
    hand = Hand(samples=1)
    hand(PauseRequested(0))
    hand.halted(0)
    hand(StopRequested(0))
    assert hand.trial(0).outcome == Outcome("stopped", "stopped by user request")
    assert hand.experiment.done
    hand(ContinueRequested(0))
    assert hand.experiment.warnings == ["cannot continue trial 0: it was not paused by request"]


@pytest.mark.parametrize("trial", [0, 7])
def test_a_trial_that_has_ended_or_does_not_exist_cannot_be_paused(trial):
    hand = Hand(samples=1)
    hand(Finished(0, 1))
    hand(PauseRequested(trial))
    assert hand.experiment.warnings == [f"cannot pause trial {trial}: it is not running"]


def test_a_request_that_comes_again_after_a_crash_changes_nothing():
    hand = Hand(samples=2, cpus=1)
    hand(PauseRequested(None, letter=1))
    hand(ContinueRequested(None, letter=2))
    hand(PauseRequested(None, letter=1))
    assert not hand.experiment.is_paused


def test_a_paused_run_asks_the_searcher_for_nothing():
    hand = Hand(samples=3, cpus=1, answers=False)
    hand(PauseRequested(None))
    hand(hand.answer(hand.first[0]))
    assert not [each for each in hand(PauseRequested(None)) if isinstance(each, Ask | Launch)]
