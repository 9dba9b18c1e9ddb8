"""The experiment, an event at a time."""

import math

import pytest

from tests.core.driving import Hand, Like, Script
from trialwright.core.trial import State
from trialwright.errors import PolicyError
from trialwright.messages import (
    Ask,
    Cancel,
    CapacityChanged,
    Checkpoint,
    Clone,
    Continue,
    Discard,
    Drop,
    Enqueued,
    Extend,
    Failed,
    Finished,
    Halt,
    Launch,
    Lost,
    New,
    Node,
    Outcome,
    Pause,
    Reported,
    Resize,
    Resume,
    RetryRequested,
    Start,
    Started,
    Stop,
    StopRequested,
    Suggested,
    Suggestion,
    Ticked,
    Wait,
    at_step,
)
from trialwright.schedulers import FIFO


def kinds(commands):
    return [type(command) for command in commands]


# Asking for suggestions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "cpus", "prefetch", "wanted"),
    [(10, 4, 0, 4), (3, 4, 0, 3), (10, 4, 5, 9), (3, 4, 5, 3), (None, 4, 2, 6)],
)
def test_as_many_suggestions_are_asked_for_as_there_are_free_slots_and_wanted_ahead(samples, cpus, prefetch, wanted):
    (ask,) = Hand(samples=samples, cpus=cpus, prefetch=prefetch, answers=False).first
    assert [request.sample for request in ask.requests] == list(range(wanted))
    assert [request.trial for request in ask.requests] == list(range(wanted))


def test_no_more_is_asked_for_while_the_searcher_thinks():
    hand = Hand(samples=10, cpus=4, answers=False)
    assert hand(Ticked(), after=1) == []


def test_a_late_answer_still_starts_its_trials():
    hand = Hand(samples=2, cpus=2, answers=False)
    assert kinds(hand(hand.answer(hand.first[0]), after=1000)) == [Launch, Launch]


def test_each_free_slot_asks_for_one_more():
    hand = Hand(samples=10, cpus=2)
    assert kinds(hand.finished(0)) == [Ask, Launch]


def test_a_searcher_that_gives_fewer_than_asked_has_no_more():
    hand = Hand(samples=10, cpus=4, answers=False)
    assert kinds(hand(hand.answer(hand.first[0], count=2))) == [Launch, Launch]
    assert hand.finished(0) == []
    assert hand.finished(1) == []
    assert hand.experiment.done


def test_a_searcher_that_has_nothing_at_all_ends_the_run():
    hand = Hand(samples=10, answers=False)
    hand(Suggested(1, ()))
    assert hand.experiment.done


def test_an_answer_that_is_not_waited_for_is_ignored():
    hand = Hand(samples=1, cpus=1)
    assert hand(Suggested(99, (Suggestion({"x": 1.0}),))) == []


def test_a_new_trial_with_tags_is_asked_for_alone():
    hand = Hand(Script(choices=[New({"bracket": 1})]), samples=10, cpus=4, answers=False)
    (ask,) = hand.first
    assert [request.tags for request in ask.requests] == [{"bracket": 1}]


def test_the_tags_of_request_suggestion_and_start_stay_on_the_trial():
    class Tagging(FIFO):
        def on_start(self, trial):
            return Start(tags={"start": 3, "seen": dict(trial.tags)})

        def next(self, can_ask):
            return New({"request": 1}) if can_ask else Wait()

    hand = Hand(Tagging(), samples=1, answers=False)
    hand(Suggested(1, (Suggestion({"x": 0.0}, {"suggestion": 2}),)))
    assert hand.trial(0).tags == {"request": 1, "suggestion": 2, "start": 3, "seen": {"request": 1, "suggestion": 2}}


def test_an_ask_says_how_much_of_the_history_may_be_seen():
    hand = Hand(samples=2, cpus=1, learns=True)
    hand.reported(0, 1, waiting=False)
    hand.answers = False
    (ask,) = hand.finished(0)
    records = hand.experiment.history.until(ask.seen).trials
    assert [(record.id, record.steps, record.outcome) for record in records] == [(0, [1], Outcome("completed"))]
    hand(hand.answer(ask))
    assert len(hand.experiment.history.until(ask.seen)) == 1, "what came later is not shown"


def test_a_resumed_run_asks_its_unanswered_questions_again():
    hand = Hand(samples=4, cpus=2, answers=False)
    assert hand.experiment.start() == hand.first


# Room -----------------------------------------------------------------------------------------------------------------


def test_max_concurrent_trials_counts_those_that_run_and_those_that_stop():
    hand = Hand(Script(verdicts={(0, 1): Stop("enough")}), samples=5, cpus=8, max_concurrent_trials=2)
    assert [trial.state for trial in hand.experiment.trials.values()] == [State.RUNNING] * 2
    assert hand.reported(0, 1) == [Halt(0, 1)], "a trial that stops still counts"
    assert hand.halted(0)[-1] == Like(Launch, trial=2)


def test_resources_are_released_when_the_work_is_known_to_have_ended_not_when_that_was_decided():
    hand = Hand(Script(verdicts={(0, 1): Stop("enough")}), samples=2, cpus=1)
    assert hand.reported(0, 1) == [Halt(0, 1)]
    assert hand(Ticked(), after=60) == []
    assert kinds(hand.halted(0)) == [Ask, Launch]


def test_trials_wait_for_machines_that_are_not_there_yet():
    hand = Hand(samples=1, nodes=[Node("small", {"cpu": 0.5})])
    assert hand.first == []
    assert kinds(hand(CapacityChanged((Node("big", {"cpu": 1}),)))) == [Ask, Launch]


def test_a_trial_that_asks_for_nothing_is_held_back_only_by_max_concurrent_trials():
    hand = Hand(samples=5, resources={}, max_concurrent_trials=3)
    assert kinds(hand.first) == [Ask, Launch, Launch, Launch]


def test_a_trial_that_no_machine_can_hold_any_more_keeps_no_other_waiting():
    big, small = Node("big", {"cpu": 4}), Node("small", {"cpu": 1})
    script = Script(verdicts={(0, 1): Resize({"cpu": 4}, ())})
    hand = Hand(script, nodes=[big, small], samples=60, resources={"cpu": 1}, max_concurrent_trials=1)
    hand.reported(0, 1, checkpoint="c")
    hand(CapacityChanged((small,)))
    hand.halted(0)
    for trial in range(1, 60):
        assert hand.trial(trial).state is State.RUNNING
        hand.finished(trial)
    assert hand(CapacityChanged((big,))) == [Like(Launch, trial=0, attempt=2)]


def test_a_trial_waits_for_the_only_machine_that_can_hold_it_and_is_cancelled_if_there_never_was_one():
    big, small = Node("big", {"cpu": 4}), Node("small", {"cpu": 1})
    hand = Hand(nodes=[big, small], samples=0, resources={"cpu": 1})
    hand(CapacityChanged((small,)))
    assert hand(Enqueued({"x": 0.0}, resources={"cpu": 4})) == []
    assert hand(Enqueued({"x": 0.0}, resources={"cpu": 5})) == [Cancel(1)]
    assert hand(CapacityChanged((big, small))) == [Like(Launch, trial=0, attempt=1)]


def test_a_run_that_stands_still_says_for_what():
    head, worker = Node("head", {"memory": 8}), Node("worker", {"cpu": 1})
    hand = Hand(nodes=[head], samples=1)
    assert "a machine with {'cpu': 1}: the largest one present has {'cpu': 0}" in hand.experiment.waits_for
    hand(CapacityChanged((head, Node("worker", {"cpu": 1}, {"cpu": 1}))))
    assert "wait for {'cpu': 1}, which other programs hold" in hand.experiment.waits_for
    hand(CapacityChanged((head, worker)))
    assert hand.experiment.waits_for == ""
    hand.finished(0)
    hand(CapacityChanged((head,)))
    assert hand.experiment.waits_for == ""


def test_a_run_whose_only_trials_no_machine_can_hold_any_more_says_so():
    big, small = Node("big", {"cpu": 4}), Node("small", {"cpu": 1})
    hand = Hand(nodes=[big, small], samples=0, resources={"cpu": 1})
    hand(CapacityChanged((small,)))
    hand(Enqueued({"x": 0.0}, resources={"cpu": 4}))
    assert "a machine with {'cpu': 4}: the largest one present has {'cpu': 1}" in hand.experiment.waits_for


def test_trials_for_a_machine_that_may_be_added_are_not_refused():
    hand, small = Hand(nodes=[Node("small", {"cpu": 1})], samples=0), Node("small", {"cpu": 1})
    hand(CapacityChanged((small,), (Node("type", {"cpu": 4}),)))
    assert hand(Enqueued({"x": 0.0}, resources={"cpu": 4})) == []
    assert kinds(hand(Enqueued({"x": 0.0}, resources={"cpu": 5}))) == [Cancel]
    assert kinds(hand(CapacityChanged((small, Node("new", {"cpu": 4}))))) == [Launch]


def test_a_run_may_begin_before_its_machines_are_there():
    hand = Hand(nodes=[Node("head", {"memory": 8})], samples=1)
    assert not hand.experiment.feasible
    hand(CapacityChanged((Node("head", {"memory": 8}),), (Node("type", {"cpu": 4}),)))
    assert hand.experiment.feasible


# Failures -------------------------------------------------------------------------------------------------------------


def test_a_failed_trial_is_tried_again_as_often_as_max_failures_says():
    hand = Hand(samples=1, max_failures=2)
    assert hand.failed(0) == [Like(Launch, trial=0, attempt=2)]
    assert hand.lost(0) == [Like(Launch, trial=0, attempt=3)]
    assert hand.failed(0, "KeyError: 'x'") == []
    assert hand.trial(0).outcome == Outcome("failed", "KeyError: 'x'")
    assert hand.experiment.done


def test_a_trial_that_is_lost_for_good_says_so():
    hand = Hand(samples=1)
    hand.lost(0)
    assert hand.trial(0).outcome == Outcome("lost", "gone")


def test_max_failures_minus_one_has_no_end():
    hand = Hand(samples=1, max_failures=-1)
    for attempt in range(2, 50):
        assert hand.failed(0) == [Like(Launch, attempt=attempt)]


def test_preemption_is_not_counted_as_a_failure():
    hand = Hand(samples=1)
    for attempt in range(2, 50):
        assert hand.lost(0, preempted=True) == [Like(Launch, attempt=attempt)]
    assert hand.trial(0).failures == 0


def test_a_retry_resumes_from_the_latest_checkpoint():
    hand = Hand(samples=1, max_failures=1)
    hand.reported(0, 3, checkpoint="three")
    hand.reported(0, 4, waiting=False)
    assert hand.failed(0) == [Like(Launch, attempt=2, checkpoint=Checkpoint("three", 3, 3.0))]
    assert hand.trial(0).step == 3


@pytest.mark.parametrize(
    "echo",
    [
        Started(0, 1),
        Reported(0, 1, 1, (1.0,), {"loss": [-9.0]}, waiting=True, checkpoint="dead"),
        Finished(0, 1),
        Failed(0, 1, "late"),
        Lost(0, 1, "late"),
        Finished(7, 1),
    ],
)
def test_an_echo_from_a_dead_attempt_or_an_unknown_trial_is_counted_and_dropped(echo):
    hand = Hand(samples=1, max_failures=1)
    hand.failed(0)
    digest = hand.experiment.digest
    assert hand(echo) == []
    assert (hand.experiment.echoes, hand.experiment.digest) == (1, digest)
    assert hand.trial(0).checkpoint is None
    assert hand.trial(0).attempt == 2


def test_fail_fast_ends_the_run_with_the_first_trial_that_failed_for_good():
    hand = Hand(samples=10, cpus=2, max_failures=1, fail_fast=True)
    assert hand.failed(0) == [Like(Launch, trial=0, attempt=2)], "not while it has attempts left"
    assert hand.failed(0) == [Halt(1, 1)]
    hand.halted(1)
    assert hand.experiment.done
    assert hand.experiment.stopped == "trial 0 failed: ValueError: no"


def test_five_trials_that_all_failed_in_the_same_way_end_the_run_with_that_error():
    hand = Hand(samples=10, cpus=1)
    for trial in range(4):
        hand.failed(trial)
        assert hand.experiment.stopped is None
    hand.failed(4)
    assert hand.experiment.stopped is not None
    assert "ValueError: no" in hand.experiment.stopped
    assert hand.experiment.done


def test_one_success_lets_the_others_fail():
    hand = Hand(samples=12, cpus=1)
    hand.finished(0)
    for trial in range(1, 12):
        hand.failed(trial)
    assert hand.experiment.stopped is None


def test_trials_that_fail_in_different_ways_do_not_end_the_run():
    hand = Hand(samples=12, cpus=1)
    for trial in range(12):
        hand.failed(trial, f"ValueError: {trial}")
    assert hand.experiment.stopped is None


# Time -----------------------------------------------------------------------------------------------------------------


def test_at_the_end_of_the_time_budget_all_are_stopped_and_none_failed():
    hand = Hand(samples=10, cpus=2, time_budget_s=60, prefetch=3)
    assert hand.experiment.deadline == 60
    commands = hand(Ticked(), after=60)
    assert commands == [Halt(0, 1), Halt(1, 1), *(Like(Cancel, trial=trial) for trial in (2, 3, 4))]
    hand.halted(0)
    hand.failed(1, "killed on the way out")
    assert hand.experiment.done
    reason = "time budget of 60 s"
    assert [str(hand.trial(number).outcome) for number in range(3)] == [
        f"stopped ({reason})",
        f"stopped ({reason})",
        f"cancelled ({reason})",
    ]


def test_the_time_budget_ends_a_run_whose_searcher_never_answers():
    hand = Hand(samples=3, time_budget_s=5, answers=False)
    assert hand(Ticked(), after=5) == []
    assert hand.experiment.done
    assert hand(hand.answer(hand.first[0])) == [], "the late answer starts nothing"


def test_the_first_reason_to_end_the_run_stays():
    hand = Hand(samples=5, cpus=2, time_budget_s=60, fail_fast=True)
    hand.failed(0)
    hand.halted(1, after=90)
    assert hand.experiment.stopped == "trial 0 failed: ValueError: no"


def test_a_trials_timeout_runs_from_its_start():
    hand = Hand(samples=1, trial_timeout_s=10)
    assert hand.experiment.deadline is None, "it is not started yet"
    hand.started(0, after=100)
    assert hand.experiment.deadline == 110
    assert hand(Ticked(), after=9) == []
    assert hand(Ticked(), after=1) == [Halt(0, 1)]
    hand.halted(0)
    assert hand.trial(0).outcome == Outcome("stopped", "timeout of 10 s")


def test_a_dead_attempts_timeout_does_not_stop_the_next_one():
    hand = Hand(samples=1, trial_timeout_s=10, max_failures=1)
    hand.started(0)
    hand.failed(0, after=5)
    hand.started(0)
    assert hand(Ticked(), after=6) == []
    assert hand.experiment.deadline == 15
    assert hand(Ticked(), after=4) == [Halt(0, 2)]


def test_idle_slots_are_booked_to_their_cause():
    hand = Hand(samples=2, cpus=4, answers=False)
    hand(hand.answer(hand.first[0]), after=3)
    hand(Ticked(), after=2)
    assert hand.experiment.idle_s["searcher"] == 4 * 3
    assert sum(hand.experiment.idle_s.values()) == 4 * 3 + 2 * 2


# Stop rules -----------------------------------------------------------------------------------------------------------


def test_a_threshold_is_a_boundary_of_the_lease_and_ends_the_trial():
    hand = Hand(samples=1, stop={"loss": ("<=", 0.1)})
    assert hand.first[-1] == Like(Launch, until=(("loss", "<=", 0.1),))
    assert hand.reported(0, 5, 0.05) == [Halt(0, 1)]
    hand.halted(0)
    assert hand.trial(0).outcome == Outcome("stopped", "loss <= 0.1")


def test_a_stop_function_is_asked_at_every_report_and_outweighs_the_scheduler():
    asked = []

    def stop(trial, metrics):
        asked.append(metrics["step"])
        return metrics["step"] == 2

    hand = Hand(Script(until=at_step(2), verdicts={(0, 2): Pause()}), samples=1, stop=stop)
    assert hand.reported(0, 1) == [Like(Extend)]
    assert hand.scheduler.judged == [], "the scheduler is asked at its own boundaries only"
    assert hand.reported(0, 2) == [Halt(0, 1)]
    hand.halted(0)
    assert (asked, hand.trial(0).state) == ([1, 2], State.ENDED)


def test_a_stopper_can_end_the_whole_run():
    class Enough:
        def __call__(self, trial_id, metrics):
            return False

        def stop_all(self):
            return True

    hand = Hand(samples=10, cpus=2, stop=Enough())
    assert hand.reported(0, 1) == [Halt(0, 1), Halt(1, 1)]
    hand.halted(0)
    hand.halted(1)
    assert hand.experiment.done
    assert hand.experiment.outcomes == {"stopped": 2}


def test_a_scheduler_can_end_the_whole_run():
    hand = Hand(Script(verdicts={(1, 1): Stop("found", everyone=True)}), samples=10, cpus=2)
    assert hand.reported(1, 1) == [Halt(1, 1), Halt(0, 1)]
    assert hand.experiment.stopped == "found"


def test_a_stop_rule_that_raises_is_a_policy_error_with_the_trials_story():
    def stop(trial, metrics):
        return metrics["accuracy"] > 1

    hand = Hand(samples=1, stop=stop)
    with pytest.raises(PolicyError, match="KeyError.*accuracy") as caught:
        hand.reported(0, 1)
    assert "waiting --Launch--> running" in str(caught.value)


# Reports --------------------------------------------------------------------------------------------------------------


def test_a_frame_is_judged_by_its_last_report_alone():
    hand = Hand(Script(until=at_step(5), verdicts={(0, 5): Stop("enough")}), samples=1)
    assert hand.reported(0, 4, 0.4, 0.1, 0.3, 0.2, waiting=False) == []
    assert hand.reported(0, 5, 0.5) == [Halt(0, 1)]
    assert hand.scheduler.judged == [(0, 5)]
    assert hand.trial(0).best == (0.1, 2)
    assert hand.experiment.reports == 5


def test_nan_infinity_and_strings_are_never_the_best():
    hand = Hand(samples=1)
    hand.reported(0, 3, float("nan"), float("-inf"), 7.0, waiting=False)
    hand(Reported(0, 1, 4, (4.0,), {"loss": ["low"]}))
    assert hand.trial(0).best == (7.0, 3)
    assert hand.experiment.scores.best is hand.trial(0)


def test_what_is_maximised_has_its_sign_flipped():
    hand = Hand(samples=1, modes=("max",))
    hand.reported(0, 2, 0.2, 0.9, waiting=False)
    assert hand.trial(0).best == (-0.9, 2)


def test_a_step_of_a_trial_is_judged_once_even_after_a_retry():
    hand = Hand(Script(until=at_step(1)), samples=1, max_failures=1)
    hand.reported(0, 1)
    hand.reported(0, 2)
    hand.failed(0)
    assert hand.reported(0, 1, waiting=False) == []
    assert hand.reported(0, 2) == [Like(Extend, attempt=2)], "it may wait there, and just goes on"
    hand.reported(0, 3)
    assert hand.scheduler.judged == [(0, 1), (0, 2), (0, 3)]


def test_a_report_of_a_trial_that_is_being_stopped_is_noted_and_not_judged():
    hand = Hand(Script(until=at_step(9)), samples=1, time_budget_s=5)
    hand(Ticked(), after=5)
    assert hand.reported(0, 9, 0.5, checkpoint="nine") == []
    assert hand.scheduler.judged == []
    assert hand.trial(0).best == (0.5, 9)
    assert hand.trial(0).checkpoint.path == "nine"


# Checkpoints ----------------------------------------------------------------------------------------------------------


def test_an_answer_to_a_report_with_a_checkpoint_waits_for_the_commit():
    hand = Hand(Script(until=at_step(3)), samples=1)
    assert hand.reported(0, 2, checkpoint="two") == [Like(Extend, durable=True)], "off a boundary"
    assert hand.reported(0, 3, checkpoint="three") == [Like(Extend, durable=True)], "at a boundary"
    assert hand.reported(0, 4) == [Like(Extend, durable=False)], "none was saved here"


def test_old_checkpoints_are_discarded_and_the_best_is_kept():
    hand = Hand(samples=1, keep_checkpoints=1)
    extend = Like(Extend)
    assert hand.reported(0, 1, 0.5, checkpoint="one") == [extend]
    assert hand.reported(0, 2, 0.7, checkpoint="two") == [extend], "one was the best"
    assert hand.reported(0, 3, 0.8, checkpoint="three") == [Discard("two"), extend]
    assert hand.reported(0, 4, 0.2, checkpoint="four") == [Discard("one"), Discard("three"), extend]
    assert hand.trial(0).best_checkpoint.path == "four"


def test_the_best_checkpoints_by_another_metric_are_kept_and_the_latest():
    hand = Hand(samples=1, keep_checkpoints=2, checkpoint_score=("step", "min"), metrics=(), modes=())
    extend = Like(Extend)
    assert hand.reported(0, 1, checkpoint="one") == [extend]
    assert hand.reported(0, 2, checkpoint="two") == [extend]
    assert hand.reported(0, 3, checkpoint="three") == [extend], "the latest"
    assert hand.reported(0, 4, checkpoint="four") == [Discard("three"), extend]


def test_checkpoints_without_the_metric_go_first():
    hand = Hand(samples=1, keep_checkpoints=1, checkpoint_score=("loss", "max"), metrics=(), modes=())
    assert hand.reported(0, 1, math.nan, checkpoint="one") == [Like(Extend)]
    assert hand.reported(0, 2, 0.5, checkpoint="two") == [Discard("one"), Like(Extend)]
    assert hand.reported(0, 3, 0.4, checkpoint="three") == [Like(Extend)]
    assert hand.reported(0, 4, 0.6, checkpoint="four") == [Discard("three"), Discard("two"), Like(Extend)]


def test_all_checkpoints_are_kept_by_default():
    hand = Hand(samples=1)
    for step in range(1, 30):
        assert hand.reported(0, step, checkpoint=str(step)) == [Like(Extend)]


def test_a_donors_checkpoint_is_kept_until_its_clone_has_one_of_its_own():
    script = Script(verdicts={(1, 1): Clone(0, ())})
    hand = Hand(script, samples=2, cpus=2, keep_checkpoints=1)
    hand.reported(0, 1, 0.1, checkpoint="donor 1")
    hand.reported(0, 2, 0.0, checkpoint="donor 2")
    hand.reported(1, 1, 0.9)
    assert hand.reported(0, 3, -0.1, checkpoint="donor 3") == [Like(Extend)], "donor 2 is wanted by trial 1"
    assert hand.halted(1) == [Like(Launch, trial=1, attempt=2, checkpoint=Checkpoint("donor 2", 2, 2.0))]
    assert hand.reported(0, 4, -0.2, checkpoint="donor 4") == [Discard("donor 3"), Like(Extend)]
    assert hand.reported(1, 3, 0.8, checkpoint="clone 3") == [Discard("donor 2"), Like(Extend)]


def test_a_clone_that_never_came_to_be_lets_go_of_its_donors_checkpoint():
    script = Script(verdicts={(1, 1): Clone(0, ())})
    hand = Hand(script, samples=2, cpus=2, keep_checkpoints=1, time_budget_s=9)
    hand.reported(0, 1, 0.1, checkpoint="first")
    hand.reported(1, 1, 0.9)
    hand.reported(0, 2, 0.0, checkpoint="second")
    hand(Ticked(), after=9)
    assert hand.halted(1) == [Discard("first")]


def test_an_enqueued_checkpoint_is_not_ours_to_discard():
    script = Script(verdicts={(1, 1): Clone(0, ())})
    hand = Hand(script, samples=0, cpus=2, keep_checkpoints=1)
    hand(Enqueued({"x": 0.0}, Checkpoint("theirs", 5)))
    hand(Enqueued({"x": 1.0}))
    hand.reported(1, 1)
    assert hand.halted(1) == [Like(Launch, checkpoint=Checkpoint("theirs", 5))]
    assert hand.reported(1, 6, checkpoint="six") == [Like(Extend)]
    assert hand.reported(1, 7, checkpoint="seven") == [Discard("six"), Like(Extend)]


# Pause, resume, clone, resize -----------------------------------------------------------------------------------------


def paused(*, checkpoint=None, **more):
    """Trial 0 of one is paused at step 2."""
    script = Script(until=at_step(2), verdicts={(0, 2): Pause()}, choices=[New()])
    hand = Hand(script, samples=1, cpus=1, **more)
    hand.scheduler.choices = [Wait()]
    assert hand.reported(0, 2, checkpoint=checkpoint) == [Halt(0, 1, durable=True)]
    return hand


def test_a_paused_trial_resumes_from_its_checkpoint():
    hand = paused(checkpoint="two")
    hand.scheduler.choices = [Resume(0, at_step(6))]
    (launch,) = hand.halted(0)
    assert launch == Like(Launch, trial=0, attempt=2, until=at_step(6), checkpoint=Checkpoint("two", 2, 2.0))
    assert hand.trial(0).step == 2
    assert hand.experiment.warnings == []


def test_the_history_says_how_far_a_trial_may_go_when_it_is_paused_and_how_long_it_took():
    script = Script(until=at_step(1), verdicts={(0, 1): Continue(at_step(2)), (0, 2): Pause()}, choices=[New()])
    hand = Hand(script, samples=1, cpus=1, learns=True)
    hand.reported(0, 1)
    hand.scheduler.choices = [Wait()]
    hand.reported(0, 2, checkpoint="two")
    hand.scheduler.choices = [Resume(0, at_step(6))]
    hand.halted(0)
    log = hand.experiment.history
    shown = [log.until(moment).record(0) for moment in range(1, len(log) + 1)]
    assert [(record.until, record.paused, record.times) for record in shown] == [
        (None, False, []),
        (1, False, []),
        (1, False, [1.0]),
        (2, False, [1.0]),
        (2, False, [1.0, 2.0]),
        (2, True, [1.0, 2.0]),
        (6, False, [1.0, 2.0]),
    ]


def test_pausing_without_a_checkpoint_warns_once_and_starts_again_from_step_0_with_earlier_steps_not_judged_again():
    script = Script(until=at_step(1), verdicts={(0, 2): Pause(), (0, 3): Pause()})
    hand = Hand(script, samples=1, cpus=1)
    for last in (2, 3):
        hand.scheduler.choices = [Resume(0, at_step(1))]
        for step in range(1, last + 1):
            hand.reported(0, step)
        (launch,) = hand.halted(0)
        assert launch == Like(Launch, checkpoint=None)
        assert hand.trial(0).step == 0
    assert hand.scheduler.judged == [(0, 1), (0, 2), (0, 3)]
    (warning,) = hand.experiment.warnings
    assert "starts again from step 0" in warning


def test_a_trial_that_is_still_stopping_can_be_resumed_and_starts_once_it_has_stopped():
    script = Script(until=at_step(2), verdicts={(0, 2): Pause()})
    hand = Hand(script, samples=1, cpus=2)
    hand.scheduler.choices = [Resume(0, at_step(6))]
    assert hand.reported(0, 2, checkpoint="two") == [Halt(0, 1, durable=True)]
    assert hand(Ticked()) == []
    assert hand.halted(0) == [Like(Launch, trial=0, attempt=2, until=at_step(6))]


def test_a_trial_that_finished_before_it_was_paused_has_completed():
    hand = paused(checkpoint="two")
    hand.finished(0)
    assert hand.trial(0).outcome == Outcome("completed")


@pytest.mark.parametrize("message", ["failed", "lost"])
def test_a_trial_whose_worker_broke_while_it_was_paused_is_paused(message):
    hand = paused(checkpoint="two")
    hand.scheduler.choices = [Resume(0, ())]
    assert getattr(hand, message)(0) == [Like(Launch, attempt=2, checkpoint=Checkpoint("two", 2, 2.0))]
    assert hand.trial(0).failures == 0, "it had been told to stop"


def test_a_trial_that_finished_while_it_was_stopped_for_good_has_completed():
    hand = Hand(Script(verdicts={(0, 1): Stop("bad")}), samples=1)
    hand.reported(0, 1)
    hand.finished(0)
    assert hand.trial(0).outcome == Outcome("completed")


def test_a_trial_that_finished_before_it_was_cloned_is_cloned_nevertheless():
    hand = Hand(Script(verdicts={(1, 1): Clone(0, ())}), samples=2)
    hand.reported(0, 1, checkpoint="c")
    hand.reported(1, 1)
    assert hand.finished(1) == [Like(Launch, trial=1, attempt=2)]


def test_a_clone_takes_the_donors_checkpoint_step_and_time_and_the_searchers_variation():
    script = Script(verdicts={(1, 1): Clone(0, at_step(8))})
    hand = Hand(script, samples=2, answers=False)
    hand(hand.answer(hand.first[0]))
    hand.reported(0, 4, checkpoint="four")
    halt_and_ask = hand.reported(1, 1)
    assert halt_and_ask == [
        Like(Ask, requests=(Like(object, trial=1, kind="explore", donor={"x": 0.0}, tags={"donor": 0}, attempt=1),)),
        Halt(1, 1, durable=True),
    ]
    assert hand.halted(1) == [], "its new configuration is not there yet"
    (launch,) = hand(Suggested(2, (Suggestion({"x": 0.5}, {"how": "perturbed"}),)))
    assert launch == Like(
        Launch, trial=1, attempt=2, config={"x": 0.5}, until=at_step(8), checkpoint=Checkpoint("four", 4, 4.0)
    )
    assert hand.trial(1).step == 4
    assert hand.trial(1).tags == {"donor": 0, "how": "perturbed"}
    hand.reported(1, 8)
    assert hand.scheduler.judged == [(0, 4), (1, 1), (1, 8)]


def test_a_clone_of_a_donor_that_is_behind_is_judged_at_steps_it_had_passed():
    script = Script(verdicts={(1, 9): Clone(0, at_step(5))})
    hand = Hand(script, samples=2)
    hand.reported(0, 4, checkpoint="four")
    hand.reported(1, 9)
    hand.halted(1)
    hand.reported(1, 5)
    assert (1, 5) in hand.scheduler.judged


def test_a_variation_that_comes_before_the_halt_waits_for_it():
    hand = Hand(Script(verdicts={(1, 1): Clone(0, ())}), samples=2)
    hand.reported(0, 1, checkpoint="c")
    assert kinds(hand.reported(1, 1)) == [Ask, Halt]
    assert hand.halted(1) == [Like(Launch, trial=1, config={"x": 0.0})]


def test_without_a_variation_the_trial_continues_as_it_was():
    script = Script(verdicts={(1, 1): Clone(0, at_step(5))})
    hand = Hand(script, samples=2, answers=False, keep_checkpoints=1)
    hand(hand.answer(hand.first[0]))
    hand.reported(0, 1, checkpoint="donor")
    hand.reported(1, 1, checkpoint="own")
    hand.halted(1)
    (launch,) = hand(Suggested(2, ()))
    assert launch == Like(Launch, config={"x": 1.0}, checkpoint=Checkpoint("own", 1, 1.0), until=at_step(5))
    assert hand.reported(0, 2, 0.5, checkpoint="donor 2") == [Discard("donor"), Like(Extend)], (
        "nobody needs it any more"
    )


def test_an_answer_about_a_clone_that_came_to_nothing_does_not_count_for_the_next_one():
    script = Script(verdicts={(1, 1): Clone(0, ()), (1, 2): Clone(0, at_step(8))})
    hand = Hand(script, samples=2, cpus=3, answers=False)
    hand(hand.answer(hand.first[0]))
    hand.reported(0, 1, checkpoint="donor")
    stale = hand.reported(1, 1)[0]
    hand(StopRequested(1))
    hand.halted(1)
    hand(RetryRequested(1))
    current = hand.reported(1, 2)[0]
    hand.halted(1)
    assert hand(Suggested(stale.ask, (Suggestion({"x": 0.1}),))) == []
    assert hand(Suggested(current.ask, (Suggestion({"x": 0.2}),))) == [
        Like(Launch, config={"x": 0.2}, until=at_step(8))
    ]


def test_a_donor_without_a_checkpoint_is_not_cloned_and_that_is_said_once():
    script = Script(verdicts={(1, 1): Clone(0, at_step(2)), (1, 2): Clone(0, at_step(3))})
    hand = Hand(script, samples=2)
    assert hand.reported(1, 1) == [Extend(1, 1, at_step(2))]
    assert hand.reported(1, 2) == [Extend(1, 1, at_step(3))]
    assert len(hand.experiment.warnings) == 1
    assert "donor has no checkpoint" in hand.experiment.warnings[0]


def test_a_resized_trial_resumes_from_its_checkpoint_with_other_resources():
    hand = Hand(Script(verdicts={(0, 1): Resize({"cpu": 3}, at_step(7))}), samples=1, cpus=4)
    assert hand.reported(0, 1, checkpoint="one") == [Halt(0, 1, durable=True)]
    (launch,) = hand.halted(0)
    assert launch == Like(Launch, attempt=2, config={"x": 0.0}, until=at_step(7), checkpoint=Checkpoint("one", 1, 1.0))
    assert launch.placement.units == {"cpu": 30_000}
    assert hand.trial(0).resources == {"cpu": 3.0}


def test_a_checkpoint_that_comes_while_a_trial_stops_to_be_resized_is_the_one_it_resumes_from():
    hand = Hand(Script(verdicts={(0, 1): Resize({"cpu": 2}, ())}), samples=1, keep_checkpoints=1)
    hand.reported(0, 1, 0.9, checkpoint="one")
    assert hand.reported(0, 2, 0.1, checkpoint="two") == [Discard("one")]
    assert hand.halted(0) == [Like(Launch, checkpoint=Checkpoint("two", 2, 2.0))]


def test_a_size_that_can_never_be_had_is_refused_with_a_warning():
    hand = Hand(Script(verdicts={(0, 1): Resize({"cpu": 5}, at_step(2))}), samples=1, cpus=4)
    assert hand.reported(0, 1) == [Extend(0, 1, at_step(2))]
    assert hand.experiment.warnings == ["a trial was not resized to {'cpu': 5}; at most {'cpu': 4} is available"]


def test_a_timeout_outweighs_a_pause():
    script = Script(until=at_step(2), verdicts={(0, 2): Pause()})
    hand = Hand(script, samples=1, trial_timeout_s=10)
    hand.started(0)
    assert hand.reported(0, 2) == [Halt(0, 1, durable=True)]
    hand.scheduler.choices = []
    assert hand(Ticked(), after=10) == [], "one Halt is enough"
    hand.halted(0)
    assert hand.trial(0).outcome == Outcome("stopped", "timeout of 10 s")


# What free slots are for ----------------------------------------------------------------------------------------------


def test_an_enqueued_config_is_tried_first_and_beyond_the_samples_in_the_order_of_wishing():
    hand = Hand(samples=2, cpus=1, prefetch=1)
    hand(Enqueued({"x": 7.0}))
    hand(Enqueued({"x": 8.0}, Checkpoint("theirs", 3)))
    assert hand.finished(0)[0] == Like(Launch, config={"x": 7.0}, checkpoint=None)
    assert hand.finished(2)[0] == Like(Launch, config={"x": 8.0}, checkpoint=Checkpoint("theirs", 3))
    assert hand.finished(3)[0] == Like(Launch, trial=1, config={"x": 1.0})
    hand.finished(1)
    assert hand.experiment.done
    assert len(hand.experiment.trials) == 4


def test_what_is_enqueued_after_the_run_was_stopped_is_cancelled():
    hand = Hand(samples=1, time_budget_s=5)
    hand(Ticked(), after=5)
    assert hand(Enqueued({"x": 7.0})) == [Cancel(1)]
    hand.halted(0)
    assert hand.experiment.done


def test_the_scheduler_hears_of_the_end_of_those_trials_only_that_it_started():
    hand = Hand(Script(), samples=4, cpus=2, prefetch=2, time_budget_s=5)
    assert len(hand.experiment.trials) == 4
    hand(Ticked(), after=5)
    hand.halted(0)
    hand.halted(1)
    assert hand.scheduler.ended == [(0, "stopped"), (1, "stopped")]


def test_a_dropped_trial_is_cancelled():
    hand = paused(checkpoint="two")
    hand.scheduler.choices = [Drop(0, "too slow")]
    assert hand.halted(0) == [Cancel(0)]
    assert hand.trial(0).outcome == Outcome("stopped", "too slow")
    assert hand.experiment.done


def test_a_trial_that_is_dropped_while_it_stops_ends():
    hand = paused(checkpoint="two")
    hand.scheduler.choices = [Drop(0, "too slow")]
    hand(CapacityChanged((Node("n", {"cpu": 2}),)))
    assert hand.trial(0).state is State.STOPPING
    hand.halted(0)
    assert hand.trial(0).outcome == Outcome("stopped", "too slow")


def test_paused_trials_that_are_not_resumed_are_dropped_when_nothing_else_is_left():
    hand = paused(checkpoint="two")
    hand.scheduler.choices = []
    assert hand.halted(0) == [Cancel(0)]
    assert hand.trial(0).outcome == Outcome("stopped", "never resumed")
    assert hand.experiment.done


def test_once_they_are_dropped_the_scheduler_is_asked_again():
    script = Script(until=at_step(2), verdicts={(0, 2): Pause()})
    hand = Hand(script, samples=2, cpus=1)
    hand.reported(0, 2)
    script.choices = [Wait()]
    assert kinds(hand.halted(0)) == [Cancel, Ask, Launch]


def test_new_where_there_is_nothing_new_means_wait():
    script = Script(until=at_step(2), verdicts={(0, 2): Pause()})
    hand = Hand(script, samples=1, cpus=1)
    hand.reported(0, 2)
    script.choices = [New(), New()]
    hand.halted(0)
    assert hand.experiment.done


def test_a_scheduler_that_only_waits_is_a_policy_error():
    with pytest.raises(PolicyError, match="the scheduler waits, but nothing runs"):
        Hand(Script(choices=[Wait()]), samples=1)


def test_a_scheduler_that_raises_is_a_policy_error_with_the_trials_story():
    class Broken(Script):
        def on_report(self, trial, report):
            raise ZeroDivisionError("oh")

    hand = Hand(Broken(), samples=1)
    with pytest.raises(PolicyError, match="ZeroDivisionError") as caught:
        hand.reported(0, 1)
    assert "the story of trial 0:" in str(caught.value)
    assert "attempt 1: waiting --Launch--> running" in str(caught.value)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (Resume(0, ()), "resumed a trial that is not paused"),
        (Drop(1, ""), "dropped a trial that has ended"),
        (Resume(9, ()), "KeyError"),
    ],
)
def test_a_choice_that_makes_no_sense_is_a_policy_error(choice, text):
    hand = Hand(Script(), samples=2, cpus=2)
    hand.scheduler.choices = [choice]
    with pytest.raises(PolicyError, match=text):
        hand.finished(1)


def test_resuming_a_trial_twice_is_a_policy_error():
    script = Script(until=at_step(2), verdicts={(0, 2): Pause()})
    hand = Hand(script, samples=1, cpus=2)
    script.choices = [Resume(0, ()), Resume(0, ())]
    with pytest.raises(PolicyError, match="resumed a trial that is not paused"):
        hand.reported(0, 2)


def test_continue_continues_until_the_schedulers_and_the_rules_boundaries():
    hand = Hand(Script(verdicts={(0, 1): Continue(at_step(4))}), samples=1, stop={"loss": ("<=", 0.1)})
    assert hand.reported(0, 1) == [Extend(0, 1, (*at_step(4), ("loss", "<=", 0.1)))]  # type: ignore[arg-type]


# A resumed run --------------------------------------------------------------------------------------------------------


def test_the_workers_of_a_driver_that_died_are_lost_and_their_trials_continue():
    hand = Hand(samples=2, cpus=2)
    hand.reported(0, 3, checkpoint="three")
    orphans = hand.experiment.orphans()
    assert orphans == [Like(Lost, trial=0, preempted=True), Like(Lost, trial=1, preempted=True)]
    assert [command for orphan in orphans for command in hand(orphan)] == [
        Like(Launch, trial=0, attempt=2, checkpoint=Checkpoint("three", 3, 3.0)),
        Like(Launch, trial=1, attempt=2, checkpoint=None),
    ]


# Once more ------------------------------------------------------------------------------------------------------------


def test_a_failed_trial_is_tried_again_from_its_checkpoint_and_admitted_anew():
    hand = Hand(samples=2, cpus=1)
    hand.reported(0, 1, checkpoint="one")
    hand.failed(0)
    assert hand(RetryRequested(0)) == []
    assert hand.trial(0).state is State.WAITING
    assert hand.finished(1)[0] == Like(Launch, trial=0, attempt=2, checkpoint=Checkpoint("one", 1, 1.0))
    hand.finished(0)
    assert hand.experiment.done
    assert hand.experiment.outcomes == {"completed": 2, "failed": 0}


def test_a_failed_trial_is_tried_again_from_scratch_and_judged_again():
    hand = Hand(Script(until=at_step(1)), samples=1, cpus=1)
    hand.reported(0, 1, checkpoint="one")
    hand.failed(0)
    assert hand(RetryRequested(0, from_checkpoint=False))[0] == Like(Launch, trial=0, attempt=2, checkpoint=None)
    assert hand.trial(0).judged_step == 0


def test_a_run_that_its_failures_stopped_continues_with_all_that_was_wanted():
    hand = Hand(samples=3, cpus=1, fail_fast=True)
    hand.failed(0)
    assert hand.experiment.stopped is not None
    hand(RetryRequested(0))
    hand.finished(0)
    for trial in (1, 2):
        hand.finished(trial)
    assert hand.experiment.outcomes["completed"] == hand.experiment.samples


def test_a_run_whose_time_is_over_does_not_continue():
    hand = Hand(samples=1, cpus=1, time_budget_s=5)
    hand.failed(0)
    hand(Ticked(), after=6)
    assert hand(RetryRequested(0)) == [Cancel(0)]
    assert hand.experiment.done


def test_what_is_complete_is_not_tried_again():
    hand = Hand(samples=1, cpus=1)
    hand.finished(0)
    assert hand(RetryRequested(0)) == []
    assert "cannot retry trial 0" in hand.experiment.warnings[0]


# Not now --------------------------------------------------------------------------------------------------------------


def not_now(hand, ask, *, given=0):
    """Answer so many of an ask's requests, and the others with "not now"."""
    answers = hand.answer(ask, count=given).suggestions
    return hand(Suggested(ask.ask, (*answers, *[None] * (len(ask.requests) - given))))


def test_a_searcher_that_says_not_now_is_asked_again_once_more_is_known():
    hand = Hand(samples=2, cpus=2, answers=False)
    (ask,) = hand.first
    assert kinds(not_now(hand, ask, given=1)) == [Launch]
    assert hand.started(0) == []
    (again,) = hand.reported(0, 1, waiting=False)
    assert again.requests == ask.requests[1:]
    assert not_now(hand, again) == []
    (again,) = hand.finished(0)
    assert kinds(hand(hand.answer(again))) == [Launch]
    hand.finished(1)
    assert hand.experiment.done
    assert hand.experiment.outcomes == {"completed": 2}


def test_not_now_means_no_more_where_nothing_runs():
    hand = Hand(samples=10, cpus=2, answers=False)
    assert not_now(hand, hand.first[0]) == []
    assert hand.experiment.done


def test_a_stopped_run_that_continues_asks_again_for_what_was_not_answered():
    hand = Hand(samples=3, cpus=2, answers=False, fail_fast=True)
    (ask,) = hand.first
    not_now(hand, ask, given=1)
    hand.failed(0)
    assert hand.experiment.done
    hand.answers = True
    hand(RetryRequested(0))
    for trial in (0, 1, 2):
        hand.finished(trial)
    assert hand.experiment.done
    assert hand.experiment.outcomes["completed"] == 3
