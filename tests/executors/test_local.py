"""The local executor: the contract, and what is special about threads."""

import asyncio
import os
import random
import signal
import threading
import time

import numpy.random
import pytest

from tests.contracts.executor import DEADLINE_S, OBJECTIVES, AheadContract, Driver, ExecutorContract, losses
from tests.executors.in_workers import alive
from trialwright import reporting
from trialwright.executors import local, tasks
from trialwright.executors.base import Inbox
from trialwright.executors.local import Local
from trialwright.messages import EVERY_REPORT, Extend, Failed, Finished, Halt, Halted, Lost, Reported, Started, Ticked


def sleep(config):
    time.sleep(config["seconds"])


def who(config):
    reporting.report(name=threading.current_thread().name, resolved=config["resolved"])


def forks(config):
    """The first child goes on as if it were the trial, the second does not end by itself."""
    if os.fork() == 0:
        return reporting.report(loss=-999.0)
    child = os.fork()
    if child == 0:
        time.sleep(1000)
    os.wait()
    return {"loss": 1.0, "child": child}


def starts_a_program(config):
    reporting.report(program=os.posix_spawnp("sleep", ["sleep", "1000"], os.environ))


def draws(config):
    reporting.report(seed=reporting.context().seed)


def exits(config):
    raise SystemExit(config["code"])


HERE = OBJECTIVES | {function.__name__: function for function in (sleep, who, exits, forks, starts_a_program, draws)}


def objective(config):
    return HERE[config["do"]](config)


@pytest.fixture
def driver(tmp_path):
    driver = Driver(Local(cpus=2, grace_s=0.2), tmp_path, objective)
    driver.open()
    yield driver
    driver.close()
    driver.runner.close()


class TestLocal(ExecutorContract, AheadContract):
    pass


def test_threads_are_used_again(driver):
    assert len({driver.result(who)["name"] for _ in range(5)}) <= 2


def test_configs_are_resolved_by_the_space(driver):
    assert driver.result(who)["resolved"] is True


def test_a_thread_that_does_not_stop_is_given_up(driver):
    trial = driver.launch(sleep, seconds=1.0)
    driver.wait_for(trial, Started)
    driver.do(Halt(trial, 1))
    (lost,) = driver.wait_for(trial)
    assert isinstance(lost, Lost)
    assert "a thread cannot be killed" in lost.reason
    assert isinstance(driver.run(who)[-1], Finished)


def test_sys_exit_ends_the_trial_and_not_the_process(driver):
    failed = driver.run(exits, code=3)[-1]
    assert isinstance(failed, Failed)
    assert "sys.exit(3)" in failed.error


def test_what_a_trial_forks_does_not_speak_for_it_and_ends_with_it(driver):
    row = driver.result(forks)
    assert row["loss"] == 1.0
    assert not alive(row["child"])


def test_a_program_that_a_trial_starts_is_left_to_it(driver):
    pid = driver.result(starts_a_program)["program"]
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_global_random_generators_are_not_touched_and_the_trials_seed_is_there(driver):
    states = random.getstate(), numpy.random.get_state()[1].tolist()
    assert driver.result(draws)["seed"] == driver.launched.seed
    assert (random.getstate(), numpy.random.get_state()[1].tolist()) == states


def unread(driver):
    return sum(event.size for event in list(driver.executor._inbox._events) if isinstance(event, Reported))


def report_at_will(driver, monkeypatch, count):
    """A trial that reports faster than it is heard, until it is made to wait."""
    monkeypatch.setattr(local, "UNREAD_BYTES_MAX", 2**14)
    trial = driver.launch("report_many", count=count)
    driver.wait_until(lambda: unread(driver) > 2**14)
    return trial


def test_who_reports_faster_than_the_driver_takes_is_made_to_wait_and_loses_nothing(driver, monkeypatch):
    trial = report_at_will(driver, monkeypatch, count=50_000)
    driver.runner.run(asyncio.sleep(0.2))
    assert unread(driver) < 2**15
    frames = [event for event in driver.wait_for(trial) if isinstance(event, Reported)]
    assert [value for frame in frames for value in frame.columns["number"]] == list(range(50_000))


def test_a_trial_does_not_wait_because_others_report_much(driver, monkeypatch):
    report_at_will(driver, monkeypatch, count=10**9)
    other = driver.launch("report_thrice")

    def has_ended():
        return any(isinstance(event, Finished) for event in driver.executor._inbox._events)

    driver.wait_until(has_ended)
    assert losses(driver.wait_for(other)) == [3.0, 2.0, 1.0]


def test_who_is_made_to_wait_ends_with_the_run(driver, monkeypatch):
    before = threads()
    report_at_will(driver, monkeypatch, count=10**9)
    [thread] = threads() - before
    driver.close()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def test_two_trials_run_side_by_side_and_are_answered_each(driver):
    first, second = (driver.launch("report_thrice", until=EVERY_REPORT) for _ in range(2))
    driver.wait_for(first, Reported)
    driver.wait_for(second, Reported)
    driver.do(Halt(second, 1))
    driver.do(Halt(first, 1))
    assert isinstance(driver.wait_for(first)[-1], Halted)
    assert isinstance(driver.wait_for(second)[-1], Halted)


async def lingers(config):
    try:
        while True:
            await asyncio.sleep(0.001)
            reporting.report(loss=1.0)
    finally:
        LINGERING.set()
        await asyncio.sleep(0.05)
        ENDED.append(config.get("name"))


LINGERING = threading.Event()
ENDED: list[object] = []


@pytest.fixture
def of_tasks(tmp_path):
    """A driver whose objective is an ``async def``."""
    ENDED.clear()
    LINGERING.clear()
    driver = Driver(Local(cpus=2), tmp_path, lingers)
    driver.open()
    yield driver
    driver.runner.close()


def test_the_end_of_a_run_lets_async_objectives_end_by_their_finally(of_tasks, capfd):
    for name in ("a", "b"):
        of_tasks.wait_for(of_tasks.launch("lingers", name=name), Reported)
    of_tasks.close()
    assert sorted(ENDED) == ["a", "b"]
    assert capfd.readouterr().err == ""


def test_a_second_halt_does_not_cancel_an_async_objectives_finally(of_tasks):
    trial = of_tasks.launch("lingers", name="a")
    of_tasks.wait_for(trial, Reported)
    of_tasks.do(Halt(trial, 1))
    assert LINGERING.wait(DEADLINE_S)
    of_tasks.close()  # halts what still runs
    assert ENDED == ["a"]


async def never_waits(config):
    for number in range(10**9):
        reporting.report(loss=float(number))


def test_an_async_objective_that_never_waits_fails_with_the_advice_to_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "HELD_MAX", 100)
    driver = Driver(Local(), tmp_path, never_waits)
    driver.open()
    failed = driver.run("never", until=EVERY_REPORT)[-1]
    assert "`await report(...)`" in failed.error
    driver.close()
    driver.runner.close()


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name in ("trialwright-trial", "trialwright-tasks")}


def test_threads_end_with_their_run_whatever_they_are_doing(tmp_path):
    before = threads()
    driver = Driver(Local(cpus=3), tmp_path, objective)
    driver.open()
    driver.run("report_thrice")
    driver.wait_for(driver.launch("report_many", count=10**9), Reported)
    driver.wait_for(driver.launch("report_thrice", until=EVERY_REPORT), Reported)
    mine = threads() - before
    assert mine
    driver.close()
    driver.runner.close()
    for thread in mine:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def test_a_thread_that_was_given_up_says_nothing_to_a_later_run(tmp_path):
    gate = threading.Event()

    def stands(config):
        if config["do"] == "stand":
            assert gate.wait(DEADLINE_S)
        else:
            reporting.report(loss=1.0)

    executor = Local(cpus=1, grace_s=0.0)
    first = Driver(executor, tmp_path / "a", stands)
    first.open()
    first.wait_for(first.launch("stand"), Started)
    [left] = [thread for thread in threads() if thread.is_alive()][-1:]
    first.close()
    first.runner.close()
    second = Driver(executor, tmp_path / "b", stands)
    second.open()
    trial = second.launch("report", until=EVERY_REPORT)  # of the same number as the one that was given up
    second.wait_for(trial, Reported)
    gate.set()
    left.join(DEADLINE_S)
    assert second.take(seconds=0.05) == [Ticked()]
    second.do(Extend(trial, 1, ()))
    assert isinstance(second.wait_for(trial)[-1], Finished)
    second.close()
    second.runner.close()


def test_a_trial_that_stops_in_time_is_given_up_no_more(driver):
    trial = driver.launch("report_thrice", until=EVERY_REPORT)
    driver.wait_for(trial, Reported)
    driver.do(Halt(trial, 1))
    driver.wait_for(trial)
    assert driver.executor._timers == {}


def test_nothing_is_kept_where_there_is_no_directory(tmp_path):
    driver = Driver(Local(cpus=1), None, objective)
    driver.open()
    saved = driver.wait_for(driver.launch("with_checkpoint", steps=1), Reported)[-1].checkpoint
    assert str(tmp_path) not in saved
    driver.close()
    driver.runner.close()
    assert not driver.executor._root.exists()


def test_an_event_that_may_wait_comes_before_the_next_one_or_soon():
    async def taken():
        inbox = Inbox()
        inbox.put_beside(Started(1, 1))
        inbox.put(Finished(1, 1))
        first = await inbox.take(None)
        inbox.put_beside(Started(2, 1))
        async with asyncio.timeout(30):
            return first, await inbox.take(None), await inbox.take(0.01)

    assert asyncio.run(taken()) == ([Started(1, 1), Finished(1, 1)], [Started(2, 1)], [Ticked()])
