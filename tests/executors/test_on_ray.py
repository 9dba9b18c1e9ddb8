"""What only Ray can show: one of others, one of ours, its calls as a carrier. The rest is in ``test_slots.py``."""

import asyncio
import os
import re
import signal
import threading
import time
import urllib.request
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.contracts.executor import DEADLINE_S, Driver, PlainSpace, losses, report_thrice
from tests.executors.in_workers import alive, family, hang, have_a_child, look_around, objective
from trialwright.errors import ExecutorError
from trialwright.executors import on_ray, ray_cluster
from trialwright.executors.base import Run
from trialwright.executors.on_ray import OnRay
from trialwright.messages import CapacityChanged, Finished, Halt, Halted, Lost, Reported

PROMPT = {"gcs_pull_resource_loads_period_milliseconds": 100}  # else what Ray counts is up to a second behind


@pytest.fixture(scope="class")
def ray_of_others():
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, _system_config=PROMPT)
    yield ray
    ray.shutdown()


@pytest.fixture
def cluster(ray_of_others):
    """It, with all that it has free: what the test before has ended may still be counted."""
    wait_for_free(ray_of_others, cpus=2)
    return ray_of_others


@pytest.fixture
def drive(cluster, tmp_path):
    """Make an open driver. It is closed also where the test fails: the next test needs its room."""
    drivers = []

    def make(objective=objective, **options):
        drivers.append(Driver(OnRay(**options), tmp_path, objective))
        drivers[-1].open()
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.close()


@pytest.fixture
def neighbour(cluster):
    """Let others hold both CPUs, or one, and Ray know it; they let go at the end of the test, if not before."""
    actors = []

    def make(cpus):
        actors.append(cluster.remote(num_cpus=cpus)(Neighbour).remote())
        cluster.get(actors[-1].ping.remote())
        wait_for_free(cluster, cpus=2 - cpus)
        return actors[-1]

    yield make
    for actor in actors:
        cluster.kill(actor)


class Neighbour:
    def ping(self):
        return 1


def wait_for_free(ray, cpus):
    """Wait until Ray tells an executor that so many CPUs are free: it keeps several books, and one is a little late."""
    asked = OnRay()._cluster
    asked._ray = ray
    began = time.monotonic()
    while asked.look().nodes[0].free.get("CPU", 0) != cpus or ray.available_resources().get("CPU", 0) != cpus:
        assert time.monotonic() < began + DEADLINE_S
        time.sleep(0.02)


class TestRayOfOthers:  # first, while no other test has a Ray open
    def test_it_is_left_running(self, drive, cluster):
        driver = drive()
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

    def test_slots_that_cannot_dial_are_called_which_is_said(self, drive, caplog):
        driver = drive()
        driver.executor._pool.launcher.address = ("127.0.0.1", 1)  # where nothing listens
        assert losses(driver.run(report_thrice)) == [3.0, 2.0, 1.0]
        assert "cannot connect" in caplog.text

    def test_a_slot_that_never_comes_is_lost_and_then_the_run_ends(self, drive):
        driver = drive(start_s=0.01)
        for _ in range(2):
            lost = driver.run(report_thrice)[-1]
            assert isinstance(lost, Lost)
            assert lost.preempted  # no fault of the trial's
            assert "could be started" in lost.reason
        with pytest.raises(ExecutorError, match="3 workers in a row"):
            driver.run(report_thrice)

    def test_shapes_take_turns_where_there_is_no_room_for_both(self, drive):
        driver = drive()
        for cpus in (2, 1, 2):  # an idle process of the other shape has to make room in Ray's books
            assert isinstance(driver.run(report_thrice, cpus=cpus)[-1], Finished)

    def test_what_a_trial_starts_has_the_room_that_was_granted_for_it(self, drive, cluster):
        driver = drive(children=[{"cpu": 1}])
        report = driver.result(have_a_child, cpus=2)
        assert report["own"] != report["child"]
        driver.launch(have_a_child, cpus=2, hang=True)  # of the same shape: it runs in the slot that is there
        driver.close()
        groups = cluster.util.placement_group_table
        driver.wait_until(lambda: {group["state"] for group in groups().values()} == {"REMOVED"})
        driver.wait_until(lambda: cluster.available_resources().get("CPU") == 2)

    def test_a_trial_that_waits_for_its_room_can_be_halted(self, drive, cluster):
        driver = drive(children=[{"cpu": 2}])
        trial = driver.launch(report_thrice, cpus=4)  # Ray has two
        driver.do(Halt(trial, 1))
        assert isinstance(driver.wait_for(trial)[-1], Halted)
        driver.close()
        driver.wait_until(lambda: cluster.available_resources().get("CPU") == 2)

    def test_what_it_counts_cannot_be_chosen(self, cluster, tmp_path):
        with pytest.raises(ExecutorError, match="num_cpus"):
            Driver(OnRay(num_cpus=3), tmp_path, objective).open()

    def test_its_dashboard_is_not_ours_to_start(self, cluster, tmp_path, monkeypatch):
        monkeypatch.setattr(on_ray, "_OF_DASHBOARD", "ray")
        with pytest.raises(ExecutorError, match="dashboard=True is only for a Ray that is started here"):
            Driver(OnRay(dashboard=True), tmp_path, objective).open()

    def test_what_a_neighbour_holds_is_not_granted(self, drive, cluster, neighbour):
        other = neighbour(cpus=1)
        driver = drive()
        assert driver.nodes[0].others == {"cpu": 1.0}
        assert isinstance(driver.run(report_thrice)[-1], Finished)  # its slot stays, and is not a neighbour
        cluster.kill(other)
        driver.wait_until(lambda: look(driver) or driver.executor._nodes[0][0].others == {})

    def test_a_worker_whose_room_others_have_taken_is_no_miss(self, drive, neighbour):
        driver = drive(start_s=2.0)
        neighbour(cpus=2)
        trial = driver.launch(report_thrice)
        beat(driver)
        driver.wait_until(lambda: look(driver) or driver.executor._nodes[0][0].others == {"cpu": 2.0})
        assert driver.wait_for(trial)[-1].preempted
        assert driver.executor._pool._misses == 0

    @pytest.mark.parametrize("stubborn", [False, True])  # True: it has to be killed
    def test_workers_that_cannot_start_do_not_end_a_run_in_which_others_work(self, drive, stubborn):
        driver = drive(grace_s=1.0)
        working = driver.launch(hang, stubborn=stubborn)
        driver.wait_for(working, Reported)
        driver.executor._pool.rules = replace(driver.executor._pool.rules, start_s=0.01)
        for _ in range(4):
            assert isinstance(driver.run(report_thrice, cpus=0.5)[-1], Lost)
        driver.do(Halt(working, 1))
        assert isinstance(driver.wait_for(working)[-1], Halted)
        assert driver.executor._pool._misses == 0

    def test_an_idle_worker_lets_go_of_what_others_could_use(self, drive, cluster):
        driver = drive()
        assert isinstance(driver.run(report_thrice)[-1], Finished)
        for _ in range(3):  # beats, five seconds apart
            beat(driver)
        driver.wait_until(lambda: cluster.available_resources().get("CPU") == 2)
        assert isinstance(driver.run(report_thrice)[-1], Finished)

    def test_a_task_that_waits_for_what_trials_hold_gives_a_warning(self, drive):
        said = []
        driver = drive(grace_s=1.0)
        driver.executor._warn = said.append
        trial = driver.launch(have_a_child, cpus=2)
        driver.wait_until(lambda: look(driver) or said)
        assert "{'cpu': 1}, which the trials of this run hold" in said[0]
        assert "OnRay(children=" in said[0]
        driver.do(Halt(trial, 1))
        driver.wait_for(trial)

    @pytest.mark.slow
    def test_rays_handles_work_in_trials(self, cluster, drive):
        data, other = cluster.put([1, 2, 3]), cluster.remote(num_cpus=0)(Neighbour).remote()

        def use(config):
            import ray

            return {"loss": sum(ray.get(data, timeout=30)) + ray.get(other.ping.remote(), timeout=30)}

        driver = drive(use)
        assert driver.result(report_thrice)["loss"] == 7


def look(driver):
    driver.runner.run(driver.executor._look())


def beat(driver):
    async def inside() -> None:
        driver.executor._pool.beat()

    driver.runner.run(inside())
    driver.runner.run(asyncio.sleep(0.1))


@pytest.mark.slow
class TestMachinesOfOthers:
    def test_the_trials_of_a_machine_that_leaves_are_lost_without_a_failure(self, tmp_path):
        ray, cluster_utils = pytest.importorskip("ray"), pytest.importorskip("ray.cluster_utils")
        small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=small)
        leaver = cluster.add_node(**small)
        ray.init(address=cluster.address, log_to_driver=False)
        driver = Driver(OnRay(), None, objective)
        try:
            driver.open()
            there = next(node for node in driver.nodes if node.name == leaver.node_id)
            driver.nodes = (there, *(node for node in driver.nodes if node != there))
            trial = driver.launch(hang)
            driver.wait_for(trial, Reported)
            remains = Path(driver.executor._temporary)
            driver.runner.run(asyncio.to_thread(driver.executor._cluster.remove, str(remains)))
            assert not remains.exists()  # another machine has removed it: here they share a disk
            cluster.remove_node(leaver)
            lost = driver.wait_for(trial)[-1]
            assert isinstance(lost, Lost)
            assert lost.preempted
            changed = [event for event in driver.backlog if isinstance(event, CapacityChanged)]
            assert [leaver.node_id in [node.name for node in event.nodes] for event in changed] == [False]
            for _ in range(3):
                assert driver.run(report_thrice)[-1].preempted  # it is not there, and that is no miss
            assert driver.executor._pool._misses == 0
        finally:
            driver.close()
            ray.shutdown()
            cluster.shutdown()


def searchers():
    return [thread for thread in threading.enumerate() if thread.name == "trialwright-searcher"]


class TestRayOfOurs:
    def test_the_last_engine_out_stops_it_and_nothing_is_left_of_it(self, tmp_path):
        before = family()
        variables, terminate = dict(os.environ), signal.getsignal(signal.SIGTERM)
        first, second = (Driver(OnRay(num_cpus=cpus), tmp_path, objective) for cpus in (1, None))
        first.open()
        second.open()
        first.close()
        second.wait_until(lambda: len(searchers()) == 1)  # its thread has not stayed because Ray started meanwhile
        assert isinstance(second.run(report_thrice)[-1], Finished)
        second.launch(hang, stubborn=True)
        assert len(family()) > len(before)
        assert dict(os.environ) == variables
        second.close()
        assert not ray_cluster.is_running()
        second.wait_until(lambda: family() <= before)
        assert dict(os.environ) == variables
        assert signal.getsignal(signal.SIGTERM) == terminate

    def test_without_its_packages_a_dashboard_is_refused_with_the_command_for_them(self, monkeypatch):
        monkeypatch.setattr(on_ray, "_OF_DASHBOARD", "a_package_that_is_not_there")
        with pytest.raises(ValueError, match=r"pip install 'ray\[default\]'"):
            OnRay(dashboard=True)

    @pytest.mark.slow
    @pytest.mark.skipif(find_spec("aiohttp_cors") is None, reason="Ray's dashboard needs pip install 'ray[default]'")
    def test_its_dashboard_answers_at_the_address_that_is_printed(self, tmp_path, capsys):
        driver = Driver(OnRay(num_cpus=1, dashboard=True), tmp_path, objective)
        driver.open()
        [url] = re.findall(r"http://[\w.:]+", capsys.readouterr().err)
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            assert answer.status == 200
        driver.close()

    def test_slots_cannot_connect_to_the_driver_under_rays_client_whatever_gives_its_address(self, monkeypatch):
        monkeypatch.setenv("RAY_ADDRESS", "ray://somewhere:10001")
        assert not OnRay()._cluster.can_dial()
        assert not OnRay("ray://elsewhere:10001")._cluster.can_dial()
        monkeypatch.setenv("RAY_ADDRESS", "somewhere:6379")
        assert OnRay()._cluster.can_dial()

    def test_a_cluster_that_is_not_there_is_an_error_with_advice(self, tmp_path):
        driver = Driver(OnRay(address="127.0.0.1:1"), tmp_path, objective)
        with pytest.raises(ExecutorError, match="RAY_AUTH_MODE"):
            driver.open()
        driver.close()

    def test_an_objective_that_cannot_be_sent_is_a_type_error_before_anything_starts(self, tmp_path):
        executor = OnRay()
        with pytest.raises(TypeError, match="cannot be sent"), asyncio.Runner() as runner:
            runner.run(executor.open(Run(threading.Lock(), PlainSpace(), print, (), tmp_path)))  # type: ignore[arg-type]
