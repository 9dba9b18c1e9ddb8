"""Ray Tune's own unit tests: which of those that pass on Ray, and test nothing internal, pass on Trialwright?

    python -m benchmarks.ray_unit_tests --tests DIR                # all files; an hour or more
    python -m benchmarks.ray_unit_tests --tests DIR test_tuner     # only this file
    python -m benchmarks.ray_unit_tests --tests DIR --write-docs "Ray 2.60.0, tests of May 2026"  # ... and the page

``DIR`` is ``python/ray`` of a checkout of Ray: its wheels have no tests. Each file runs with pytest in a process of its
own, first with the installed Ray (the control), then with changed imports. ``--kept`` keeps the outcomes, one file of
JSON for each test file and side; what is there already is not run again. The page keeps what it says of other files.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.ray_unit_tests.page import File, row, rows, write
from benchmarks.ray_unit_tests.sources import HELPERS, Reach, local, rewritten

AREAS = (  # the test files about what the issue of this benchmark calls public behaviour
    "test_result_grid",
    "test_stopper",
    "test_callbacks",
    "test_run_experiment",
    "test_function_api",
    "test_experiment",
    "test_experiment_analysis",
    "test_logger",
    "test_progress_reporter",
    "test_sample",
    "test_var",
    "test_searcher_utils",
    "test_searchers",
    "test_trainable",
    "test_trainable_util",
    "test_tuner",
    "test_trial_scheduler",
    "test_trial_scheduler_resource_changing",
    "test_trial_scheduler_pbt",
    "test_api",
    "test_tuner_restore",
    "test_tune_restore",
    "test_tune_save_restore",
    "test_tune_restore_warm_start",
    "test_actor_reuse",
    "test_env_callbacks",
    "test_utils",
    "test_warnings",
    "test_convergence",
)
TRAIN_V1 = ("test_tuner", "test_tuner_restore")  # as Ray's own BUILD file has it; the others run with Ray Train V2
TEST_S = 240
FILE_S = 3600
SIDES = ("ray", "trialwright")


@dataclass(frozen=True)
class Outcome:
    """How one test ended.

    Args:
        outcome: ``passed``, ``failed``, ``skipped``, ``not collected``, ``not run`` or ``ended the process``.
        why: the last words of its error.
    """

    outcome: str
    why: str = ""


def prepare(package: Path, home: Path, *, ours: bool) -> None:
    """Write the test files, their helpers and the recorder into a folder."""
    for name in AREAS:
        text = (package / "tune" / "tests" / f"{name}.py").read_text(encoding="utf-8")
        (home / f"{name}.py").write_text(rewritten(text, ours=ours), encoding="utf-8")
    for helper, path in HELPERS.items():
        text = (package / path).read_text(encoding="utf-8")
        (home / f"{local(helper)}.py").write_text(rewritten(text, ours=ours), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("absent.py"), home / "absent.py")
    shutil.copy(Path(__file__).with_name("recording.py"), home / "conftest.py")


def attempt(name: str, home: Path, left_out: list[str]) -> dict[str, Outcome]:
    """Run a test file until each of its tests has an outcome; return them by the tests' names.

    A test that ends the process, or holds it up, is noted and left out of the next attempt.
    """
    log = home / f"{name}.log"
    found: dict[str, Outcome] = {}
    while True:
        done = [test for test, outcome in found.items() if outcome.outcome != "not run"]
        (home / "left_out.json").write_text(json.dumps([*left_out, *done]), encoding="utf-8")
        _pytest(name, home, log)
        found = _read(log)
        left = sum(outcome.outcome == "not run" for outcome in found.values())
        if not left or left == len(found) - len(done):  # all have run, or no further one has
            return found


def _pytest(name: str, home: Path, log: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="rt") as scratch:  # short: Ray's sockets lie in it
        paths = os.pathsep.join([str(home), str(Path(__file__).parents[2])])
        settings = {"PYTHONPATH": paths, "RAY_UNIT_TESTS_LOG": str(log), "RAY_TMPDIR": scratch, "HOME": scratch}
        settings["RAY_UNIT_TESTS_LEFT_OUT"] = str(home / "left_out.json")
        settings["RAY_TRAIN_V2_ENABLED"] = "0" if name in TRAIN_V1 else "1"
        plain = ["-p", "no:cacheprovider", "-p", "no:xdist", "-q", f"--timeout={TEST_S}", "--rootdir", str(home)]
        command = [sys.executable, "-m", "pytest", *plain, f"{name}.py"]
        with log.with_suffix(".out").open("a", encoding="utf-8") as out:
            process = subprocess.Popen(  # noqa: S603 - the file is a test of Ray's, which is what is run here
                command, cwd=home, env=os.environ | settings, stdout=out, stderr=out, start_new_session=True
            )
            try:
                process.wait(FILE_S)
            except subprocess.TimeoutExpired:
                pass
            finally:
                _end(process.pid)


def _end(group: int) -> None:
    """End what a test process has left behind: Ray's daemons are in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _read(log: Path) -> dict[str, Outcome]:
    """Return the outcomes in a log; of a test's lines the last counts, and a failure counts for good."""
    found: dict[str, Outcome] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        test, outcome, why = json.loads(line)
        if test not in found or found[test].outcome in ("passed", "ended the process", "not run"):
            found[test] = Outcome(outcome, why)
    return found


def outcomes(name: str, side: str, home: Path, kept: Path, left_out: list[str]) -> dict[str, Outcome]:
    """Return a test file's outcomes on one side: those kept, or else new ones, which are then kept."""
    file = kept / side / f"{name}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        found = attempt(name, home, left_out)
        file.write_text(json.dumps({test: [o.outcome, o.why] for test, o in found.items()}, indent=1), encoding="utf-8")
    return {test: Outcome(*pair) for test, pair in json.loads(file.read_text(encoding="utf-8")).items()}


def measured(name: str, package: Path, homes: dict[str, Path], kept: Path) -> File:
    """Return how one file's tests end, on each side that has a folder."""
    reach = Reach(package / "tune" / "tests" / f"{name}.py", package)
    internal = [test for test in reach.tests() if reach.internal(test)]
    found = {side: outcomes(name, side, home, kept, internal) for side, home in homes.items()}
    control = {test: outcome.outcome for test, outcome in found.get("ray", {}).items()}
    ours = {test: (outcome.outcome, outcome.why) for test, outcome in found.get("trialwright", {}).items()}
    return File(name, len(internal), control, ours)


def write_docs(files: list[File], snapshot: str) -> None:
    """Write the page from these files and from what is known of the others."""
    today = datetime.now(UTC).date().isoformat()
    found = rows() | {file.name: row(file, today) for file in files}
    known = {name: found[name] for name in AREAS if name in found}
    write(known, [name for name in AREAS if name not in found], snapshot)


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_unit_tests")
    parser.add_argument("files", nargs="*", metavar="FILE", help="only these test files, such as test_tuner")
    parser.add_argument("--tests", type=Path, required=True, help="python/ray of a checkout of Ray")
    parser.add_argument("--kept", type=Path, help="where outcomes are kept")
    parser.add_argument("--side", choices=SIDES, help="run only this side")
    parser.add_argument("--write-docs", metavar="WHAT", help="write docs/ray-tune-tests.md; WHAT tells which tests ran")
    given = parser.parse_args()
    if unknown := [name for name in given.files if name not in AREAS]:
        parser.error(f"not in the list of test files: {', '.join(unknown)}")
    if given.write_docs and given.side:
        parser.error("the page needs both sides")
    with tempfile.TemporaryDirectory() as scratch:
        homes = {side: Path(scratch, side) for side in SIDES if given.side in (None, side)}
        for side, home in homes.items():
            home.mkdir()
            prepare(given.tests, home, ours=side == "trialwright")
        files = []
        for name in given.files or AREAS:
            files.append(measured(name, given.tests, homes, given.kept or Path(scratch, "kept")))
            print(files[-1], flush=True)
    if given.write_docs:
        write_docs(files, given.write_docs)


if __name__ == "__main__":
    main()
