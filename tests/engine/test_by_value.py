"""A config is handed out and taken in by value: whatever user code does to it, what was suggested stays what it was."""

from __future__ import annotations

import threading

import pytest

from tests.core.driving import Curve
from trialwright import Callback, Engine, Local, Simulated, load, space

NESTED = {"model": {"x": space.uniform(0, 1), "layers": [8, 16]}}


def ruin(config):
    config["model"]["layers"].append(object())
    config["model"]["x"] = 99.0
    config["extra"] = 1


def loss(config):
    return config["model"]["x"]


def run(objective, tmp_path, **keywords):
    keywords = {"executor": Local(cpus=2), "num_samples": 6, "searcher": "tpe", "seed": 0, "verbose": 0, **keywords}
    return Engine(objective, NESTED, metric="loss", storage=tmp_path, **keywords).run()


def assert_unharmed(result, samples=6):
    for trials in (result, load(result.path)):
        assert [trial.outcome for trial in trials] == ["completed"] * samples
        assert all(0 < trial.config["model"]["x"] < 1 for trial in trials)
        assert all(trial.config == {"model": {"x": loss(trial.config), "layers": [8, 16]}} for trial in trials)


def test_the_objective_may_do_anything_to_its_config(tmp_path):
    def objective(config):
        value = loss(config)
        ruin(config)
        return value

    assert_unharmed(run(objective, tmp_path))


def test_so_may_a_workload_in_virtual_time(tmp_path):
    class Ruining(Curve):
        def start(self, config, seed):
            found = super().start({"x": loss(config)}, seed)
            ruin(config)
            return found

        def step(self, config, state):
            return super().step({"x": 0.5}, state)

    assert_unharmed(run(Ruining(), tmp_path, executor=Simulated(workers=2)))


def test_so_may_a_function_that_says_what_a_trial_needs(tmp_path):
    def needs(config):
        ruin(config)
        return {"cpu": 1}

    assert_unharmed(run(loss, tmp_path, resources=needs))


def test_so_may_a_callback_and_a_display(tmp_path):
    class Ruining(Callback):
        def on_trial_start(self, iteration, trials, trial, **info):
            ruin(trial.config)

        def update(self, snapshot):
            self.close(snapshot)

        def close(self, snapshot):
            if snapshot.best is not None:
                ruin(snapshot.best.config)

    callback = Ruining()
    assert_unharmed(run(loss, tmp_path, callbacks=[callback], progress=callback))


def test_an_object_of_the_space_need_not_be_one_that_can_be_copied(tmp_path):
    """A lock, say: what a callback is told of a trial holds the object itself, as the objective's config does."""
    locks = []

    class Locks(Callback):
        def on_trial_complete(self, iteration, trials, trial, **info):
            locks.append(trial.config["lock"])

    lock = threading.Lock()
    Engine(
        lambda config: config["x"], {"x": space.uniform(0, 1), "lock": lock}, metric="loss", executor="local",
        storage=None, verbose=0, callbacks=[Locks()],
    ).run()  # fmt: skip
    assert locks == [lock]


def test_what_the_result_holds_is_its_readers(tmp_path):
    result = run(loss, tmp_path)
    ruin(result[0].config)
    assert_unharmed(load(result.path))


def test_points_to_evaluate_may_be_changed_once_the_run_continues(tmp_path):
    points = [{"model": {"x": value}} for value in (0.25, 0.5, 0.75)]

    def objective(config):
        for point in points:
            point["model"]["x"] = 7.0
        return loss(config)

    result = run(objective, tmp_path, points_to_evaluate=points, num_samples=3, max_concurrent_trials=1)
    assert [loss(trial.config) for trial in result] == [0.25, 0.5, 0.75]


def test_an_enqueued_config_may_be_changed_afterwards(tmp_path):
    engine = Engine(
        loss, NESTED, metric="loss", storage=tmp_path, executor="local", searcher="random", seed=0, verbose=0
    )
    mine = {"model": {"x": 0.25, "layers": [8, 16]}}
    engine.enqueue(mine)
    ruin(mine)
    result = engine.run()
    assert_unharmed(result, samples=2)
    assert 0.25 in [loss(trial.config) for trial in result]


@pytest.mark.parametrize("storage", [None, "disk"])
def test_what_was_changed_in_the_result_is_not_asked_of_the_journal(tmp_path, storage):
    result = run(loss, None if storage is None else tmp_path)
    before = result[0].history
    result[0].metrics["loss"] = "mine"
    assert result[0].history == before
