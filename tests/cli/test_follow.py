"""The commands that follow a run: the journal's events as lines, and the display of a run of another process."""

import json

import pytest

from trialwright import runs
from trialwright.cli.follow import snapshot
from trialwright.messages import Enqueued
from trialwright.storage.base import Turn
from trialwright.storage.sqlite import SqliteStore


def test_tail_shows_the_last_events_with_their_decisions(call, digits):
    lines = call("tail", "digits", "-n", 3).output.splitlines()
    assert len(lines) == 3
    told = [json.loads(line) for line in call("tail", "digits", "-n", 1000, "--json").output.splitlines()]
    assert [each["seq"] for each in told] == list(range(1, runs.describe(digits).events + 1))
    assert told[0]["event"]["kind"] == "CapacityChanged"


def test_tail_can_be_limited_to_a_trial(call):
    told = [json.loads(line) for line in call("tail", "digits", "-n", 99, "--json", "--trial", 3).output.splitlines()]
    assert {each["event"]["trial"] for each in told} == {3}
    assert told[-1]["event"]["kind"] in ("Halted", "Finished")


def test_tail_shows_what_comes_while_the_run_is_driven(call, tmp_path, monkeypatch):
    store = SqliteStore.create(tmp_path / "live", {"data": {}})

    def look(seconds):  # between two looks something happens, then the run ends
        store.append(Turn(1.5, [Enqueued({"x": 0.5})], [[]])).result()
        store.close()

    monkeypatch.setattr("trialwright.cli.follow.time.sleep", look)
    assert call("tail", tmp_path / "live").output == "1.500 s\t\tEnqueued\tconfig=x=0.5\n"


def test_attach_shows_a_run_until_it_ends(call, tmp_path, monkeypatch):
    store = SqliteStore.create(tmp_path / "live", {"data": {"name": "live", "num_samples": 3}})
    monkeypatch.setattr("trialwright.cli.follow.time.sleep", lambda seconds: store.close())
    result = call("attach", tmp_path / "live")
    assert result.output.endswith("live 0 s, time left unknown before 2 trials have ended: 0 of 3 ended\n")
    assert result.exit_code == 1, "it was interrupted"


def test_attach_to_a_run_that_is_over_shows_how_it_ended(call):
    result = call("attach", "digits")
    assert (result.exit_code, "12 of 12 ended" in result.output) == (0, True)


def test_the_display_ends_and_the_run_does_not_when_the_user_interrupts(call, tmp_path, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    store = SqliteStore.create(tmp_path / "live", {"data": {"name": "live"}})
    monkeypatch.setattr("trialwright.cli.follow.time.sleep", interrupt)
    result = call("attach", tmp_path / "live")
    store.close()
    assert (result.exit_code, "the run continues" in result.output) == (0, True)


@pytest.mark.parametrize("name", ["digits", "bad"])
def test_a_snapshot_has_the_best_trial_and_the_number_of_reports(home, name):
    [path] = home.glob(f"{name}-*")
    info = runs.describe(path)
    shown = snapshot(info)
    assert (shown.best.value, shown.states, shown.wanted) == (info.best.value, info.states, info.planned)
    assert shown.reports == len([*SqliteStore.open(path, read_only=True).trials()]) * 4 - missing(path)


def missing(path):
    return sum(4 - row.step for row in SqliteStore.open(path, read_only=True).trials())
