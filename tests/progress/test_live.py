"""The table on a terminal, as a person sees it."""

import io
import re
import sys
from dataclasses import replace

import pytest

from tests.progress.snapshots import MIDWAY
from tests.progress.terminal import on_terminal
from trialwright import Engine, space
from trialwright.progress import Snapshot, line
from trialwright.progress.live import LiveProgress

if sys.platform == "win32":
    pytest.skip("needs pseudo-terminals", allow_module_level=True)

SHOW = """
import signal, sys, time
from dataclasses import replace
from tests.progress.snapshots import ENDED, FAILURES, MIDWAY, RUNNING
from trialwright.progress import choose_progress
pressed = []
signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
shown = choose_progress(VERBOSE)
print("before")
midway = replace(MIDWAY, running=RUNNING, ended=ENDED, ends=3, failures=FAILURES,
                 warnings=("a warning that is as long as people write them, " * 3,))
shown.update(replace(midway, name="first", running=RUNNING * 5, ended=ENDED[:1], ends=1))
shown.update(midway)
while not pressed:
    time.sleep(0.01)
print("pressed")
shown.update(replace(midway, name="third"))
shown.close(replace(MIDWAY, name="last", states=STATES, ended=ENDED, ends=3))
print("after")
"""


def show(verbose=1, states="{'ended': 40}"):
    return SHOW.replace("VERBOSE", str(verbose)).replace("STATES", states)


RED, YELLOW, COLOUR = b"\x1b[31m", b"\x1b[1;33m", rb"\x1b\[(?:\d+;)?3\dm"


class Gone(io.StringIO):
    """A terminal whose reader has left."""

    writes = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.writes += 1
        raise BrokenPipeError


def has(text):
    return lambda lines: any(text in each for each in lines)


def test_the_table_shows_the_facts_the_trials_that_run_and_those_that_ended():
    with on_terminal(show(), 120, 40) as (terminal, _):
        lines = terminal.until(has("completed  20"))
    assert lines[:4] == [
        "before",
        "",
        "digits   1 min 15 s, about 25 s left",
        "trials   4 running, 2 paused, 30 of 40 ended (3 completed, 26 stopped, 1 failed)",
    ]
    running, ended = lines.index("running"), lines.index("ended last")
    assert lines[running + 1].split() == ["trial", "step", "accuracy", "runs", "for", "last", "report", "resources"]
    assert lines[running + 2].split() == ["12", "34", "0.9812", "1", "min", "2", "s", "ago", "cpu", "1,", "gpu", "0.25"]
    assert [each.split()[:2] for each in lines[ended + 2 :]] == [["2", "completed"], ["1", "stopped"], ["3", "failed"]]
    assert "first" not in [each.split()[0] for each in lines if each]
    assert {RED, YELLOW} <= {*re.findall(COLOUR, terminal.written)}
    assert b"\x1b[?25l" not in terminal.written  # the cursor is visible


@pytest.mark.parametrize(("columns", "height"), [(80, 24), (40, 12), (20, 3)])
def test_ctrl_c_and_the_end_leave_no_line_of_the_table(columns, height):
    with on_terminal(show(), columns, height) as (terminal, process):
        terminal.until(has("digits"))
        terminal.press(b"\x03")
        lines = terminal.to_the_end(process)
    assert process.returncode == 0
    assert lines == ["before", "pressed", "after"]


NARROWED = SHOW.replace("    time.sleep(0.01)", "    time.sleep(0.5); shown.update(replace(midway, name='digits'))")


@pytest.mark.parametrize(("columns", "height"), [(60, 30), (24, 12)])
def test_a_window_that_is_narrowed_during_a_run_shows_one_table_as_one_of_that_size_would(columns, height):
    code = NARROWED.replace("VERBOSE", "1").replace("STATES", "{'ended': 40}")
    with on_terminal(show(), columns, height) as (terminal, _):
        expected = terminal.until(has("digits"))
    with on_terminal(code, 120, height) as (terminal, process):
        terminal.until(has("digits"))
        terminal.resize(columns, height)
        terminal.until(lambda lines: lines == expected)
        terminal.resize(120, height)
        terminal.until(has("a warning that is as long as people write them, a warning"))
        terminal.press(b"\x03")
        lines = terminal.to_the_end(process)
    assert lines == ["before", "pressed", "after"]


def test_if_trials_have_not_ended_one_line_stays():
    with on_terminal(show(states="MIDWAY.states"), 300, 40) as (terminal, process):
        terminal.until(has("digits"))
        terminal.press(b"\x03")
        lines = terminal.to_the_end(process)
    assert lines == ["before", "pressed", line(replace(MIDWAY, name="last")), "after"]


def test_verbose_2_leaves_a_line_for_each_trial_above_the_table():
    with on_terminal(show(verbose=2), 120, 40) as (terminal, process):
        terminal.until(has("digits"))
        terminal.press(b"\x03")
        lines = terminal.to_the_end(process)
    begins = ["before", "trial 3 failed", "trial 1 stopped", "trial 2 completed", "pressed", "after"]
    assert [each for each, begin in zip(lines, begins, strict=False) if not each.startswith(begin)] == []
    assert len(lines) == len(begins)


def test_no_colour_where_none_is_wanted():
    with on_terminal(show(), 100, 40, NO_COLOR="1") as (terminal, _):
        terminal.until(has("completed"))
    assert not {RED, YELLOW} & {*re.findall(COLOUR, terminal.written)}


def test_a_dumb_terminal_gets_lines():
    with on_terminal(show(), 100, 40, TERM="dumb") as (terminal, process):
        terminal.until(has("warning"))
        terminal.press(b"\x03")
        lines = terminal.to_the_end(process)
    assert b"\x1b" not in terminal.written
    assert lines[0] == "before"
    assert any(each.startswith("last 1 min 15 s") for each in lines)


INTERRUPTED = """
import sys, time
from trialwright import Engine, Local, report, space
def train(config):
    for step in range(10**6):
        time.sleep(0.01)
        report(loss=config["x"] / (step + 1))
Engine(train, {"x": space.uniform(0, 1)}, metric="loss", num_samples=50, searcher="random", executor=Local(cpus=4),
       storage=None, name="endless", seed=0).run()
"""


def test_a_run_that_is_interrupted_shows_its_summary_and_nothing_of_its_table():
    with on_terminal(INTERRUPTED, 60, 20) as (terminal, process):
        terminal.until(has("runs for"))
        terminal.press(b"\x03")
        lines = terminal.to_the_end(process)
    assert process.returncode == 130
    assert lines[0] == "SIGINT: stopping; a second signal stops at once"
    assert has("the run was stopped: interrupted: SIGINT")(lines)
    assert has("best: loss")(lines)
    assert not [each for each in lines if each.startswith(("trials  ", "best  ", "slots  ", "running", "trial  "))]


def test_a_reader_that_has_ended_is_no_error_and_is_not_written_to_again():
    stream = Gone()
    shown = LiveProgress(stream)
    shown.update(MIDWAY)
    shown.update(MIDWAY)
    shown.close(MIDWAY)
    assert stream.writes == 1


def test_without_a_terminal_verbose_2_prints_each_trial(capsys):
    told = {"metric": "loss", "executor": "local", "storage": None, "searcher": "random", "seed": 0}
    Engine(lambda config: config["x"], {"x": space.uniform(0, 1)}, num_samples=7, verbose=2, **told).run()
    err = capsys.readouterr().err
    assert sum(each.startswith("trial ") and " completed after 1 step, " in each for each in err.splitlines()) == 7
    assert "\x1b" not in err


def test_a_snapshot_with_nothing_in_it_can_be_shown():
    LiveProgress(io.StringIO()).close(Snapshot(""))
