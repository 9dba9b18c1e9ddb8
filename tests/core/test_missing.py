"""Names that a run was given and that its reports lack."""

from __future__ import annotations

import pytest

from trialwright import ASHA, Engine, Local, report, space, tune

SPACE = {"x": space.uniform(0, 1)}


def trains(config):
    for epoch in range(3):
        report({"acc": config["x"], "val": {"loss": 1 - config["x"]}, "epoch": epoch}, checkpoint={"epoch": epoch})


def run(objective=trains, **keywords):
    keywords = {"metric": "acc", "mode": "max", "num_samples": 8, "searcher": "random", **keywords}
    return Engine(objective, SPACE, storage=None, executor=Local(cpus=1), seed=0, verbose=0, **keywords).run()


class Patience:
    metric = "los"

    def __call__(self, trial, metrics):
        return False

    def stop_all(self):
        return False


@pytest.mark.parametrize(
    ("keywords", "what", "name", "near"),
    [
        ({"stop": {"ac": 0.1}}, "stop", "ac", "acc"),
        ({"stop": [{"val/los": ("<=", 0)}, {"step": 9}]}, "stop", "val/los", "val/loss"),
        ({"stop": Patience()}, "stop", "los", "val/loss"),
        ({"keep_checkpoints": 1, "checkpoint_score": ("ac", "max")}, "checkpoint_score", "ac", "acc"),
        ({"scheduler": ASHA(max_t=3, time_attr="epochs")}, "the scheduler", "epochs", "epoch"),
        ({"outcome_constraints": ["val/lss <= 1"]}, "outcome_constraints", "val/lss", "val/loss"),
    ],
)
def test_a_name_that_the_first_report_lacks_is_said_once_with_the_nearest_one(keywords, what, name, near):
    assert run(**keywords).warnings == (f"{what}: the first report has no metric {name!r}; did you mean {near!r}?",)


def test_names_that_are_reported_or_counted_are_not_said():
    stop = {"acc": 2, "val/loss": ("<=", -1), "step": 9, "time_s": 1e6}
    keep = {"keep_checkpoints": 1, "checkpoint_score": ("val/loss", "min")}
    assert (
        run(stop=stop, outcome_constraints=["epoch <= 9", "time_s <= 1e6"], trial_timeout_s=60, **keep).warnings == ()
    )


def test_a_run_ends_when_five_trials_have_ended_without_an_outcome_constraints_metric():
    result = run(outcome_constraints=["memroy <= 2"])
    assert result.stopped == (
        "5 trials ended, and no report has 'memroy' of outcome_constraints; there are 'acc', 'epoch', 'val/loss'"
    )
    assert len(result) == 5


def test_with_fail_fast_one_trial_without_an_outcome_constraints_metric_is_enough():
    assert len(run(outcome_constraints=["memroy <= 2"], fail_fast=True)) == 1


def test_an_outcome_constraint_may_be_on_what_only_the_last_report_has():
    def objective(config):
        report(acc=config["x"])
        report(acc=config["x"], memory=1)

    result = run(objective, outcome_constraints=["memory <= 2"])
    assert (result.stopped, len(result), result.best_metrics["memory"]) == (None, 8, 1)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"stop": {"training_iteration": 3, "accuracy": 2}}, []),
        ({"stop": {"acuracy": 2}}, ["stop: the first report has no metric 'acuracy'; did you mean 'accuracy'?"]),
        (
            {"stop": tune.stopper.TrialPlateauStopper("val/lss")},
            ["stop: the first report has no metric 'val/lss'; did you mean 'val/loss'?"],
        ),
        (
            {"checkpoint_config": tune.CheckpointConfig(num_to_keep=1, checkpoint_score_attribute="acuracy")},
            ["checkpoint_score: the first report has no metric 'acuracy'; did you mean 'accuracy'?"],
        ),
    ],
)
def test_ray_tunes_settings_are_looked_at_too(tmp_path, capsys, settings, told):
    def objective(config):
        tune.report({"accuracy": 1, "val": {"loss": 1}})

    local = tune.RunConfig(executor="local", verbose=1, storage_path=str(tmp_path), **settings)
    tune.Tuner(objective, param_space={"x": 1}, run_config=local).fit()
    said = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("warning: ") for line in said if line.startswith("warning: ")] == told
