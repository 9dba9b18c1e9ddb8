"""A hook on the run's loop that does not return is named, and ends the run; what goes on about it costs it nothing."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

from trialwright import FIFO, Engine, Local, space
from trialwright.core.experiment import Experiment
from trialwright.engine import watchdog
from trialwright.engine.watchdog import Patience, Watchdog
from trialwright.errors import PolicyError, RunInterrupted

DEADLINE_S = 30.0


def an_engine(**keywords) -> Engine:
    keywords = {"metric": "loss", "executor": Local(cpus=1), "storage": None, "searcher": "random", **keywords}
    return Engine(lambda config: config["x"], {"x": space.uniform(0, 1)}, seed=0, verbose=0, **keywords)


def busy(*_):
    while True:
        pass


class Busy(FIFO):
    def on_start(self, trial):
        busy()


class Hanging:
    """A stop rule that waits below Python, where nothing can interrupt it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lock.acquire()

    def __call__(self, trial, metrics):
        with self.lock:
            return False

    def stop_all(self):
        return False


EARLIER: set[threading.Thread] = set()  # a thread in which a test before has started Ray stays


@pytest.fixture(autouse=True)
def _of_this_test():
    EARLIER.clear()
    EARLIER.update(threading.enumerate())


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if "trialwright" in each.name and each not in EARLIER]


def wait_for_threads() -> None:
    deadline = time.monotonic() + DEADLINE_S
    while threads():
        assert time.monotonic() < deadline, threads()
        time.sleep(0.01)


class Listener:
    """A standard error that tells a stop rule when it has been named."""

    def __init__(self):
        self.text, self.has_heard = "", threading.Event()

    def write(self, text):
        self.text += text
        if "has not returned" in text:
            self.has_heard.set()

    def flush(self):
        pass

    def isatty(self):
        return False


def test_a_hook_that_does_not_return_is_named_with_its_stack(monkeypatch):
    listener = Listener()
    monkeypatch.setattr(sys, "stderr", listener)

    def slow(trial, metrics):
        return not listener.has_heard.wait(DEADLINE_S)

    assert an_engine(stop=slow, hook_warning_s=0.05).run()[0].outcome == "completed"
    assert f"the stop rule {slow.__qualname__} ({__file__}" in listener.text
    assert "return not listener.has_heard.wait(DEADLINE_S)" in listener.text


@pytest.mark.parametrize(
    ("name", "keywords"),
    [("the stop rule busy", {"stop": busy}), ("the scheduler Busy.on_start", {"scheduler": Busy()})],
)
def test_one_that_is_busy_is_interrupted_and_ends_the_run(name, keywords):
    with pytest.raises(PolicyError, match=f"{name} .*did not return within"):
        an_engine(hook_timeout_s=0.05, **keywords).run()
    wait_for_threads()


def test_the_run_continues_with_a_mended_one(tmp_path):
    with pytest.raises(PolicyError, match="busy"):
        an_engine(hook_timeout_s=0.05, stop=busy, storage=tmp_path).run()
    [path] = tmp_path.iterdir()
    again = Engine.resume(path, lambda config: config["x"], stop=lambda trial, metrics: False, verbose=0).run()
    assert [trial.outcome for trial in again] == ["completed"]


def test_one_that_cannot_be_interrupted_is_left_behind(monkeypatch):
    monkeypatch.setattr(watchdog, "LEAVE_S", 0.05)
    rule = Hanging()
    with pytest.raises(PolicyError, match="its thread is abandoned"):
        an_engine(hook_timeout_s=0.05, stop=rule).run()
    rule.lock.release()
    wait_for_threads()  # it cleans up when it can


def test_the_end_of_the_time_budget_does_not_wait_for_one(monkeypatch):
    monkeypatch.setattr(watchdog, "HURRY_S", 0.05)
    with pytest.raises(PolicyError, match="busy"):
        an_engine(time_budget_s=0.05, stop=busy, hook_warning_s=0.1, hook_timeout_s=None).run()


@pytest.mark.parametrize("can_be_interrupted", [True, False])
def test_a_signal_does_not_wait_for_one(monkeypatch, can_be_interrupted):
    monkeypatch.setattr(watchdog, "HURRY_S", 0.05)
    monkeypatch.setattr(watchdog, "LEAVE_S", 0.05)
    hanging = Hanging()

    def rule(trial, metrics):
        os.kill(os.getpid(), signal.SIGINT)
        return busy() if can_be_interrupted else hanging(trial, metrics)

    with pytest.raises(RunInterrupted) as raised:
        an_engine(stop=rule, hook_warning_s=0.1, hook_timeout_s=None).run()
    assert len(raised.value.result) == 1
    hanging.lock.release()
    wait_for_threads()


def test_a_signal_does_not_wait_for_a_function_that_is_called_before_the_first_trial(monkeypatch):
    monkeypatch.setattr(watchdog, "HURRY_S", 0.05)

    def needs(config):
        os.kill(os.getpid(), signal.SIGINT)
        busy()

    with pytest.raises(RunInterrupted) as raised:
        an_engine(resources=needs, hook_warning_s=0.1).run()
    assert raised.value.result is None


def test_many_calls_are_not_one_long_call(monkeypatch):
    """It looks whether the thread is in the same call as before, not whether it is in any."""
    warned = []
    dog = Watchdog(Patience(10.0, 60.0), (), warned.append, lambda: False, None)

    def handle():
        return sys._getframe()

    first, second = handle(), handle()
    for now, frame in enumerate([first, second] * 100):
        dog._stack = lambda frame=frame: [frame]
        dog._look(float(now))
    assert warned == []
    for now in range(300, 320):
        dog._look(float(now))
    assert len(warned) == 1
    assert dog.error is None  # it is in nothing that schedulers or stop rules are asked in


def test_the_calls_themselves_are_not_touched():
    """Nothing is wrapped, and nothing is written before or after a call."""

    class Plain(FIFO):  # a user's own: ours are copied
        pass

    scheduler, seen = Plain(), []

    def rule(trial, metrics):
        frame = sys._getframe()
        while frame.f_code is not Experiment.handle.__code__:
            seen.append(frame.f_code.co_filename)
            frame = frame.f_back
        seen.append(frame.f_locals["self"].judge.scheduler is scheduler)
        return False

    an_engine(scheduler=scheduler, stop=rule).run()
    assert seen[-1] is True
    assert not [file for file in seen[:-1] if file == watchdog.__file__]


@pytest.mark.parametrize("name", ["hook_warning_s", "hook_timeout_s"])
@pytest.mark.parametrize("value", [-1.0, "soon"])
def test_patience_is_a_number(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        an_engine(**{name: value}).run()
