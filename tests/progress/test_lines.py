"""Lines for log files, pipes, and terminals that cannot redraw."""

import io
from dataclasses import replace

from tests.progress.snapshots import ENDED, FAILURES, MIDWAY
from trialwright.progress import Snapshot, line
from trialwright.progress.lines import LineProgress
from trialwright.progress.rendering import ended_line


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        raise BrokenPipeError


def test_lines_come_once_a_period_and_at_the_end():
    stream, now = io.StringIO(), [0.0]
    shown = LineProgress(stream, period_s=5.0, clock=lambda: now[0])
    for now[0] in (1.0, 4.9, 5.0, 6.0, 9.9, 10.0):
        shown.update(Snapshot(f"at {now[0]}"))
    shown.close(Snapshot("the end"))
    assert stream.getvalue().splitlines() == [line(Snapshot(name)) for name in ("at 5.0", "at 10.0", "the end")]


def test_a_reader_that_has_ended_is_no_error_and_is_not_written_to_again():
    stream = Gone()
    shown = LineProgress(stream, period_s=0.0)
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


def test_verbose_2_prints_a_line_for_each_trial_once_those_of_the_end_too():
    stream = io.StringIO()
    progress = LineProgress(stream, clock=lambda: 0.0, verbose=2)
    snapshot = replace(MIDWAY, ended=ENDED[:1], ends=1)
    for now in (snapshot, snapshot, replace(MIDWAY, ended=ENDED[:2], ends=2)):
        progress.update(now)
    progress.close(replace(MIDWAY, ended=ENDED, ends=3))
    assert stream.getvalue().splitlines() == [*map(ended_line, ENDED), line(MIDWAY)]


def test_verbose_1_prints_none():
    stream = io.StringIO()
    LineProgress(stream, clock=lambda: 0.0).close(replace(MIDWAY, ended=ENDED, ends=3))
    assert stream.getvalue() == line(MIDWAY) + "\n"
