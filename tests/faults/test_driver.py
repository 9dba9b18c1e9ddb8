"""The driver is killed, or told to stop: the run goes on as the same run."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("driver.py")
DEADLINE_S = 100.0


class Driver:
    """A run in a process of its own, that can be started again where it was left."""

    def __init__(self, directory: Path, executor: str):
        self.directory, self.executor = directory, executor
        self.marks = directory / "marks"

    def start(self):
        resume = ["--resume", str(self.run)] if self.run else []
        root = str(DRIVER.parents[2])
        return subprocess.Popen(
            [sys.executable, str(DRIVER), str(self.directory), self.executor, *resume],
            env={**os.environ, "MARKS": str(self.marks), "PYTHONPATH": root},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def run(self):
        return next(self.directory.glob("faulty-*"), None)

    def events(self) -> int:
        if self.run is None or not (self.run / "journal.sqlite").exists():
            return 0
        try:
            return self.rows("SELECT count(*) FROM events")[0][0]
        except sqlite3.OperationalError:  # not yet made
            return 0

    def rows(self, query: str):
        with closing(sqlite3.connect(f"file:{self.run}/journal.sqlite?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    def wait_for_events(self, count: int, process) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self.events() < count and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def finish(self) -> str:
        process = self.start()
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, err
        return out

    def attempts(self) -> list[tuple[int, ...]]:
        """Which (trial, attempt) ran user code, in order."""
        lines = self.marks.read_text().splitlines() if self.marks.exists() else []
        return [tuple(map(int, line.split())) for line in lines]


@pytest.mark.parametrize(
    ("executor", "kills"), [("local", [20, 70, 110]), pytest.param("ray", [60], marks=pytest.mark.slow)]
)
def test_a_driver_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path, executor, kills):
    driver = Driver(tmp_path, executor)
    acknowledged: list[set] = []
    ended: list[set] = []
    ran: list[int] = []
    for events in kills:
        process = driver.start()
        driver.wait_for_events(events, process)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
        acknowledged.append(set(driver.rows("SELECT trial, attempt, step, metrics FROM results")))
        ended.append(set(driver.rows("SELECT id FROM trials WHERE state = 'ended'")))
        ran.append(len(driver.attempts()))
    out = driver.finish()

    assert out.startswith("30 ")
    kept = set(driver.rows("SELECT trial, attempt, step, metrics FROM results"))
    assert all(results <= kept for results in acknowledged), "an acknowledged result is gone"
    attempts = driver.attempts()
    for results, trials, before in zip(acknowledged, ended, ran, strict=True):
        later = attempts[before:]
        assert not {(trial,) for trial, _ in later} & trials, "an ended trial ran again"
        assert not set(later) & {row[:2] for row in results}, "an attempt of which a report was acknowledged ran again"
    states = driver.rows("SELECT state, outcome, count(*) FROM trials GROUP BY 1, 2")
    assert sum(count for *_, count in states) == 30
    assert all(state == "ended" and outcome in {"stopped", "completed"} for state, outcome, _ in states)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_cleanly_and_says_how_to_continue(tmp_path, number, code):
    driver = Driver(tmp_path, "local")
    process = driver.start()
    driver.wait_for_events(20, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == code
    assert "Traceback" not in err
    assert re.search(r"can be resumed: Engine\.resume\('.*faulty-", err)
    assert driver.finish().startswith("30 ")


def test_a_second_signal_stops_at_once_and_the_run_can_be_resumed_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("PACE_S", "30")  # user code that does not listen: a polite end would wait for it
    driver = Driver(tmp_path, "local")
    process = driver.start()
    driver.wait_for_events(4, process)
    process.send_signal(signal.SIGINT)
    process.stderr.readline()  # it says that it is stopping
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=DEADLINE_S) == -signal.SIGINT  # the default action; a shell shows 130
    process.communicate()
    monkeypatch.setenv("PACE_S", "0")
    assert driver.finish().startswith("30 ")


@pytest.mark.slow
def test_a_signal_stops_ray_too_and_leaves_no_process_behind(tmp_path):
    driver = Driver(tmp_path, "ray")
    process = driver.start()
    driver.wait_for_events(30, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, err
    assert _children_of(process.pid) == []


def test_two_drivers_of_one_run_are_one_too_many(tmp_path, monkeypatch):
    monkeypatch.setenv("PACE_S", "0.2")
    driver = Driver(tmp_path, "local")
    process = driver.start()
    driver.wait_for_events(5, process)
    second = driver.start()
    _, err = second.communicate(timeout=DEADLINE_S)
    assert second.returncode != 0
    assert "RunLocked" in err
    assert str(process.pid) in err
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130


def _children_of(pid: int) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "pid,ppid,cmd"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    return [row[2] for row in rows if int(row[1]) == pid]
