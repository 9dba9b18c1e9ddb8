"""The executor on a real Ray, by its protocol alone: no engine. Both carriers keep the same promises."""

import asyncio
import ctypes
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

from tests.contracts import executor as contract
from tests.contracts.executor import Driver, ExecutorContract, PlainSpace, losses, report_many, report_thrice
from trialwright import reporting
from trialwright.errors import ExecutorError
from trialwright.executors.base import Run
from trialwright.executors.on_ray import OnRay
from trialwright.messages import (
    Failed,
    Finished,
    Halt,
    Halted,
    Lost,
    Reported,
    Ticked,
    at_step,
)

for module in (contract, sys.modules[__name__]):
    cloudpickle.register_pickle_by_value(module)  # workers need not be able to import the tests

GRACE_S = 1.0


# Objectives: they run in the workers ---------------------------------------------------------------------------------


def print_much(config):
    print("said by Python")  # noqa: T201
    print("complained", file=sys.stderr)  # noqa: T201
    subprocess.run(["echo", "said by a child"], check=True)
    ctypes.CDLL(None).puts(b"said by C")
    return {"loss": 1.0, "cwd": str(Path.cwd())}


def misbehave(config):
    os.chdir("/")
    os.environ["LEFT_BEHIND"] = "yes"
    os.environ.pop("HOME", None)
    os.umask(0o077)
    sys.path.append("/nowhere")
    random.seed(1)
    if signal.getsignal(signal.SIGTERM) is not None and config["main"]:
        signal.signal(signal.SIGALRM, lambda *_: None)
    sys.stdout = None


def look_around(config):
    umask = os.umask(0)
    os.umask(umask)
    here = reporting.context().directory
    return {
        "left_behind": os.environ.get("LEFT_BEHIND"),
        "home": os.environ.get("HOME"),
        "at_home": Path.cwd() == here,
        "umask": umask,
        "path": "/nowhere" in sys.path,
        "alarm": signal.getsignal(signal.SIGALRM) == signal.SIG_DFL,
        "draw": random.random(),
        "stdout": sys.stdout is not None,
        "pid": os.getpid(),
        "trial": reporting.context().trial_id,
        "cpus": reporting.context().resources["cpu"],
    }


def leave_a_thread(config):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    return {"pid": os.getpid()}


def die(config):
    reporting.report(loss=1.0)
    time.sleep(0.2)  # a report that is 0.1 s old has left
    if config["how"] == "exit":
        os._exit(3)
    if config["how"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if config["how"] == "abort":
        os.abort()
    if config["how"] == "sys":
        sys.exit(3)


def hang(config):
    child = subprocess.Popen(["sleep", "1000"])
    reporting.report(child=child.pid, pid=os.getpid())
    time.sleep(config.get("doze", 0))
    while True:
        try:
            time.sleep(1000)
        except BaseException:
            if not config["stubborn"]:
                raise


def have_a_child(config):
    import ray

    child = ray.remote(num_cpus=1)(lambda: os.getpid())
    reporting.report(own=os.getpid(), child=ray.get(child.remote(), timeout=60))
    if config.get("hang"):
        hang({"stubborn": True})


def devices(config):
    return {
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "pid": os.getpid(),
        "threads": os.environ["OMP_NUM_THREADS"],
    }


OBJECTIVES = contract.OBJECTIVES | {
    function.__name__: function
    for function in (
        print_much,
        misbehave,
        look_around,
        leave_a_thread,
        die,
        hang,
        have_a_child,
        devices,
    )
}


def objective(config):
    return OBJECTIVES[config["do"]](config)


# The tests ---------------------------------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture(scope="class")
def cluster():
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


class TestRayOfOthers:  # first, while no other test has a Ray open
    def test_it_is_left_running(self, cluster, tmp_path):
        driver = Driver(OnRay(), tmp_path, objective)
        driver.open()
        pid = driver.result(look_around, cpus=0.25)["pid"]
        driver.launch(hang, stubborn=True)
        driver.close()
        assert cluster.is_initialized()
        assert cluster.cluster_resources()["CPU"] == 2
        driver.wait_until(lambda: not alive(int(pid)))
        driver.wait_until(lambda: cluster.available_resources().get("CPU") == 2)

    def test_an_executor_serves_one_run_after_another(self, cluster, tmp_path):
        executor = OnRay()
        for _ in range(2):
            driver = Driver(executor, tmp_path, objective)
            driver.open()
            assert isinstance(driver.run(report_thrice)[-1], Finished)
            driver.close()

    def test_slots_that_cannot_dial_are_called(self, cluster, tmp_path, caplog):
        driver = Driver(OnRay(), tmp_path, objective)
        driver.open()
        driver.executor._pool._address = ("127.0.0.1", 1)  # where nobody listens
        assert losses(driver.run(report_thrice)) == [3.0, 2.0, 1.0]
        assert "cannot connect" in caplog.text
        driver.close()

    def test_a_slot_that_never_comes_is_lost_and_then_the_run_ends(self, cluster, tmp_path):
        driver = Driver(OnRay(start_s=0.01), tmp_path, objective)
        driver.open()
        for _ in range(2):
            lost = driver.run(report_thrice)[-1]
            assert isinstance(lost, Lost)
            assert lost.preempted  # no fault of the trial's
            assert "could be started" in lost.reason
        with pytest.raises(ExecutorError, match="3 workers in a row"):
            driver.run(report_thrice)
        driver.close()

    def test_shapes_take_turns_where_there_is_no_room_for_both(self, cluster, tmp_path):
        driver = Driver(OnRay(), tmp_path, objective)
        driver.open()
        for cpus in (2, 1, 2):  # an idle process of the other shape has to make room in Ray's books
            assert isinstance(driver.run(report_thrice, cpus=cpus)[-1], Finished)
        driver.close()

    def test_what_a_trial_starts_has_the_room_that_was_granted_for_it(self, cluster, tmp_path):
        driver = Driver(OnRay(children=[{"cpu": 1}]), tmp_path, objective)
        driver.open()
        report = driver.result(have_a_child, cpus=2)
        assert report["own"] != report["child"]
        driver.launch(have_a_child, cpus=2, hang=True)  # of the same shape: it runs in the slot that is there
        driver.close()
        groups = cluster.util.placement_group_table
        driver.wait_until(lambda: {group["state"] for group in groups().values()} == {"REMOVED"})
        driver.wait_until(lambda: cluster.available_resources().get("CPU") == 2)

    def test_a_trial_that_waits_for_its_room_can_be_halted(self, cluster, tmp_path):
        driver = Driver(OnRay(children=[{"cpu": 2}]), tmp_path, objective)
        driver.open()
        trial = driver.launch(report_thrice, cpus=4)  # Ray has two
        driver.do(Halt(trial, 1))
        assert isinstance(driver.wait_for(trial)[-1], Halted)
        driver.close()
        driver.wait_until(lambda: cluster.available_resources().get("CPU") == 2)

    def test_what_it_counts_cannot_be_chosen(self, cluster, tmp_path):
        with pytest.raises(ExecutorError, match="num_cpus"):
            Driver(OnRay(num_cpus=3), tmp_path, objective).open()


class TestRayOfOurs:
    def test_nothing_is_left_of_it(self, tmp_path):
        before = family()
        variables, terminate = dict(os.environ), signal.getsignal(signal.SIGTERM)
        driver = Driver(OnRay(num_cpus=1), tmp_path, objective)
        driver.open()
        driver.launch(hang, stubborn=True)
        assert len(family()) > len(before)
        assert dict(os.environ) == variables
        driver.close()
        driver.wait_until(lambda: family() <= before)
        assert dict(os.environ) == variables
        assert signal.getsignal(signal.SIGTERM) == terminate

    def test_a_cluster_that_is_not_there_is_an_error_with_advice(self, tmp_path):
        driver = Driver(OnRay(address="127.0.0.1:1"), tmp_path, objective)
        with pytest.raises(ExecutorError, match="RAY_AUTH_MODE"):
            driver.open()
        driver.close()

    def test_an_objective_that_cannot_be_sent_is_a_type_error_before_anything_starts(self, tmp_path):
        executor = OnRay()
        with pytest.raises(TypeError, match="cannot be sent"), asyncio.Runner() as runner:
            runner.run(executor.open(Run(threading.Lock(), PlainSpace(), print, (), tmp_path)))  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["tcp", "ray"])
def driver(request, tmp_path_factory) -> Iterator[Driver]:
    executor = OnRay(num_cpus=2, num_gpus=2, grace_s=GRACE_S, carrier=request.param)
    driver = Driver(executor, tmp_path_factory.mktemp("run"), objective)
    driver.open()
    yield driver
    driver.close()
    driver.runner.close()


class TestTrials(ExecutorContract):
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

    def test_a_driver_that_lags_behind_makes_its_workers_wait(self, driver):
        trial = driver.launch(report_many, count=10**9)
        driver.wait_for(trial, Reported)
        driver.wait_until(lambda: driver.executor._pool._paused)
        before = driver.executor._pool._unread
        driver.runner.run(asyncio.sleep(0.5))
        assert driver.executor._pool._unread - before < 2**20
        driver.do(Halt(trial, 1))
        assert isinstance(driver.wait_for(trial)[-1], Halted)

    def test_a_config_that_cannot_be_sent_fails_its_trial(self, driver):
        events = driver.run(report_thrice, object=object())
        assert isinstance(events[-1], Failed)
        assert "config" in events[-1].error


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
        driver.run(misbehave, main=driver.executor._carrier == "tcp")
        second = driver.result(look_around)
        assert second["at_home"]
        expected = {**first, "trial": driver.trials, "step": 1, "time_s": second["time_s"]}
        assert second == expected  # the same process, and the same draw from the same seed

    def test_a_silent_trial_leaves_no_files(self, driver):
        first = driver.launch(report_thrice)
        driver.wait_for(first)
        driver.result(print_much)  # whoever comes next takes the empty directory over
        driver.result(print_much)
        left = driver.directory / "trials" / f"{first:06d}"
        assert not left.exists() or not (left / "stdout").stat().st_size

    def test_a_thread_left_running_recycles_the_process(self, driver):
        first = driver.result(leave_a_thread)
        driver.wait_until(lambda: not alive(int(first["pid"])))
        assert driver.result(look_around)["pid"] != first["pid"]


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

    def test_sys_exit_is_a_failure(self, driver):
        assert "sys.exit(3)" in driver.run(die, how="sys")[-1].error

    def test_a_sleeper_is_interrupted_and_its_children_end(self, driver):
        if driver.executor._carrier != "tcp":
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

    def test_one_death_is_told_once(self, driver):
        driver.run(die, how="kill")
        assert driver.take(seconds=1.0) == [Ticked()]


class TestDevices:
    def test_a_trial_sees_the_gpus_that_it_was_granted(self, driver):
        assert driver.result(devices, gpu=1, gpus=(1,))["visible"] == "1"
        assert driver.result(devices, gpu=2, gpus=(0, 1))["visible"] == "0,1"
        assert driver.result(devices, gpu=0.5, gpus=(0,))["visible"] == "0"

    def test_a_trial_without_gpus_sees_none(self, driver):
        assert not driver.result(devices)["visible"]

    def test_gpu_trials_get_a_fresh_process_each(self, driver):
        pids = [driver.result(devices, gpu=1, gpus=(0,))["pid"] for _ in range(3)]
        assert len(set(pids)) == 3

    def test_numeric_libraries_get_as_many_threads_as_the_trial_has_cpus(self, driver, monkeypatch):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        assert driver.result(devices, cpus=2)["threads"] == "2"


def family() -> set[int]:
    """All processes below this one, by way of their parents."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return found
