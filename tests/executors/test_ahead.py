"""Short trials that wait in the process of another: on real processes."""

import os
import signal
import sys
import threading
import time

import pytest

from trialwright import Engine, Local, Processes, report, space
from trialwright.messages import Queued, Returned
from trialwright.storage.sqlite import SqliteStore

SPACE = {"x": space.uniform(0, 1)}


def engine(objective, tmp_path, **settings):
    settings = {"metric": "loss", "searcher": "random", "num_samples": 400, "seed": 0, "verbose": 0, **settings}
    return Engine(objective, SPACE, storage=tmp_path, executor=Processes(cpus=2), **settings)


def journal(result):
    """The events and the decisions of a run."""
    entries = [*SqliteStore.open(result.path, read_only=True).entries()]
    return [entry.event for entry in entries], [d for entry in entries for d in entry.decisions or ()]


def quick(config):
    return {"loss": config["x"]}


def test_every_short_trial_is_run_once_and_has_its_own_result(tmp_path):
    result = engine(quick, tmp_path).run()
    _, decisions = journal(result)
    assert sum(isinstance(decision, Queued) for decision in decisions) > 200
    assert [trial.outcome for trial in result] == ["completed"] * 400
    assert all(trial.metrics["loss"] == trial.config["x"] for trial in result)
    assert {trial.attempts for trial in result} == {1}
    assert all(trial.started <= trial.ended for trial in result)


def one_takes_long(config):
    if 0.5 < config["x"] < 0.51:
        time.sleep(1.0)
    return {"loss": config["x"]}


def test_what_waits_behind_a_long_trial_is_handed_back_and_run_elsewhere(tmp_path):
    result = engine(one_takes_long, tmp_path).run()
    events, _ = journal(result)
    assert any(isinstance(event, Returned) for event in events)
    assert [trial.outcome for trial in result] == ["completed"] * 400
    assert {trial.attempts for trial in result} == {1}


def some_die(config):
    if 0.5 < config["x"] < 0.51:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"loss": config["x"]}


@pytest.mark.slow
def test_what_waits_behind_a_trial_that_kills_its_process_is_run_elsewhere(tmp_path):
    result = engine(some_die, tmp_path).run()
    died = [trial for trial in result if 0.5 < trial.config["x"] < 0.51]
    assert died
    assert {trial.outcome for trial in died} == {"lost"}
    assert {trial.outcome for trial in result if trial not in died} == {"completed"}
    assert max(trial.attempts for trial in result) == 2  # all of a queue are run again, and the one that did it alone


def some_spoil(config):
    if 0.5 < config["x"] < 0.51:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    return {"loss": config["x"]}


@pytest.mark.slow
def test_what_waits_in_a_process_that_takes_no_more_trials_goes_to_another(tmp_path):
    result = engine(some_spoil, tmp_path).run()
    assert [trial.outcome for trial in result] == ["completed"] * 400
    assert any("a thread was left running" in warning for warning in result.warnings)


def some_fail(config):
    if config["x"] < 0.1:
        raise ValueError("too small")
    sys.stdout.write(f"said {config['x']}\n")
    return {"loss": config["x"]}


def test_what_a_trial_says_and_raises_is_its_own(tmp_path):
    result = engine(some_fail, tmp_path).run()
    for trial in result:
        failed = trial.config["x"] < 0.1
        assert trial.outcome == ("failed" if failed else "completed")
        said = (trial.directory / "stdout").read_text() if (trial.directory / "stdout").exists() else ""
        assert said == ("" if failed else f"said {trial.config['x']}\n")


def reports(config):
    for _ in range(3):
        report(loss=config["x"])


@pytest.mark.parametrize("scheduler", ["asha", "median"])
def test_trials_that_a_scheduler_stops_may_wait_in_slots_too(tmp_path, scheduler):
    result = engine(reports, tmp_path, scheduler=scheduler, num_samples=150).run()
    assert len(result) == 150
    assert {trial.outcome for trial in result} <= {"completed", "stopped"}


def test_a_run_that_ends_early_counts_no_trial_that_only_waited(tmp_path):
    stopping = engine(quick, tmp_path, num_samples=100_000, time_budget_s=3)
    result = stopping.run()
    assert all(trial.started is not None for trial in result)
    assert {trial.outcome for trial in result} <= {"completed", "stopped"}


def chatter(config):
    for _ in range(1_000):
        report(loss=config["x"])


@pytest.mark.parametrize(
    "executor",
    [
        pytest.param(lambda: Local(cpus=64), id="local"),
        pytest.param(lambda: Processes(cpus=8), id="processes", marks=pytest.mark.slow),
    ],
)
def test_64_trials_that_report_as_fast_as_they_can_lose_nothing(tmp_path, executor):
    what = {"metric": "loss", "searcher": "random", "num_samples": 64, "storage": tmp_path, "verbose": 0}
    result = Engine(chatter, SPACE, executor=executor(), **what).run()
    assert [len(trial.history) for trial in result] == [1_000] * 64
