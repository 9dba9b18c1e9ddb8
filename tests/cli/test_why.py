"""The command ``why``: decisions with their facts, from the journal alone."""

import json

import pytest

import trialwright


def test_a_stopped_trial_is_explained_by_its_rank(call, digits):
    stopped = next(trial for trial in trialwright.load(digits) if trial.reason.startswith("rank"))
    told = json.loads(call("why", "digits", stopped.id, "--json").output)
    assert (told["outcome"], told["reason"]) == ("stopped", stopped.reason)
    last = told["decisions"][-1]
    assert last["decision"] == {"kind": "Stop", "reason": stopped.reason, "everyone": False, "outcome": "stopped"}
    assert last["facts"]["rank"] > last["facts"]["survivors"]
    assert f"Stop\t{stopped.reason}" in call("why", "digits", stopped.id).output


def test_a_failed_trial_is_explained_by_its_traceback(call):
    [failed, *_] = json.loads(call("trials", "bad", "--where", "outcome = 'failed'", "--json").output)
    output = call("why", "bad", failed["id"]).output
    assert "error\tValueError: too \\x1b[31mnarrow" in output
    assert "in objective" in output


def test_of_a_trial_that_nothing_was_decided_about_this_is_said(call):
    [whole, *_] = json.loads(call("trials", "bad", "--where", "outcome = 'completed'", "--json").output)
    output = call("why", "bad", whole["id"]).output
    assert "decisions\tnone: no scheduler or stop rule had to decide about this trial\n" in output


def test_where_the_journal_lacks_a_part_the_decisions_come_without_reasons_and_a_warning(call):
    with pytest.warns(RuntimeWarning, match="the journal does not hold: stop"):
        output = call("why", "ruled", 0).output
    assert "Stop\tstop rule ruled\t{}" in output


def test_a_trial_that_is_not_there_is_refused(call):
    result = call("why", "digits", 99)
    assert result.exit_code == 2
    assert "there is no trial 99" in result.output
