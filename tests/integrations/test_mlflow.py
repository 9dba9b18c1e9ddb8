"""MLflow's own store has what a run reported: one run a trial, its parameters, metrics by step, and its end."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from trialwright import Engine, earlier, report
from trialwright import space as s
from trialwright.callbacks import TrialInfo
from trialwright.integrations.mlflow import MLflowLogger, mlflow_name, setup_mlflow
from trialwright.tune import names
from trialwright.tune.trackers import MLflowLoggerCallback
from trialwright.tune.trial import RunFacts, Trial

mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sqlalchemy")
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(300)]
EXAMPLE = Path(__file__).parents[2] / "examples" / "integrations" / "document_003_with_mlflow.py"
WAIT_S = 120.0  # to make a store's tables may take long


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """A store, made once: its tables take seconds."""
    found = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    mlflow.MlflowClient(found).create_experiment("another", str(tmp_path_factory.mktemp("artifacts")))
    return found


def train(config):
    for step in range(1, 4):
        report({"loss": config["lr"] / step, "note": f"s{step}", "deep": {"er[1]": step}})
    if config["lr"] > 0.5:
        raise ValueError("no luck")


SPACE = {"lr": s.grid_search([0.3, 0.6]), "model": {"width": 8, "sizes": [1, 2]}}


def run(tmp_path, name, *callbacks, objective=train, **keywords):
    settings = {"metric": "loss", "executor": "local", "verbose": 0, "storage": tmp_path, "name": name}
    return Engine(objective, SPACE, callbacks=callbacks, **settings | keywords).run()


def runs(uri, experiment):
    client = mlflow.MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return client, sorted(found, key=lambda each: each.info.run_name)


def test_each_trial_is_a_run_with_its_parameters_metrics_and_end(uri, tmp_path):
    result = run(tmp_path, "digits", MLflowLogger(uri, tags={"team": "blue"}, wait_s=WAIT_S))
    assert not result.warnings
    client, (good, bad) = runs(uri, "digits")
    assert good.data.params == {"lr": "0.3", "model/width": "8", "model/sizes": "[1, 2]"}
    history = client.get_metric_history(good.info.run_id, "loss")
    assert [(each.step, each.value) for each in history] == [(row["step"], row["loss"]) for row in result[0].history]
    assert good.data.metrics["deep/er_1_"] == 3
    assert (good.data.tags["metric.note"], good.data.tags["team"]) == ("s3", "blue")
    assert (good.info.status, bad.info.status) == ("FINISHED", "FAILED")
    assert bad.data.tags["trialwright.error"] == "ValueError: no luck"


def test_a_resumed_run_continues_the_same_runs(uri, tmp_path):
    result = run(tmp_path, "resumed", MLflowLogger(uri, wait_s=WAIT_S))
    again = Engine.resume(
        result.path,
        lambda config: report(loss=0.1),
        executor="local",
        verbose=0,
        retry_failed="scratch",
        callbacks=[MLflowLogger(uri, wait_s=WAIT_S)],
    ).run()
    assert [trial.outcome for trial in again] == ["completed", "completed"]
    assert not again.warnings
    client, found = runs(uri, "resumed")
    assert [each.info.status for each in found] == ["FINISHED", "FINISHED"]
    assert found[1].data.tags["trialwright.outcome"] == "completed"
    assert len(client.get_metric_history(found[1].info.run_id, "loss")) == 4


def test_more_than_a_request_may_hold_is_sent_in_several(uri, tmp_path):
    def chatter(config):
        for _ in range(700):
            report(loss=1.0, other=2.0)

    assert not run(tmp_path, "chatter", MLflowLogger(uri, wait_s=WAIT_S), objective=chatter).warnings
    client, found = runs(uri, "chatter")
    assert [len(client.get_metric_history(each.info.run_id, "other")) for each in found] == [700, 700]


def test_a_server_that_is_down_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = run(tmp_path, "down", MLflowLogger("http://127.0.0.1:9", wait_s=WAIT_S))
    assert [trial.outcome for trial in result] == ["completed", "failed"]
    assert "MLflow does not take what is sent to it" in result.warnings[0]
    assert "did not get 6 of 6 reports" in result.warnings[-1]


def test_parameters_and_files_can_be_sent_at_the_end(uri, tmp_path):
    logger = MLflowLogger(uri, experiment="another", params_at_end=True, save_artifact=True, wait_s=WAIT_S)

    def writes(config):
        from trialwright import context

        (context().directory / "model.txt").write_text("weights")
        train(config)

    assert not run(tmp_path, "files", logger, objective=writes).warnings
    client, (good, _) = runs(uri, "another")
    assert good.data.params["lr"] == "0.3"
    assert "model.txt" in [each.path for each in client.list_artifacts(good.info.run_id)]


def test_a_changed_parameter_is_a_tag_since_mlflow_keeps_the_first_value(uri):
    from trialwright.integrations.sending import Tracked

    service = MLflowLogger(uri).service
    service.connect("changes", "changes-1", None)
    opened = service.begin(Tracked("changes-1", 0, "t", {"lr": 0.1, "depth": 3}))
    service.change(opened, Tracked("changes-1", 0, "t", {"lr": 0.2, "depth": 3}))
    _, [found] = runs(uri, "changes")
    assert found.data.params == {"lr": "0.1", "depth": "3"}
    assert {name: value for name, value in found.data.tags.items() if name.startswith("changed")} == {
        "changed.lr": "0.2"
    }


@pytest.mark.parametrize(
    ("name", "taken"),
    [("val/loss", "val/loss"), ("loss[1]", "loss_1_"), ("../up", "_up"), ("/root", "_root"), ("a//b", "a_b")],
)
def test_a_name_that_mlflow_refuses_is_spelled_otherwise(name, taken):
    from mlflow.utils.validation import _validate_metric_name

    assert mlflow_name(name) == taken
    _validate_metric_name(taken)


# Inside a trial -------------------------------------------------------------------------------------------------------


def test_a_trial_opens_its_run_by_itself(uri, tmp_path):
    def objective(config):
        opened = setup_mlflow(config, tracking_uri=uri)
        opened.log_metric("own", 1.5, step=2)
        train(config)

    run(tmp_path, "inside", objective=objective, max_concurrent_trials=1)
    _, (good, bad) = runs(uri, "inside")
    assert (good.info.status, bad.info.status) == ("FINISHED", "FAILED")
    assert good.data.params["model/width"] == "8"
    assert good.data.metrics == {"own": 1.5}
    assert bad.data.tags["trialwright.error"] == "ValueError: no luck"
    assert mlflow.active_run() is None


def test_a_later_attempt_continues_the_trials_own_run(uri, tmp_path):
    tries = []

    def objective(config):
        tries.append(config)
        setup_mlflow(config, tracking_uri=uri).log_metric("try", len(tries))
        report(loss=1.0)
        if len(tries) == 1:
            raise ValueError("once")

    run(tmp_path, "twice", objective=objective, max_failures=1, max_concurrent_trials=1)
    _, found = runs(uri, "twice")
    assert [each.info.status for each in found] == ["FINISHED", "FINISHED"]


def test_an_experiment_that_is_not_there_is_refused(uri, tmp_path):
    def objective(config):
        setup_mlflow(config, tracking_uri=uri, experiment_name="nowhere")

    result = run(tmp_path, "refused", objective=objective)
    assert "create_experiment_if_not_exists=True" in result[0].error


# As Ray Tune's users know it ------------------------------------------------------------------------------------------


def test_runs_have_the_names_and_metrics_of_ray_tune(uri, tmp_path):
    def user(config):
        stamp = names.Stamp()
        for step in range(3):
            report(stamp.on(names.escape({"loss": config["lr"], "step": step, "timesteps_total": 10 * step + 10})))

    facts = RunFacts("train")
    callback = MLflowLoggerCallback(uri, experiment_name="as_ray")
    [tracker] = callback.to_engine(facts)
    result = run(tmp_path, "ray", tracker, objective=user)
    assert not [each for each in result.warnings if "did not get" in each]
    client, (first, _) = runs(uri, "as_ray")
    info = TrialInfo(0, {}, "running", None, 1, 0, {}, "", None, None)
    assert first.info.run_name == str(Trial(facts, info))
    assert [each.step for each in client.get_metric_history(first.info.run_id, "loss")] == [10, 20, 30]
    assert {"step", "training_iteration", "time_total_s"} <= first.data.metrics.keys()
    assert not {"pid", "trial_id"} & {*first.data.metrics, *first.data.tags}


def test_hooks_of_a_subclass_are_called_too(uri, tmp_path):
    ended = []

    class Mine(MLflowLoggerCallback):
        def log_trial_end(self, trial, failed=False):  # noqa: FBT002 - Ray Tune's interface
            ended.append(failed)

    made = Mine(uri, experiment_name="mine").to_engine(RunFacts("train"))
    run(tmp_path, "sub", *made)
    assert sorted(ended) == [False, True]
    assert len(runs(uri, "mine")[1]) == 2


def test_document_003_runs_with_mlflow(uri, tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    monkeypatch.setenv("TRIALWRIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr("sys.argv", [str(EXAMPLE), uri])
    found = runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert len(found["curves"]) == 4
    assert sorted(map(len, found["curves"])) == sorted(map(len, found["analysis"].trial_dataframes.values()))


WIDE = {
    "lr": s.loguniform(1e-5, 1.0),
    "model": {"layers": s.randint(1, 9), "kind": s.choice(["a", "b", True])},
}


def test_runs_of_mlflow_are_read_oldest_first_as_earlier_results(uri):
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("old")
    for number, status in enumerate(["FINISHED", "FAILED", "FINISHED"]):
        made = client.create_run(experiment)
        for name, value in {"lr": 0.1 * (number + 1), "model/layers": 3, "model/kind": "a"}.items():
            client.log_param(made.info.run_id, name, value)
        client.log_metric(made.info.run_id, "loss", float(number))
        client.set_terminated(made.info.run_id, status)
    known = earlier.from_mlflow("old", WIDE, tracking_uri=uri)
    assert [metrics["loss"] for _, metrics in known] == [0.0, 2.0]
    assert [each.why for each in known.missing] == ["it failed"]
    with pytest.raises(ValueError, match="did you mean 'old'"):
        earlier.from_mlflow("olt", WIDE, tracking_uri=uri)
