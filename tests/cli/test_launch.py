"""Runs that the command line starts, here and in the background, and resumes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import trialwright
from trialwright import runs
from trialwright.cli.driving import CommandEngine
from trialwright.page.runs import Runs
from trialwright.storage import lock

PROGRAM = """
import time
from trialwright import report
def objective(config):
    for step in range(config.get("steps", 2)):
        time.sleep(config.get("wait", 0))
        report(loss=config["x"] + step)
def bad(config):
    raise ValueError("no")
"""


@pytest.fixture
def program(tmp_path) -> Path:
    (tmp_path / "a_training.py").write_text(PROGRAM)
    (tmp_path / "space.json").write_text('{"x": {"uniform": [0, 1]}}')
    return tmp_path / "a_training.py"


@pytest.fixture
def local(call, program):
    """Calls ``run`` with what all these runs have."""
    usual = ["--space", program.with_name("space.json"), "--metric", "loss", "--executor", "local", "--verbose", 0]
    usual += ["--storage", program.parent / "runs", "--searcher", "random", "--seed", 1]
    return lambda *arguments: call("run", *arguments, *usual)


def test_options_become_keywords_of_the_engine(local, program):
    options = ["--num-samples", 3, "--scheduler", "asha(max_t=2)", "--stop", "loss<=0.01", "--resource", "cpu=0.5"]
    options += ["--name", "mine", "--note", "data=v2", "--point", '{"x": 0.25}', "--max-concurrent-trials", 2]
    result = local(f"{program}:objective", *options, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert (told["name"], told["state"], told["trials"]) == ("mine", "finished", 3)
    settings = told["settings"]
    assert settings["stop"] == {"loss": ["<=", 0.01]}
    assert (settings["resources"], settings["notes"], settings["seed"]) == ({"cpu": 0.5}, {"data": "v2"}, 1)
    assert trialwright.load(told["path"])[0].config == {"x": 0.25}


def test_an_experiment_is_read_from_a_file_and_options_replace_it(call, program):
    experiment = {"objective": "a_training.py:objective", "space": "space.json", "metric": "loss", "num_samples": 5}
    experiment |= {"executor": "local", "searcher": "random", "storage": str(program.parent / "runs")}
    program.with_name("experiment.json").write_text(json.dumps(experiment))
    result = call("run", program.with_name("experiment.json"), "-n", 2, "--verbose", 0, "--json")
    assert json.loads(result.output)["states"] == {"ended": 2}


def test_a_run_in_which_every_trial_fails_exits_with_1(local, program):
    assert local(f"{program}:bad", "-n", 2).exit_code == 1


@pytest.mark.parametrize(
    ("what", "options", "why"),
    [
        ("objectiv", [], "did you mean 'objective'"),
        ("objective", ["--stop", "loss"], "is not METRIC>=NUMBER"),
        ("objective", ["--mode", "maximise"], "mode must be 'min' or 'max'"),
        ("objective", ["--resource", "cpu"], "is not NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_refused_with_2(local, program, what, options, why):
    result = local(f"{program}:{what}", *options)
    assert (result.exit_code, why in result.output) == (2, True), result.output


def test_a_finished_run_gets_more_samples_by_a_resume(local, call, program):
    path = json.loads(local(f"{program}:objective", "-n", 2, "--json").output)["path"]
    result = call("resume", path, f"{program}:objective", "-n", 4, "--verbose", 0, "--json")
    assert json.loads(result.output)["trials"] == 4


def test_an_interrupted_run_says_by_which_command_it_is_resumed():
    engine = CommandEngine(print, {})
    engine.objective_name = "train.py:objective"
    assert engine.how_to_resume(Path("/a b"), []) == "trialwright resume '/a b' train.py:objective"
    assert engine.how_to_resume(Path("/a"), ["stop"]).startswith("Engine.resume(")


def environment():
    return {**os.environ, "PYTHONPATH": str(Path(trialwright.__file__).parents[1])}


def command(*arguments):
    return [sys.executable, "-m", "trialwright", *map(str, arguments)]


def trialwright_does(*arguments, directory):
    """Calls the program in a process of its own."""
    given = {"cwd": directory, "env": environment(), "text": True, "capture_output": True, "timeout": 100}
    return subprocess.run(command(*arguments), check=False, **given)


@pytest.fixture
def finishing():
    """The paths of runs in the background, which are ended if the test has not done so."""
    paths = list[Path]()
    yield paths
    for path in paths:
        if (driver := lock.driver(path)) is not None:
            os.kill(driver.pid, signal.SIGTERM)


def wait_for(reached):
    end = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_detached_run_is_paused_continued_watched_and_stopped_by_other_processes(call, program, tmp_path, finishing):
    experiment = {"objective": "a_training.py:objective", "metric": "loss", "executor": "local(cpus=1)"}
    experiment |= {"space": {"x": {"uniform": [0, 1]}, "wait": 0.01, "steps": 20}, "searcher": "random"}
    experiment |= {"storage": "runs", "num_samples": -1, "name": "away"}
    (tmp_path / "experiment.json").write_text(json.dumps(experiment))
    started = trialwright_does("run", "-d", "experiment.json", directory=tmp_path)
    assert started.returncode == 0, started.stderr
    path = Path(started.stdout.strip())
    assert path.parent == tmp_path / "runs"
    finishing.append(path)
    wait_for(lambda: runs.describe(path).ended > 1)
    assert runs.describe(path).state == "running"
    assert call("pause", path).exit_code == 0
    wait_for(lambda: "PauseRequested" in call("tail", path, "-n", 50, "--no-follow").output)
    wait_for(lambda: "running" not in runs.describe(path).states)
    [listed] = json.loads(call("ls", path.parent, "--json").output)
    assert (listed["state"], json.loads(call("show", path, "--json").output)["state"]) == ("paused", "paused")
    assert "state\tpaused, in process" in call("show", path).output
    page = Runs(path.parent)
    assert [line["state"] for line in page.listed()] == ["paused"]
    ended = runs.describe(path).ended
    assert call("continue", path).exit_code == 0
    wait_for(lambda: runs.describe(path).ended > ended)
    assert runs.describe(path).state == "running"
    assert [line["state"] for line in page.listed()] == ["running"]
    assert call("stop", path).exit_code == 0
    attached = call("attach", path)
    assert attached.exit_code == 0, attached.output
    assert runs.describe(path).state == "finished"
    assert "away" in (path / "driver.log").read_text()


def test_a_detached_run_that_does_not_begin_says_why(program, tmp_path):
    wrong = trialwright_does(
        "run", "-d", "a_training.py:nothing", "--space", "space.json", "--storage=runs", directory=tmp_path
    )
    assert wrong.returncode == 1
    assert "'a_training.py' has no 'nothing'" in wrong.stderr
    assert [*(tmp_path / "runs").iterdir()] == []


def test_an_interrupted_run_exits_with_130_and_says_by_which_command_it_is_resumed(program, tmp_path):
    experiment = {
        "objective": "a_training.py:objective",
        "space": {"x": {"uniform": [0, 1]}, "wait": 0.05, "steps": 999},
    }
    experiment |= {"metric": "loss", "executor": "local", "searcher": "random", "storage": "runs"}
    (tmp_path / "experiment.json").write_text(json.dumps(experiment))
    with subprocess.Popen(
        command("run", "experiment.json"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: (tmp_path / "runs").is_dir() and any(run.steps for run in runs.runs_in(tmp_path / "runs")))
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    [run] = runs.runs_in(tmp_path / "runs")
    assert process.returncode == 130
    assert f"trialwright resume {run.path} a_training.py:objective" in told
    assert run.state == "interrupted"


def test_a_command_starts_without_the_libraries_for_searchers_and_ray():
    code = "import sys, trialwright.cli.main; print({'ray', 'scipy', 'numpy'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "set()\n"
