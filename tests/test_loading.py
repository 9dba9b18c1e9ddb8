"""A run read back from its directory is the run that was."""

from __future__ import annotations

import copy
import json
import pickle
import random
import time
from dataclasses import fields

import pytest

from trialwright import Engine, Local, TrialStopped, enqueue, load, report, space
from trialwright.errors import StorageError
from trialwright.loggers import FileLogger
from trialwright.storage import journal
from trialwright.trial_result import TrialResult

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


DATA = {
    "shape": space.choice([(64, 64), (32,)]),
    "y": space.sample_from(lambda c: (len(c["shape"]), float("inf"))),
    "deep": {"pair": (1, (2, 3)), "kind": space.choice([max, min]), "lr": 0.5},
    "x": space.uniform(0, 1),
    "saves": False,
}


def test_configurations_that_are_data_come_back_as_they_were_though_the_space_has_functions(tmp_path):
    what = {**DATA, "deep": {"pair": (1, (2, 3))}}
    result = run(tmp_path, definition=what)
    assert [trial.config for trial in load(result.path)] == [trial.config for trial in result]


def test_what_is_no_data_is_missing_and_asks_for_the_space(tmp_path):
    result = run(tmp_path, definition=DATA)
    with pytest.warns(
        RuntimeWarning, match=r"^deep/kind: not plain data, so missing .*; pass space=... to restore it$"
    ) as said:
        loaded = load(result.path)
    assert len(said) == 1
    assert said[0].filename == __file__
    for trial, before in zip(loaded, result, strict=True):
        kept = {name: value for name, value in before.config["deep"].items() if name != "kind"}
        assert trial.config == {**before.config, "deep": kept}
    again = load(result.path, space=DATA)
    assert [trial.config for trial in again] == [trial.config for trial in result]
    with pytest.raises(ValueError, match=r"refers to 'deep\[[01]\]|refers to 'deep/kind\["):
        load(result.path, space={"x": len})


@pytest.mark.filterwarnings("ignore:kind")
@pytest.mark.parametrize("again", [lambda it: it, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_to_ask_for_a_parameter_that_is_no_data_says_how_to_get_it(tmp_path, again):
    config = again(load(run(tmp_path).path)[0].config)
    with pytest.raises(
        KeyError, match="'kind': not plain data, so it is not on the disk; pass space=... to restore it"
    ):
        config["kind"]
    with pytest.raises(KeyError, match="^\"'kinds'\"$"):
        config["kinds"]
    assert config.get("kind") is None


def test_tuples_in_points_and_earlier_results_are_tuples_after_a_resume_and_from_another_process(tmp_path):
    what = {"shape": space.choice([(64, 64), (32,)]), "x": space.uniform(0, 1), "saves": False}
    known = [({"shape": (32,), "x": 0.5, "saves": False}, {"loss": 1.0})]
    keywords = {"points_to_evaluate": [{"shape": (32,)}, {"shape": (64, 64)}], "earlier": known}
    result = run(tmp_path, definition=what, **keywords)
    enqueue(result.path, {"shape": (32,), "x": 0.25})
    resumed = Engine.resume(result.path, trains, executor=Local(cpus=2), num_samples=6, verbose=0).run()
    assert not resumed.warnings
    assert [trial.config["shape"] for trial in resumed][:2] == [(32,), (64, 64)]
    assert {"shape": (32,), "x": 0.25, "saves": False} in [trial.config for trial in resumed]


def test_a_configuration_in_log_files_shows_what_is_no_data_by_its_place(tmp_path):
    result = run(tmp_path, definition=DATA, callbacks=[FileLogger("json")])
    shown = json.loads((result[0].directory / "params.json").read_text())
    assert shown["deep"]["pair"] == [1, [2, 3]]
    assert shown["shape"] == list(result[0].config["shape"])
    assert shown["deep"]["kind"] == f"deep/kind[{[max, min].index(result[0].config['deep']['kind'])}]"


def test_a_run_may_be_read_while_it_continues(tmp_path):
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
