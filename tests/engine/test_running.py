"""What runs do to their process, and what is left of that when they are over."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import warnings

import pytest

from trialwright import Callback, Engine, Local, space
from trialwright.engine.running import LoopThread
from trialwright.results import Result

SPACE = {"x": space.uniform(0, 1)}


def run(objective, **keywords):
    keywords = {"metric": "loss", "num_samples": 2, "executor": Local(cpus=2), "storage": None, **keywords}
    return Engine(objective, SPACE, verbose=0, seed=0, **keywords).run()


def settings():
    return gc.get_threshold(), round(sys.getswitchinterval(), 5)


class Overlapping:
    """A run in a thread that ends when it is told to."""

    def __init__(self):
        self._has_begun, self._may_end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=run, args=[self._objective])
        self._thread.start()
        assert self._has_begun.wait(20)

    def _objective(self, config):
        self._has_begun.set()
        self._may_end.wait(20)
        return 1.0

    def end(self):
        self._may_end.set()
        self._thread.join(20)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_settings_of_the_process_are_the_runs_until_the_last_has_ended(order):
    before = settings()
    runs = [Overlapping(), Overlapping()]
    changed = settings()
    assert changed != before
    runs[order[0]].end()
    assert settings() == changed
    runs[order[1]].end()
    assert settings() == before


def test_the_end_of_a_run_makes_no_text_of_its_result(monkeypatch):
    calls = []
    monkeypatch.setattr(Result, "__repr__", lambda self: calls.append(1) or "a result")
    run(lambda config: config["x"])
    assert calls == []


class Counts(Callback):
    def __init__(self):
        self.given = None

    def set_state(self, state):
        self.given = state

    def get_state(self):
        return {"n": 1}


def resumed(path, callback):
    keywords = {"executor": Local(cpus=1), "num_samples": 4, "verbose": 0, "callbacks": [callback]}
    return Engine.resume(path, lambda config: config["x"], **keywords).run()


def test_what_callbacks_remember_is_synced_before_it_has_its_name(tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr("trialwright.storage.files.sync", lambda path: steps.append(path.name))
    result = run(lambda config: config["x"], storage=tmp_path, callbacks=[Counts()])
    assert steps == ["callbacks.json.draft", result.path.name]
    assert resumed(result.path, again := Counts())
    assert again.given == {"n": 1}


@pytest.mark.parametrize("text", ["", "[{", "{}", "3", "[1]", "[[]]", "\0" * 9])
def test_a_damaged_side_file_does_not_keep_a_run_from_being_resumed(tmp_path, text):
    result = run(lambda config: config["x"], storage=tmp_path, callbacks=[Counts()])
    (result.path / "callbacks.json").write_text(text)
    again = resumed(result.path, callback := Counts())
    assert [trial.outcome for trial in again] == ["completed"] * 4
    assert callback.given is None
    assert any("callbacks start without their saved states" in warning for warning in again.warnings)
    assert json.loads((result.path / "callbacks.json").read_text()) == [{"n": 1}]


@pytest.mark.parametrize("text", ["", "{", "3", "\0"])
def test_a_damaged_file_of_tunes_notes_does_not_keep_a_run_from_being_read(tmp_path, text):
    from trialwright import tune

    result = run(lambda config: config["x"], storage=tmp_path)
    (result.path / "tune.json").write_text(text)
    with pytest.warns(RuntimeWarning, match=r"tune.json cannot be read"):
        assert len(tune.ExperimentAnalysis(result.path).trials) == 2
    (result.path / "tune.json").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(tune.ExperimentAnalysis(result.path).trials) == 2


def test_what_cleans_up_is_not_cancelled_however_often_a_coroutine_is():
    cleaned = []

    async def main():
        try:
            thread.cancel()
            await asyncio.sleep(60)
        finally:
            thread.cancel()
            await asyncio.sleep(0.01)
            cleaned.append(True)

    thread = LoopThread(main)
    with pytest.raises(asyncio.CancelledError):
        thread.wait()
    assert cleaned == [True]


class Forgetful(Counts):
    def get_state(self):
        return {"n": object()}


def test_what_a_callback_remembers_that_is_no_data_is_said_and_the_result_is_kept(tmp_path):
    result = run(lambda config: config["x"], storage=tmp_path, callbacks=[Forgetful()])
    assert len(result) == 2
    assert any("the states of callbacks could not be saved" in warning for warning in result.warnings)
    assert not (result.path / "callbacks.json").exists()


def test_a_run_is_cancelled_that_was_interrupted_before_its_loop_began():
    async def main():
        await asyncio.sleep(20)

    thread = LoopThread(main)
    thread.cancel()
    with pytest.raises(asyncio.CancelledError):
        thread.wait()


def test_a_second_cancellation_changes_nothing():
    cleaned = []

    async def main():
        try:
            thread.cancel()
            await asyncio.sleep(20)
        finally:
            thread.cancel()
            await asyncio.sleep(0)
            cleaned.append(True)

    thread = LoopThread(main)
    with pytest.raises(asyncio.CancelledError):
        thread.wait()
    thread.cancel()  # its loop is closed
    assert cleaned == [True]
