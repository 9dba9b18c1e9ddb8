"""Processes of this machine: what only they promise. The rest is in ``test_slots.py``."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from tests.contracts.executor import Driver, PlainSpace, report_thrice
from tests.executors.in_workers import alive, die, family, hang, objective, start_a_daemon
from trialwright import Engine, context, space
from trialwright.executors import processes
from trialwright.executors.base import Run
from trialwright.executors.processes import Processes
from trialwright.messages import Finished, Halt, Halted, Reported


@pytest.fixture
def driver(tmp_path):
    driver = Driver(Processes(2, grace_s=1.0), tmp_path, objective)
    driver.open()
    yield driver
    driver.close()
    driver.runner.close()


def run(objective, what, **keywords):
    keywords = {"executor": "processes", "searcher": "random", **keywords}
    return Engine(objective, what, metric="loss", storage=None, verbose=0, **keywords).run()


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


ONE = {"x": space.uniform(0, 1)}


def test_the_cause_of_a_death_is_named(driver):
    assert driver.run(die, how="kill")[-1].reason.endswith("killed by SIGKILL")
    assert driver.run(die, how="abort")[-1].reason.endswith("killed by SIGABRT")
    assert driver.run(die, how="exit")[-1].reason.endswith("left with exit code 3")


def test_a_kill_for_lack_of_memory_is_distinguished_from_other_kills():
    assert processes._cause(-9, short_of_memory=True) == "the system killed it, because memory ran out"
    assert processes._cause(-9, short_of_memory=False) == "killed by SIGKILL"
    assert processes._cause(None, short_of_memory=False) == "the fork server has ended"


def test_a_daemon_of_a_trial_that_must_be_killed_ends_with_it(driver):
    trial = driver.launch(start_a_daemon)
    row = driver.wait_for(trial, Reported)[-1].row(0)
    driver.do(Halt(trial, 1))
    assert driver.wait_for(trial)[-1] == Halted(trial, 1)
    driver.wait_until(lambda: not alive(row["daemon"]))


def test_this_machine_is_counted_as_it_is(driver):
    [node] = driver.nodes
    assert node.resources["cpu"] == 2
    assert node.resources["memory"] > 2**20


def test_gpus_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    assert processes._devices() == ["3", "7"]
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert processes._devices() == []


def test_gpus_without_the_variable_are_those_that_the_drivers_tool_lists(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A'\necho 'GPU 1: A'\n")
    tool.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert processes._devices() == ["0", "1"]


def test_nothing_is_left_when_the_run_is_over(tmp_path, capfd):
    def held():
        return len(family()), open_descriptors(), threading.active_count()

    def one_run():
        driver = Driver(Processes(1), tmp_path, objective)
        driver.open()
        driver.launch(hang, stubborn=True)
        driver.close()
        driver.runner.close()

    one_run()  # starts what multiprocessing keeps for this process, its resource tracker
    wait_for(lambda: len(family()) <= 2)
    before = held()
    for _ in range(2):
        one_run()
    wait_for(lambda: held() == before)
    assert capfd.readouterr().err == "", "ending a process that is still starting is no reason to say anything"


def test_an_executor_serves_one_run_after_another(tmp_path):
    executor = Processes(1)
    for _ in range(2):
        driver = Driver(executor, tmp_path, objective)
        driver.open()
        assert isinstance(driver.run(report_thrice)[-1], Finished)
        driver.close()


def test_an_objective_that_cannot_be_sent_is_a_type_error_before_anything_starts(tmp_path):
    with pytest.raises(TypeError, match="cannot be sent"), asyncio.Runner() as runner:
        runner.run(Processes().open(Run(threading.Lock(), PlainSpace(), print, (), tmp_path)))  # type: ignore[arg-type]


def test_a_fresh_process_for_each_trial_leaves_neither_processes_nor_descriptors(tmp_path):
    driver = Driver(Processes(2, reuse_workers=False), tmp_path, objective)
    driver.open()

    def held():
        return len(family()), open_descriptors(), threading.active_count()

    for _ in range(3):
        driver.run(report_thrice)
    before = held()
    for _ in range(15):
        driver.run(report_thrice)
    driver.wait_until(lambda: held() <= tuple(number + 3 for number in before))
    driver.close()
    driver.runner.close()


def test_the_fork_server_has_imported_pure_python_only():
    heavy = "{'numpy', 'torch', 'ray', 'scipy'}"
    program = f"import sys; import trialwright.executors.worker; print(sorted(set(sys.modules) & {heavy}))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def with_threads(config):
    import torch

    torch.set_num_threads(4)
    size = torch.randn(200, 200)
    return {"loss": float((size @ size).sum() * 0), "threads": torch.get_num_threads()}


@pytest.mark.slow
def test_a_trial_that_imports_torch_and_uses_four_threads_works():
    pytest.importorskip("torch")
    result = run(with_threads, ONE, num_samples=2, executor=Processes(1))
    assert [trial.metrics["threads"] for trial in result] == [4] * 2


def leave_a_thread_named(config):
    threading.Thread(target=threading.Event().wait, name=f"watch-{config['x']}", daemon=True).start()
    return {"loss": 1.0}


def test_why_a_process_is_not_used_again_is_said_once():
    result = run(leave_a_thread_named, ONE, num_samples=2)
    [warning] = result.warnings
    assert "a thread was left running (watch-" in warning


PROGRAM = """
    from trialwright import Engine, report, space

    def objective(config):
        report(loss=config["x"])

    result = Engine(objective, {"x": space.uniform(0, 1)}, metric="loss", num_samples=4, executor="processes",
                    storage=None, verbose=0).run()
    print(len(result), {trial.outcome for trial in result})
"""


def test_a_main_module_needs_no_guard(tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    said = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "4 {'completed'}", said.stderr


ORPHANS = """
    import os, time
    from trialwright import Engine, context, report, space

    def objective(config):
        report(loss=1.0)
        (context().directory.parent / f"pid-{os.getpid()}").write_text("")
        time.sleep(1000)

    Engine(objective, {"x": space.uniform(0, 1)}, metric="loss", num_samples=2, executor="processes",
           storage="runs", verbose=0, max_concurrent_trials=2, resources={"cpu": 0.5}).run()
"""


def test_slots_and_server_end_when_the_driver_is_killed(tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(ORPHANS))
    driver = subprocess.Popen([sys.executable, "program.py"], cwd=tmp_path)

    def workers():
        return [int(path.name.partition("-")[2]) for path in tmp_path.glob("runs/*/trials/pid-*")]

    wait_for(lambda: len(workers()) == 2)
    [server] = {parent_of(pid) for pid in workers()}
    driver.kill()
    driver.wait()
    wait_for(lambda: not any(map(alive, [server, *workers()])))


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_for(condition, patience_s=60.0):
    over = threading.Event()
    for _ in range(int(patience_s * 20)):
        if condition():
            return
        over.wait(0.05)
    raise AssertionError("it did not come to that")


def dies_now_and_then(config):
    if context().attempt == 1 and config["x"] < 0.5:
        os.kill(os.getpid(), 9)
    return {"loss": config["x"]}


@pytest.mark.slow
def test_no_trial_is_lost_to_workers_that_are_killed():
    result = run(dies_now_and_then, ONE, num_samples=16, max_failures=1, executor=Processes(4), seed=0)
    assert {trial.outcome for trial in result} == {"completed"}
    assert sum(trial.attempts == 2 for trial in result) == sum(trial.config["x"] < 0.5 for trial in result) > 4


MODULE = """
    from trialwright import Engine, space
    from mine import objective

    print(Engine(objective, {"x": space.uniform(0, 1)}, metric="loss", num_samples=2, executor="processes",
                 storage=None, verbose=0).run()[0].outcome)
"""


def test_modules_beside_the_program_are_found_from_a_trials_directory(tmp_path):
    (tmp_path / "mine.py").write_text("def objective(config):\n    return {'loss': config['x']}\n")
    program = [sys.executable, "-c", textwrap.dedent(MODULE)]  # then sys.path has "" for where it was started
    said = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "completed", said.stderr
