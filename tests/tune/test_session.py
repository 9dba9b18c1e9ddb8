"""What user code calls inside a trial."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trialwright.air.config import RunConfig

from trialwright import Local, train, tune
from trialwright.air import Checkpoint as AirCheckpoint
from trialwright.air import session
from trialwright.tune.checkpoint import Checkpoint


@pytest.fixture
def fit(tmp_path):
    def run(trainable, space=None, *, failure=None, **keywords):
        settings = RunConfig(storage_path=tmp_path, executor=Local(cpus=2), verbose=0, failure_config=failure)
        return tune.Tuner(
            trainable, param_space=space, tune_config=tune.TuneConfig(**keywords), run_config=settings
        ).fit()

    return run


def last(grid):
    assert grid.errors == []
    return grid[0].metrics


class TestAReportMayBe:
    @pytest.mark.parametrize(
        "report",
        [
            lambda: tune.report(score=3, more={"a": {}}),
            lambda: tune.report(score=3, more={"a": {}}, curve=[1, {"b": 2}, []]),
            lambda: tune.report({"score": 3, "more": {"a": {}}}),
            lambda: tune.report(metrics={"score": 3, "more": {"a": {}}}),
            lambda: session.report({"score": 3, "more": {"a": {}}}),
            lambda: train.report({"score": 3, "more": {"a": {}}}),
            lambda: tune.track.log(score=3, more={"a": {}}),
        ],
    )
    def test_made_by_any_of_its_names(self, fit, report):
        def objective(config):
            report()

        metrics = last(fit(objective))
        assert (metrics["score"], metrics["more"], metrics["training_iteration"]) == (3, {"a": {}}, 1)

    def test_a_bare_number(self, fit):
        assert last(fit(lambda config: tune.report(0.5)))["_metric"] == 0.5

    def test_made_by_a_second_argument(self, fit):
        def objective(config, reporter):
            for step in range(3):
                reporter(mean_accuracy=step / 2, timesteps_total=step)
            Path(reporter.logdir, "note").write_text(reporter.trial_name)

        [result] = fit(objective)
        assert (result.metrics["mean_accuracy"], result.metrics["timesteps_total"]) == (1.0, 2)
        assert Path(result.path, "note").read_text() == f"objective_{result.metrics['trial_id']}"

    def test_of_a_step_of_its_own(self, fit):
        metrics = last(fit(lambda config: [tune.report(step=10 * step) for step in range(3)] and None))
        assert (metrics["step"], metrics["training_iteration"]) == (20, 3)

    def test_the_last_because_it_says_so(self, fit):
        def objective(config):
            while True:
                tune.report(score=1, done=True)

        assert last(fit(objective))["training_iteration"] == 1

    def test_no_report_outside_a_trial(self):
        with pytest.raises(RuntimeError, match="only inside a trial"):
            tune.report(score=1)


class TestACheckpoint:
    def test_is_a_directory_that_comes_back(self, fit):
        def objective(config):
            saved = tune.get_checkpoint()
            if saved is None:
                own = Path(tune.get_context().get_trial_dir(), "state")
                own.mkdir()
                (own / "epoch").write_text("7")
                tune.report({"loss": 1.0}, checkpoint=Checkpoint.from_directory(own))
                raise OSError("a passing trouble")
            with saved.as_directory() as directory:
                return {"loss": 0.0, "epoch": int(Path(directory, "epoch").read_text())}

        [result] = fit(objective, failure=tune.FailureConfig(max_failures=1))
        assert result.error is None
        assert (result.metrics["epoch"], result.metrics["training_iteration"]) == (7, 2)
        assert result.metrics["iterations_since_restore"] == 1
        assert Path(result.checkpoint.path, "epoch").read_text() == "7"

    def test_may_be_a_relative_file_in_the_trial_s_directory(self, fit):
        def objective(config, reporter):
            Path(reporter.logdir, "weights.h5").write_text("heavy")
            reporter(loss=0, checkpoint="weights.h5")

        with fit(objective)[0].checkpoint.as_directory() as directory:
            assert Path(directory, "weights.h5").read_text() == "heavy"

    def test_may_be_made_of_plain_data(self, fit):
        def objective(config):
            saved = session.get_checkpoint()
            if saved:
                return {"loss": 0, "found": json.dumps(saved.to_dict())}
            session.report({"loss": 1}, checkpoint=AirCheckpoint.from_dict({"epoch": 7}))
            raise OSError("a passing trouble")

        [result] = fit(objective, failure=tune.FailureConfig(max_failures=1))
        assert json.loads(result.metrics["found"]) == result.checkpoint.to_dict() == {"epoch": 7}

    def test_can_be_copied_and_carries_metadata(self, tmp_path):
        (tmp_path / "file").write_text("x")
        checkpoint = Checkpoint.from_directory(tmp_path)
        checkpoint.set_metadata({"a": 1})
        checkpoint.update_metadata({"b": 2})
        copy = Checkpoint(checkpoint.to_directory())
        assert (copy.get_metadata(), Path(copy.path, "file").read_text()) == ({"a": 1, "b": 2}, "x")
        assert Path(checkpoint.to_directory(tmp_path.with_name("there")), "file").is_file()
        assert checkpoint == Checkpoint(tmp_path) != copy

    def test_without_a_dict_says_so(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="as_directory"):
            Checkpoint(tmp_path).to_dict()

    def test_elsewhere_is_refused(self):
        with pytest.raises(ValueError, match="mounted here"):
            Checkpoint("s3://bucket/model")


def test_the_context_says_who_and_where_the_trial_is(fit):
    def objective(config):
        here = tune.get_context()
        return {
            "id": here.get_trial_id(),
            "name": here.get_trial_name(),
            "directory": here.get_trial_dir(),
            "cpus": here.get_trial_resources().required_resources["CPU"],
            "experiment": here.get_experiment_name(),
            "size": here.get_world_size(),
            "rank": here.get_world_rank() + here.get_local_rank() + here.get_node_rank(),
            "same": session.get_trial_id() == tune.get_trial_id(),
            "metadata": here.get_metadata(),
            "files": here.get_storage().trial_working_directory,
            "run": here.get_storage().experiment_fs_path,
        }

    [result] = fit(objective, resources_per_trial={"cpu": 2})
    told = result.metrics
    assert (told["id"], told["directory"]) == (told["trial_id"], result.path)
    assert told["name"] == f"objective_{told['trial_id']}"
    assert (told["files"], told["run"]) == (result.path, str(Path(result.path).parent.parent))
    assert told["experiment"].startswith("objective_20")
    assert (told["cpus"], told["size"], told["rank"], told["same"], told["metadata"]) == (2.0, 1, 0, True, {})


def test_there_is_no_context_outside_a_trial():
    with pytest.raises(RuntimeError, match="only inside a trial"):
        tune.get_context().get_trial_id()
    with pytest.raises(RuntimeError, match="only inside a trial"):
        tune.get_context().get_experiment_name()
