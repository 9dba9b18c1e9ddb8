"""A program of which only half of the imports were changed: what comes from Ray is refused, with what to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trialwright import Engine, tune

theirs = pytest.importorskip("ray.tune")
QUIET = {"executor": "local", "verbose": 0}


def fit(tmp_path, objective=lambda config: {"loss": 1.0}, tuned=None, **kept):
    run = tune.RunConfig(**QUIET, storage_path=str(tmp_path), **kept)
    config = tune.TuneConfig(metric="loss", mode="min", **(tuned or {}))
    return tune.Tuner(objective, param_space={"x": tune.uniform(0, 1)}, tune_config=config, run_config=run).fit()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: theirs.uniform(0, 1),
        lambda: {"deep": [theirs.randint(0, 9)]},
        lambda: tune.choice([theirs.choice([1, 2])]),
        lambda: theirs.sample_from(lambda spec: 1),
    ],
)
def test_rays_domains_are_refused_where_they_stand(wrong):
    with pytest.raises(ValueError, match="x.*: this .* is Ray Tune's: from trialwright import tune, or space"):
        tune.run(lambda config: {"loss": 1}, config={"x": wrong()}, **QUIET)


def schedulers():
    return {"tuned": {"scheduler": theirs.schedulers.ASHAScheduler()}}


def searchers():
    return {"tuned": {"search_alg": theirs.search.BasicVariantGenerator()}}


def stoppers():
    return {"stop": theirs.stopper.MaximumIterationStopper(3)}


def callbacks():
    return {"callbacks": [theirs.Callback()]}


def subclasses():
    return {"callbacks": [type("Own", (theirs.Callback,), {})()]}


def reporters():
    return {"progress_reporter": theirs.CLIReporter()}


@pytest.mark.parametrize("wrong", [schedulers, searchers, stoppers, callbacks, subclasses, reporters])
def test_rays_objects_are_refused_with_what_to_import(wrong, tmp_path):
    with pytest.raises((TypeError, ValueError), match="; this one is Ray's: from trialwright.tune.* import "):
        fit(tmp_path, **wrong())


def test_what_is_to_be_imported_is_there():
    with pytest.raises(TypeError, match="Ray's: (.*)$") as raised:
        tune.Tuner(print, tune_config=theirs.TuneConfig())
    exec(str(raised.value).rpartition("Ray's: ")[2])


@pytest.mark.parametrize(
    "given", [{"scheduler": theirs.schedulers.FIFOScheduler()}, {"stop": theirs.stopper.NoopStopper()}]
)
def test_the_engine_refuses_them_too(given):
    with pytest.raises(ValueError, match="Ray's: from trialwright.tune"):
        Engine(print, {"x": tune.uniform(0, 1)}, metric="loss", **given, **QUIET, storage=None).run()


def test_a_trainable_of_rays_is_refused():
    with pytest.raises(TypeError, match=r"Ray's: from trialwright\.tune\.trainable\.trainable import Trainable"):
        tune.run(type("Own", (theirs.Trainable,), {}), **QUIET)


@pytest.mark.parametrize("call", [lambda: theirs.report({"loss": 1.0}), theirs.get_checkpoint])
def test_a_call_of_rays_inside_a_trial_fails_the_trial(call, tmp_path):
    def objective(config):
        call()
        return {"loss": 1.0}

    for _ in range(2):
        [error] = fit(tmp_path, objective).errors
        assert "of ray.tune, which this run does not hear: from trialwright import tune" in str(error)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_outside_of_a_trial_rays_own_calls_are_as_ever(tmp_path):
    fit(tmp_path)
    assert (theirs.report({"loss": 1.0}), theirs.get_checkpoint()) == (None, None)


PROGRAM = """
from trialwright import tune

def objective(config):
    from ray import tune
    tune.report({"loss": 1.0})

results = tune.Tuner(objective, run_config=tune.RunConfig(executor="EXECUTOR", verbose=0, storage_path="runs")).fit()
print([str(error) for error in results.errors])
"""


@pytest.mark.parametrize("executor", ["local", "processes"])
def test_an_import_inside_the_objective_is_noticed_too(executor, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM.replace("EXECUTOR", executor))
    found = {"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env=found, capture_output=True, text=True, timeout=100, check=True
    )
    assert "report() of ray.tune, which this run does not hear" in done.stdout
