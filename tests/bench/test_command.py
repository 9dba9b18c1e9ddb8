"""The command line: it compares what a file has with methods of ours, and writes what it found."""

import json

import numpy as np
import pytest

from trialwright.bench.command import main

MINE = """
from trialwright import ASHA
from trialwright.messages import Suggestion

class MyScheduler(ASHA):
    pass

class MySearcher:
    learns = False

    def setup(self, problem):
        self.space = problem.space
        return 1

    def suggest(self, history, requests, rng):
        return [Suggestion(self.space.sample(1, rng("mine", request.trial))[0]) for request in requests]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(MINE)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "curves.npz", losses=rng.random((20, 1)) + 1 / np.arange(1, 10))
    return tmp_path


def test_a_scheduler_of_a_file_is_compared_with_ours(here, capsys):
    flags = ["--tasks", "curves.npz", "--workers", "1", "4", "--seeds", "2", "--budget", "4"]
    assert main(["my.py:MyScheduler", "--against", "asha", "hyperband", *flags]) == 0
    assert "| hyperband |" in capsys.readouterr().out
    lines = json.loads((here / "bench" / "comparison.json").read_text())["lines"]
    assert {(line["method"], line["workers"]) for line in lines} == {
        (method, workers) for method in ("MyScheduler", "asha", "hyperband") for workers in (1, 4)
    }
    assert (here / "bench" / "regret.png").exists()


def test_a_searcher_of_a_file_is_compared_with_ours(here, capsys):
    flags = ["--tasks", "levy-2", "--seeds", "2", "--evaluations", "8", "--directory", "out"]
    assert main(["my.py:MySearcher", "--against", "tpe", *flags]) == 0
    assert "MySearcher" in (here / "out" / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["my.py:MyShceduler", "--against", "asha"], "did you mean 'MyScheduler'"),
        (["other.py:MyScheduler", "--against", "asha"], "there is no file other.py"),
        (["my.py:MyScheduler", "--against", "asha", "--tasks", "curvs.npz"], "there is no task or file 'curvs.npz'"),
        (["my.py:MySearcher", "--against", "tpe", "--budget", "4"], "budget: not a setting of compare_searchers"),
        (["asha"], "two methods at least"),
    ],
)
def test_a_command_that_is_wrong_is_refused(here, capsys, arguments, why):
    assert main(arguments) == 2
    assert why in capsys.readouterr().err
