"""The command line: it compares what a file has with methods of ours, and writes what it found."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from trialwright.cli.main import app

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


def bench(*arguments):
    return CliRunner().invoke(app, ["bench", *arguments])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(MINE)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "curves.npz", losses=rng.random((20, 1)) + 1 / np.arange(1, 10))
    return tmp_path


def test_a_scheduler_of_a_file_is_compared_with_ours(here):
    flags = ["--tasks", "curves.npz", "--workers", "1", "4", "--seeds", "2", "--budget", "4"]
    assert "| hyperband |" in bench("my.py:MyScheduler", "--against", "asha", "hyperband", *flags).stdout
    lines = json.loads((here / "bench" / "comparison.json").read_text())["lines"]
    assert {(line["method"], line["workers"]) for line in lines} == {
        (method, workers) for method in ("MyScheduler", "asha", "hyperband") for workers in (1, 4)
    }
    assert (here / "bench" / "regret.png").exists()


def test_a_searcher_of_a_file_is_compared_with_ours(here):
    flags = ["--tasks", "levy-2", "--seeds", "2", "--evaluations", "8", "--directory", "out"]
    found = json.loads(bench("my.py:MySearcher", "--against", "tpe", *flags, "--json").stdout)
    assert {line["method"] for line in found} == {"MySearcher", "tpe"}
    assert "MySearcher" in (here / "out" / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["my.py:MyShceduler", "--against", "asha"], "did you mean 'MyScheduler'"),
        (["other.py:MyScheduler", "--against", "asha"], "other.py"),
        (["my.py:MyScheduler", "--against", "asha", "--tasks", "curvs.npz"], "there is no task or file 'curvs.npz'"),
        (["my.py:MySearcher", "--against", "tpe", "--budget", "4"], "budget cannot be given where searchers"),
        (["asha"], "two methods at least"),
    ],
)
def test_a_command_that_is_wrong_is_refused(here, arguments, why):
    done = bench(*arguments)
    assert (done.exit_code, why in done.stderr) == (2, True), done.stderr
