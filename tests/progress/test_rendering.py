"""What a run shows, as strings."""

from dataclasses import replace

from tests.progress.snapshots import ENDED, FAILURES, MIDWAY, RUNNING
from trialwright.progress import Best, Snapshot, line, rows, summary_lines
from trialwright.progress.rendering import ended_grid, ended_line, ended_since, running_grid
from trialwright.progress.snapshot import Statistics


def test_a_line_says_what_matters():
    assert line(MIDWAY) == (
        "digits 1 min 15 s, about 25 s left: 4 running, 2 paused, 30 of 40 ended (3 completed, 26 stopped, 1 failed) | "
        "best accuracy 0.9833 (trial 7: lr=0.001235 model/width=128) | cpu 3.5 of 4 | memory 1 of 3 GiB"
    )


def test_numbers_about_the_engine_need_verbose_3():
    for verbose, is_told in ((1, False), (2, False), (3, True)):
        assert ("reports 12,345 (164.2/s)" in line(MIDWAY, verbose)) == is_told
        assert ("deciding" in dict(rows(MIDWAY, verbose))) == is_told


def test_a_run_that_has_not_begun_has_a_line_too():
    assert line(Snapshot("digits")) == "digits 0 s, no end planned: 0 ended"


def test_the_table_shows_the_newest_warnings_why_the_run_ends_and_where_it_is_kept():
    shown = rows(Snapshot("digits", stopped="late", warnings=("first", "second", "third"), directory="runs/d"))
    assert shown[-4:] == [
        ("stopping", "late"),
        ("warning", "second"),
        ("warning", "third"),
        ("kept in", "runs/d"),
    ]


def test_the_best_has_all_objectives_the_size_of_the_front_and_how_it_improved():
    best = Best(7, "loss", 0.25, {"lr": 0.1}, {"size": 300, "loss": 0.25}, found_s=10.0, before=0.5, before_trial=3)
    shown = rows(Snapshot("digits", best=best, front=12, elapsed_s=75.0))
    assert shown[2:5] == [
        ("best", "loss 0.25, size 300 (trial 7: lr=0.1)"),
        ("", "improved 1 min ago, from 0.5 (trial 3)"),
        ("", "12 trials on the Pareto front"),
    ]
    first, itself = replace(best, before=None), replace(best, before_trial=7)
    assert "improved" not in str(rows(Snapshot("digits", best=first)))
    assert ("", "improved 1 min ago, from 0.5") in rows(Snapshot("digits", best=itself, elapsed_s=75.0))


def test_what_is_waited_for_is_said():
    starting = Snapshot("run", starting="Ray on this machine (a few seconds)")
    assert ("starting", "Ray on this machine (a few seconds)") in rows(starting)
    waiting = Snapshot("run", waits="for the searcher: 80% of the slots' time")
    assert ("waiting", "for the searcher: 80% of the slots' time") in rows(waiting)
    assert line(waiting).endswith(" | waiting: for the searcher: 80% of the slots' time")


def test_running_trials_have_their_step_last_value_times_and_resources():
    grid = running_grid(replace(MIDWAY, running=RUNNING), most=4)
    assert grid.head == ("trial", "step", "accuracy", "runs for", "last report", "resources")
    assert grid.rows == (
        ("12", "34", "0.9812", "1 min", "2 s ago", "cpu 1, gpu 0.25"),
        ("9 (stopping)", "2", "0.5", "3 min", "2 min ago", "cpu 1"),
        ("40", "0", "", "is starting", "", "cpu 1"),
        ("39", "0", "", "7 s", "none yet", "cpu 1"),
    )
    assert grid.more == ""


def test_of_many_running_trials_a_few_are_shown_and_the_others_counted():
    many = replace(MIDWAY, running=RUNNING, states={"running": 14, "stopping": 2})
    grid = running_grid(many, most=2)
    assert [row[0] for row in grid.rows] == ["12", "9 (stopping)"]
    assert grid.more == "and 14 more"
    assert running_grid(MIDWAY, most=2) is None


def test_the_last_ended_trials_come_with_how_and_why_the_newest_first():
    grid = ended_grid(replace(MIDWAY, ended=ENDED), most=2)
    assert grid.head == ("trial", "outcome", "step", "accuracy", "ran for", "reason")
    assert grid.rows == (
        ("2", "completed", "20", "0.91", "1 h 07 min", ""),
        ("1", "stopped", "1", "0.25", "2 s", "rank 5 of 5 at step 1"),
    )
    assert ended_grid(MIDWAY, most=2) is None


def test_a_narrow_table_keeps_its_first_columns():
    grid = ended_grid(replace(MIDWAY, ended=ENDED), most=3)
    for width in (20, 44, 55, 62, 70, 200):
        fitted = grid.fitted(width)
        assert len(fitted.head) >= 2
        widths = [max(map(len, column)) for column in zip(fitted.head, *fitted.rows, strict=True)]
        assert sum(widths) + 2 * (len(widths) - 1) <= width
    assert grid.fitted(200) == grid
    assert grid.fitted(62).rows[1][-1] == "rank 5 of 5 a..."
    assert grid.fitted(44).head[-1] == "ran for"


def test_a_trial_that_has_ended_has_a_line():
    assert [*map(ended_line, ENDED)] == [
        "trial 3 failed after 0 steps, 300.0 ms: no value (lr=0.1); ValueError: bad",
        "trial 1 stopped after 1 step, 2.5 s: accuracy 0.25 (lr=0.01); rank 5 of 5 at step 1",
        "trial 2 completed after 20 steps, 1 h 06 min: accuracy 0.91 (lr=0.02)",
    ]


def test_lines_are_on_trials_that_are_new_and_others_are_counted():
    snapshot = replace(MIDWAY, ended=ENDED, ends=3)
    assert [text[:7] for text in ended_since(snapshot, 2)] == ["trial 2"]
    missed = replace(MIDWAY, ended=tuple(replace(each, number=each.number + 50) for each in ENDED), ends=53)
    lines = [*ended_since(missed, 3)]
    assert lines[0] == "47 trials ended; the next lines are on those that ended after"
    assert len(lines) == 4


def test_errors_are_counted_by_kind_the_most_frequent_first():
    shown = [text for label, text in rows(Snapshot("a", failures=FAILURES)) if label == "error"]
    assert shown == ["3 times OSError: no, first in trial 4", "ValueError: bad (train.py:3, in train), in trial 2"]


def test_strings_of_users_cannot_move_the_cursor():
    nasty = Snapshot(
        "a\x1b[2J\nb",
        best=Best(0, "m", 1.0, {"k": "[red]\x1b[1A"}, {"o\x1b": "x\r"}),
        warnings=("x\r\n",),
        running=(replace(RUNNING[0], values={"a\x1b[A": "\n"}, resources={"c\r": 1.0}),),
        ended=(replace(ENDED[0], reason="\x1b[2J", outcome="\n"),),
        ends=1,
    )
    grids = [running_grid(nasty, 9), ended_grid(nasty, 9)]
    texts = [line(nasty), *(text for row in rows(nasty) for text in row), *summary_lines(nasty, Statistics())]
    texts += [cell for grid in grids for row in (grid.head, *grid.rows) for cell in row] + [*ended_since(nasty, 0)]
    assert all(text.isprintable() for text in texts)
    assert "k=[red]" in line(nasty)
