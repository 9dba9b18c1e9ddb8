"""The model's view: the mean and its interval along one parameter, or two."""

from __future__ import annotations

import numpy as np
import pytest

from tests.plots.conftest import run
from trialwright import load, plots
from trialwright import space as s
from trialwright.plots.model import model_picture
from trialwright.results import MODELLED_MAX

SPACE = {"x": s.loguniform(1e-2, 1), "inner": {"n": s.randint(1, 9)}, "kind": s.choice(["a", "b"])}


def valley(config):
    return {"loss": (np.log10(config["x"]) + 1) ** 2 + 0.1 * config["inner"]["n"] + (config["kind"] == "b")}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return run(valley, SPACE, num_samples=40, storage=tmp_path_factory.mktemp("runs"))


def test_the_mean_follows_the_values_and_the_interval_encloses_it(found):
    line, band, dots = model_picture(found, "loss", ["x"], None).panels[0].marks
    best = found.best_config
    expected = (np.log10(line.x) + 1) ** 2 + 0.1 * best["inner"]["n"] + (best["kind"] == "b")
    assert line.y == pytest.approx(expected, abs=0.15)
    assert (band.low <= line.y).all()
    assert (line.y <= band.high).all()
    assert dots.x.tolist() == [trial.config["x"] for trial in found]
    assert np.diff(np.log(line.x)) == pytest.approx(np.full(len(line.x) - 1, np.log(line.x[1] / line.x[0])))


def test_whole_numbers_stay_whole_and_categories_are_those_that_were_tried(found):
    line, *_ = model_picture(found, "loss", ["inner/n"], None).panels[0].marks
    assert line.x.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    panel = model_picture(found, "loss", ["kind"], None).panels[0]
    assert panel.x.names == ("a", "b")
    assert panel.marks[0].y[1] - panel.marks[0].y[0] == pytest.approx(1.0, abs=0.2)


def test_two_parameters_have_a_panel_for_the_mean_and_one_for_the_uncertainty(found):
    mean, doubt = model_picture(found, "loss", ["x", "kind"], None).panels
    assert (mean.title, doubt.title) == ("mean", "half of the 95 % interval")
    surface = mean.marks[0]
    assert surface.z.shape == (2, len(surface.x))
    assert surface.z[1] - surface.z[0] == pytest.approx(np.ones(len(surface.x)), abs=0.25)
    assert (doubt.marks[0].z >= 0).all()


def test_other_parameters_are_as_in_the_base(found):
    at = {"x": 0.1, "inner": {"n": 8}, "kind": "b"}
    line, *_ = model_picture(found, "loss", ["x"], at).panels[0].marks
    assert line.y.min() == pytest.approx(1.8, abs=0.15)
    assert at == {"x": 0.1, "inner": {"n": 8}, "kind": "b"}


def test_a_prediction_has_the_direction_of_the_metric():
    turned = run(lambda config: -valley(config)["loss"], SPACE, metric="loss", mode="max", num_samples=40)
    predicted = turned.predict([{"x": 0.1, "inner": {"n": 1}, "kind": "a"}])
    assert predicted.mean[0] == pytest.approx(-0.1, abs=0.1)
    assert predicted.low[0] <= predicted.mean[0] <= predicted.high[0]


def test_of_many_trials_the_best_and_some_others_are_modelled():
    found = run(valley, SPACE, num_samples=MODELLED_MAX + 300)
    modelled = found._modelled("loss", "min")
    best = sorted(found, key=lambda trial: trial.metrics["loss"])[:100]
    assert {trial.id for trial in best} <= {trial.id for trial in modelled}
    assert MODELLED_MAX / 2 <= len(modelled) <= MODELLED_MAX * 1.25
    predicted = found.predict([{"x": 0.1, "inner": {"n": 1}, "kind": "a"}])
    assert predicted.mean[0] == pytest.approx(0.1, abs=0.1)


def test_a_loaded_run_is_modelled_too(found):
    again = model_picture(load(found.path), "loss", ["x"], None).panels[0].marks[0]
    assert again.y.tolist() == model_picture(found, "loss", ["x"], None).panels[0].marks[0].y.tolist()


def test_what_cannot_be_predicted_is_refused(found, many):
    with pytest.raises(ValueError, match="'los' is no objective of the run; did you mean 'loss'"):
        found.predict([found.best_config], "los")
    with pytest.raises(ValueError, match="one or two parameters, not 3"):
        plots.model(found, ["x", "kind", "inner/n"])
    other = "gamma" if "degree" in many.best_config["kernel"] else "degree"
    with pytest.raises(ValueError, match=f"the base configuration has no 'kernel/{other}': give base="):
        plots.model(many, [f"kernel/{other}"])
