"""The local executor: the contract, and what is special about threads."""

import asyncio
import threading
import time

import pytest

from tests.contracts.executor import DEADLINE_S, OBJECTIVES, Driver, ExecutorContract
from trialwright import reporting
from trialwright.executors.local import Local
from trialwright.messages import EVERY_REPORT, Extend, Failed, Finished, Halt, Halted, Lost, Reported, Started, Ticked


def sleep(config):
    time.sleep(config["seconds"])


def who(config):
    reporting.report(name=threading.current_thread().name, resolved=config["resolved"])


def exits(config):
    raise SystemExit(config["code"])


HERE = OBJECTIVES | {function.__name__: function for function in (sleep, who, exits)}


def objective(config):
    return HERE[config["do"]](config)


@pytest.fixture
def driver(tmp_path):
    driver = Driver(Local(cpus=2, grace_s=0.2), tmp_path, objective)
    driver.open()
    yield driver
    driver.close()
    driver.runner.close()


class TestLocal(ExecutorContract):
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
