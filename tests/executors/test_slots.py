"""Slots keep their promises wherever their processes come from, and however they are talked to: by the executors'
protocol alone, without an engine."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contracts.executor import AheadContract, Driver, ExecutorContract, report_many, report_thrice
from tests.executors.in_workers import (
    alive,
    devices,
    die,
    hang,
    hold_the_interpreter,
    leave_a_thread,
    look_around,
    misbehave,
    objective,
    print_much,
    skip_steps,
)
from trialwright.executors import pool
from trialwright.executors.on_ray import OnRay
from trialwright.executors.processes import Processes
from trialwright.executors.slots import Rules, Slot
from trialwright.messages import (
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Placement,
    Reported,
    Started,
    Ticked,
    at_step,
)

GRACE_S = 1.0
EXECUTORS = {
    "processes": lambda: Processes(2, gpus=2, grace_s=GRACE_S),
    "ray": lambda: OnRay(grace_s=GRACE_S),
    "ray calls": lambda: OnRay(grace_s=GRACE_S, carrier="ray"),
}


def is_in_main_thread(driver):
    """Where Ray calls a slot, its user code is in another thread."""
    return getattr(driver.executor, "_carrier", "tcp") == "tcp"


@pytest.fixture(scope="module")
def ray_of_ours(tmp_path_factory):
    """An engine has started Ray: the others of this process share it, and it need not start again."""
    first = Driver(OnRay(num_cpus=2, num_gpus=2), tmp_path_factory.mktemp("run"), objective)
    first.open()
    yield
    first.close()
    first.runner.close()


@pytest.fixture(scope="module")
def driver(request, tmp_path_factory) -> Iterator[Driver]:
    if request.param != "processes":
        request.getfixturevalue("ray_of_ours")
    driver = Driver(EXECUTORS[request.param](), tmp_path_factory.mktemp("run"), objective)
    driver.open()
    yield driver
    driver.close()
    driver.runner.close()


def on(*executors):
    marked = [pytest.param(each, marks=pytest.mark.slow) if each == "ray calls" else each for each in executors]
    return pytest.mark.parametrize("driver", marked, indirect=True, scope="module")


# On Ray over a connection, what differs from processes is who starts and who buries: only that is tried there again.
by_both_carriers = on("processes", "ray calls")
everywhere = on(*EXECUTORS)


@by_both_carriers
class TestTrials(ExecutorContract, AheadContract):
    def test_capacity_comes_first_and_counts_what_was_declared(self, driver):
        (node,) = driver.nodes
        assert (node.resources["cpu"], node.resources["gpu"]) == (2, 2)
        assert node.resources["memory"] > 2**20
        assert set(node.resources) == {"cpu", "gpu", "memory"}

    def test_halt_of_a_trial_that_has_no_worker_yet(self, driver):
        trial = driver.launch(report_thrice, cpus=0.5)  # a new shape: its process has yet to start
        driver.do(Halt(trial, 1))
        assert isinstance(driver.wait_for(trial)[-1], Halted | Finished)
        assert isinstance(driver.run(report_thrice, cpus=0.5)[-1], Finished)

    def test_a_driver_that_lags_behind_makes_its_workers_wait(self, driver, monkeypatch):
        monkeypatch.setattr(pool, "UNREAD_BYTES_MAX", 2**20)
        trial = driver.launch(report_many, count=10**9)
        driver.wait_for(trial, Reported)
        driver.wait_until(lambda: driver.executor._pool._paused)
        before = driver.executor._pool._unread
        driver.runner.run(asyncio.sleep(0.2))
        assert driver.executor._pool._unread - before < 2**20
        driver.do(Halt(trial, 1))
        assert isinstance(driver.wait_for(trial)[-1], Halted)

    def test_a_config_that_cannot_be_sent_fails_its_trial(self, driver):
        events = driver.run(report_thrice, object=object())
        assert isinstance(events[-1], Failed)
        assert "config" in events[-1].error


@by_both_carriers
class TestRooms:
    def test_output_goes_to_the_trials_own_files(self, driver):
        row = driver.result(print_much)
        here = driver.directory / "trials" / f"{driver.trials:06d}"
        assert Path(row["cwd"]) == here.resolve()
        assert (here / "stdout").read_text().splitlines() == ["said by a child", "said by Python", "said by C"] or {
            *(here / "stdout").read_text().splitlines()
        } == {"said by a child", "said by Python", "said by C"}
        assert (here / "stderr").read_text() == "complained\n"

    def test_the_next_trial_finds_the_process_as_it_was(self, driver):
        first = driver.result(look_around)
        driver.run(misbehave, main=is_in_main_thread(driver))
        second = driver.result(look_around)
        assert second["at_home"]
        expected = {**first, "trial": driver.trials, "step": 1, "time_s": second["time_s"]}
        assert second == expected  # the same process, and the same draw from the same seed

    def test_the_directory_of_a_silent_trial_stays_for_those_who_write_to_it_and_holds_no_empty_files(self, driver):
        first = driver.launch(report_thrice)
        driver.wait_for(first)
        directory = driver.directory / "trials" / f"{first:06d}"
        made = directory.stat().st_ino
        (directory / "params.json").write_text("{}")  # as the process of the loggers does
        driver.result(print_much)
        driver.result(report_thrice)
        assert directory.stat().st_ino == made
        assert [file.name for file in directory.iterdir()] == ["params.json"]

    def test_a_thread_left_running_recycles_the_process(self, driver):
        first = driver.result(leave_a_thread)
        driver.wait_until(lambda: not alive(int(first["pid"])))
        assert driver.result(look_around)["pid"] != first["pid"]


@everywhere
class TestDeaths:
    @pytest.mark.parametrize("how", ["exit", "kill", "abort"])
    def test_a_death_loses_its_trial_and_no_other(self, driver, how):
        other = driver.launch(report_thrice, until=at_step(3))
        *_, reported, lost = driver.run(die, how=how)
        assert isinstance(reported, Reported)
        assert isinstance(lost, Lost)
        assert "died" in lost.reason or "gone" in lost.reason
        assert not lost.preempted
        driver.wait_for(other, Reported)
        driver.do(Halt(other, 1))
        driver.wait_for(other)
        assert isinstance(driver.run(report_thrice)[-1], Finished)

    def test_an_end_by_sigterm_is_called_that(self, driver):
        if not is_in_main_thread(driver):
            pytest.skip("Ray handles the signal in the main thread there")
        *_, last, lost = driver.run(die, how="term")
        assert isinstance(lost, Lost)
        assert "SIGTERM" in lost.reason
        assert isinstance(last, Reported) or not isinstance(driver.executor, OnRay), "what was reported is sent first"

    def test_a_trial_that_holds_the_interpreter_has_begun_and_can_be_halted(self, driver):
        trial = driver.launch(hold_the_interpreter)
        driver.wait_for(trial, Started)
        driver.do(Halt(trial, 1))
        assert driver.wait_for(trial)[-1] == Halted(trial, 1)

    @pytest.mark.parametrize("first", [0, 2, 10**12])
    def test_reports_that_do_not_follow_each_other_cost_a_worker_its_connection(self, driver, first):
        if not is_in_main_thread(driver):
            pytest.skip("there is no connection there")
        *_, lost = events = driver.run(skip_steps, first=first)
        assert not any(isinstance(event, Reported) for event in events)
        assert f"at step {first}, not 1" in lost.reason

    def test_sys_exit_is_a_failure(self, driver):
        assert "sys.exit(3)" in driver.run(die, how="sys")[-1].error

    def test_a_sleeper_is_interrupted_and_its_children_end(self, driver):
        if not is_in_main_thread(driver):
            pytest.skip("user code is not in the main thread there")
        self.halt_hanging(driver, stubborn=False)

    def test_who_does_not_listen_is_killed_with_its_children(self, driver):
        self.halt_hanging(driver, stubborn=True)

    def halt_hanging(self, driver, *, stubborn):
        trial = driver.launch(hang, stubborn=stubborn)
        row = driver.wait_for(trial, Reported)[-1].row(0)
        driver.do(Halt(trial, 1))
        assert driver.wait_for(trial)[-1] == Halted(trial, 1)
        driver.wait_until(lambda: not alive(row["child"]) and not alive(row["pid"]))
        assert isinstance(driver.run(report_thrice)[-1], Finished)

    def test_children_end_with_a_worker_that_is_killed_by_others(self, driver):
        trial = driver.launch(hang, stubborn=True)
        row = driver.wait_for(trial, Reported)[-1].row(0)
        os.kill(row["pid"], signal.SIGKILL)
        assert isinstance(driver.wait_for(trial)[-1], Lost)
        driver.wait_until(lambda: not alive(row["child"]))

    def test_one_death_is_reported_once(self, driver):
        driver.run(die, how="kill")
        assert driver.take(seconds=0.5) == [Ticked()]


@everywhere
class TestDevices:
    def test_a_trial_sees_the_gpus_that_it_was_granted(self, driver):
        assert driver.result(devices, gpu=1, gpus=(1,))["visible"] == "1"
        assert driver.result(devices, gpu=2, gpus=(0, 1))["visible"] == "0,1"
        assert driver.result(devices, gpu=0.5, gpus=(0,))["visible"] == "0"

    def test_a_trial_without_gpus_sees_none(self, driver):
        assert not driver.result(devices)["visible"]

    def test_gpu_trials_get_a_fresh_process_each(self, driver):
        pids = [driver.result(devices, gpu=1, gpus=(0,))["pid"] for _ in range(2)]
        assert len(set(pids)) == 2

    def test_numeric_libraries_get_as_many_threads_as_the_trial_has_cpus(self, driver, monkeypatch):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        assert driver.result(devices, cpus=2)["threads"] == "2"


class Books:
    """As much of a pool as a slot needs: it writes down what it is told."""

    def __init__(self) -> None:
        self.rules = Rules(grace_s=GRACE_S, start_s=60, silence_s=60, reuse=True)
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda slot, *_: self.told.append(name)


class Ear:
    def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


def test_a_process_that_died_is_not_used_again_though_its_trial_has_ended():
    async def life() -> Slot:
        slot = Slot(1, Placement("n", {"cpu": 10_000}), ("n",), Books())
        slot.assign(Launch(0, 1, {}, (slot.placement,), (), 1), b"")
        slot.connected(Ear(), 123)
        died = asyncio.get_running_loop().create_future()
        died.set_exception(RuntimeError("died"))
        slot.left(died)
        assert not slot.gone  # its last words may be on their way
        slot.heard(Finished(0, 1), 10)
        return slot

    slot = asyncio.run(life())
    assert slot.gone
    assert slot.pool.told == ["begun", "pass_on", "freed", "lost"]
