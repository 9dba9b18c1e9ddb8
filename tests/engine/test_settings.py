"""What a run was told is remembered as far as it is data, and the rest is named."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from trialwright import Engine, Local, Processes, Simulated, report, space
from trialwright.engine import catalogue
from trialwright.errors import RunInterrupted
from trialwright.executors.on_ray import OnRay

SPACE = {"x": space.uniform(0, 1)}


class Own(Local):
    """An executor of a user's own."""


def train(config):
    if not config["x"] > 1 and os.environ.get("INTERRUPT") == "1":
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            report(loss=1.0)
            time.sleep(0.001)
    return config["x"]


def far_enough(trial, metrics):
    return False


def interrupted(tmp_path, monkeypatch, **keywords) -> str:
    """The line that is printed."""
    monkeypatch.setenv("INTERRUPT", "1")
    keywords = {"metric": "loss", "executor": Local(cpus=1, grace_s=0.5), "num_samples": 3, **keywords}
    with pytest.raises(RunInterrupted) as raised:
        Engine(train, SPACE, storage=tmp_path, searcher="random", seed=0, verbose=0, **keywords).run()
    monkeypatch.setenv("INTERRUPT", "0")
    return re.search(r"Engine\.resume\(.*", str(raised.value))[0]


def test_the_line_that_is_printed_resumes_the_run_where_it_was(tmp_path, monkeypatch):
    line = interrupted(tmp_path, monkeypatch, stop=far_enough)
    assert line.endswith(", train, stop=far_enough).run()")
    result = eval(line, {"Engine": Engine, "train": train, "far_enough": far_enough})
    assert len(result) == 3
    assert {trial.worker for trial in result} == {"trialwright-trial"}


def test_it_names_an_executor_that_must_be_given_again(tmp_path, monkeypatch):
    line = interrupted(tmp_path, monkeypatch, executor=Own(cpus=1))
    assert line.endswith(", train, executor=executor).run()")
    with pytest.raises(ValueError, match="executor is not plain data"):
        eval(line.replace(", executor=executor", ""), {"Engine": Engine, "train": train})
    assert len(eval(line, {"Engine": Engine, "train": train, "executor": Own(cpus=1)})) == 3


def test_what_has_no_name_is_called_as_its_keyword(tmp_path, monkeypatch):
    assert ", stop=stop)" in interrupted(tmp_path, monkeypatch, stop=[far_enough, lambda trial, metrics: False])


def test_a_resume_may_be_given_another_executor(tmp_path, monkeypatch):
    interrupted(tmp_path, monkeypatch)
    [path] = tmp_path.iterdir()
    engine = Engine.resume(path, train, executor=Own(cpus=2), verbose=0)
    assert type(engine._keywords["executor"]) is Own
    assert engine.run().trials[0].outcome == "completed"


def test_the_executor_comes_back_with_its_arguments(tmp_path, monkeypatch):
    interrupted(tmp_path, monkeypatch)
    [path] = tmp_path.iterdir()
    assert Engine.resume(path, train)._keywords["executor"] == Local(cpus=1, grace_s=0.5)


@pytest.mark.parametrize(
    "executor",
    [
        "local",
        Local(),
        Local(cpus=3, resources={"disk": 2}),
        Simulated(workers=3, seed=2),
        Processes(2, grace_s=1.0, resources={"memory": 2**30}),
        OnRay("ray://head:10001", grace_s=3.0, children=[{"cpu": 1}]),
    ],
)
def test_executors_of_ours_are_data(executor):
    described = catalogue.executor_to_plain(executor)
    again = catalogue.executor_from_plain(described)
    assert type(again) is type(executor)
    assert catalogue.executor_to_plain(again) == described


@pytest.mark.parametrize("executor", [Own(), Simulated(speeds=lambda placement: 1.0), object()])
def test_others_are_not(executor):
    with pytest.raises(TypeError, match="not plain data"):
        catalogue.executor_to_plain(executor)
