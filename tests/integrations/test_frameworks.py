"""Real training with each library: a scheduler stops and pauses it; a killed trial continues from its checkpoint."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace as Namespace
from typing import ClassVar

import pytest

from tests.integrations.frameworks import (
    STEPS,
    data,
    training,
    with_keras,
    with_lightgbm,
    with_lightning,
    with_tensorflow,
    with_transformers,
    with_xgboost,
)
from trialwright import ASHA, Engine, Processes, tune

SPACE = {"x": tune.grid_search([1.0, 0.5, 0.1])}


def renamed(row):
    """What a user does with a row before it is reported."""
    return {"loss": next(iter(row.values()))}


@pytest.mark.timeout(300)  # each worker imports a library, which takes half a minute on a busy machine
class FrameworkContract:
    """What holds for each library's callback. Subclasses say how it is made, with and without checkpoints."""

    library: str
    train: object
    native: str
    plain: ClassVar[dict[str, object]]
    saving: ClassVar[dict[str, object]]
    sparse: ClassVar[dict[str, object]]
    reported = "loss"

    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip(self.library)

    def run(self, keywords, tmp_path, space=SPACE, **settings):
        objective = training(type(self).train, self.native, "ReportCallback", **keywords)
        engine = Engine(
            objective, space, metric="loss", mode="min", executor=Processes(cpus=1), storage=tmp_path, **settings
        )
        return engine.run()

    def trained(self, tmp_path):
        return sorted(path.stat().st_size for path in Path(tmp_path).rglob("trained"))

    def test_a_scheduler_stops_it_in_the_middle_of_the_training(self, tmp_path):
        result = self.run(self.plain, tmp_path, scheduler=ASHA(max_t=STEPS, grace_period=2, reduction_factor=2))
        assert [trial.metrics["step"] for trial in result.trials] == [8, 2, 2]
        assert self.trained(tmp_path) == [2, 2, 8]

    def test_a_killed_trial_continues_from_its_checkpoint_to_the_same_result(self, tmp_path):
        space = {"x": tune.choice([1.0]), "killed_at": tune.grid_search([0, 5])}  # 0: it is not
        whole, trial = self.run(self.saving, tmp_path, space, max_failures=1).trials
        assert (trial.outcome, trial.attempts) == ("completed", 2)
        assert [row["step"] for row in trial.history] == [*range(1, STEPS + 1)]
        assert self.trained(tmp_path) == [8, 9]  # the epoch in which it was killed is the one that is repeated
        losses = [[row["loss"] for row in each.history] for each in (whole, trial)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)

    def test_a_trial_that_was_paused_repeats_nothing(self, tmp_path):
        scheduler = ASHA(max_t=STEPS, grace_period=2, reduction_factor=2, promote=True)
        result = self.run(self.sparse, tmp_path, scheduler=scheduler)
        assert max(trial.metrics["step"] for trial in result.trials) > 2  # one was promoted
        assert sum(self.trained(tmp_path)) == sum(trial.metrics["step"] for trial in result.trials)

    def front_door(self, module, name, *args, **keywords):
        """The results of a Tuner whose trainable has a callback by Ray's name."""
        objective = training(type(self).train, f"trialwright.{module}", name, *args, **keywords)
        config = tune.TuneConfig(metric=self.reported, mode="min")
        here = tune.RunConfig(executor=Processes(cpus=1), verbose=0)
        [result] = tune.Tuner(objective, param_space={"x": 1.0}, tune_config=config, run_config=here).fit()
        assert result.error is None
        return result


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIALWRIGHT_HOME", str(tmp_path / "home"))


class TestKeras(FrameworkContract):
    library = "keras"
    train = with_keras
    native = "trialwright.integrations.keras"
    plain: ClassVar = {"metrics": "loss"}
    saving: ClassVar = {"checkpoint_every": 1}
    sparse: ClassVar = {"checkpoint_every": 100}

    def test_rays_names_report_and_save(self):
        result = self.front_door("tune.integration.keras", "TuneReportCheckpointCallback", metrics=["loss"])
        assert result.metrics["training_iteration"] == STEPS
        assert Path(result.checkpoint.path, "model.keras").is_file()
        other = self.front_door("train.tensorflow.keras", "ReportCheckpointCallback", "train_end")
        assert (other.metrics["training_iteration"], other.checkpoint is None) == (STEPS + 1, False)

    def test_the_oldest_name_reports_on_another_event_and_saves_nothing(self):
        module = "tune.integration.keras"
        result = self.front_door(module, "TuneReportCallback", {"loss": "loss"}, on="train_batch_end")
        assert (result.metrics["training_iteration"], result.checkpoint) == (STEPS * 3, None)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras with torch, of NumPy
    def test_a_clone_keeps_the_rate_of_its_own_config(self, monkeypatch, tmp_path):
        import keras

        from trialwright.integrations.keras import ReportCallback, restore

        def model(rate):
            made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            made.compile(keras.optimizers.Adam(rate), loss="mse")
            return made

        donor, clone = model(0.1), model(0.01)
        donor.fit(*data(), epochs=2, verbose=0)
        ReportCallback._save(Namespace(model=donor, _epochs=2), tmp_path)
        monkeypatch.setattr("trialwright.reporting.get_checkpoint", lambda: tmp_path)
        assert restore(clone) == 2
        assert float(clone.optimizer.learning_rate) == pytest.approx(0.01)
        assert int(clone.optimizer.iterations) == 6
        pairs = zip(donor.get_weights(), clone.get_weights(), strict=True)
        assert all((mine == theirs).all() for mine, theirs in pairs)

    def test_an_event_and_a_metric_that_keras_does_not_have_are_refused(self):
        from trialwright.integrations.keras import ReportCallback

        with pytest.raises(ValueError, match="on='epoch_ends' is no event.*did you mean 'epoch_end'"):
            ReportCallback(on="epoch_ends")
        with pytest.raises(ValueError, match="there is no 'val_los' here; did you mean 'val_loss'"):
            ReportCallback("val_los").on_epoch_end(0, {"val_loss": 1.0})

    def test_a_model_of_keras_2_is_refused(self):
        from trialwright.integrations.keras import ReportCallback

        with pytest.raises(TypeError, match=r"a model of Keras 3 is needed, not types\.SimpleNamespace"):
            ReportCallback().set_model(Namespace())


class TestTensorFlow(TestKeras):
    """Keras by its older name, with the other backend."""

    library = "tensorflow"
    train = with_tensorflow


class TestXGBoost(FrameworkContract):
    library = "xgboost"
    train = with_xgboost
    native = "trialwright.integrations.xgboost"
    plain: ClassVar = {"metrics": {"loss": "train-logloss"}}
    saving: ClassVar = {**plain, "checkpoint_every": 1}
    sparse: ClassVar = {**plain, "checkpoint_every": 100}

    def test_rays_names_report_and_save(self):
        from trialwright.tune.integration.xgboost import TuneReportCheckpointCallback as Callback

        result = self.front_door("train.xgboost", "RayTrainReportCallback", self.plain["metrics"], frequency=3)
        assert result.metrics["training_iteration"] == STEPS + 1  # the last one again, with its checkpoint
        assert Callback.get_model(result.checkpoint).num_boosted_rounds() == STEPS
        result = self.front_door("tune.integration.xgboost", "TuneReportCallback", None, renamed)
        assert (result.metrics["training_iteration"], result.checkpoint) == (STEPS, None)

    def test_cross_validation_reports_means_and_cannot_be_saved(self, monkeypatch):
        import xgboost

        from trialwright.integrations.xgboost import ReportCallback

        def cross_validate(checkpoint_every):
            callback = ReportCallback(checkpoint_every=checkpoint_every)
            callback._reports.send = rows.append
            xgboost.cv({"nthread": 1}, xgboost.DMatrix(*data()), 2, callbacks=[callback])

        rows = []
        cross_validate(0)
        assert [set(row) for row in rows] == [{"train-rmse", "train-rmse-std", "test-rmse", "test-rmse-std"}] * 2
        with pytest.raises(TypeError, match="xgboost.cv trains several models"):
            cross_validate(1)


class TestLightGBM(FrameworkContract):
    library = "lightgbm"
    train = with_lightgbm
    native = "trialwright.integrations.lightgbm"
    plain: ClassVar = {"metrics": {"loss": "train-binary_logloss"}}
    saving: ClassVar = {**plain, "checkpoint_every": 1}
    sparse: ClassVar = {**plain, "checkpoint_every": 100}

    def test_rays_names_report_and_save(self):
        from trialwright.tune.integration.lightgbm import TuneReportCheckpointCallback as Callback

        result = self.front_door("train.lightgbm", "RayTrainReportCallback", self.plain["metrics"], frequency=3)
        assert result.metrics["training_iteration"] == STEPS
        assert Callback.get_model(result.checkpoint).current_iteration() == STEPS
        result = self.front_door("tune.integration.lightgbm", "TuneReportCallback", None, renamed)
        assert (result.metrics["training_iteration"], result.checkpoint) == (STEPS, None)

    def test_cross_validation_reports_means_and_cannot_be_saved(self):
        import lightgbm

        from trialwright.integrations.lightgbm import ReportCallback

        def cross_validate(checkpoint_every):
            callback = ReportCallback(checkpoint_every=checkpoint_every)
            callback._reports.send = rows.append
            params = {"objective": "binary", "num_threads": 1, "verbose": -1}
            lightgbm.cv(params, lightgbm.Dataset(*data()), 2, callbacks=[callback])

        rows = []
        cross_validate(0)
        assert [set(row) for row in rows] == [{f"valid-binary_logloss-{end}" for end in ("mean", "stdv")}] * 2
        with pytest.raises(TypeError, match="lightgbm.cv trains several models"):
            cross_validate(1)


class TestLightning(FrameworkContract):
    library = "lightning"
    train = with_lightning
    native = "trialwright.integrations.lightning"
    plain: ClassVar = {"metrics": ["loss"]}
    saving: ClassVar = {"checkpoint_every": 1}
    sparse: ClassVar = {"checkpoint_every": 100}

    def test_rays_names_report_and_save(self):
        module = "tune.integration.pytorch_lightning"
        result = self.front_door(module, "TuneReportCheckpointCallback", {"loss": "loss"}, "named.ckpt")
        assert result.metrics["training_iteration"] == STEPS
        assert Path(result.checkpoint.path, "named.ckpt").is_file()
        result = self.front_door("train.lightning", "RayTrainReportCallback")
        assert (result.metrics["epoch"], result.metrics["step"]) == (STEPS - 1, STEPS * 3)
        assert Path(result.checkpoint.path, "checkpoint.ckpt").is_file()

    def test_the_older_name_saves_nothing(self):
        result = self.front_door("tune.integration.pytorch_lightning", "TuneReportCallback", "loss")
        assert (result.metrics["training_iteration"], result.checkpoint) == (STEPS, None)

    def test_what_rays_callback_takes_and_this_does_not_is_refused(self):
        from trialwright.train.lightning import RayTrainReportCallback

        with pytest.raises(ValueError, match="only None and False are taken"):
            RayTrainReportCallback(validation=True)


class TestTransformers(FrameworkContract):
    library = "transformers"
    train = with_transformers
    native = "trialwright.integrations.transformers"
    plain: ClassVar = {"metrics": {"loss": "eval_loss"}}
    saving: ClassVar = {**plain, "on": "save"}
    sparse = saving
    reported = "eval_loss"

    def test_rays_name_reports_and_saves(self):
        result = self.front_door("train.huggingface.transformers", "RayTrainReportCallback")
        assert result.metrics["training_iteration"] == STEPS
        assert Path(result.checkpoint.path, "checkpoint", "trainer_state.json").is_file()

    def test_the_trainers_steps_are_not_taken_for_the_trials(self, monkeypatch):
        from trialwright.integrations.transformers import ReportCallback

        sent = []
        monkeypatch.setattr(ReportCallback, "_send", staticmethod(lambda row, checkpoint=None: sent.append(row)))
        history = [{"eval_loss": 2.0, "step": 6}, {"eval_loss": 1.0, "step": 12}]
        state = Namespace(is_world_process_zero=True, global_step=12, log_history=history)
        ReportCallback().on_evaluate(None, state, None)
        ReportCallback(on="log").on_evaluate(None, state, None)
        assert sent == [{"eval_loss": 1.0, "global_step": 12}]

    def test_an_event_on_which_nothing_can_be_reported_is_refused(self):
        from trialwright.integrations.transformers import ReportCallback

        with pytest.raises(ValueError, match="on='evaluation' is no event to report on; did you mean 'evaluate'"):
            ReportCallback(on="evaluation")
