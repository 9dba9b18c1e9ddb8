"""Aim's own repository has what a run reported: one run a trial, its parameters, metrics by step, and its end."""

from __future__ import annotations

import pytest

from trialwright import Engine, report
from trialwright import space as s
from trialwright.integrations.aim import AimLogger
from trialwright.tune.trackers import AimLoggerCallback
from trialwright.tune.trial import RunFacts

aim = pytest.importorskip("aim")
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(300)]
WAIT_S = 120.0


def train(config):
    for step in range(1, 4):
        report({"loss": config["lr"] / step, "note": f"s{step}"})
    if config["lr"] > 0.5:
        raise ValueError("no luck")


SPACE = {"lr": s.grid_search([0.3, 0.6]), "model": {"width": 8}}


def run(tmp_path, *callbacks, objective=train, **keywords):
    settings = {"metric": "loss", "executor": "local", "verbose": 0, "storage": tmp_path, "name": "digits"}
    return Engine(objective, SPACE, callbacks=callbacks, **settings | keywords).run()


def runs(directory):
    repo = aim.Repo(str(directory))
    found = [aim.Run(each, repo=repo, system_tracking_interval=None) for each in repo.list_all_runs()]
    return sorted(found, key=lambda each: each.description)


def curve(run, name):
    from aim.storage.context import Context

    found = run.get_metric(name, Context({})).dataframe()
    return sorted(zip(found["step"], found["value"], strict=True))


def test_each_trial_is_a_run_with_its_parameters_metrics_and_end(tmp_path):
    result = run(tmp_path, AimLogger(wait_s=WAIT_S))
    assert not result.warnings
    found = runs(result.path)
    for trial, each in zip(result, found, strict=True):
        assert each.experiment == "digits"
        assert each["hparams"] == {"lr": trial.config["lr"], "model/width": 8}
        assert curve(each, "loss") == [(row["step"], row["loss"]) for row in trial.history]
        assert each["strings", "note"] == "s3"
        assert each.tags == [trial.outcome]
    assert found[1]["outcome", "message"] == "ValueError: no luck"


def test_a_resumed_run_continues_the_same_runs(tmp_path):
    result = run(tmp_path, AimLogger(wait_s=WAIT_S))
    again = Engine.resume(
        result.path,
        lambda config: report(loss=0.1),
        executor="local",
        verbose=0,
        retry_failed="scratch",
        callbacks=[AimLogger(wait_s=WAIT_S)],
    ).run()
    assert not again.warnings
    _, second = runs(result.path)
    assert second["outcome", "status"] == "completed"
    assert curve(second, "loss")[0] == (1, 0.1)  # a repeated step has its last value


def test_chosen_metrics_go_to_a_repository_of_choice_under_ray_tunes_names(tmp_path):
    made = AimLoggerCallback(str(tmp_path / "repo"), experiment_name="as_ray", metrics=["loss"])
    (tmp_path / "repo").mkdir()
    run(tmp_path, *made.to_engine(RunFacts("train")))
    first, _ = runs(tmp_path / "repo")
    assert first.experiment == "as_ray"
    assert first.name.startswith("train_")
    assert {metric.name for metric in first.metrics()} == {"loss"}
