"""The page's answers are what the result says."""

from __future__ import annotations

import json
import os
import signal
from itertools import pairwise

import pytest

from tests.page.shown import HOSTILE, make_run, opened
from trialwright import Engine, report, runs, space
from trialwright.errors import RunInterrupted
from trialwright.page import charts, queries, timeline
from trialwright.page.details import details
from trialwright.page.importance import importance
from trialwright.page.run import open_run


def test_the_summary_tells_whether_it_goes_well(result, run):
    summary = queries.summary(run)
    assert summary["best"]["trial"] == result.best_trial.id
    assert summary["best"]["config"] == {
        "lr": result.best_config["lr"],
        "net/width": result.best_config["net"]["width"],
    }
    assert (summary["trials"], summary["wanted"], summary["state"], summary["read"]) == (40, 40, "finished", None)
    assert summary["cost"]["cpu"] == pytest.approx(summary["trial_s"] / 3600)
    assert summary["eta_s"] is None
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_what_is_left_is_what_was_planned_at_the_pace_so_far_and_the_longest_trial(result, run):
    longest_s = max(trial.ended - trial.started for trial in result)
    assert queries.eta_s(run, 80) == pytest.approx(run.index.now + longest_s)


def test_the_table_is_sorted_filtered_and_paged(result, run):
    first = queries.trials(run, limit=5)
    best = sorted((trial.best[0], trial.id) for trial in result if trial.best)
    place = [column["name"] for column in first["columns"]].index("id")
    assert [row[place] for row in first["rows"]] == [trial for _, trial in best[:5]]
    assert (first["count"], len(first["rows"])) == (40, 5)
    rest = queries.trials(run, limit=50, offset=5)
    assert {row[place] for row in first["rows"] + rest["rows"]} == {trial.id for trial in result}
    stopped = queries.trials(run, filter_="outcome = stopped and lr < 0.5", sort="lr", direction="desc")
    expected = sorted((t.config["lr"] for t in result if t.outcome == "stopped" and t.config["lr"] < 0.5), reverse=True)
    assert [row[[c["name"] for c in stopped["columns"]].index("lr")] for row in stopped["rows"]] == expected
    assert stopped["count"] == len(expected)


def test_a_page_of_the_table_is_never_the_whole_of_a_large_one(run):
    assert len(queries.trials(run, limit=10**6)["rows"]) <= queries.PAGE


def test_failures_are_grouped_by_their_message_without_its_numbers(result, run):
    [group] = queries.failures(run)
    failed = [trial for trial in result if trial.outcome == "failed"]
    assert (group["count"], group["first"], group["kinds"]) == (
        len(failed),
        failed[0].id,
        len({trial.error for trial in failed}),
    )
    assert HOSTILE in group["message"]


def test_details_tell_why_a_trial_was_stopped(result, run):
    trial = next(trial for trial in result if trial.outcome == "stopped")
    told = details(run, trial.id)
    assert (told["outcome"], told["reason"]) == ("stopped", trial.reason)
    assert told["config"] == {
        "lr": trial.config["lr"],
        "net/width": trial.config["net"]["width"],
        f"net/{HOSTILE}": trial.config["net"][HOSTILE],
    }
    words = [each["words"] for each in told["decisions"]]
    assert words[0].startswith("is launched on")
    assert f"is stopped: {trial.reason}" in words
    assert words[-1] == "has stopped"
    assert told["curve"]["steps"] == [row["step"] for row in trial.history]
    assert told["curve"]["values"][0] == [row["loss"] for row in trial.history]


def test_details_of_a_failed_trial_have_its_traceback(result, run):
    trial = next(trial for trial in result if trial.outcome == "failed")
    told = details(run, trial.id)
    assert told["error"] == trial.error
    assert "raise ValueError" in told["traceback"]


def test_there_are_no_details_of_a_trial_that_is_not_there(run):
    with pytest.raises(ValueError, match="no trial 4000"):
        details(run, 4000)


def test_curves_are_those_of_the_best_and_a_sample(result, run):
    drawn = {each["trial"]: each for each in charts.curves(run, "", 500)["curves"]}
    best = result.best_trial
    assert drawn[best.id]["rank"] == 0
    assert drawn[best.id]["points"] == [(row["step"], row["loss"]) for row in best.history]
    assert charts.curves(run, "size", 500)["metric"] == "size"


def test_a_decimated_curve_keeps_the_least_and_the_greatest_of_each_column():
    points = [(step, float(-1 if step == 777 else 1 if step == 333 else 0)) for step in range(10_000)]
    kept = charts.decimated(points, 50)
    assert len(kept) <= 102
    assert (777, -1.0) in kept
    assert (333, 1.0) in kept
    assert kept == sorted(kept)
    assert charts.decimated([(1, None), (2, 0.5)], 50) == [(2, 0.5)]


def test_rungs_count_who_reached_them_and_who_ended_there(result, run):
    rungs = charts.rungs(run)["rungs"]
    assert [rung["step"] for rung in rungs] == [1, 3, 9]
    for rung in rungs:
        assert rung["reached"] == sum(trial.step >= rung["step"] for trial in result)
    assert sum(rung["stopped"] for rung in rungs) == sum(trial.outcome == "stopped" for trial in result)
    assert rungs[-1]["completed"] == sum(trial.outcome == "completed" for trial in result)


def test_no_two_bars_of_a_slot_overlap(result, run):
    chart = timeline.timeline(run)
    assert len(chart["lanes"]) == 4
    assert {bar[0] for bar in chart["bars"]} == {trial.id for trial in result}
    for lane in range(4):
        spans = sorted((began, ended) for _, place, began, ended, _ in chart["bars"] if place == lane)
        assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(spans))


def test_each_attempt_of_a_trial_that_was_tried_again_is_a_bar(tmp_path):
    result = make_run(tmp_path, num_samples=12, max_failures=1)
    bars = {(trial, *rest) for trial, _, *rest in timeline.timeline(opened(result))["bars"]}
    assert any(trial.attempts == 2 for trial in result)
    assert bars == {(trial.id, each.started, each.ended, each.how) for trial in result for each in trial.periods}


def test_idle_time_at_the_end_is_said_to_be_without_trials_to_start(run):
    chart = timeline.timeline(run)
    last = [cause for _, _, ended, cause in chart["idle"] if ended == chart["to"]]
    assert last
    assert set(last) == {"no more trials"}


def test_a_window_of_the_timeline_has_only_the_trials_in_it(run):
    chart = timeline.timeline(run, 2.0, 5.0)
    assert chart["bars"]
    assert all(began <= 5.0 and ended >= 2.0 for _, _, began, ended, _ in chart["bars"])


def test_points_have_each_parameter_and_the_value(result, run):
    points = charts.points(run)
    assert [each["name"] for each in points["parameters"]] == ["lr", "net/width"]
    row = next(row for row in points["rows"] if row[0] == result.best_trial.id)
    assert row[2:] == [result.best_trial.best[0], result.best_config["lr"], result.best_config["net"]["width"]]


def test_the_front_is_that_of_the_result(result, run):
    front = charts.front(run)
    assert {row[0] for row in front["rows"] if row[-1]} == {trial.id for trial in result.pareto_front()}


def test_importance_is_that_of_the_result(tmp_path):
    result = make_run(tmp_path, num_samples=60, scheduler="fifo")
    told = importance(opened(result))
    assert told["parameters"][0]["name"] == "lr"
    assert sum(each["share"] for each in told["parameters"]) == pytest.approx(1)


def test_history_has_a_point_for_each_pixel_column_at_most(run):
    history = charts.history(run, 10)
    assert len(history["at_s"]) <= 11
    assert min(value for value in history["least"] if value is not None) == run.index.improvements[-1].value


def test_of_equal_trials_the_best_is_the_one_with_the_lowest_number_as_in_the_result(tmp_path):
    given = {"executor": "local", "searcher": "random", "storage": tmp_path, "verbose": 0, "mode": "max"}
    result = Engine(lambda config: 1.0, {"x": space.uniform(0, 1)}, metric="loss", num_samples=4, **given).run()
    assert queries.summary(opened(result))["best"]["trial"] == result.best_trial.id == 0


def test_a_run_that_was_interrupted_is_shown_so_and_not_as_one_that_has_finished(tmp_path):
    def interrupts(config):
        os.kill(os.getpid(), signal.SIGINT)
        while True:
            report(loss=1.0)

    given = {"executor": "local", "searcher": "random", "storage": tmp_path, "verbose": 0, "seed": 0}
    with pytest.raises(RunInterrupted) as interrupted:
        Engine(
            interrupts, {"x": space.uniform(0, 1)}, metric="loss", max_concurrent_trials=1, num_samples=4, **given
        ).run()
    assert open_run(interrupted.value.path).state == runs.describe(interrupted.value.path).state == "interrupted"
