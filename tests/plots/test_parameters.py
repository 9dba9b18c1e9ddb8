"""Parallel coordinates, slices, contours, ranks, importances: the values that are drawn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.plots.conftest import KERNEL, run
from trialwright import plots
from trialwright import space as s
from trialwright.plots.parameters import (
    LINES_MAX,
    coordinates,
    importances_picture,
    pairs_picture,
    parallel_picture,
    slices_picture,
)


def test_numbers_in_branches_are_numbers_on_their_axis_and_logarithmic_where_the_space_is():
    found = run(lambda config: 1.0, {"kernel": KERNEL})
    axes = {axis.name: axis for axis in coordinates(found, "loss")}
    gamma, degree = axes["kernel/gamma"], axes["kernel/degree"]
    assert (gamma.names, gamma.log, degree.names, degree.log) == (None, True, None, False)
    for trial, *places in zip(found, gamma.positions, degree.positions, strict=True):
        there = [trial.config["kernel"].get(name) for name in ("gamma", "degree")]
        assert [None if math.isnan(place) else place for place in places] == there


def test_a_trial_outside_a_branch_is_drawn_without_a_place_on_its_axes():
    found = run(lambda config: 1.0, {"kernel": KERNEL})
    figure = plots.parallel_coordinates(found, backend="plotly")
    gamma = next(axis for axis in figure.data[0].dimensions if axis.label == "kernel/gamma")
    assert gamma.ticktext[0] == "none"
    assert [math.isfinite(value) for value in gamma.values] == [True] * 16  # as plotly wants it
    is_rbf = [trial.config["kernel"]["name"] == "rbf" for trial in found]
    assert [value != gamma.tickvals[0] for value in gamma.values] == is_rbf
    for line, taken in zip(plots.parallel_coordinates(found).lines, is_rbf, strict=True):
        assert sum(map(math.isfinite, line.get_ydata())) == 3, taken


def test_numbers_among_names_are_in_the_order_of_numbers():
    found = run(lambda config: 1.0, {"depth": s.choice([None, 2, 10])})
    assert coordinates(found, "loss")[0].names == ("2", "10", "None")


def test_coordinates_are_those_that_vary_and_the_metric(result):
    axes = coordinates(result, "loss")
    assert [axis.name for axis in axes] == ["lr", "kind", "model/depth", "loss"]
    assert axes[1].names == ("a", "b")
    assert axes[0].positions.tolist() == [trial.config["lr"] for trial in result]


def test_parallel_coordinates_have_a_line_a_trial(result):
    assert len(plots.parallel_coordinates(result).lines) == 12
    figure = plots.parallel_coordinates(result, backend="plotly")
    assert [dimension.label for dimension in figure.data[0].dimensions] == ["lr", "kind", "model/depth", "loss"]


def test_of_many_lines_the_best_are_drawn_and_the_picture_says_how_many():
    found = run(lambda config: {"loss": config["x"]}, {"x": s.uniform(0, 1)}, num_samples=LINES_MAX + 100)
    picture = parallel_picture(found, "loss")
    drawn = picture.axes[-1].positions
    assert np.isin(sorted(trial.metrics["loss"] for trial in found)[:50], drawn).all()
    assert picture.note == f"{len(drawn)} of 600 trials drawn, the best 50 too"
    assert len(drawn) <= LINES_MAX


def test_there_is_a_slice_a_parameter_with_the_trials_that_have_it(many):
    panels = {panel.x.title: panel for panel in slices_picture(many, "loss", None).panels}
    assert panels.keys() == {"x", "kernel/name", "kernel/gamma", "kernel/degree", "depth"}
    there = [trial for trial in many if math.isfinite(trial.metrics.get("loss", math.nan))]
    rbf = [trial for trial in there if trial.config["kernel"]["name"] == "rbf"]
    (dots,) = panels["kernel/gamma"].marks
    assert dots.x.tolist() == [trial.config["kernel"]["gamma"] for trial in rbf]
    assert dots.y.tolist() == [trial.metrics["loss"] for trial in rbf]
    assert dots.shade.tolist() == [trial.id for trial in rbf]
    assert panels["kernel/gamma"].note == f"{len(there) - len(rbf)} trials do not have it"
    assert panels["x"].x.log
    assert panels["kernel/name"].x.names == ("poly", "rbf")


def test_of_many_parameters_the_most_important_are_sliced():
    space = {f"x{number}": s.uniform(0, 1) for number in range(12)}
    found = run(lambda config: {"loss": config["x7"]}, space, num_samples=60)
    panels = slices_picture(found, "loss", None).panels
    assert len(panels) == 9
    assert panels[0].x.title == "x7"
    assert panels[0].note == "9 of 12 parameters: the most important"


def test_a_slice_of_a_parameter_that_does_not_exist_is_refused_with_the_nearest(many):
    with pytest.raises(ValueError, match="there is no parameter 'kernel/gama'; did you mean 'kernel/gamma'"):
        plots.slices(many, parameters=["kernel/gama"])


def test_a_constant_parameter_may_be_asked_for(many):
    assert {*slices_picture(many, "loss", ["fixed"]).panels[0].marks[0].x.tolist()} == {3}


def test_where_no_parameter_varies_there_is_nothing_to_draw():
    found = run(lambda config: {"loss": 1.0}, {"x": 3}, num_samples=2)
    with pytest.raises(ValueError, match="no parameter varies among 2 trials"):
        plots.slices(found)


def test_contours_are_linear_between_the_trials():
    found = run(lambda config: {"loss": config["x"] + 2 * config["y"]}, {"x": s.uniform(0, 1), "y": s.uniform(0, 1)})
    surface, dots = pairs_picture(found, "loss", ["x", "y"], "contour").panels[0].marks
    inside = np.isfinite(surface.z)
    assert inside.mean() > 0.3
    assert surface.z[inside] == pytest.approx((surface.x + 2 * surface.y[:, None])[inside])
    assert dots.x.tolist() == [trial.config["x"] for trial in found]


def test_contours_have_places_for_categories_and_logarithmic_axes(many):
    surface, _ = pairs_picture(many, "loss", ["depth", "x"], "contour").panels[0].marks
    assert np.isfinite(surface.z).any()
    assert np.diff(np.log(surface.y)) == pytest.approx(np.full(59, np.log(surface.y[1] / surface.y[0])))
    surface, _ = pairs_picture(many, "loss", ["kernel/name", "x"], "contour").panels[0].marks
    assert surface.x.tolist() == [0, 1]


def test_trials_on_one_line_have_no_contours_and_the_picture_says_so(many):
    found = run(lambda config: {"loss": config["x"]}, {"x": s.choice([1, 2]), "y": s.choice([1])}, num_samples=4)
    panel = pairs_picture(found, "loss", ["x", "y"], "contour").panels[0]
    assert panel.note == "the trials are on one line: no contours"


@pytest.mark.parametrize("draw", [plots.contour, plots.rank])
def test_two_parameters_are_needed_and_trials_that_have_both(many, draw):
    with pytest.raises(ValueError, match="no trial has both 'kernel/gamma' and 'kernel/degree'"):
        draw(many, parameters=["kernel/gamma", "kernel/degree"])
    with pytest.raises(ValueError, match="needs two parameters that vary, and there is only 'x'"):
        draw(many, parameters=["x"])


def test_ranks_are_even_and_equal_values_share_one():
    found = run(lambda config: {"loss": min(config["x"], 0.5) ** 9}, {"x": s.uniform(0, 1), "y": s.uniform(0, 1)})
    (dots,) = pairs_picture(found, "loss", ["x", "y"], "rank").panels[0].marks
    below = [trial.config["x"] for trial in found if trial.config["x"] < 0.5]
    ranks = dict(zip(dots.x.tolist(), dots.shade.tolist(), strict=True))
    assert [ranks[x] for x in sorted(below)] == pytest.approx([place / 15 for place in range(len(below))])
    (shared,) = {ranks[x] for x in ranks if x >= 0.5}
    assert shared == pytest.approx((len(below) + 15) / 2 / 15)


def test_all_pairs_of_more_parameters_are_drawn(many):
    panels = pairs_picture(many, "loss", ["x", "depth", "kernel/name"], "rank").panels
    titles = [(panel.x.title, panel.y.title) for panel in panels]
    assert titles == [("x", "depth"), ("x", "kernel/name"), ("depth", "kernel/name")]


def test_bars_are_the_importances_with_their_intervals(many):
    found = many.importance()
    panel = importances_picture(found).panels[0]
    (bars,) = panel.marks
    assert bars.length.tolist() == [each.importance for each in found]
    assert bars.high.tolist() == [each.high for each in found]
    assert panel.y.names[0] == "x"
    assert f"kernel/gamma ({found['kernel/gamma'].trials} trials)" in panel.y.names
    assert panel.note == "; ".join(f"{n} trials left out: {reason}" for reason, n in found.left_out.items())


def test_without_a_value_nothing_can_be_drawn(empty):
    for draw in (plots.parallel_coordinates, plots.slices, plots.contour, plots.rank):
        with pytest.raises(ValueError, match="none of the 2 trials has a finite 'loss'"):
            draw(empty)
