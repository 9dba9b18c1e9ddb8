"""A program of which only half of the imports were changed: what comes from Ray is refused, with what to import."""

from __future__ import annotations

from functools import partial

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
    with pytest.raises(ValueError, match="x.*: this .* is from Ray Tune; use trialwright.tune or trialwright.space"):
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


def reports_in_a_function_of_its_module(config):
    theirs.report({"loss": 1.0})


def calls_what_was_imported_there(config):
    from ray.tune import get_checkpoint as saved

    saved()


def calls_by_the_whole_path(config):
    import ray

    ray.train.report({"loss": 1.0})


def calls_by_another_name(config):
    import ray.tune as t

    t.report({"loss": 1.0})


def calls_in_what_it_calls(config):
    def inner():
        reports_in_a_function_of_its_module(config)

    inner()


class Called:
    def __call__(self, config):
        theirs.get_checkpoint()


@pytest.mark.parametrize(
    "objective",
    [
        reports_in_a_function_of_its_module,
        calls_what_was_imported_there,
        calls_by_the_whole_path,
        calls_by_another_name,
        calls_in_what_it_calls,
        partial(reports_in_a_function_of_its_module),
        Called(),
    ],
)
def test_an_objective_that_calls_rays_report_is_refused_before_it_runs(objective, tmp_path):
    with pytest.raises(TypeError, match=r"of ray.tune, which has no effect in this run: from trialwright import"):
        fit(tmp_path, objective)
    with pytest.raises(TypeError, match=r"of ray.tune, which has no effect in this run"):
        Engine(objective, {"x": tune.uniform(0, 1)}, metric="loss", **QUIET, storage=None).run()


def test_an_objective_that_uses_the_rest_of_ray_is_not(tmp_path):
    def objective(config):
        import ray.tune as t

        t.uniform(0, 1)
        tune.report({"loss": 1.0})

    assert not fit(tmp_path, objective).errors
