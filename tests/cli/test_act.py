"""Requests of the command line reach the run's inbox; what is wrong is refused at the call."""

import json
import re
import shutil

import pytest

from trialwright.cli.act import config_of
from trialwright.messages import ContinueRequested, Enqueued, PauseRequested, SamplesAdded, StopRequested
from trialwright.storage import inbox
from trialwright.storage.lock import DriverLock


@pytest.fixture
def run(digits, tmp_path):
    return shutil.copytree(digits, tmp_path / digits.name)


def test_configs_stops_and_pauses_are_sent(call, run):
    assert call("enqueue", run, "lr=0.25", "model/width=64").exit_code == 0
    assert call("enqueue", run, '{"lr": 0.5}').exit_code == 0
    assert call("add-samples", run, 50).exit_code == 0
    for command in ("stop", "pause", "continue"):
        assert call(command, run).exit_code == 0
    assert inbox.requests(run, 0) == [
        Enqueued({"lr": 0.25, "model": {"width": 64}}, letter=1),
        Enqueued({"lr": 0.5}, letter=2),
        SamplesAdded(50, 3),
        StopRequested(None, 4),
        PauseRequested(None, 5),
        ContinueRequested(None, 6),
    ]


def test_it_is_said_whether_a_process_will_hear_of_it(call, run):
    assert "no process drives this run" in call("stop", run).output
    lock = DriverLock(run)
    told = json.loads(call("stop", run, "--json").output)
    lock.release()
    assert (told["request"], told["running"]) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["enqueue", "lr=7"], "lr: 7 is outside"),
        (["enqueue", "lr"], "'lr' is not NAME=VALUE"),
        (["enqueue", "{lr}"], "is no JSON object, and not NAME=VALUE"),
        (["stop", "--trial", "0"], "trial 0 in .* has ended"),
        (["pause", "--trial", "77"], "there is no trial 77"),
        (["add-samples", "0"], "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_done_is_refused(call, run, arguments, why, monkeypatch):
    monkeypatch.setattr(inbox, "COMMIT_S", 0.01)
    command, *rest = arguments
    result = call(command, run, *rest)
    assert result.exit_code == 2
    assert re.search(why, result.output)
    assert inbox.requests(run, 0) == []


@pytest.mark.parametrize(
    ("values", "config"),
    [
        (["a=1", "b/c=x", "d=[1, 2]", "e=true"], {"a": 1, "b": {"c": "x"}, "d": [1, 2], "e": True}),
        (["a=b=c"], {"a": "b=c"}),
        (['{"a": {"b": 1}}'], {"a": {"b": 1}}),
    ],
)
def test_a_value_is_json_or_a_string(values, config):
    assert config_of(values) == config
