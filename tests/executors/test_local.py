"""The local executor: the contract, and what is special about threads."""

import threading
import time

import pytest

from tests.contracts.executor import OBJECTIVES, Driver, ExecutorContract
from trialwright import reporting
from trialwright.executors.local import Local
from trialwright.messages import EVERY_REPORT, Failed, Finished, Halt, Halted, Lost, Reported, Started


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


def test_nothing_is_kept_where_there_is_no_directory(tmp_path):
    driver = Driver(Local(cpus=1), None, objective)
    driver.open()
    saved = driver.wait_for(driver.launch("with_checkpoint", steps=1), Reported)[-1].checkpoint
    assert str(tmp_path) not in saved
    driver.close()
    driver.runner.close()
    assert not driver.executor._root.exists()
