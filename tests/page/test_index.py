"""The index has what the journal has, and follows it while the run goes on."""

from __future__ import annotations

import math
import threading

import pytest

from tests.page.shown import Falling, filled, make_run, opened
from trialwright import Engine, load, report, space
from trialwright.errors import StorageError
from trialwright.page import index as module
from trialwright.page.index import Index


def by_id(run):
    names = [column.name for column in run.index.columns]
    columns = ", ".join(column.sql for column in run.index.columns)
    return {row[0]: dict(zip(names, row, strict=True)) for row in run.index.rows(f"SELECT {columns} FROM trials")}


def test_each_trial_is_in_the_index_with_its_configuration_metrics_and_best_value(result, run):
    rows = by_id(run)
    assert len(rows) == len(result) == 40
    for trial in result:
        row = rows[trial.id]
        assert (row["outcome"], row["step"], row["reason"]) == (trial.outcome, trial.step, trial.reason)
        assert (row["best"], row["best step"]) == (trial.best or (None, None))
        assert (row["lr"], row["net/width"]) == (trial.config["lr"], trial.config["net"]["width"])
        assert row["loss"] == trial.metrics["loss"]


def test_a_parameter_whose_name_cannot_be_written_in_a_path_has_no_column(run):
    assert [column.name for column in run.index.columns if column.kind == "parameter"] == ["lr", "net/width"]


def test_sums_are_those_of_the_result(result, run):
    totals = run.index.totals
    assert totals.states == {"ended": 40}
    assert totals.outcomes == {
        kind: sum(trial.outcome == kind for trial in result) for kind in ("completed", "stopped", "failed")
    }
    assert totals.trial_s == pytest.approx(sum(trial.ended - trial.started for trial in result))


def test_the_last_improvement_is_the_best_trial_of_the_result(result, run):
    values = [each.value for each in run.index.improvements]
    assert values == sorted(values, reverse=True)
    assert (run.index.improvements[-1].trial, values[-1]) == (result.best_trial.id, result.best_trial.best[0])
    times = [each.at_s for each in run.index.improvements]
    assert times == sorted(times)


def test_a_run_that_is_read_in_chunks_is_read_whole(result, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 7)
    index = Index(result.path / "journal.sqlite", "min")
    seen = []
    while index.is_behind:
        index.update()
        seen.append(index.filled)
    assert seen == [7, 14, 21, 28, 35, 40]
    assert index.rows("SELECT count(*) FROM trials") == [(40,)]
    assert index.totals.states["ended"] == 40
    index.close()


def test_the_index_follows_a_run_that_goes_on(tmp_path):
    seen, go_on, looked = [], threading.Event(), threading.Event()

    def objective(config):
        report(loss=config["x"])
        if len(seen) == 1:
            looked.set()
            assert go_on.wait(60)
        seen.append(config)
        return {"loss": config["x"] / 2, "late": 1.0} if len(seen) > 1 else None

    engine = Engine(
        objective,
        {"x": space.uniform(1, 2)},
        metric="loss",
        num_samples=3,
        max_concurrent_trials=1,
        executor="local",
        storage=tmp_path,
        seed=0,
        verbose=0,
    )
    thread = threading.Thread(target=engine.run)
    thread.start()
    assert looked.wait(60)
    [path] = tmp_path.iterdir()
    index = filled(Index(path / "journal.sqlite", "min"))
    before = index.totals
    assert before.states["ended"] <= 1
    go_on.set()
    thread.join(60)
    assert index.is_behind
    filled(index)
    assert not index.is_behind
    assert +index.totals.states == {"ended": 3}
    assert "late" in [column.name for column in index.columns]  # a metric that came up later
    result = load(path)
    assert index.improvements[-1].value == result.best_trial.best[0]
    index.close()


def test_a_best_value_that_is_no_finite_number_is_none(tmp_path):
    def objective(config):
        report(loss=math.inf if config["x"] < 0.5 else config["x"])

    values = [{"x": 0.25}, {"x": 0.75}]
    result = Engine(
        objective,
        {"x": space.uniform(0, 1)},
        metric="loss",
        num_samples=2,
        points_to_evaluate=values,
        executor="local",
        storage=tmp_path,
        verbose=0,
    ).run()
    run = opened(result)
    assert run.index.rows("SELECT best FROM trials ORDER BY id") == [(None,), (0.75,)]


def test_a_driver_can_leave_one_plain_file_while_the_index_is_open(tmp_path):
    result = make_run(tmp_path, num_samples=2)
    index = filled(Index(result.path / "journal.sqlite", "min"))
    assert {file.name for file in result.path.iterdir()} >= {"journal.sqlite"}
    more = Engine.resume(result.path, Falling(), num_samples=4, verbose=0)
    more.run()
    filled(index)
    assert index.total == 4
    assert not (result.path / "journal.sqlite-wal").exists()
    index.close()


def test_an_index_that_could_not_read_the_journal_reads_it_anew(tmp_path):
    path = make_run(tmp_path, num_samples=10).path / "journal.sqlite"
    index = Index(path, "min")
    index.update()
    away = path.rename(path.with_name("away"))
    with pytest.raises(StorageError, match=r"journal\.sqlite"):
        index.update()
    away.rename(path)
    filled(index)
    assert index.totals.states == {"ended": 10}
    index.close()
