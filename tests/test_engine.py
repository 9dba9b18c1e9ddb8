"""What a user writes, and what comes of it: whole runs, on threads of this process."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time

import numpy as np
import pytest

from trialwright import (
    ASHA,
    Engine,
    Local,
    Result,
    Simulated,
    Stopper,
    TrialStopped,
    context,
    enqueue,
    get_checkpoint,
    load,
    report,
    space,
    stop,
)
from trialwright.callbacks import Callback
from trialwright.engine.engine import run_id
from trialwright.errors import PolicyError
from trialwright.loggers import FileLogger
from trialwright.messages import Suggestion
from trialwright.searchers import Random
from trialwright.storage import inbox
from trialwright.workloads import CrossingCurves

SPACE = {"x": space.uniform(0, 1)}


def run(objective, definition=None, **keywords) -> Result:
    keywords = {"metric": "loss", "executor": Local(cpus=2), "storage": None, "seed": 0, "verbose": 0, **keywords}
    return Engine(objective, definition or SPACE, **keywords).run()


def parabola(config):
    return {"loss": (config["x"] - 0.3) ** 2}


def trains(config):
    for epoch in range(9):
        report(loss=config["x"] + 1 / (epoch + 1), epoch=epoch)


def test_numbers_of_numpy_are_numbers():
    numbers = {"num_samples": np.int64(3), "seed": np.uint32(0), "max_failures": np.int8(0)}
    given = run(parabola, **numbers, time_budget_s=np.float32(60))
    assert [trial.config for trial in given] == [trial.config for trial in run(parabola, num_samples=3)]


class TestAnObjectiveMay:
    def test_report(self):
        trial = run(trains).best_trial
        assert (trial.state, trial.outcome, trial.metrics["step"]) == ("ended", "completed", 9)
        assert [row["epoch"] for row in trial.history] == list(range(9))
        assert [row["step"] for row in trial.history] == list(range(1, 10))

    def test_return_a_dict(self):
        result = run(parabola, num_samples=8)
        assert len(result) == 8
        assert result.best_metrics["loss"] == min(trial.metrics["loss"] for trial in result)

    def test_return_the_one_metric(self):
        result = run(lambda config: np.float32(config["x"]), num_samples=3)
        assert [trial.metrics["loss"] for trial in result] == pytest.approx([trial.config["x"] for trial in result])

    def test_yield_and_be_closed_when_it_is_stopped(self):
        closed = []

        def objective(config):
            try:
                while True:
                    yield {"loss": config["x"]}
            finally:
                closed.append(config["x"])

        result = run(objective, num_samples=2, stop={"step": 5})
        assert [trial.metrics["step"] for trial in result] == [5, 5]
        assert sorted(closed) == sorted(trial.config["x"] for trial in result)

    def test_be_async(self):
        async def objective(config):
            for epoch in range(9):
                await asyncio.sleep(0)
                report(loss=config["x"] + 1 / (epoch + 1))

        result = run(objective, num_samples=9, scheduler=ASHA(max_t=9, reduction_factor=3))
        steps = sorted(trial.metrics["step"] for trial in result)
        assert steps[0] == 1
        assert steps[-1] == 9

    def test_await_its_reports(self):
        async def objective(config):
            while True:
                await report(loss=config["x"])

        assert run(objective, stop={"step": 7})[0].metrics["step"] == 7

    def test_ask_where_it_is(self, tmp_path):
        def objective(config):
            where = context()
            (where.directory / "note").write_text(str(where.seed))
            return {"loss": 0.0, "same": where.config == config, "id": where.trial_id, "attempt": where.attempt}

        result = run(objective, storage=tmp_path, num_samples=2)
        assert [(t.metrics["same"], t.metrics["id"], t.metrics["attempt"]) for t in result] == [
            (True, 0, 1),
            (True, 1, 1),
        ]
        assert len({(trial.directory / "note").read_text() for trial in result}) == 2

    @pytest.mark.parametrize("form", ["directory", "file", "dict"])
    def test_save_and_load_what_it_has_learned(self, tmp_path, form):
        def objective(config):
            saved = get_checkpoint()
            if saved is not None:
                found = (
                    saved["epoch"]
                    if form == "dict"
                    else int((saved / "epoch" if form == "directory" else saved).read_text())
                )
                report(loss=0.0, found=found)
                return
            state = context().directory / "state"
            state.mkdir()
            (state / "epoch").write_text("1")
            checkpoint = {"directory": state, "file": state / "epoch", "dict": {"epoch": 1}}[form]
            report(loss=1.0, checkpoint=checkpoint)
            raise OSError("a passing trouble")

        trial = run(objective, storage=tmp_path, max_failures=1)[0]
        assert (trial.outcome, trial.attempts, trial.metrics["found"], trial.metrics["step"]) == ("completed", 2, 1, 2)
        assert trial.checkpoint is not None


def test_an_objective_may_stop_its_own_trial():
    def objective(config):
        report(loss=1.0)
        raise TrialStopped

    trial = run(objective)[0]
    assert (trial.state, trial.outcome, trial.reason) == ("ended", "stopped", "it stopped itself")
    assert trial.metrics["loss"] == 1.0


@pytest.mark.parametrize("scheduler", [ASHA(max_t=9), ASHA(max_t=9, promote=True)], ids=["stopping", "promoting"])
def test_virtual_time_is_the_same_whether_the_journal_is_on_a_disk_or_not(tmp_path, scheduler):
    def simulated(storage):
        curves = CrossingCurves(steps=9)
        result = run(
            curves, curves.space, scheduler=scheduler, executor=Simulated(workers=4), storage=storage, num_samples=30,
            searcher="random",
        )  # fmt: skip
        return [(trial.config, trial.metrics, trial.outcome, trial.started, trial.ended) for trial in result]

    assert simulated(tmp_path) == simulated(None)


class TestARunMayBe:
    def test_awaited_in_a_running_loop(self):
        engine = Engine(parabola, SPACE, metric="loss", executor="local", storage=None, verbose=0)
        assert len(asyncio.run(engine.run_async())) == 1

    def test_run_from_inside_a_running_loop(self):
        async def cell():
            return run(parabola, num_samples=3)

        assert len(asyncio.run(cell())) == 3

    @pytest.mark.parametrize(
        "keywords",
        [
            pytest.param({"searcher": "random"}, id="side by side, if nothing depends on who is faster"),
            pytest.param({"max_concurrent_trials": 1}, id="one at a time, whatever the searcher"),
        ],
    )
    def test_repeated_with_the_same_seed(self, keywords):
        first, second, other = (run(parabola, num_samples=20, seed=seed, **keywords) for seed in (5, 5, 6))
        assert [trial.config for trial in first] == [trial.config for trial in second]
        assert [trial.config for trial in other] != [trial.config for trial in first]

    def test_kept_in_a_directory_that_any_sqlite_tool_reads(self, tmp_path):
        result = run(trains, storage=tmp_path, name="digits")
        assert result.path.parent == tmp_path
        with sqlite3.connect(result.path / "journal.sqlite") as database:
            assert database.execute("SELECT id, state, outcome FROM trials").fetchall() == [(0, "ended", "completed")]
            assert database.execute("SELECT count(*), max(step) FROM results").fetchone() == (9, 9)
        database.close()

    def test_kept_at_home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TRIALWRIGHT_HOME", str(tmp_path / "home"))
        engine = Engine(parabola, SPACE, metric="loss", executor="local", verbose=0)
        assert engine.run().path.parent == tmp_path / "home"

    def test_kept_nowhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        result = run(parabola)
        assert result.path is None
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["../../x", "/etc/x", "a\0b", "CON", "x" * 300, "🦊", "-rf", "<script>", ""])
    def test_called_anything(self, tmp_path, name):
        result = run(parabola, storage=tmp_path / "runs", name=name)
        assert result.path.parent == tmp_path / "runs"
        assert [path.name for path in tmp_path.iterdir()] == ["runs"]
        assert run_id(name) != run_id(name)


class TestTrials:
    def test_repeat_the_grid_num_samples_times(self):
        grid = {"a": space.grid_search([1, 2, 3]), "b": space.grid_search(["u", "v"]), "x": space.uniform(0, 1)}
        result = run(lambda config: {"loss": config["x"]}, grid, num_samples=2)
        pairs = [(trial.config["a"], trial.config["b"]) for trial in result]
        assert pairs == [(a, b) for _ in range(2) for a in (1, 2, 3) for b in "uv"]

    def test_begin_with_the_points_to_evaluate(self):
        points = [{"x": 0.25, "y": 1}, {"y": 3}]
        result = run(
            lambda config: {"loss": config["x"]},
            {**SPACE, "y": space.randint(0, 5)},
            num_samples=4,
            points_to_evaluate=points,
        )
        assert len(result) == 4
        assert result[0].config == {"x": 0.25, "y": 1}
        assert result[1].config["y"] == 3

    def test_run_no_more_than_max_concurrent_at_a_time(self):
        running, most = set(), []

        def objective(config):
            running.add(config["x"])
            time.sleep(0.01)
            most.append(len(running))
            running.remove(config["x"])
            return {"loss": 0}

        run(objective, num_samples=10, executor=Local(cpus=8), max_concurrent_trials=2)
        assert max(most) == 2

    def test_keep_objects_of_the_space_as_they_are(self, tmp_path):
        options = [math.sin, math.cos]
        result = run(
            lambda config: {"loss": config["f"](0.0), "same": config["f"] in options},
            {"f": space.choice(options), "data": (1, 2)},
            num_samples=4,
            storage=tmp_path,
        )
        assert all(trial.metrics["same"] for trial in result)
        assert result.best_config["f"] is math.sin
        assert result.best_config["data"] == (1, 2)
        with pytest.raises(ValueError, match="space is not plain data"):
            Engine.resume(result.path, parabola)
        again = Engine.resume(
            result.path, parabola, space={"f": space.choice(options), "data": (1, 2)}, executor="local", verbose=0
        )
        assert again.run().best_config["f"] is math.sin


class TestResourcesOfTheConfig:
    def needs(self, config):
        return {"cpu": config["cpus"]}

    def objective(self, config):
        return {"loss": context().resources["cpu"] - config["cpus"]}

    def test_are_what_each_trial_is_granted(self, tmp_path):
        definition = {"cpus": space.grid_search([1, 2, 4])}
        keywords = {"resources": self.needs, "executor": Local(cpus=4)}
        result = run(self.objective, definition, storage=tmp_path, **keywords)
        assert [trial.metrics["loss"] for trial in result] == [0, 0, 0]
        again = Engine.resume(result.path, self.objective, verbose=0, num_samples=2, **keywords)
        again.enqueue({"cpus": 4})
        assert [trial.metrics["loss"] for trial in again.run()] == [0] * 7

    def test_that_can_never_be_had_cancel_their_trial_and_say_so(self):
        result = run(self.objective, {"cpus": space.grid_search([1, 8])}, resources=self.needs, executor=Local(cpus=4))
        assert [trial.outcome for trial in result] == ["completed", "cancelled"]
        assert "needs {'cpu': 8}; at most {'cpu': 4}" in result[1].reason

    def test_that_are_none_are_refused(self):
        with pytest.raises(ValueError, match="resource 'cpu' must be finite and not negative"):
            run(self.objective, {"cpus": space.choice([-1])}, resources=self.needs)


class TestATrialOfTheResult:
    def test_has_its_worker_and_all_checkpoints_that_are_kept(self, tmp_path):
        def saves(config):
            for step in range(1, 5):
                report(loss=1 / step, checkpoint={"step": step})

        [trial] = run(saves, storage=tmp_path, keep_checkpoints=2)
        assert trial.checkpoints == {3: {"step": 3}, 4: {"step": 4}}
        assert trial.worker
        assert run(saves)[0].checkpoints.keys() <= {1, 2, 3, 4}


class TestAStopRule:
    @pytest.mark.parametrize(
        ("stop", "step"),
        [
            ({"step": 3}, 3),
            ({"gain": 5}, 6),
            ({"loss": ("<=", 0.25)}, 4),
            (lambda trial_id, metrics: metrics["step"] == 2, 2),
            ([{"step": 8}, {"loss": ("<=", 0.2)}], 5),
        ],
    )
    def test_ends_a_trial(self, stop, step):
        def objective(config):
            for epoch in range(9):
                report(loss=1 / (epoch + 1), gain=epoch)

        trial = run(objective, stop=stop)[0]
        assert (trial.outcome, trial.metrics["step"]) == ("stopped", step)

    def test_that_is_a_stopper_ends_the_run(self):
        class Enough(Stopper):
            def __init__(self):
                self.seen = 0

            def __call__(self, trial_id, metrics):
                self.seen += 1
                return False

            def stop_all(self):
                return self.seen >= 5

        result = run(trains, num_samples=50, stop=Enough(), executor=Local(cpus=1))
        assert "Enough" in result.stopped
        assert len(result) < 50

    def test_leave_no_trial_in_the_result_that_never_began(self, tmp_path, capsys):
        class AtOnce(Stopper):
            def __init__(self, answer):
                self.answer = answer

            def __call__(self, trial_id, metrics):
                return False

            def stop_all(self):
                return self.answer

        keywords = {"searcher": "random", "executor": Local(cpus=1), "storage": tmp_path, "verbose": 1}
        result = run(trains, num_samples=50, stop=AtOnce(answer=True), **keywords)
        assert [(trial.id, trial.outcome) for trial in result] == [(0, "stopped")]
        assert len(load(result.path)) == 1
        assert "trains: 1 trials in" in (told := capsys.readouterr().err)
        assert "cancelled" not in told
        keywords = {"stop": AtOnce(answer=False), "retry_failed": "scratch", "executor": "local", "verbose": 0}
        again = Engine.resume(result.path, trains, **keywords).run()
        assert [trial.outcome for trial in again] == ["completed"] * 50

    def test_of_time_ends_the_run(self):
        def objective(config):
            while True:
                time.sleep(0.01)
                report(loss=config["x"])

        result = run(objective, num_samples=4, time_budget_s=0.2)
        assert "time budget" in result.stopped
        assert {trial.outcome for trial in result} == {"stopped"}

    def test_cannot_be_swallowed_by_a_broad_except(self):
        def objective(config):
            while True:
                try:
                    report(loss=0.0)
                except Exception:
                    pytest.fail("the stop was an ordinary exception")

        assert issubclass(TrialStopped, BaseException)
        assert run(objective, stop={"step": 3})[0].outcome == "stopped"

    def test_of_time_ends_a_trial_that_hangs(self):
        def objective(config):
            report(loss=1.0)
            if context().trial_id == 0:
                time.sleep(1.0)
            return {"loss": 0.0}

        result = run(objective, num_samples=2, trial_timeout_s=0.1, executor=Local(cpus=1, grace_s=0.1))
        assert result[0].outcome == "stopped"
        assert "timeout" in result[0].reason
        assert result[1].outcome == "completed"


class TestATrialFails:
    def failing(self, objective, **keywords):
        """Run the objective as trial 1 of 3, between two that work."""

        def sometimes(config):
            return objective(config) if context().trial_id == 1 else {"loss": 1.0}

        result = run(sometimes, num_samples=3, **keywords)
        assert [trial.outcome for trial in result] == ["completed", "failed", "completed"]
        return result[1]

    def test_if_it_raises(self):
        def objective(config):
            raise RuntimeError("out of luck")

        trial = self.failing(objective)
        assert trial.error == "RuntimeError: out of luck"
        assert "in objective" in trial.traceback

    def test_if_it_exits(self):
        assert "sys.exit(3)" in self.failing(lambda config: (_ for _ in ()).throw(SystemExit(3))).error

    def test_if_it_returns_nonsense(self):
        assert "not a dict of metrics" in self.failing(lambda config: "fine").error

    def test_if_it_has_no_result(self):
        assert "neither reported nor returned 'loss'" in self.failing(lambda config: None).error

    def test_if_the_metric_is_missing(self):
        assert "did you mean 'los'?" in self.failing(lambda config: {"los": 1.0}).error

    def test_if_the_metric_is_no_number(self):
        assert "must be a number, not 'low'" in self.failing(lambda config: {"loss": "low"}).error

    def test_if_the_metric_is_an_object(self):
        said = self.failing(lambda config: {"loss": object()}).error
        assert "must be a number, not None: metric 'loss' is a object, not a number, string, or None" in said

    def test_if_it_reports_one_name_twice(self):
        said = self.failing(lambda config: {"loss": 1.0, "a/b": 1, "a": {"b": 2}}).error
        assert "metric 'a/b' is reported twice" in said

    def test_and_is_tried_again(self):
        def objective(config):
            if context().attempt < 3:
                raise OSError("not yet")
            return {"loss": 0.0}

        trial = run(objective, max_failures=2)[0]
        assert (trial.outcome, trial.attempts) == ("completed", 3)

    def test_and_ends_the_run_if_it_should(self):
        def objective(config):
            raise ValueError("no")

        result = run(objective, num_samples=50, fail_fast=True, executor=Local(cpus=1))
        assert "trial 0 failed: ValueError: no" in result.stopped

    def test_five_times_in_the_same_way_and_the_run_is_not_worth_finishing(self):
        def objective(config):
            raise ImportError("no module named 'torhc'")

        result = run(objective, num_samples=500, executor=Local(cpus=1))
        assert "5 trials failed the same way, and none succeeded" in result.stopped
        assert "torhc" in result.stopped
        with pytest.raises(ValueError, match="torhc"):
            _ = result.best_config


class TestNumbersThatAreNone:
    def test_are_never_the_best(self):
        values = [math.nan, math.inf, -math.inf, 0.5, math.nan]
        result = run(lambda config: {"loss": values[config["i"]]}, {"i": space.grid_search(list(range(5)))})
        assert result.best_config == {"i": 3}
        assert result.best("best").config == {"i": 3}
        assert math.isnan(result[0].metrics["loss"])

    def test_never_survive_a_rung(self):
        def objective(config):
            for _ in range(9):
                report(loss=math.nan)

        result = run(objective, num_samples=4, scheduler=ASHA(max_t=9, reduction_factor=3))
        assert [trial.metrics["step"] for trial in result] == [1, 1, 1, 1]

    def test_alone_leave_no_best(self):
        result = run(lambda config: {"loss": math.nan}, num_samples=2)
        with pytest.raises(ValueError, match="no trial has reported a finite 'loss'"):
            result.best()


class TestAResult:
    def test_says_what_came_out(self):
        result = run(parabola, num_samples=3, name="small")
        assert repr(result).startswith("Result(small: 3 trials (3 completed); best loss=")

    def test_is_a_table(self):
        frame = run(parabola, num_samples=3).dataframe()
        assert list(frame["id"]) == [0, 1, 2]
        assert {"loss", "config/x", "outcome"} <= set(frame.columns)

    def test_goes_by_the_last_value_or_by_the_best(self):
        def objective(config):
            for value in config["curve"]:
                report(loss=value)

        curves = [[3.0, 1.0, 5.0], [4.0, 4.0, 4.0]]
        result = run(objective, {"curve": space.grid_search(curves)})
        assert (result.best().id, result.best("best").id, result.best("last").id) == (0, 0, 1)
        assert result.best("best").best == (1.0, 2)

    def test_turns_the_sign_round_for_max(self):
        result = run(lambda config: {"loss": config["x"]}, num_samples=5, mode="max")
        assert result.best_metrics["loss"] == max(trial.metrics["loss"] for trial in result)

    def test_shows_its_progress_as_the_user_wants_it(self):
        shown = []

        class Shown:
            def update(self, snapshot):
                shown.append(snapshot)

            def close(self, snapshot):
                shown.append(snapshot)

        run(parabola, num_samples=3, progress=Shown())
        assert shown[-1].outcomes == {"completed": 3}

    def test_tells_callbacks_of_everything(self):
        told = []

        class Told(Callback):
            def setup(self, **info):
                told.append("setup")

            def on_trial_start(self, iteration, trials, trial, **info):
                told.append(f"start {trial.id}")

            def on_trial_result(self, iteration, trials, trial, result, **info):
                told.append(f"result {result['step']}")

            def on_trial_complete(self, iteration, trials, trial, **info):
                told.append(f"complete {trial.outcome}")

            def on_experiment_end(self, trials, **info):
                told.append(f"end {len(trials)}")

        run(trains, callbacks=[Told()], stop={"step": 2})
        assert told == ["setup", "start 0", "result 1", "result 2", "complete stopped (step >= 2)", "end 1"]


class TestBeforeTheFirstTrial:
    @pytest.mark.parametrize(
        ("keywords", "message"),
        [
            ({"searcher": "rndom"}, "searcher='rndom' is not known; did you mean 'random'?"),
            ({"scheduler": "ahsa"}, "scheduler='ahsa' is not known; did you mean 'asha'?"),
            ({"scheduler": ASHA}, "give an object of it"),
            ({"executor": "rya"}, "executor='rya' is not known; did you mean 'ray'?"),
            ({"executor": Simulated()}, "Simulated runs only a Workload"),
            ({"mode": "minimize"}, "mode must be 'min' or 'max', not 'minimize'; did you mean 'min'?"),
            ({"callbacks": [FileLogger("csv")]}, "FileLogger reads the journal, and storage=None keeps none"),
            ({"metric": None, "scheduler": "asha"}, "needs a metric"),
            ({"metric": 3}, "metric"),
            ({"num_samples": 0}, "num_samples must be at least -1 and not 0"),
            ({"num_samples": 2.5}, "num_samples must be an integer, not 2.5"),
            ({"time_budget_s": -1}, "time_budget_s"),
            ({"time_budget_s": math.nan}, "time_budget_s"),
            ({"max_concurrent_trials": 0}, "max_concurrent_trials"),
            ({"keep_checkpoints": 0}, "keep_checkpoints"),
            ({"keep_checkpoints": 2, "checkpoint_score": "loss"}, "checkpoint_score must be a metric and"),
            ({"checkpoint_score": ("loss", "min")}, "keep_checkpoints must say how many"),
            ({"resources": {"cpu": -1}}, "resource 'cpu' must be finite and not negative, not -1"),
            ({"resources": {"gpu": 1.5}}, "whole number of GPUs"),
            ({"resources": {"cpu": 1e-5}}, "smallest share"),
            ({"resources": {}}, "asks for nothing"),
            ({"stop": {"loss": ("<", 1)}}, "'>=' or '<='"),
            ({"stop": 3}, "stop must be"),
            ({"points_to_evaluate": [{"x": 7.0}]}, r"points_to_evaluate\[0\].*7"),
            ({"points_to_evaluate": [{"y": 0.5}]}, r"points_to_evaluate\[0\].*y"),
            ({"points_to_evaluate": 5}, "must be a list"),
            ({"seed": "lucky"}, "seed must be an integer"),
            ({"verbose": None}, "verbose"),
            ({"progress": 5}, "progress must be an object with update and close"),
            ({"callbacks": 5}, "callbacks must be a list"),
        ],
    )
    def test_a_bad_argument_is_refused_with_its_value(self, keywords, message):
        started = []
        with pytest.raises((ValueError, TypeError), match=message):
            run(started.append, **keywords)
        assert started == []

    def test_all_problems_are_listed_at_once(self):
        with pytest.raises(ValueError, match=r"(?s)start:\n  - scheduler.*\n  - searcher.*\n  - num_samples"):
            run(parabola, searcher="x", scheduler="y", num_samples=0)

    @pytest.mark.parametrize("definition", [3, None, {"x": space.uniform}])
    def test_a_space_that_is_none_is_refused(self, definition):
        with pytest.raises(ValueError, match=r"space|domain|uniform"):
            Engine(parabola, definition, metric="loss", executor="local", storage=None, verbose=0).run()

    def test_what_can_never_fit_is_refused_naming_the_largest_that_would_and_how_to_say_that_there_is_more(self):
        more = r"if there is more, say so: executor=Local\(cpus=8, resources={'gpu': 1}\)"
        with pytest.raises(ValueError, match=rf"gpu.*never be granted.*'cpu': 2, 'gpu': 0.*{more}"):
            run(parabola, resources={"cpu": 1, "gpu": 1})

    def test_storage_that_is_a_file_is_refused(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ValueError, match="is a file"):
            run(parabola, storage=tmp_path / "file")

    def test_an_objective_that_is_none_is_refused(self):
        with pytest.raises(ValueError, match="objective must be callable, not 3"):
            run(3)


class TestResume:
    def test_of_a_run_that_is_over_changes_nothing(self, tmp_path):
        first = run(parabola, num_samples=5, storage=tmp_path)
        ran = []
        again = Engine.resume(first.path, ran.append, executor="local", verbose=0).run()
        assert ran == []
        assert repr(again) == repr(first)
        assert [trial.config for trial in again] == [trial.config for trial in first]

    def test_refuses_other_data(self, tmp_path):
        path = run(parabola, storage=tmp_path).path
        with pytest.raises(ValueError, match=r"metric was 'loss' and cannot become 'gain'"):
            Engine.resume(path, parabola, metric="gain")
        with pytest.raises(ValueError, match=r"Engine has no num_sample=...; did you mean 'num_samples'"):
            Engine.resume(path, parabola, num_sample=7)

    def test_wants_again_what_is_no_data(self, tmp_path):
        def stop(trial_id, metrics):
            return False

        path = run(parabola, storage=tmp_path, stop=stop).path
        with pytest.raises(ValueError, match="stop is not plain data"):
            Engine.resume(path, parabola)
        assert len(Engine.resume(path, parabola, stop=stop, executor="local", verbose=0).run()) == 1

    @pytest.mark.parametrize(("how", "begins"), [("checkpoint", 2), ("scratch", 0)])
    def test_may_try_failed_trials_again(self, tmp_path, how, begins):
        began = []

        def objective(config):
            saved = get_checkpoint() or {"step": 0}
            began.append(saved["step"])
            for step in range(saved["step"], 4):
                if step == 2 and not (tmp_path / "mended").exists():
                    raise OSError("no disk")
                report(loss=config["x"], checkpoint={"step": step + 1})

        first = run(objective, num_samples=2, storage=tmp_path)
        assert [trial.outcome for trial in first] == ["failed", "failed"]
        (tmp_path / "mended").touch()
        began.clear()
        again = Engine.resume(first.path, objective, retry_failed=how, executor="local", verbose=0).run()
        assert began == [begins, begins]
        assert [(trial.outcome, trial.attempts, trial.metrics["step"]) for trial in again] == [("completed", 2, 4)] * 2
        assert Engine.resume(first.path, objective, retry_failed=how, executor="local", verbose=0).run().errors == []

    def test_continues_with_a_run_that_its_failures_stopped(self, tmp_path):
        def objective(config):
            if not (tmp_path / "mended").exists():
                raise OSError("no disk")
            return {"loss": 0.0}

        first = run(objective, num_samples=90, storage=tmp_path)
        assert "failed the same way" in (first.stopped or "")
        (tmp_path / "mended").touch()
        again = Engine.resume(first.path, objective, retry_failed="scratch", executor="local", verbose=0).run()
        assert [trial.outcome for trial in again] == ["completed"] * 90
        assert again.stopped is None

    def test_gives_callbacks_what_they_wanted_to_remember(self, tmp_path):
        class Counting(Callback):
            trials = 0

            def on_trial_complete(self, iteration, trials, trial, **info):
                self.trials += 1

            def get_state(self):
                return {"trials": self.trials}

            def set_state(self, state):
                self.trials = state["trials"]

        path = run(parabola, num_samples=3, storage=tmp_path, callbacks=[Counting()]).path
        again, quiet = Counting(), {"executor": "local", "verbose": 0, "num_samples": 5}
        Engine.resume(path, parabola, callbacks=[again], **quiet).run()
        assert again.trials == 5
        more = Engine.resume(path, parabola, **{**quiet, "num_samples": 6}).run()
        assert "callbacks start without their saved states" in more.warnings[0]

    def test_knows_from_where_failed_trials_can_be_tried_again(self, tmp_path):
        with pytest.raises(ValueError, match="retry_failed must be 'checkpoint', 'scratch', or None, not 'now'"):
            Engine.resume(tmp_path, parabola, retry_failed="now")

    def test_of_nothing_says_so(self, tmp_path):
        with pytest.raises(Exception, match="nowhere"):
            Engine.resume(tmp_path / "nowhere", parabola)


class TestAStepOfOnesOwn:
    def test_goes_before_the_one_that_is_counted(self):
        def objective(config):
            for step in range(0, 1000, 100):
                report(loss=1.0, step=step)

        result = run(objective, stop={"step": 300})
        assert result[0].metrics["step"] == 300
        assert [row["step"] for row in result[0].history] == [0, 100, 200, 300]


class TestMoreThanWasPlanned:
    def test_configs_are_enqueued_before_the_run(self):
        engine = Engine(parabola, SPACE, metric="loss", num_samples=3, executor="local", storage=None, verbose=0)
        engine.enqueue({"x": 0.3})
        with pytest.raises(ValueError, match="7"):
            engine.enqueue({"x": 7.0})
        result = engine.run()
        assert len(result) == 4
        assert result.best_config == {"x": 0.3}

    def test_configs_are_enqueued_while_it_runs(self):
        def objective(config):
            if context().trial_id == 0:
                engine.enqueue({"x": 0.3})
            return {"loss": 1.0}

        engine = Engine(
            objective,
            SPACE,
            metric="loss",
            num_samples=3,
            executor=Local(cpus=1),
            storage=None,
            verbose=0,
        )
        result = engine.run()
        assert [trial.config for trial in result].count({"x": 0.3}) == 1
        assert len(result) == 4

    def test_another_process_enqueues_and_stops(self, tmp_path):
        """The objective plays the other process: it knows nothing but the run's directory."""

        def objective(config):
            where = context()
            here = where.directory.parents[1]
            if where.trial_id == 0:
                enqueue(here, {"x": 0.25})
            elif config["x"] == 0.25:
                stop(here, trial=0)
                enqueue(here, {"x": 0.5})
            else:
                stop(here)
            while True:
                time.sleep(0.01)
                report(loss=config["x"])

        result = run(objective, num_samples=1, storage=tmp_path, executor=Local(cpus=2))
        assert [trial.config["x"] for trial in result][1:] == [0.25, 0.5]
        assert [trial.reason for trial in result] == ["stopped by user request"] * 3
        assert result.stopped == "stopped by user request"

    def test_an_invalid_request_is_warned_of_and_rejected(self, tmp_path):
        def objective(config):
            here = context().directory.parents[1]
            inbox.post(here, "enqueue", {"config": {"x": 7.0}})  # as another program may, unchecked
            enqueue(here, {})
            inbox.post(here, "stop", {"trial": 99})
            stop(here)
            while True:
                time.sleep(0.01)
                report(loss=config["x"])

        result = run(objective, num_samples=1, storage=tmp_path, executor=Local(cpus=1))
        assert [trial.outcome for trial in result] == ["stopped"]
        assert "request 1 in the inbox was rejected" in result.warnings[0]
        assert "7" in result.warnings[0]
        assert "trial 99" in result.warnings[1]

    def test_an_inbox_that_cannot_be_read_harms_no_trial(self, tmp_path):
        def objective(config):
            (context().directory.parents[1] / "inbox.sqlite").write_text("no database at all, but long enough" * 100)
            time.sleep(1.2)
            return {"loss": 0.0}

        result = run(objective, storage=tmp_path)
        assert result[0].outcome == "completed"
        assert "the inbox could not be read; it will be tried again" in result.warnings[0]

    def test_a_finished_run_gets_more_samples(self, tmp_path):
        path = run(parabola, num_samples=3, storage=tmp_path, searcher="random").path
        more = Engine.resume(path, parabola, num_samples=5, executor="local", verbose=0).run()
        again = Engine.resume(path, parabola, num_samples=6, executor="local", verbose=0).run()
        at_once = run(parabola, num_samples=6, searcher="random")
        assert len(more) == 5
        assert [trial.config for trial in again] == [trial.config for trial in at_once]
        with pytest.raises(ValueError, match="a resume can only raise this, not set it to 2"):
            Engine.resume(path, parabola, num_samples=2, executor="local", verbose=0).run()


def test_a_space_that_is_used_up_is_said_once():
    finite = {"a": space.choice(["p", "q"]), "b": space.choice([1, 2, 3])}
    result = run(lambda config: config["b"], finite, num_samples=9, searcher="tpe")
    assert [text for text in result.warnings if "were tried" in text] == [
        "all 6 configurations of the space were tried; they are now tried again"
    ]
    assert not run(lambda config: config["b"], finite, num_samples=6, searcher="tpe").warnings
    assert not run(lambda config: 1.0, {"g": space.grid_search([1, 2])}, num_samples=3, searcher="random").warnings


class Suggests(Random):
    def __init__(self, config):
        self.config = config

    def suggest(self, history, requests, rng):
        return [Suggestion(self.config) for _ in requests]


@pytest.mark.parametrize("value", [99.0, "a", None, object(), float("nan")])
def test_a_value_outside_its_domain_is_the_searchers_fault(value):
    with pytest.raises(PolicyError, match=r"the searcher suggested a value outside its domain: x: .*uniform\(0, 1\)"):
        run(parabola, searcher=Suggests({"x": value}))


def test_a_list_of_values_without_a_choice_is_doubted():
    result = run(lambda config: 1.0, {"x": [1, 2, 3], "layers": [64, 64], "y": space.uniform(0, 1)})
    assert result.warnings == ("x is a constant list; to try each value: space.choice([1, 2, 3])",)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("n_trials", "num_samples"),
        ("direction", "mode"),
        ("n_jobs", "max_concurrent_trials"),
        ("show_progress_bar", "verbose"),
        ("num_sample", "'num_samples'"),
    ],
)
def test_a_keyword_of_another_library_says_what_it_is_called_here(name, meant):
    with pytest.raises(TypeError, match=f"Engine has no {name}=...; did you mean {meant}"):
        Engine(parabola, SPACE, **{name: 1})


def test_a_keyword_that_is_not_needed_here_says_what_to_know_instead():
    with pytest.raises(
        TypeError, match=r"Engine has no load_if_exists=...: Engine.resume\(path, objective\) resumes a run"
    ):
        Engine(parabola, SPACE, load_if_exists=True)
