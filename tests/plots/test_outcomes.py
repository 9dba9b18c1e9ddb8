"""Pareto front, empirical distribution, comparison: the values that are drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.plots.conftest import run
from trialwright import plots
from trialwright import space as s
from trialwright.plots.outcomes import comparison_picture, edf_picture, front_picture
from trialwright.plots.source import named

SQUARE = {"x": s.uniform(0, 1), "y": s.uniform(0, 1)}
GOALS = {"metric": ["a", "b"], "mode": ["min", "max"]}


def square(config):
    return {"a": config["x"], "b": config["y"], "sum": config["x"] + config["y"]}


def points(dots):
    return sorted(zip(dots.x.tolist(), dots.y.tolist(), strict=True))


@pytest.fixture(scope="module")
def several():
    return [run(square, SQUARE, **GOALS, seed=seed) for seed in range(3)]


def test_the_front_is_that_of_the_run_and_the_others_are_there_too(several):
    picture = front_picture(several[0], ["a", "b"])
    dots = {mark.name: mark for mark in picture.panels[0].marks}
    front = sorted((trial.metrics["a"], trial.metrics["b"]) for trial in several[0].pareto_front())
    assert points(dots["front"]) == front
    assert len(points(dots["trials"])) == 16 - len(front)


def test_the_staircase_of_the_front_bounds_what_it_dominates(several):
    *_, line = front_picture(several[0], ["a", "b"]).panels[0].marks
    assert (np.diff(line.x) >= 0).all()
    assert (np.diff(line.y) >= 0).all()  # b is to be large
    assert ((np.diff(line.x) == 0) ^ (np.diff(line.y) == 0)).all()


def test_trials_that_do_not_meet_the_constraints_are_apart():
    found = run(square, SQUARE, **GOALS, outcome_constraints=["sum <= 1"])
    dots = {mark.name: mark for mark in front_picture(found, ["a", "b"]).panels[0].marks}
    outside = [trial for trial in found if trial.metrics["sum"] > 1]
    assert points(dots["constraint not met"]) == sorted((t.metrics["a"], t.metrics["b"]) for t in outside)
    assert dots["constraint not met"].faint


def test_three_objectives_have_three_axes(many):
    panel = front_picture(many, ["loss", "size", "accuracy"]).panels[0]
    assert (panel.x.title, panel.y.title, panel.z.title) == ("loss", "size", "accuracy")
    front = next(mark for mark in panel.marks if mark.name == "front")
    assert sorted(front.z.tolist()) == sorted(trial.metrics["accuracy"] for trial in many.pareto_front())
    assert "trials without finite values" in panel.note


def test_what_cannot_be_a_front_is_refused(many, result, empty):
    with pytest.raises(ValueError, match="two objectives or more, and the run has 1"):
        plots.pareto_front(result)
    with pytest.raises(ValueError, match="'los' is no objective of the run; did you mean 'loss'"):
        plots.pareto_front(many, ["los", "size"])
    with pytest.raises(ValueError, match="two or three objectives can be drawn, not 4"):
        plots.pareto_front(many, ["loss", "size", "accuracy", "loss"])
    impossible = run(square, SQUARE, **GOALS, outcome_constraints=["sum <= -1"])
    with pytest.raises(ValueError, match="none of 16 trials meets the outcome constraints"):
        plots.pareto_front(impossible)


def test_the_distribution_says_which_part_came_to_at_most_a_value(several):
    first, pooled = edf_picture({"one": [several[0]], "all": several}, "a").panels[0].marks
    values = sorted(trial.metrics["a"] for trial in several[0])
    assert first.x[1:].tolist() == values
    assert first.y[1:].tolist() == pytest.approx([n / 16 for n in range(1, 17)])
    assert len(pooled.x) == 3 * 16 + 1


def test_runs_are_called_by_their_names_or_by_those_of_a_dict(several):
    assert [*named(several)] == ["square", "square (2)", "square (3)"]
    assert [*named(several[0], {"gp": several[1:], "square": several[2]})] == ["square", "gp", "square (2)"]
    assert {name: len(runs) for name, runs in named({"gp": several, "one": several[0]}).items()} == {"gp": 3, "one": 1}
    with pytest.raises(ValueError, match="there is no run to draw in 'gp'"):
        named({"gp": []})
    with pytest.raises(ValueError, match="there is no run to draw"):
        named([])


def test_the_mean_of_several_runs_has_the_interval_of_student(several):
    line, band = comparison_picture({"gp": several}, "a").panels[0].marks
    bests = np.array([np.minimum.accumulate([t.best[0] for t in sorted(r, key=lambda t: t.ended)]) for r in several])
    assert line.y.tolist() == pytest.approx(bests.mean(axis=0).tolist())
    half = 4.302653 * bests.std(axis=0, ddof=1) / math.sqrt(3)  # of 2 degrees of freedom, 97.5 %
    assert (band.high - line.y).tolist() == pytest.approx(half.tolist(), rel=1e-6)
    assert (line.y - band.low).tolist() == pytest.approx(half.tolist(), rel=1e-6)
    assert line.name == band.name == "gp (3 runs)"


def test_runs_of_other_lengths_are_compared_up_to_the_shortest_and_the_picture_says_so(several):
    short = run(square, SQUARE, **GOALS, num_samples=5)
    panel = comparison_picture({"gp": [several[0], short], "one": [short]}, "a").panels[0]
    assert [len(mark.x) for mark in panel.marks] == [5, 5, 5]
    assert panel.note == "gp: runs of 5 to 16 trials"


def test_one_run_has_no_interval(several):
    assert len(comparison_picture(named(several), "a").panels[0].marks) == 3


def test_runs_that_do_not_agree_are_not_compared(several, result):
    with pytest.raises(ValueError, match="'a' is no objective of 'train'"):
        plots.comparison(several[0], result, "a")
    turned = run(square, SQUARE, metric="a", mode="max")
    with pytest.raises(ValueError, match="some of these runs minimise 'a', and some maximise it"):
        plots.comparison([several[0], turned])
