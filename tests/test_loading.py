"""A run read back from its directory is the run that was."""

from __future__ import annotations

import time
from dataclasses import fields

import pytest

from trialwright import Engine, Local, TrialStopped, load, report, space
from trialwright.results import TrialResult

UNTOLD = {"_frames", "_best_saved", "saved", "descents"}  # how to read what is compared here as properties


def trains(config):
    for epoch in range(4):
        checkpoint = {"epoch": epoch} if config["saves"] else None
        report(loss=(epoch - 1) ** 2 + config["x"], size=float(epoch), checkpoint=checkpoint)
    if config["x"] > 0.8:
        raise OSError("no luck")


SPACE = {"x": space.uniform(0, 1), "saves": space.grid_search([True, False]), "kind": space.choice([max, min])}


def run(tmp_path, objective=trains, definition=None, **keywords):
    keywords = {"metric": "loss", "executor": Local(cpus=2), "storage": tmp_path, "seed": 3, "verbose": 0, **keywords}
    return Engine(objective, definition or SPACE, num_samples=5, searcher="random", **keywords).run()


def without_objects(definition):
    return {name: domain for name, domain in definition.items() if name != "kind"}


@pytest.mark.parametrize("mode", ["min", "max"])
def test_it_has_all_that_the_result_had(tmp_path, mode):
    result = run(tmp_path, definition=without_objects(SPACE), mode=mode, name="curves")
    loaded = load(result.path)
    assert (loaded.name, loaded.metric, loaded.mode, len(loaded)) == ("curves", "loss", mode, 10)
    for before, after in zip(result, loaded, strict=True):
        for field in fields(TrialResult):
            if field.name not in UNTOLD:
                assert getattr(after, field.name) == getattr(before, field.name), field.name
        assert after.history == before.history
        assert (after.checkpoint, after.best_checkpoint) == (before.checkpoint, before.best_checkpoint)
        assert after.checkpoints == before.checkpoints
    assert loaded.best_config == result.best_config
    assert loaded.best("best").id == result.best("best").id


def test_several_objectives_and_what_they_have_to_keep_to(tmp_path):
    result = run(
        tmp_path, trains, without_objects(SPACE), metric=["loss", "size"],
        mode=["min", "max"], outcome_constraints=["loss <= 4.5"],
    )  # fmt: skip
    loaded = load(result.path)
    assert loaded.objectives == result.objectives
    assert [trial.id for trial in loaded.pareto_front()] == [trial.id for trial in result.pareto_front()]


def test_objects_of_the_space_are_named_by_their_place(tmp_path):
    config = load(run(tmp_path).path)[0].config
    assert config["kind"] in ({"$ref": "kind[0]"}, {"$ref": "kind[1]"})


def test_a_run_may_be_read_while_it_goes_on(tmp_path):
    def looks(config):
        report(loss=config["x"])
        [directory] = tmp_path.iterdir()
        until = time.monotonic() + 10
        while not (seen := [trial for trial in load(directory) if trial.state == "running" and trial.metrics]):
            assert time.monotonic() < until
            time.sleep(0.02)
        return {"loss": 0.0, "seen": len(seen)}

    result = run(tmp_path, looks, {"x": space.uniform(0, 1)}, executor=Local(cpus=1))
    assert [trial.metrics["seen"] for trial in result] == [1] * 5


def test_where_there_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="there is no run"):
        load(tmp_path)


def test_a_run_without_a_metric(tmp_path):
    def stops(config):
        raise TrialStopped

    loaded = load(run(tmp_path, stops, {"x": space.uniform(0, 1)}, metric=None).path)
    assert (loaded.metric, len(loaded), loaded[0].best) == (None, 5, None)
