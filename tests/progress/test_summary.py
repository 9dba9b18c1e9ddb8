"""What a run says at its end."""

from dataclasses import replace

import pytest

from tests.progress.snapshots import FAILURES, MIDWAY
from trialwright.core.limits import Failure
from trialwright.progress import Snapshot, Statistics, summary_lines

SPENT = Statistics(
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


def test_the_summary_says_what_came_out_where_it_is_kept_and_how_to_see_it():
    snapshot = replace(MIDWAY, busy_s=9000.0, busy_resource_s={"cpu": 18000.0, "memory": 9000.0 * 2**30})
    assert summary_lines(snapshot, SPENT) == [
        "digits: 30 trials in 1 min 15 s: 3 completed, 26 stopped, 1 failed; 6 not ended",
        "best: accuracy 0.9833 (trial 7: lr=0.001235 model/width=128)",
        "used: 2.5 slot-hours (cpu 5, memory 2.5 GiB)",
        "kept in runs/digits-1",
        "to see it: trialwright show runs/digits-1",
    ]


def test_where_the_time_went_needs_verbose_3():
    assert summary_lines(MIDWAY, SPENT, 2) == summary_lines(MIDWAY, SPENT)
    assert summary_lines(MIDWAY, SPENT, 3)[2:-2] == [
        "where 1 min 15 s went:",
        "  deciding    376.0 ms (0.5%); 12,345 reports, 164.2/s",
        "  event loop  late by 400 us at p99, 3.1 ms at most; up to 12 events a turn",
        "  commits     300 in 1.2 s; 4.0 ms each, 12.0 ms at most",
        "  elsewhere   searcher 250.0 ms; launches 4.1 ms each",
        "  idle slots  searcher 8.1 s, nothing left 4.2 s",
    ]


@pytest.mark.parametrize(("searcher_s", "hints"), [(30.0, 1), (24.0, 0)])
def test_the_summary_hints_at_faster_searchers_where_one_took_most_of_the_time(searcher_s, hints):
    lines = summary_lines(MIDWAY, Statistics(wall_s=50.0, searcher_s=searcher_s))
    assert sum(line.startswith("hint: the searcher took 30.0 s of 50.0 s") for line in lines) == hints


@pytest.mark.parametrize(("open_s", "is_said"), [(2.0, True), (0.5, False)])
def test_the_summary_says_what_starts_sooner_where_the_start_took_more_than_a_tenth(open_s, is_said):
    hint = 'on one machine, executor="processes" starts at once'
    lines = summary_lines(Snapshot("run"), Statistics(wall_s=10.0, open_s=open_s, open_hint=hint))
    assert any(hint in text for text in lines) == is_said


def test_the_summary_of_a_run_in_which_nothing_happened():
    lines = summary_lines(Snapshot("digits", stopped="SIGINT", warnings=("w",) * 9), Statistics())
    assert lines == [
        "digits: 0 trials in 0 s: none",
        "the run was stopped: SIGINT",
        "best: no trial has reported a finite value",
        "warning: w",
        "warning: w",
    ]


def test_with_several_objectives_the_summary_has_the_size_of_the_front():
    assert "Pareto front: 1 trial, in result.pareto_front()" in summary_lines(replace(MIDWAY, front=1), SPENT)


def test_the_summary_counts_errors_by_kind_and_points_to_the_result():
    snapshot = Snapshot("a", failures=FAILURES, outcomes={"failed": 3, "lost": 1})
    assert summary_lines(snapshot, Statistics())[2:5] == [
        "error: 3 times OSError: no, first in trial 4",
        "error: ValueError: bad (train.py:3, in train), in trial 2",
        "the failed trials are in result.errors",
    ]
    many = replace(snapshot, failures=tuple(Failure(str(kind), "", kind) for kind in range(9)))
    assert "and 4 more kinds of errors" in summary_lines(many, Statistics())
