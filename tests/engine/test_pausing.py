"""A run that is paused and continued while it runs, with real workers and a journal."""

import threading
import time

import pytest

import trialwright
from trialwright import Engine, context, get_checkpoint, report, runs, space
from trialwright.errors import PolicyError
from trialwright.messages import PauseRequested
from trialwright.storage.sqlite import SqliteStore
from trialwright.trial_query import query_trials

GIVEN = {"metric": "loss", "executor": "local", "searcher": "random", "seed": 1, "verbose": 0}
SPACE = {"x": space.uniform(0, 1)}


def wait_for(reached):
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.02)


def here():
    """The directory of the run, in a trial."""
    return context().directory.parents[1]


def test_a_trial_is_paused_and_goes_on_from_its_checkpoint(tmp_path):
    def objective(config):
        begin = (get_checkpoint() or {"step": 0})["step"]
        report(loss=config["x"], begin=begin, checkpoint={"step": begin + 1})
        if context().trial_id == 0 and not begin:
            trialwright.pause(here(), 0)
            threading.Thread(target=let_go, args=[here()]).start()
            while True:  # until it is halted
                time.sleep(0.02)
                report(loss=config["x"], begin=begin)

    def let_go(path):
        wait_for(lambda: query_trials(path, "id = 0 and state = 'waiting'"))
        trialwright.unpause(path, 0)

    result = Engine(objective, SPACE, num_samples=3, storage=tmp_path, **GIVEN).run()
    assert [(trial.outcome, trial.attempts) for trial in result] == [("completed", 2), *[("completed", 1)] * 2]
    assert result[0].metrics["begin"] == 1


def test_a_paused_run_that_is_interrupted_continues_when_it_is_resumed(tmp_path):
    def objective(config):
        if not ready.is_set():
            trialwright.pause(here())
            wait_for(lambda: any(isinstance(entry.event, PauseRequested) for entry in journal(here())))
        ready.set()
        report(loss=config["x"])

    def journal(path):
        return SqliteStore.open(path, read_only=True).entries()

    def broken(trial, metrics):
        raise KeyError("los")

    ready = threading.Event()
    with pytest.raises(PolicyError):
        Engine(objective, SPACE, num_samples=4, storage=tmp_path, stop=broken, **GIVEN).run()
    [path] = runs.run_paths(tmp_path)
    assert runs.describe(path).state == "interrupted"
    result = Engine.resume(path, objective, stop=lambda trial, metrics: False, executor="local", verbose=0).run()
    assert [trial.outcome for trial in result] == ["completed"] * 4
