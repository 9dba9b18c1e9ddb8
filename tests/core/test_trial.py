"""The transition table."""

import pytest

from tests.core.driving import FIFO
from trialwright.core.experiment import Experiment
from trialwright.core.plan import Plan
from trialwright.core.trial import RANK, TABLE, State, Trial, target
from trialwright.errors import InvalidTransition
from trialwright.messages import (
    Cancel,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Outcome,
    Reported,
    RetryRequested,
    Started,
)
from trialwright.stopping import stop_rule

WAITING, RUNNING, STOPPING, PAUSED, ENDED = State
MESSAGES = [Launch, Cancel, Extend, Halt, Started, Reported, Finished, Failed, Halted, Lost, RetryRequested]
THENS = [WAITING, PAUSED, ENDED]

# The design page's table once more, row by row: (state, message, then, attempts remain) -> next state.
ANY = None
PAGE: list[tuple[State, type, State | None, bool | None, State]] = [
    (WAITING, Launch, ANY, ANY, RUNNING),
    (WAITING, Cancel, ANY, ANY, ENDED),
    (RUNNING, Started, ANY, ANY, RUNNING),
    (RUNNING, Reported, ANY, ANY, RUNNING),
    (RUNNING, Extend, ANY, ANY, RUNNING),
    (RUNNING, Halt, ANY, ANY, STOPPING),
    (RUNNING, Finished, ANY, ANY, ENDED),
    (RUNNING, Halted, ANY, ANY, ENDED),
    (RUNNING, Failed, ANY, True, WAITING),
    (RUNNING, Failed, ANY, False, ENDED),
    (RUNNING, Lost, ANY, True, WAITING),
    (RUNNING, Lost, ANY, False, ENDED),
    (STOPPING, Started, ANY, ANY, STOPPING),
    (STOPPING, Reported, ANY, ANY, STOPPING),
    (STOPPING, Halt, ANY, ANY, STOPPING),
    *((STOPPING, message, then, ANY, then) for message in (Halted, Failed, Lost) for then in THENS),
    (STOPPING, Finished, WAITING, ANY, WAITING),
    (STOPPING, Finished, PAUSED, ANY, ENDED),
    (STOPPING, Finished, ENDED, ANY, ENDED),
    (PAUSED, Launch, ANY, ANY, RUNNING),
    (PAUSED, Cancel, ANY, ANY, ENDED),
    (ENDED, RetryRequested, ANY, ANY, WAITING),
]


def on_the_page(state: State, message: type, then: State, retry: bool) -> State | None:
    rows = [row for row in PAGE if row[0] is state and row[1] is message]
    return next((row[4] for row in rows if row[2] in (ANY, then) and row[3] in (ANY, retry)), None)


def a_trial(state: State, then: State = ENDED) -> Trial:
    return Trial(0, {}, {"cpu": 1}, seed=0, state=state, then=then)


def an_experiment(trial: Trial) -> Experiment:
    experiment = Experiment(Plan(), FIFO(), stop_rule(None))
    experiment.trials[0] = trial
    experiment.counts[trial.state] = 1
    return experiment


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("then", THENS)
@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("state", State)
def test_the_table_is_the_one_on_the_design_page(state, message, then, retry):
    assert target(a_trial(state, then), message, retry=retry) is on_the_page(state, message, then, retry)


def test_the_table_knows_no_other_messages():
    assert {message for row in TABLE.values() for message in row} == set(MESSAGES)
    assert set(TABLE) == set(State)


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("state", State)
def test_what_is_not_in_the_table_raises_with_the_story_and_changes_nothing(state, message):
    trial = a_trial(state)
    experiment = an_experiment(trial)
    if message in TABLE[state]:
        experiment._trials.move(trial, message)
        return
    before = (a_trial(state), experiment.digest, dict(experiment.counts))
    with pytest.raises(InvalidTransition, match=f"{message.__name__} in state {state}\nthe story of trial 0:\n"):
        experiment._trials.move(trial, message)
    assert (trial, experiment.digest, dict(experiment.counts)) == before


def test_ended_is_final_unless_a_retry_is_requested():
    assert TABLE[ENDED] == {RetryRequested: WAITING}


@pytest.mark.parametrize("first", THENS)
@pytest.mark.parametrize("later", THENS)
def test_a_later_halt_may_only_raise_where_a_stopping_trial_goes(first, later):
    trial = a_trial(RUNNING)
    experiment = an_experiment(trial)
    experiment._trials.halt(trial, first)
    experiment._trials.halt(trial, later)
    assert trial.then is max(first, later, key=lambda state: RANK[state])
    assert len(experiment._trials.commands) == 1, "one Halt is enough"


def test_the_first_reason_to_end_a_trial_stays():
    trial = a_trial(RUNNING)
    experiment = an_experiment(trial)
    experiment._trials.halt(trial, ENDED, Outcome("stopped", "first"))
    experiment._trials.halt(trial, ENDED, Outcome("stopped", "later"))
    assert trial.outcome == Outcome("stopped", "first")
