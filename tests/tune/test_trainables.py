"""What can be tuned: functions in all their forms, classes, and these with parameters and resources."""

from __future__ import annotations

import asyncio
import json
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from trialwright.tune.execution.placement_groups import PlacementGroupFactory

from trialwright import Local, tune
from trialwright.executors.on_ray import OnRay
from trialwright.tune import registry, resources
from trialwright.tune.schedulers import PopulationBasedTraining
from trialwright.tune.search import BasicVariantGenerator
from trialwright.tune.utils import validate_save_restore


@pytest.fixture(autouse=True)
def _no_log_files(monkeypatch):
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")


@pytest.fixture
def fit(tmp_path):
    def run(trainable, space=None, *, cpus=2, stop=None, failure=None, checkpoint=None, callbacks=None, **keywords):
        settings = tune.RunConfig(
            storage_path=tmp_path,
            executor=Local(cpus=cpus),
            verbose=0,
            stop=stop,
            callbacks=callbacks,
            failure_config=failure,
            checkpoint_config=checkpoint,
        )
        return tune.Tuner(
            trainable, param_space=space, tune_config=tune.TuneConfig(**keywords), run_config=settings
        ).fit()

    return run


def only(grid):
    assert grid.errors == []
    [result] = grid
    return result


class TestAFunctionMay:
    def test_return_a_dict(self, fit):
        assert only(fit(lambda config: {"score": config["x"]}, {"x": 5})).metrics["score"] == 5

    def test_return_a_number(self, fit):
        assert only(fit(lambda config: 0.25)).metrics["_metric"] == 0.25
        assert only(fit(lambda config: np.float32(0.25), metric="loss", mode="min")).metrics["loss"] == 0.25

    def test_report_and_then_return(self, fit):
        def objective(config):
            tune.report(score=1)
            return {"score": 2}

        assert list(only(fit(objective)).metrics_dataframe["score"]) == [1, 2]

    def test_yield_and_is_closed_when_it_is_stopped(self, fit):
        closed = []

        def objective(config):
            try:
                for step in range(100):
                    yield {"score": step}
            finally:
                closed.append(True)

        assert only(fit(objective, stop={"training_iteration": 4})).metrics["score"] == 3
        assert closed == [True]

    def test_yield_and_report(self, fit):
        def objective(config):
            tune.report(score=1)
            yield {"score": 2}

        assert only(fit(objective)).metrics["training_iteration"] == 2

    def test_be_async(self, fit):
        async def objective(config):
            for step in range(3):
                await asyncio.sleep(0)
                await tune.report(score=step)
            return {"score": 9}

        assert list(only(fit(objective)).metrics_dataframe["score"]) == [0, 1, 2, 9]

    def test_be_any_callable(self, fit):
        class Callable:
            def __call__(self, config):
                return {"score": 1}

        assert only(fit(Callable())).metrics["score"] == 1
        assert only(fit(partial(lambda config, y: {"score": y}, y=3))).metrics["score"] == 3

    def test_take_the_directory_of_a_checkpoint_as_in_the_first_versions(self, fit):
        def objective(config, checkpoint_dir=None):
            return {"score": 1.0, "dir": checkpoint_dir or "none"}

        assert only(fit(objective)).metrics["dir"] == "none"

    def test_not_return_what_is_no_result(self, fit):
        [error] = fit(lambda config: "fine").errors
        assert "not a dict of metrics" in str(error)

    def test_have_a_name(self, fit):
        tune.register_trainable("mine", lambda config: {"score": 4})
        assert only(fit("mine")).metrics["score"] == 4

    def test_have_no_name_unless_one_is_given(self):
        with pytest.raises(ValueError, match="no trainable is registered as 'yours'"):
            tune.Tuner("yours")
        with pytest.raises(tune.TuneError, match="no trainable is registered as 'yours'"):
            registry.validate_trainable("yours")

    def test_be_found_by_their_names(self):
        tune.register_trainable("mine", trainable := lambda config: {"score": 4})
        registry.validate_trainable("mine")
        for nonsense in (3, type("Plain", (), {})):
            with pytest.raises(TypeError, match="a trainable is|not a subclass of tune.Trainable"):
                tune.register_trainable("mine", nonsense)
        assert registry.get_trainable_cls("mine") is trainable

    def test_not_be_something_else(self):
        for nonsense, kind in ((3, TypeError), (None, TypeError)):
            with pytest.raises(kind, match="a trainable is"):
                tune.Tuner(nonsense)


class Counting(tune.Trainable):
    """Counts, saves, and says what happens to it."""

    story: list[str]

    def setup(self, config):
        self.count, self.story = 0, config["story"]
        self.story.append("setup")

    def step(self):
        self.count += 1
        result = {"count": self.count, "score": self.count * self.config.get("x", 1)}
        if self.count == self.config.get("ask", -1):
            result["should_checkpoint"] = True
        return {**result, "done": self.count >= self.config["end"]}

    def save_checkpoint(self, checkpoint_dir):
        Path(checkpoint_dir, "count").write_text(str(self.count))

    def load_checkpoint(self, checkpoint):
        self.count = int(Path(checkpoint, "count").read_text())
        self.story.append(f"load {self.count}")

    def cleanup(self):
        self.story.append("cleanup")


class TestAClass:
    def test_is_set_up_stepped_until_it_is_done_and_cleaned_up(self, fit):
        story = Story([])
        result = only(fit(Counting, {"end": 3, "story": story}))
        assert (result.metrics["count"], result.metrics["training_iteration"], result.metrics["done"]) == (3, 3, True)
        assert list(story) == ["setup", "cleanup"]
        assert result.checkpoint is None

    def test_says_so_with_its_last_result_and_ends_well(self, fit):
        class Hears(tune.Callback):
            heard = ()

            def on_trial_result(self, iteration, trials, trial, result, **info):
                self.heard = (*self.heard, result["done"])

        hears = Hears()
        result = only(fit(Counting, {"end": 3, "story": Story([])}, callbacks=[hears]))
        assert hears.heard == (False, False, True)
        assert list(result.metrics_dataframe["done"]) == [False, False, True]

    def test_is_stopped_from_outside(self, fit):
        story = Story([])
        assert only(fit(Counting, {"end": 99, "story": story}, stop={"count": 5})).metrics["count"] == 5
        assert list(story) == ["setup", "cleanup"]

    def test_is_saved_as_often_as_it_should(self, fit):
        config = tune.CheckpointConfig(checkpoint_frequency=2, checkpoint_at_end=True)
        result = only(fit(Counting, {"end": 5, "story": Story([])}, checkpoint=config))
        saved = [(Path(saved.path, "count").read_text(), row["count"]) for saved, row in result.best_checkpoints]
        assert saved == [("2", 2), ("4", 4), ("5", 5)]
        assert Path(result.checkpoint.path, "count").read_text() == "5"

    def test_is_saved_at_its_end_also_where_a_stop_rule_ends_it(self, fit):
        config = tune.CheckpointConfig(checkpoint_at_end=True)
        result = only(fit(Counting, {"end": 99, "story": Story([])}, checkpoint=config, stop={"count": 4}))
        assert [row["count"] for _, row in result.best_checkpoints] == [4]

    def test_is_saved_when_it_asks_for_it(self, fit):
        result = only(fit(Counting, {"end": 5, "ask": 3, "story": Story([])}))
        assert [row["count"] for _, row in result.best_checkpoints] == [3]

    def test_keeps_as_many_checkpoints_as_it_should(self, fit):
        config = tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=2)
        result = only(fit(Counting, {"end": 6, "story": Story([])}, checkpoint=config))
        assert [row["count"] for _, row in result.best_checkpoints] == [5, 6]

    def test_resumes_from_what_it_saved_when_it_fails(self, fit):
        class Failing(Counting):
            def step(self):
                if self.count == 3 and "load 2" not in self.story:
                    raise OSError("a passing trouble")
                return super().step()

        story = Story([])
        config = tune.CheckpointConfig(checkpoint_frequency=2)
        failure = tune.FailureConfig(max_failures=1)
        result = only(fit(Failing, {"end": 5, "story": story}, checkpoint=config, failure=failure))
        assert (result.metrics["count"], result.metrics["training_iteration"]) == (5, 5)
        assert list(story) == ["setup", "cleanup", "setup", "load 2", "cleanup"]
        assert result.metrics["iterations_since_restore"] == 3

    def test_may_save_a_dict_and_is_given_it_back(self, fit):
        class WithDict(Counting):
            def save_checkpoint(self, checkpoint_dir):
                return {"count": self.count, "iteration": self.training_iteration}

            def load_checkpoint(self, checkpoint):
                self.count = checkpoint["count"]
                self.story.append(json.dumps([checkpoint["iteration"], self.training_iteration]))

            def step(self):
                if self.count == 3 and len(self.story) < 3:
                    raise OSError("a passing trouble")
                return super().step()

        story = Story([])
        config, failure = tune.CheckpointConfig(checkpoint_frequency=2), tune.FailureConfig(max_failures=1)
        only(fit(WithDict, {"end": 5, "story": story}, checkpoint=config, failure=failure))
        assert list(story) == ["setup", "cleanup", "setup", "[2, 2]", "cleanup"]

    def test_that_returns_no_dict_fails_with_a_message(self, fit):
        class Wrong(tune.Trainable):
            def step(self):
                return 3

        [error] = fit(Wrong).errors
        assert "Wrong.step() must return a dict" in str(error)

    def test_without_a_step_fails_with_a_message(self, fit):
        class Empty(tune.Trainable):
            pass

        [error] = fit(Empty).errors
        assert "Empty needs a step()" in str(error)

    def test_of_another_kind_is_refused(self):
        with pytest.raises(TypeError, match="not a subclass of tune.Trainable"):
            tune.Tuner(dict).fit()

    def test_knows_where_it_is_and_sees_its_results(self, fit):
        class Looking(tune.Trainable):
            def step(self):
                (Path(self.logdir) / "note").write_text(self.trial_name)
                return {"score": self.config["x"], "cpus": self.trial_resources.required_resources["CPU"], "done": True}

            def log_result(self, result):
                (Path(self.logdir) / "result").write_text(json.dumps(result))

        result = only(fit(Looking, {"x": 2}))
        assert Path(result.path, "note").read_text() == f"Looking_{result.metrics['trial_id']}"
        logged = json.loads(Path(result.path, "result").read_text())
        assert (logged["score"], logged["training_iteration"], logged["config"]) == (2, 1, {"x": 2})
        assert result.metrics["cpus"] == 1

    def test_may_become_the_next_trial(self, fit):
        class Reused(Counting):
            def reset_config(self, new_config):
                self.count, self.config = 0, new_config
                self.story.append("reset")
                return True

        story = Story([])
        space = {"end": 2, "x": tune.grid_search([1, 2, 3]), "story": story}
        grid = fit(Reused, space, cpus=1, reuse_actors=True)
        assert [result.metrics["score"] for result in grid] == [2, 4, 6]
        assert list(story) == ["setup", "reset", "reset"]

    def test_is_made_anew_where_it_cannot_become_the_next_trial(self, fit):
        story = Story([])
        fit(Counting, {"end": 2, "story": story}, cpus=1, reuse_actors=True, num_samples=2)
        assert list(story) == ["setup", "cleanup", "setup"]

    def test_is_proved_to_resume(self):
        assert validate_save_restore(Counting, {"end": 9, "story": []})
        half = type("Half", (Counting,), {"load_checkpoint": tune.Trainable.load_checkpoint})
        with pytest.raises(NotImplementedError, match="no load_checkpoint"):
            validate_save_restore(half, {"end": 1, "story": []})

    def test_can_be_used_without_a_run(self, tmp_path):
        one = Counting({"end": 9, "story": []})
        results = [one.train() for _ in range(3)]
        assert [(result["count"], result["training_iteration"]) for result in results] == [(1, 1), (2, 2), (3, 3)]
        assert [result["count"] for result in Counting({"end": 9, "story": []}).train_buffered(60, 2)] == [1, 2]
        assert len(Counting({"end": 2, "story": []}).train_buffered(60)) == 2
        assert one.get_state()["iteration"] == 3
        assert one.get_current_ip_pid() == (results[-1]["node_ip"], results[-1]["pid"])
        saved = one.save(tmp_path)
        other = Counting({"end": 9, "story": []})
        other.restore(saved)
        assert (other.count, other.iteration, other.train()["training_iteration"]) == (3, 3, 4)

    def test_is_cloned_by_population_based_training(self, fit):
        scheduler = PopulationBasedTraining(
            perturbation_interval=2, hyperparam_mutations={"x": [0, 10]}, quantile_fraction=0.5, time_attr="count"
        )

        loaded = []

        class Member(tune.Trainable):
            def setup(self, config):
                self.count = self.score = 0

            def step(self):
                self.count, self.score = self.count + 1, self.score + self.config["x"]
                return {"count": self.count, "score": self.score, "done": self.count >= 12}

            def save_checkpoint(self, checkpoint_dir):
                return {"count": self.count, "score": self.score}

            def load_checkpoint(self, checkpoint):
                self.count, self.score = checkpoint["count"], checkpoint["score"]
                loaded.append(self.score)

        first = BasicVariantGenerator(points_to_evaluate=[{"x": 0}, {"x": 10}])
        grid = fit(Member, metric="score", mode="max", scheduler=scheduler, search_alg=first, num_samples=2)
        assert grid.errors == []
        assert loaded
        assert [result.metrics["count"] for result in grid] == [12, 12]

    def test_reports_its_frequency_only_if_it_is_one(self, fit):
        with pytest.raises(ValueError, match="checkpoint_frequency and checkpoint_at_end are for classes"):
            fit(lambda config: 1.0, checkpoint=tune.CheckpointConfig(checkpoint_frequency=2))


class Story(list):
    """A list that a space and a deep copy leave as it is."""

    def __deepcopy__(self, memo):
        return self

    def __hash__(self):
        return id(self)


class TestWithParameters:
    def test_a_function_gets_them(self, fit):
        def objective(config, data, scale=1):
            return {"score": config["x"] * len(data) * scale}

        wrapped = tune.with_parameters(objective, data=list(range(10)), scale=2)
        assert wrapped.__name__ == "objective"
        result = only(fit(wrapped, {"x": 3}))
        assert (result.metrics["score"], result.config) == (60, {"x": 3})

    def test_a_function_with_a_reporter_gets_both(self, fit):
        def objective(config, reporter, data):
            reporter(score=len(data))

        assert only(fit(tune.with_parameters(objective, data="abc"))).metrics["score"] == 3

    def test_an_async_function_gets_them(self, fit):
        async def objective(config, data):
            return {"score": len(data)}

        assert only(fit(tune.with_parameters(objective, data="abc"))).metrics["score"] == 3

    def test_a_class_gets_them_in_setup(self, fit):
        class WithData(tune.Trainable):
            def setup(self, config, data=None):
                self.data = data

            def step(self):
                return {"score": len(self.data), "done": True}

        wrapped = tune.with_parameters(WithData, data=[1, 2])
        assert wrapped.__name__ == "WithData"
        assert only(fit(wrapped)).metrics["score"] == 2

    def test_what_it_does_not_take_is_refused(self):
        with pytest.raises(TypeError, match="takes no 'dta'"):
            tune.with_parameters(lambda config, data: None, dta=3)


class TestWithResources:
    @pytest.mark.parametrize(
        ("wanted", "most"),
        [({"cpu": 2}, 2), ({"cpu": 4}, 1), (PlacementGroupFactory([{"CPU": 1}, {"CPU": 1}]), 2), ({"CPU": 1}, 4)],
    )
    def test_no_more_trials_run_than_there_is_room_for(self, fit, wanted, most):
        gauge = Gauge()
        fit(tune.with_resources(partial(gauge.measure), wanted), num_samples=12, cpus=4)
        assert gauge.most == most

    def test_they_may_be_a_function_of_the_config_that_is_the_same_for_all(self, fit):
        gauge = Gauge()
        wanted = tune.with_resources(partial(gauge.measure), lambda config: {"cpu": 1 + bool(config["x"] + 1)})
        fit(wanted, {"x": tune.uniform(0, 1)}, num_samples=8, cpus=4)
        assert gauge.most == 2

    def test_they_may_differ_between_trials(self, fit):
        def asks(config):
            return {"cpus": tune.get_trial_resources().required_resources["CPU"]}

        wanted = tune.with_resources(asks, lambda config: {"cpu": config["x"]})
        grid = fit(wanted, {"x": tune.grid_search([1, 2, 3])}, cpus=4)
        assert [result.metrics["cpus"] for result in grid] == [1, 2, 3]

    def test_a_class_may_say_them_itself(self, fit):
        gauge = Gauge()

        class Big(tune.Trainable):
            @classmethod
            def default_resource_request(cls, config):
                return PlacementGroupFactory([{"CPU": 3}])

            def step(self):
                return {**gauge.measure({}), "done": True}

        fit(Big, num_samples=4, cpus=4)
        assert gauge.most == 1
        fit(tune.with_resources(Big, {"cpu": 1}), num_samples=8, cpus=4)
        assert gauge.most == 4

    def test_they_are_not_said_twice(self, fit):
        with pytest.raises(ValueError, match="with_resources"):
            fit(tune.with_resources(lambda config: 1.0, {"cpu": 1}), resources_per_trial={"cpu": 2})

    def test_of_old_kinds_are_refused_by_name(self, fit):
        with pytest.raises(ValueError, match="extra_cpu: .* PlacementGroupFactory"):
            fit(lambda config: 1.0, resources_per_trial={"cpu": 1, "extra_cpu": 2})
        with pytest.raises(ValueError, match="on one machine: use 'PACK'"):
            PlacementGroupFactory([{"CPU": 1}], strategy="SPREAD")

    @pytest.mark.slow
    def test_what_a_trial_starts_on_our_ray_finds_the_room_of_its_other_bundles(self, tmp_path):
        def train(config):
            import ray

            child = ray.remote(num_cpus=1)(lambda: 7)
            return {"score": ray.get(child.remote(), timeout=60)}

        two = PlacementGroupFactory([{"CPU": 1}, {"CPU": 1}])
        settings = tune.RunConfig(storage_path=tmp_path, executor=OnRay(num_cpus=2), verbose=0)
        grid = tune.Tuner(tune.with_resources(train, two), run_config=settings).fit()
        assert only(grid).metrics["score"] == 7

    def test_of_several_bundles_the_first_is_the_trials_own(self):
        factory = PlacementGroupFactory([{"CPU": 1}, {"CPU": 2, "GPU": 1}])
        assert resources.to_engine(factory) == {"cpu": 3, "gpu": 1}
        assert resources.children(factory) == [{"cpu": 2, "gpu": 1}]
        assert resources.children(PlacementGroupFactory([{"CPU": 0}, {"CPU": 2}])) == [{"cpu": 2}]
        assert resources.children({"cpu": 3}) == []

    def test_a_factory_shows_what_it_asks_for(self):
        factory = PlacementGroupFactory([{"CPU": 0}, {"CPU": 2, "GPU": 1}, {"CPU": 2}])
        assert factory.required_resources == {"CPU": 4, "GPU": 1}
        assert (factory.head_bundle_is_empty, factory.head_cpus, len(factory.bundles)) == (True, 0, 2)
        assert factory == PlacementGroupFactory([{"CPU": 0}, {"CPU": 2, "GPU": 1}, {"CPU": 2}])
        assert len({factory, PlacementGroupFactory([{"CPU": 0.0}, {"GPU": 1, "CPU": 2.0}, {"CPU": 2}])}) == 1
        assert factory != PlacementGroupFactory([{"CPU": 0}, {"CPU": 2, "GPU": 1}, {"CPU": 3}])

    def test_a_trial_may_report_what_it_was_granted(self, fit):
        def objective(config):
            tune.report(
                granted=tune.get_context().get_trial_resources(), note="PlacementGroupFactory([x], strategy='')"
            )

        result = only(fit(objective, resources_per_trial={"cpu": 2}))
        assert result.metrics["granted"] == PlacementGroupFactory([{"CPU": 2}])
        assert result.metrics["note"] == "PlacementGroupFactory([x], strategy='')"


class Gauge:
    """Counts how many trials run at a time: each waits for as many as can come."""

    def __init__(self):
        self.running = self.most = 0
        self.changed = threading.Condition()

    def measure(self, config):
        with self.changed:
            self.running += 1
            self.most = max(self.most, self.running)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.running >= 4, timeout=0.15)
        with self.changed:
            self.running -= 1
        return {"score": 1}
