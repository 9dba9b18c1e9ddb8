"""History, curves, survival, hypervolume, timeline: the values that are drawn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.plots.conftest import KERNEL, SPACE, run, train
from trialwright import context, load, plots, report
from trialwright import space as s
from trialwright.plots.history import history
from trialwright.plots.over_time import (
    CURVES_MAX,
    curves_picture,
    history_picture,
    hypervolume_picture,
    survival_picture,
    timeline_picture,
)
from trialwright.searchers.pareto import hypervolume


def marks(picture):
    return picture.panels[0].marks


def test_there_is_a_curve_a_trial_with_all_its_reports(result):
    axes = plots.learning_curves(result)
    assert [list(line.get_ydata()) for line in axes.lines] == [
        [row["loss"] for row in trial.history] for trial in result
    ]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "loss")


def test_a_curve_may_be_of_another_metric_over_time(result):
    figure = plots.learning_curves(result, "accuracy", x="time_s", backend="plotly")
    assert list(figure.data[0].x) == [row["time_s"] for row in result[0].history]
    assert list(figure.data[0].y) == [row["accuracy"] for row in result[0].history]


def test_of_many_curves_the_best_and_some_others_are_drawn_and_the_picture_says_so():
    found = run(lambda config: {"loss": config["x"]}, {"x": s.uniform(0, 1)}, num_samples=CURVES_MAX + 100)
    picture = curves_picture(found, "loss", "step")
    names = {line.name for line in marks(picture)}
    best = sorted(found, key=lambda trial: trial.metrics["loss"])[:20]
    assert {f"trial {trial.id}" for trial in best} <= names
    assert CURVES_MAX - 20 <= len(names) <= CURVES_MAX
    assert picture.panels[0].note == f"{len(names)} of 300 trials drawn, the best 20 too"


def test_the_best_so_far_never_gets_worse(result):
    found = history(result, "loss")
    assert found.best == sorted(found.best, reverse=True)
    assert found.best[-1] == min(found.values) == min(trial.best[0] for trial in result)


def rise_and_fall(config):
    for step in (1, 3, 2):
        report(loss=config["x"] / step, accuracy=step * config["x"], memory=config["x"] * step)


def test_the_best_so_far_of_each_objective_goes_by_its_own_direction():
    found = run(rise_and_fall, {"x": s.uniform(0, 1)}, metric=["loss", "accuracy"], mode=["min", "max"])
    drawn = history(found, "accuracy")
    assert drawn.best == sorted(drawn.best)
    assert sorted(drawn.values) == [pytest.approx(3 * x) for x in sorted(trial.config["x"] for trial in found)]
    assert drawn.best[-1] == max(drawn.values)


def test_the_best_so_far_is_only_what_may_be_best():
    goals = {"metric": "accuracy", "mode": "max", "outcome_constraints": ["memory <= 0.5"]}
    found = run(rise_and_fall, {"x": s.uniform(0, 1)}, **goals)
    drawn = history(found, "accuracy")
    assert max(drawn.values) > 1
    assert drawn.best[-1] == found.best_metrics["accuracy"] <= 0.5


def test_a_metric_that_is_no_objective_has_no_direction_and_no_best(result):
    assert history(result, "accuracy").best == []
    assert [trace.name for trace in plots.optimization_history(result, "accuracy", backend="plotly").data] == ["trials"]
    assert len(plots.optimization_history(result, "accuracy").lines) == 1


def test_the_history_has_a_dot_a_trial_and_the_staircase_only_its_corners(result):
    dots, best = marks(history_picture(result, "loss"))
    assert dots.x.tolist() == list(range(1, 13))
    whole = history(result, "loss").best
    corners = [place for place in range(12) if place in (0, 11) or whole[place] != whole[place - 1]]
    assert best.x.tolist() == [place + 1 for place in corners]
    assert best.y.tolist() == [whole[place] for place in corners]


def test_the_history_says_how_many_trials_have_no_value(many):
    missing = sum(not np.isfinite(trial.metrics.get("loss", np.nan)) for trial in many)
    assert missing > 1
    assert history_picture(many, "loss").panels[0].note == f"{missing} trials without a finite loss"


def test_survival_falls_at_the_rungs(result):
    (line,) = marks(survival_picture(result, "step"))
    assert line.x[:2].tolist() == [0.0, 1.0]
    assert line.y[0] == line.y[1] == 12
    assert line.y.tolist() == sorted(line.y, reverse=True)
    assert line.y[-1] == sum(trial.metrics["step"] == 9 for trial in result)


def test_survival_is_drawn_by_both(result):
    assert list(plots.rung_survival(result).lines[0].get_ydata()) == list(
        plots.rung_survival(result, backend="plotly").data[0].y
    )


def test_the_hypervolume_is_that_of_all_trials_so_far():
    goals = {"metric": ["a", "b"], "mode": ["min", "max"]}
    found = run(
        lambda config: {"a": config["x"], "b": config["y"]}, {"x": s.uniform(0, 1), "y": s.uniform(0, 1)}, **goals
    )
    (line,) = marks(hypervolume_picture(found, [1.0, 0.0]))
    ended = sorted(found, key=lambda trial: (trial.ended, trial.id))
    costs = np.array([[trial.metrics["a"], -trial.metrics["b"]] for trial in ended])
    reference = np.array([1.0, 0.0])
    assert line.y.tolist() == pytest.approx([hypervolume(costs[: n + 1], reference) for n in range(16)])
    assert line.x.tolist() == list(range(1, 17))
    with pytest.raises(ValueError, match="reference needs 2 values, one for each objective, not 3"):
        hypervolume_picture(found, [1.0, 1.0, 1.0])


def test_a_hypervolume_needs_several_objectives(result):
    with pytest.raises(ValueError, match="two objectives or more, and the run has 1"):
        plots.hypervolume_history(result)


def test_the_timeline_has_a_bar_a_trial_and_no_two_in_one_place(many):
    spans = marks(timeline_picture(many))
    assert {each.name: len(each.lane) for each in spans} == {
        "completed": sum(trial.outcome == "completed" for trial in many),
        "failed": len(many.errors),
    }
    bars = sorted(bar for each in spans for bar in zip(each.lane, each.begin, each.end, strict=True))
    assert len(bars) == 80
    for (lane, _, end), (following, begin, _) in pairwise(bars):
        assert lane != following or begin >= end
    assert {begin for _, begin, _ in bars} == {trial.started for trial in many}


def test_a_slot_with_a_name_is_a_lane():
    found = run(train, SPACE, executor="local", num_samples=2)
    assert timeline_picture(found).panels[0].y.names[0] == found[0].worker


@pytest.mark.parametrize("draw", [plots.learning_curves, plots.optimization_history, plots.rung_survival])
def test_where_nothing_was_reported_the_error_says_so(empty, draw):
    with pytest.raises(ValueError, match="there is nothing to draw"):
        draw(empty)


def test_curves_over_a_metric_that_is_never_there_at_the_same_time_are_refused():
    def either(config):
        report(loss=1.0, first=1)
        report(loss=1.0, second=2)

    found = run(either, {"kernel": KERNEL})
    with pytest.raises(ValueError, match="no trial has reported 'first' and 'second' together"):
        plots.learning_curves(found, "first", x="second")
    with pytest.raises(ValueError, match="no trial has reported 'secnd'; did you mean 'second'"):
        plots.learning_curves(found, "first", x="secnd")


def test_each_attempt_of_a_trial_that_was_tried_again_is_a_bar(tmp_path):
    def fails_once(config):
        report(loss=config["lr"])
        if context().attempt == 1 and config["lr"] > 0.5:
            raise OSError("the disk was busy")

    given = {"max_failures": 1, "storage": tmp_path, "max_concurrent_trials": 2}
    found = run(fails_once, {"lr": s.uniform(0, 1)}, **given)
    retried = [trial for trial in found if trial.attempts == 2]
    assert retried
    for trial in retried:
        first, second = trial.periods
        assert (first.attempt, first.how, second.attempt, second.how) == (1, "failed", 2, "completed")
        assert trial.started == first.started <= first.ended <= second.started <= second.ended == trial.ended
    assert [trial.periods for trial in load(found.path)] == [trial.periods for trial in found]
    bars = {each.name: each for each in marks(timeline_picture(found))}
    assert (len(bars["completed"].begin), len(bars["failed"].begin)) == (16, len(retried))
    assert f"trial {retried[0].id}, attempt 1: failed" in bars["failed"].labels
