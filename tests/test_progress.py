"""What a run shows, and what it says at its end."""

import io
import math
from dataclasses import replace
from functools import partial

import pytest

from trialwright import progress
from trialwright.core.failures import Failure
from trialwright.progress import (
    Best,
    LineProgress,
    LiveProgress,
    NoProgress,
    Snapshot,
    Statistics,
    choose_progress,
    duration,
    line,
    number,
    rows,
    settings,
    summary_lines,
)

MIDWAY = Snapshot(
    name="digits",
    directory="runs/digits-1",
    elapsed_s=75.2,
    states={"waiting": 0, "running": 4, "paused": 2, "ended": 30},
    outcomes={"completed": 3, "stopped": 26, "failed": 1},
    wanted=40,
    best=Best(7, "accuracy", 0.98333333, {"lr": 0.00123456, "model": {"width": 128}}),
    resources={"cpu": (3.5, 4.0), "memory": (2**30, 3 * 2**30)},
    reports=12_345,
    reports_per_s=164.2,
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(Terminal):
    """A pipe whose reader has left."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        raise BrokenPipeError


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_line_says_what_matters():
    assert line(MIDWAY) == (
        "digits 1 min 15 s: 4 running, 2 paused, 30 of 40 ended (3 completed, 26 stopped, 1 failed) | "
        "best so far accuracy 0.9833 (trial 7: lr=0.001235 model/width=128) | cpu 3.5 of 4 | memory 1 of 3 GiB | "
        "12,345 reports (164.2/s)"
    )


def test_a_run_that_has_not_begun_has_a_line_too():
    assert line(Snapshot("digits")) == "digits 0 s: 0 ended | 0 reports (0/s)"


def test_the_table_shows_the_newest_warnings_and_why_the_run_ends():
    shown = rows(Snapshot("digits", stopped="time budget", warnings=("first", "second", "third")))
    assert shown[-3:] == [("stopping", "time budget"), ("warning", "second"), ("warning", "third")]


def test_the_summary_says_what_came_out_and_where_the_time_went():
    statistics = Statistics(
        wall_s=75.2,
        handle_s=0.376,
        loop_lag_p99_s=0.0004,
        loop_lag_max_s=0.0031,
        queue_max=12,
        commits=300,
        commit_s=1.2,
        commit_max_s=0.012,
        searcher_s=0.25,
        launch_mean_s=0.0041,
        idle_s={"nothing left": 4.2, "searcher": 8.1, "resources": 0.0},
    )
    assert summary_lines(MIDWAY, statistics) == [
        "digits: 30 trials in 1 min 15 s: 3 completed, 26 stopped, 1 failed; 6 not ended",
        "best: accuracy 0.9833 (trial 7: lr=0.001235 model/width=128)",
        "where 1 min 15 s went:",
        "  deciding    376.0 ms (0.5%); 12,345 reports, 164.2/s",
        "  event loop  late by 400 us at p99, 3.1 ms at most; up to 12 events a turn",
        "  commits     300 in 1.2 s; 4.0 ms each, 12.0 ms at most",
        "  elsewhere   searcher 250.0 ms; launches 4.1 ms each",
        "  idle slots  searcher 8.1 s, nothing left 4.2 s",
        "kept in runs/digits-1",
    ]


@pytest.mark.parametrize(("searcher_s", "hints"), [(30.0, 1), (24.0, 0)])
def test_the_summary_hints_at_faster_searchers_where_one_took_most_of_the_time(searcher_s, hints):
    lines = summary_lines(MIDWAY, Statistics(wall_s=50.0, searcher_s=searcher_s))
    assert sum(line.startswith("  hint        most went to the searcher") for line in lines) == hints


def test_the_summary_of_a_run_in_which_nothing_happened():
    lines = summary_lines(Snapshot("digits", stopped="SIGINT", warnings=("w",) * 9), Statistics())
    assert lines[:3] == [
        "digits: 0 trials in 0 s: none",
        "the run was stopped: SIGINT",
        "best: no trial has reported a finite value",
    ]
    assert len(lines) <= 12


def test_strings_of_users_cannot_move_the_cursor():
    nasty = Snapshot("a\x1b[2J\nb", best=Best(0, "m", 1.0, {"k": "[red]\x1b[1A"}), warnings=("x\r\n",))
    texts = [line(nasty), *(text for row in rows(nasty) for text in row), *summary_lines(nasty, Statistics())]
    assert all(text.isprintable() for text in texts)
    assert "k=[red]" in line(nasty)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.000012, "12 us"), (0.5, "500.0 ms"), (12.34, "12.3 s"), (60, "1 min 00 s"), (7380, "2 h 03 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (123456, "123,456"), (1e-7, "1e-07"), (math.nan, "nan"), (math.inf, "inf")]
)
def test_numbers(value, text):
    assert number(value) == text


def test_long_configs_are_cut():
    assert len(settings({f"parameter_{i}": i for i in range(100)})) == progress.CONFIG_LENGTH


def test_verbose_0_shows_nothing():
    stream = Terminal()
    shown = choose_progress(0, stream)
    shown.update(MIDWAY)
    shown.close(MIDWAY)
    assert isinstance(shown, NoProgress)
    assert stream.getvalue() == ""


def test_a_table_on_a_terminal_and_lines_elsewhere(monkeypatch):
    for stream, kind in [(Terminal(), LiveProgress), (io.StringIO(), LineProgress)]:
        shown = choose_progress(1, stream)
        shown.close(MIDWAY)
        assert isinstance(shown, kind)
    monkeypatch.setenv("TERM", "dumb")
    shown = choose_progress(1, Terminal())
    shown.close(MIDWAY)
    assert isinstance(shown, LineProgress)


def test_stderr_is_the_default(capsys):
    choose_progress(1).close(MIDWAY)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == line(MIDWAY) + "\n"


def test_lines_come_once_a_period_and_at_the_end():
    stream, now = Terminal(), [0.0]
    shown = LineProgress(stream, period_s=5.0, clock=lambda: now[0])
    for now[0] in (1.0, 4.9, 5.0, 6.0, 9.9, 10.0):
        shown.update(Snapshot(f"at {now[0]}"))
    shown.close(Snapshot("the end"))
    assert stream.getvalue().splitlines() == [line(Snapshot(name)) for name in ("at 5.0", "at 10.0", "the end")]


def test_the_table_shows_the_last_snapshot_and_leaves_the_cursor_visible():
    stream = Terminal()
    shown = LiveProgress(stream)
    shown.update(Snapshot("first"))
    shown.close(MIDWAY)
    text = stream.getvalue()
    assert text.index("first") < text.index("30 of 40 ended")
    assert text.rindex("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_no_colour_where_none_is_wanted(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    LiveProgress(stream).close(Snapshot("digits", warnings=("yellow",)))
    assert "yellow" in stream.getvalue()
    assert "\x1b[1;33m" not in stream.getvalue()


@pytest.mark.parametrize("make", [LiveProgress, partial(LineProgress, period_s=0.0)])
def test_a_reader_that_has_ended_is_no_error_and_is_not_written_to_again(make):
    stream = Gone()
    shown = make(stream)
    shown.update(MIDWAY)
    shown.update(MIDWAY)
    shown.close(MIDWAY)
    assert stream.writes == 1


def test_what_has_to_start_first_is_said_from_the_first_moment():
    starting = Snapshot("run", starting="Ray on this machine (a few seconds)")
    stream = io.StringIO()
    progress = LineProgress(stream, period_s=5.0, clock=lambda: 0.0)
    for _ in range(3):
        progress.update(starting)
    assert stream.getvalue() == "run 0 s: starting Ray on this machine (a few seconds)\n"
    assert ("starting", "Ray on this machine (a few seconds)") in rows(starting)


@pytest.mark.parametrize(("open_s", "is_said"), [(2.0, True), (0.5, False)])
def test_the_summary_says_what_starts_sooner_where_the_start_took_more_than_a_tenth(open_s, is_said):
    hint = 'on one machine, executor="processes" starts at once'
    lines = summary_lines(Snapshot("run"), Statistics(wall_s=10.0, open_s=open_s, open_hint=hint))
    assert any(hint in text for text in lines) == is_said


FAILURES = (Failure("ValueError: bad", "train.py:3, in train", 2), Failure("OSError: no", "", 4, 3))


def test_what_goes_wrong_is_said_at_once_and_only_once():
    stream = io.StringIO()
    progress = LineProgress(stream, clock=lambda: 0.0)  # no line is due
    snapshot = Snapshot("a", failures=FAILURES[:1])
    for now in (snapshot, snapshot, replace(snapshot, failures=FAILURES, warnings=("beware",))):
        progress.update(now)
    assert stream.getvalue().splitlines() == [
        "a: trial 2 failed: ValueError: bad (train.py:3, in train)",
        "a: trial 4 failed: OSError: no",
        "a: warning: beware",
    ]


def test_the_table_and_the_summary_count_errors_by_kind_and_point_to_the_result():
    snapshot = Snapshot("a", failures=FAILURES, outcomes={"failed": 3, "lost": 1})
    told = ["3 times OSError: no, first in trial 4", "ValueError: bad (train.py:3, in train), in trial 2"]
    assert [text for label, text in rows(snapshot) if label == "error"] == told
    assert summary_lines(snapshot, Statistics())[2:5] == [
        f"error: {told[0]}",
        f"error: {told[1]}",
        "the failed trials are in result.errors",
    ]
    many = replace(snapshot, failures=tuple(Failure(str(kind), "", kind) for kind in range(9)))
    assert "and 4 more kinds of errors" in summary_lines(many, Statistics())
