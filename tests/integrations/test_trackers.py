"""Trackers tell a service of every trial; a service that is down, slow, or wrong neither stops nor holds up a run."""

from __future__ import annotations

import threading

import pytest

from trialwright import Engine, report
from trialwright import space as s
from trialwright.integrations import sending
from trialwright.integrations.sending import Ending, Row, Sender, Tracked
from trialwright.integrations.tracking import Tracker, at_end, require, this_trial

DEADLINE_S = 60.0


class Memory:
    """A service that keeps what it is told, unless it is down."""

    def __init__(self, *, is_down=False):
        self.told, self.gate, self.is_down, self.entered = [], threading.Event(), is_down, threading.Event()
        self.gate.set()

    def connect(self, name, run, directory):
        self.entered.set()
        assert self.gate.wait(DEADLINE_S)
        if self.is_down:
            raise ConnectionError("no route")
        self.told.append(("connect", name))

    def begin(self, trial):
        self.told.append(("begin", trial.number, trial.params))
        return trial.number

    def change(self, handle, trial):
        self.told.append(("change", handle, trial.params))

    def log(self, handle, rows):
        self.told += [("row", handle, row.step, row.metrics["loss"]) for row in rows]

    def end(self, handle, trial, ending):
        self.told.append(("end", handle, ending.status, ending.message))

    def close(self):
        self.told.append(("close",))

    def of(self, kind):
        return [each[1:] for each in self.told if each[0] == kind]


def train(config):
    for step in range(1, 4):
        report(loss=config["lr"] / step)
    if config["lr"] > 0.5:
        raise ValueError("no luck")


def run(service, *, wait_s=DEADLINE_S, objective=train, **keywords):
    space = {"lr": s.grid_search([0.3, 0.6]), "model": {"width": 8, "sizes": [1, 2]}}
    settings = {"metric": "loss", "executor": "local", "verbose": 0, "storage": None, "name": "digits"}
    callbacks = [Tracker("Memory", service, wait_s)]
    return Engine(objective, space, callbacks=callbacks, **settings | keywords).run()


def test_a_service_is_told_of_every_trial(tmp_path):
    service = Memory()
    result = run(service, storage=tmp_path)
    assert not result.warnings
    assert service.of("connect") == [("digits",)]
    assert sorted(number for number, _ in service.of("begin")) == [0, 1]
    assert dict(service.of("begin"))[0] == {"lr": 0.3, "model/width": 8, "model/sizes": "[1, 2]"}
    reported = sorted((trial.id, row["step"], row["loss"]) for trial in result for row in trial.history)
    assert sorted(service.of("row")) == reported
    assert sorted(service.of("end")) == [(0, "completed", ""), (1, "failed", "ValueError: no luck")]
    assert service.told[-1] == ("close",)


def test_a_service_that_is_down_is_said_once_and_what_it_missed_is_counted():
    result = run(Memory(is_down=True))
    assert [trial.outcome for trial in result] == ["completed", "failed"]
    first, last = (each for each in result.warnings if "Memory" in each)
    assert "ConnectionError('no route')" in first
    assert "did not get 6 of 6 reports, and the ends of 2 trials" in last


def test_a_service_that_hangs_does_not_hold_up_a_run():
    service = Memory()
    service.gate.clear()
    result = run(service, wait_s=0.0)
    assert [trial.outcome for trial in result] == ["completed", "failed"]
    [warning] = result.warnings
    assert "6 of 6 reports are not sent" in warning
    service.gate.set()


def test_a_service_that_comes_up_again_gets_what_follows():
    service = Memory(is_down=True)

    def objective(config):
        report(loss=1.0)
        assert service.entered.wait(DEADLINE_S)
        service.is_down = False
        report(loss=0.5)

    run(service, objective=objective)
    assert service.of("begin")
    assert {status for _, status, _ in service.of("end")} == {"completed"}


def test_a_retried_trial_stays_one_trial():
    service, tries = Memory(), []

    def second_time(config):
        tries.append(config)
        report(loss=1.0)
        if len(tries) == 1:
            raise ValueError("once")

    run(service, objective=second_time, max_failures=1, max_concurrent_trials=1)
    assert sorted(number for number, _ in service.of("begin")) == [0, 1]
    assert sorted(status for _, status, _ in service.of("end")) == ["completed", "completed"]


@pytest.mark.parametrize("wait_s", [-1, float("nan")])
def test_a_wait_that_is_no_time_is_refused(wait_s):
    with pytest.raises(ValueError, match="wait_s"):
        Tracker("Memory", Memory(), wait_s)


# The thread that sends ------------------------------------------------------------------------------------------------


def trial(number=0, **params):
    return Tracked("digits-1", number, f"t{number}", params)


def sender(service, warnings):
    made = Sender("Memory", service, warnings.append)
    made.start("digits", "digits-1", None)
    return made


def row(step):
    return Row(step, 0.0, {"loss": float(step)})


def test_reports_beyond_the_bound_are_counted_and_ends_are_not_lost(monkeypatch):
    monkeypatch.setattr(sending, "REPORTS_MAX", 5)
    service, warnings = Memory(), []
    service.gate.clear()
    made = sender(service, warnings)
    for step in range(8):
        made.put(trial(), row(step))
    made.put(trial(), ending=Ending("completed"))
    service.gate.set()
    made.finish(DEADLINE_S)
    assert [step for _, step, _ in service.of("row")] == [0, 1, 2, 3, 4]
    assert service.of("end") == [(0, "completed", "")]
    assert warnings == [
        "Memory did not get 3 of 8 reports, and the ends of 0 trials. The run's own journal has all of them"
    ]


def test_an_end_that_was_refused_once_is_sent_again():
    class Shaky(Memory):
        def end(self, handle, trial, ending):
            super().end(handle, trial, ending)
            if len(self.of("end")) == 1:
                raise TimeoutError("later")

    service, warnings = Shaky(), []
    made = sender(service, warnings)
    made.put(trial(), row(1), Ending("stopped", "rung"))
    made.finish(DEADLINE_S)
    assert service.of("end") == [(0, "stopped", "rung")] * 2
    assert len(service.of("begin")) == 1


def test_a_trial_that_has_not_ended_is_interrupted():
    service = Memory()
    made = sender(service, [])
    made.put(trial(), row(1))
    made.finish(DEADLINE_S)
    assert service.of("end") == [(0, "interrupted", "")]


def test_another_configuration_of_a_trial_is_a_change():
    class Heard(Memory):
        def log(self, handle, rows):
            super().log(handle, rows)
            heard.set()

    heard, service = threading.Event(), Heard()
    made = sender(service, [])
    for lr in (0.1, 0.2, 0.2):
        heard.clear()
        made.put(trial(lr=lr), row(1))
        assert heard.wait(DEADLINE_S)
    made.finish(DEADLINE_S)
    assert service.of("begin") == [(0, {"lr": 0.1})]
    assert service.of("change") == [(0, {"lr": 0.2})]


# Inside a trial -------------------------------------------------------------------------------------------------------


def test_what_is_opened_in_a_trial_is_told_how_the_trial_ended(tmp_path):
    ended = {}

    def objective(config):
        opened = this_trial({"lr": config["lr"]})
        at_end(lambda ending: ended.update({opened.number: (opened.run_name, opened.params, ending)}))
        train(config)

    run(Memory(), objective=objective, storage=tmp_path)
    assert ended == {
        0: ("digits", {"lr": 0.3}, Ending("completed")),
        1: ("digits", {"lr": 0.6}, Ending("failed", "ValueError: no luck")),
    }


def test_a_stopped_trial_is_told_so(tmp_path):
    ended = []

    def objective(config):
        at_end(ended.append)
        for _ in range(1000):
            report(loss=1.0)

    run(Memory(), objective=objective, stop={"step": 2}, storage=tmp_path)
    assert ended == [Ending("stopped")] * 2


def test_outside_a_trial_nothing_is_opened():
    with pytest.raises(RuntimeError, match="inside a trial"):
        this_trial(None)


def test_a_missing_client_says_what_to_install():
    with pytest.raises(ImportError, match="this tracker needs no_such_client: pip install no-such-client"):
        require("no_such_client", "no-such-client")
