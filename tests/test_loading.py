"""A run read back from its directory is the run that was."""

from __future__ import annotations

import random
import time
from dataclasses import fields

import pytest

from trialwright import Engine, Local, TrialStopped, load, report, space
from trialwright.errors import StorageError
from trialwright.results import TrialResult
from trialwright.storage import journal

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


def pictured(result):
    """All that can be seen of the trials of a result."""
    fields_seen = [field.name for field in fields(TrialResult) if field.name not in UNTOLD]
    return repr([[getattr(trial, name) for name in fields_seen] + [trial.history] for trial in result])


def test_a_flipped_bit_is_noticed_or_changes_nothing_of_what_is_loaded(tmp_path):
    file = run(tmp_path, definition=without_objects(SPACE)).path / "journal.sqlite"
    clean, right, generator, noticed = file.read_bytes(), pictured(load(file.parent)), random.Random(5), 0
    for _ in range(150):
        place, bit = generator.randrange(len(clean)), 1 << generator.randrange(8)
        file.write_bytes(clean[:place] + bytes([clean[place] ^ bit]) + clean[place + 1 :])
        try:
            found = pictured(load(file.parent))
        except StorageError:
            noticed += 1
        else:
            assert found == right, (place, bit)
    assert noticed > 30  # the others hit what is empty, or only for people


def test_a_run_is_loaded_without_reading_what_its_events_say(tmp_path, monkeypatch):
    path, counts, read = run(tmp_path, definition=without_objects(SPACE)).path, [], journal.read
    monkeypatch.setattr(journal, "read", lambda line: counts.append(line) or read(line))
    loaded = load(path)
    assert len(loaded) == 10
    assert loaded.best("best").best is not None
    assert counts == []
    assert len(loaded[0].history) == 4
    assert 0 < len(counts) <= 4, "the frames of that trial, and no others"
