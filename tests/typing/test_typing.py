"""The package's types are of use to those who write programs with it."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import trialwright

HERE = Path(__file__).parent
ROOT = Path(trialwright.__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(600)  # mypy reads the types of NumPy anew
def test_mypy_finds_the_mistakes_of_a_users_program_and_no_other(tmp_path):
    files = [str(HERE / name) for name in ("program.py", "front_door.py", "mistakes.py")]
    options = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(ROOT)},
    )
    assert (done.stdout, done.stderr) == ("Success: no issues found in 3 source files\n", "")


def test_the_programs_that_are_checked_run(tmp_path):
    assert runpy.run_path(str(HERE / "front_door.py"))["tuned"](str(tmp_path)) < 1
    lr, value = runpy.run_path(str(HERE / "program.py"))["best_of_both"]()
    assert 1e-4 <= lr <= 1e-1
    assert 0 <= value <= 1
