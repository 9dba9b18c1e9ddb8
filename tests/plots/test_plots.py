"""All plots: as functions and as methods, of live and loaded runs, with both backends, of many trials."""

from __future__ import annotations

import inspect
import warnings

import matplotlib as mpl
import pytest

from tests.plots.conftest import SPACE, run, train
from trialwright import load, plots, tune
from trialwright import space as s

NAMES = [name for name in plots.__all__ if name != "Plot"]
ONE_PANEL = [name for name in NAMES if name not in ("slices", "pareto_front")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_every_plot_is_drawn_by_both_backends_of_a_run_with_all_that_is_awkward(many, name, backend, tmp_path):
    drawn = getattr(many.plot, name)(backend=backend)
    if backend == "plotly":
        assert drawn.to_json()
        assert drawn.data
    else:
        drawn.figure.savefig(tmp_path / "picture.png", dpi=40)
        assert (tmp_path / "picture.png").stat().st_size > 1000


def test_every_function_is_a_method_of_result_plot():
    assert sorted(NAMES) == sorted(name for name in vars(plots.Plot) if name[0] != "_" and name != "as_result")
    assert all(getattr(plots.Plot, name) is getattr(plots, name) for name in NAMES)


def test_every_plot_takes_a_backend_and_axes():
    for name in NAMES:
        assert {"backend", "ax"} <= inspect.signature(getattr(plots, name)).parameters.keys()


def test_a_loaded_run_is_drawn_as_the_live_one(tmp_path):
    live = run(train, SPACE, storage=tmp_path, num_samples=12)
    for name in ("learning_curves", "optimization_history", "rung_survival", "timeline", "slices", "importances"):
        figures = [getattr(each.plot, name)(backend="plotly").to_json() for each in (live, load(live.path))]
        assert figures[0] == figures[1]


def test_what_tune_returns_may_be_drawn_too(tmp_path):
    settings = tune.RunConfig(executor="local", storage_path=tmp_path, verbose=0)
    search = tune.TuneConfig(metric="loss", mode="min", num_samples=2)
    grid = tune.Tuner(train, param_space=SPACE, tune_config=search, run_config=settings).fit()
    for given in (grid, tune.ExperimentAnalysis(grid.experiment_path)):
        assert len(plots.learning_curves(given).lines) == 2
        assert given.as_result().path == load(grid.experiment_path).path
        for draw in (plots.optimization_history, plots.parallel_coordinates, plots.rung_survival):
            assert draw(given)


@pytest.mark.parametrize("name", ONE_PANEL)
def test_a_plot_of_one_panel_can_be_drawn_into_another(many, name):
    import matplotlib.pyplot as plt

    ax = plt.subplots()[1]
    assert getattr(many.plot, name)(ax=ax) is ax
    with pytest.raises(ValueError, match="ax is for matplotlib only"):
        getattr(many.plot, name)(ax=ax, backend="plotly")


def test_axes_that_do_not_fit_are_refused(many):
    import matplotlib.pyplot as plt

    ax = plt.subplots()[1]
    with pytest.raises(ValueError, match="ax has room for one panel, not 5"):
        many.plot.slices(ax=ax)
    with pytest.raises(ValueError, match="three objectives need ax of"):
        many.plot.pareto_front(ax=ax)
    solid = plt.figure().add_subplot(projection="3d")
    assert many.plot.pareto_front(ax=solid) is solid


def test_the_axes_are_as_the_picture_says(many):
    panel = many.plot.model(["x"])
    assert panel.get_xscale() == "log"
    shown = many.plot.slices(backend="plotly")
    kinds = {axis.title.text: axis.type for axis in shown.select_xaxes()}
    assert kinds["x"] == "log"
    assert kinds["depth"] == "linear"


def test_bars_are_at_the_places_of_their_names(many):
    names = [each.parameter for each in many.importance()]
    drawn = many.plot.importances(backend="plotly")
    assert [name.split(" (")[0] for name in drawn.layout.yaxis.ticktext] == names
    assert list(drawn.layout.yaxis.tickvals) == list(drawn.data[0].y)
    assert drawn.layout.yaxis.autorange == "reversed"
    axes = many.plot.importances()
    assert [label.get_text().split(" (")[0] for label in axes.get_yticklabels()] == names
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_notes_are_in_the_picture(many):
    note = "trials without a finite loss"
    assert note in many.plot.optimization_history().get_title(loc="left")
    assert note in many.plot.optimization_history(backend="plotly").layout.title.text


def test_a_plot_without_a_metric_is_refused():
    found = run(train, SPACE, metric=None, num_samples=1)
    with pytest.raises(ValueError, match="the run has no metric"):
        plots.learning_curves(found)


@pytest.mark.parametrize("name", ["learning_curves", "optimization_history", "parallel_coordinates", "slices", "rank"])
def test_a_metric_that_no_trial_has_reported_is_refused_with_the_nearest_one(result, name):
    with pytest.raises(ValueError, match="'acuracy'; did you mean 'accuracy'"):
        getattr(result.plot, name)("acuracy")


def test_another_backend_is_refused(result):
    with pytest.raises(ValueError, match="must be 'matplotlib' or 'plotly', not 'ploty'; did you mean 'plotly'"):
        plots.rung_survival(result, backend="ploty")


def test_no_plot_of_many_trials_has_more_marks_than_can_be_seen():
    def objective(config):
        return {"loss": config["x"] * config["y"], "size": 1 - config["x"]}

    found = run(
        objective, {"x": s.uniform(0, 1), "y": s.uniform(0, 1)}, num_samples=5100, metric=["loss", "size"], mode="min"
    )
    for name in ("optimization_history", "slices", "contour", "rank", "pareto_front", "timeline"):
        drawn = getattr(found.plot, name)(backend="plotly")
        assert max(len(trace.x) for trace in drawn.data if trace.type != "contour") <= 5000
        titles = [drawn.layout.title.text or "", *(note.text for note in drawn.layout.annotations)]
        assert any("drawn" in title for title in titles), name
    for name in ("edf", "hypervolume_history", "comparison", "rung_survival"):
        assert max(len(trace.x) for trace in getattr(found.plot, name)(backend="plotly").data) <= 1002


def test_constant_values_and_single_trials_are_drawn_without_a_warning():
    import matplotlib.pyplot as plt

    found = run(
        lambda config: {"loss": 1.0, "size": 2.0},
        {"x": s.uniform(0, 1), "y": s.choice(["a", "b"])},
        num_samples=3,
        metric=["loss", "size"],
        mode="min",
    )
    single = run(lambda config: {"loss": 1.0}, {"x": s.uniform(0, 1)}, num_samples=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in set(NAMES) - {"importances"}:
            assert getattr(found.plot, name)()
        plt.close("all")
        for name in ("slices", "parallel_coordinates", "pareto_front"):
            getattr(found.plot, name)().figure.canvas.draw()
        for name in ("learning_curves", "optimization_history", "rung_survival", "timeline", "edf", "comparison"):
            assert getattr(single.plot, name)()
    assert mpl.get_backend() == "agg"
