"""Plots: what is drawn, by either backend."""

from __future__ import annotations

import math

import matplotlib as mpl
import pytest

from trialwright import ASHA, Engine, plots, report, tune
from trialwright import space as s
from trialwright.plots import data

SPACE = {"lr": s.uniform(0, 1), "kind": s.choice(["a", "b"]), "model": {"depth": s.randint(1, 4), "width": 8}}


def train(config):
    for step in range(1, 10):
        report(loss=config["lr"] / step, accuracy=step)


@pytest.fixture(scope="module")
def result():
    settings = {"metric": "loss", "num_samples": 12, "executor": "local", "verbose": 0, "storage": None, "seed": 2}
    return Engine(train, SPACE, scheduler=ASHA(max_t=9, reduction_factor=3), **settings).run()


@pytest.fixture(autouse=True)
def _no_screen():
    import matplotlib.pyplot as plt

    mpl.use("agg")
    yield
    plt.close("all")


def test_what_tune_returns_may_be_drawn_too(tmp_path):
    settings = tune.RunConfig(executor="local", storage_path=tmp_path, verbose=0)
    search = tune.TuneConfig(metric="loss", mode="min", num_samples=2)
    grid = tune.Tuner(train, param_space=SPACE, tune_config=search, run_config=settings).fit()
    for given in (grid, tune.ExperimentAnalysis(grid.experiment_path)):
        assert len(plots.learning_curves(given).lines) == 2
        for draw in (plots.optimization_history, plots.parallel_coordinates, plots.rung_survival):
            assert draw(given)


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


def test_the_best_so_far_never_gets_worse(result):
    history = data.history(result, "loss")
    assert history.best == sorted(history.best, reverse=True)
    assert history.best[-1] == min(history.values) == min(trial.best[0] for trial in result)


def run(objective, space, **keywords):
    settings = {"num_samples": 16, "executor": "local", "verbose": 0, "storage": None, "seed": 0, "searcher": "random"}
    return Engine(objective, space, **settings | keywords).run()


def rise_and_fall(config):
    for step in (1, 3, 2):
        report(loss=config["x"] / step, accuracy=step * config["x"], memory=config["x"] * step)


def test_the_best_so_far_of_each_objective_goes_by_its_own_direction():
    result = run(rise_and_fall, {"x": s.uniform(0, 1)}, metric=["loss", "accuracy"], mode=["min", "max"])
    history = data.history(result, "accuracy")
    assert history.best == sorted(history.best)
    assert sorted(history.values) == [pytest.approx(3 * x) for x in sorted(trial.config["x"] for trial in result)]
    assert history.best[-1] == max(history.values)


def test_the_best_so_far_is_only_what_may_be_best():
    goals = {"metric": "accuracy", "mode": "max", "outcome_constraints": ["memory <= 0.5"]}
    result = run(rise_and_fall, {"x": s.uniform(0, 1)}, **goals)
    history = data.history(result, "accuracy")
    assert max(history.values) > 1
    assert history.best[-1] == result.best_metrics["accuracy"] <= 0.5


def test_a_metric_that_is_no_objective_has_no_direction_and_no_best(result):
    assert data.history(result, "accuracy").best == []
    assert [trace.name for trace in plots.optimization_history(result, "accuracy", backend="plotly").data] == ["trials"]
    assert len(plots.optimization_history(result, "accuracy").lines) == 1


KERNEL = s.choice([{"name": "rbf", "gamma": s.loguniform(1e-3, 1e3)}, {"name": "poly", "degree": s.randint(2, 12)}])


def test_numbers_in_branches_are_numbers_on_their_axis_and_logarithmic_where_the_space_is():
    result = run(lambda config: 1.0, {"kernel": KERNEL}, metric="loss")
    axes = {axis.name: axis for axis in data.coordinates(result, "loss")}
    gamma, degree = axes["kernel/gamma"], axes["kernel/degree"]
    assert (gamma.names, gamma.log, degree.names, degree.log) == (None, True, None, False)
    for trial, *places in zip(result, gamma.positions, degree.positions, strict=True):
        there = [trial.config["kernel"].get(name) for name in ("gamma", "degree")]
        assert [None if math.isnan(place) else place for place in places] == there


def test_a_trial_outside_a_branch_is_drawn_without_a_place_on_its_axes():
    result = run(lambda config: 1.0, {"kernel": KERNEL}, metric="loss")
    figure = plots.parallel_coordinates(result, backend="plotly")
    gamma = next(axis for axis in figure.data[0].dimensions if axis.label == "kernel/gamma")
    assert gamma.ticktext[0] == "none"
    assert [math.isfinite(value) for value in gamma.values] == [True] * 16  # as plotly wants it
    is_rbf = [trial.config["kernel"]["name"] == "rbf" for trial in result]
    assert [value != gamma.tickvals[0] for value in gamma.values] == is_rbf
    for line, taken in zip(plots.parallel_coordinates(result).lines, is_rbf, strict=True):
        assert sum(map(math.isfinite, line.get_ydata())) == 3, taken


def test_numbers_among_names_stand_in_the_order_of_numbers():
    result = run(lambda config: 1.0, {"depth": s.choice([None, 2, 10])}, metric="loss")
    assert data.coordinates(result, "loss")[0].names == ["2", "10", "None"]


def test_the_history_has_a_dot_a_trial(result):
    assert len(plots.optimization_history(result).lines[0].get_xdata()) == 12
    assert len(plots.optimization_history(result, backend="plotly").data[0].x) == 12


def test_coordinates_are_those_that_vary_and_the_metric(result):
    axes = data.coordinates(result, "loss")
    assert [axis.name for axis in axes] == ["lr", "kind", "model/depth", "loss"]
    assert axes[1].names == ["a", "b"]
    assert axes[0].positions == [trial.config["lr"] for trial in result]


def test_parallel_coordinates_have_a_line_a_trial(result):
    assert len(plots.parallel_coordinates(result).lines) == 12
    figure = plots.parallel_coordinates(result, backend="plotly")
    assert [dimension.label for dimension in figure.data[0].dimensions] == ["lr", "kind", "model/depth", "loss"]


def test_survival_falls_at_the_rungs(result):
    survival = data.survival(result, "step")
    assert survival.x[:2] == [0.0, 1.0]
    assert survival.count[0] == survival.count[1] == 12
    assert survival.count == sorted(survival.count, reverse=True)
    assert survival.count[-1] == sum(trial.metrics["step"] == 9 for trial in result)


def test_survival_is_drawn_by_both(result):
    assert list(plots.rung_survival(result).lines[0].get_ydata()) == list(
        plots.rung_survival(result, backend="plotly").data[0].y
    )


def test_a_plot_can_be_drawn_into_another(result):
    import matplotlib.pyplot as plt

    ax = plt.subplots()[1]
    for draw in (plots.learning_curves, plots.optimization_history, plots.parallel_coordinates, plots.rung_survival):
        assert draw(result, ax=ax) is ax
        with pytest.raises(ValueError, match="ax"):
            draw(result, ax=ax, backend="plotly")


def test_a_plot_without_a_metric_is_refused():
    result = Engine(train, SPACE, executor="local", verbose=0, storage=None).run()
    with pytest.raises(ValueError, match="the run has no metric"):
        plots.learning_curves(result)


@pytest.mark.parametrize("draw", [plots.learning_curves, plots.optimization_history, plots.parallel_coordinates])
def test_a_metric_that_no_trial_has_reported_is_refused_with_the_nearest_one(result, draw):
    with pytest.raises(ValueError, match="'acuracy'; did you mean 'accuracy'"):
        draw(result, "acuracy")


def test_another_backend_is_refused(result):
    with pytest.raises(ValueError, match="bokeh"):
        plots.rung_survival(result, backend="bokeh")
