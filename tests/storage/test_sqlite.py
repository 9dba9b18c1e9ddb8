import contextlib
import itertools
import json
import math
import os
import random
import shutil
import sqlite3
from typing import cast

import pytest

from tests.contracts.store import WAIT_S, StoreContract, commit, events, expected, frame, row
from tests.storage.endless import turn as endless
from tests.storage.runs import LIBRARIES, entries, query
from trialwright.errors import StorageError
from trialwright.messages import Continue, Plain, Reported, Started, at_step
from trialwright.storage import tables
from trialwright.storage.base import Turn
from trialwright.storage.formats import FORMAT
from trialwright.storage.memory import MemoryStore
from trialwright.storage.sqlite import SqliteStore


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def new_store(self, tmp_path):
        numbers = itertools.count()
        return lambda settings: SqliteStore.create(tmp_path / f"run-{next(numbers)}", settings)


# Going on, and reading beside -----------------------------------------------------------------------------------------


def test_a_run_resumes_where_it_was_closed(run):
    store = SqliteStore.open(run)
    commit(store, *map(endless, range(60, 80)))
    whole = MemoryStore({})
    commit(whole, *map(endless, range(80)))
    assert store.settings == {"name": "é", "seed": 7}
    assert list(store.entries()) == list(whole.entries())
    assert store.digest == whole.digest
    store.close()
    assert SqliteStore.open(run, read_only=True).digest == whole.digest


def test_a_reader_beside_the_writer_sees_what_is_committed(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    reader = SqliteStore.open(tmp_path, read_only=True)
    commit(store, *map(endless, range(10)))
    reading = reader.entries()
    assert next(reading).now == 0.0
    commit(store, *map(endless, range(10, 20)))
    assert len(list(reading)) == 9  # it goes on seeing what it began with
    assert len(list(reader.entries())) == 20
    store.close()


def test_a_reader_cannot_write(run):
    store = SqliteStore.open(run, read_only=True)
    with pytest.raises(StorageError, match="read only"):
        store.append(endless(60)).result(WAIT_S)
    store.close()
    assert len(entries(run)) == 60


def test_a_closed_run_is_one_plain_file(run):
    assert sorted(path.name for path in run.iterdir()) == ["driver.lock", "journal.sqlite"]
    assert query(run, "SELECT status FROM experiments") == [("closed",)]
    assert query(run, "PRAGMA journal_mode") == [("delete",)]


def test_a_copy_of_the_files_of_a_living_run_is_a_prefix(tmp_path):
    store = SqliteStore.create(tmp_path / "run", {})
    commit(store, *map(endless, range(30)))
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    shutil.copytree(tmp_path / "run", tmp_path / "without", ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    store.close()
    assert entries(tmp_path / "copy") == entries(tmp_path / "run")
    with pytest.raises(StorageError, match="30 were committed; what is missing was in its log, journal.sqlite-wal"):
        entries(tmp_path / "without")
    (tmp_path / "without" / "driver.lock").unlink()
    whole, part = entries(tmp_path / "run"), entries(tmp_path / "without")
    assert part == whole[: len(part)]


# What people read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
def test_results_show_a_row_a_report(tmp_path, library):
    store = SqliteStore.create(tmp_path, {})
    columns = {
        "loss": [0.5, math.nan, -math.inf],
        "a.b": [True, None, "x"],
        'q"[0]': [None, None, 3],
        "n": [10**30, 1, 2],
    }
    commit(store, events(0.0, Started(4, 2), frame(4, 2, 7, **columns), frame(5, loss=[1.0])))
    store.close()
    rows = query(
        tmp_path, "SELECT trial, attempt, step, time_s, metrics FROM results WHERE trial = 4 ORDER BY step", library
    )
    assert [(*row[:4], json.loads(row[4])) for row in rows] == [
        (4, 2, 7, 0.0, {"loss": 0.5, "a.b": True, "n": 10**30}),
        (4, 2, 8, 0.5, {"loss": "nan", "n": 1}),
        (4, 2, 9, 1.0, {"loss": "-inf", "a.b": "x", 'q"[0]': 3, "n": 2}),
    ]
    long = "SELECT trial, attempt, step, value FROM results_long WHERE metric = ? ORDER BY trial, step"
    assert query(tmp_path, long, library, "loss") == [
        (4, 2, 7, 0.5),
        (4, 2, 8, "nan"),
        (4, 2, 9, "-inf"),
        (5, 1, 1, 1.0),
    ]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_report_without_metrics_is_a_result_too(tmp_path, library):
    store = SqliteStore.create(tmp_path, {})
    commit(store, events(0.0, Reported(1, 1, 1, (0.5,), {})))
    store.close()
    assert query(tmp_path, "SELECT step, time_s, metrics FROM results", library) == [(1, 0.5, "{}")]


@pytest.mark.parametrize("library", LIBRARIES)
def test_tables_can_be_read_by_people(tmp_path, library):
    store = SqliteStore.create(tmp_path / "my run", {"seed": 3})
    shown = row(
        2, config={"lr": 0.5, "net": {"n": 2}}, metrics={"loss": math.nan}, outcome="failed", error="ValueError: x"
    )
    commit(store, events(1.0, Started(2, 1, "host/7"), trials=[row(2), row(1)]), Turn(2.0, [], trials=[shown]))
    store.close()
    directory = tmp_path / "my run"
    assert query(directory, "SELECT kind, trial, attempt, json_extract(body, '$.worker') FROM events", library) == [
        ("Started", 2, 1, "host/7"),
    ]
    [trial] = query(directory, "SELECT config, metrics, outcome, error FROM trials WHERE id = 2", library)
    assert trial == ('{"lr":0.5,"net":{"n":2}}', '{"loss":{"float":"nan"}}', "failed", "ValueError: x")
    [experiment] = query(directory, "SELECT name, format, settings, host, created FROM experiments", library)
    assert experiment[:4] == ("my run", FORMAT, '{"seed":3}', os.uname().nodename)
    assert experiment[4].endswith("+00:00")


def test_frames_of_a_trial_are_found_by_an_index(run):
    [(_, _, _, plan)] = query(run, f"EXPLAIN QUERY PLAN {tables.FRAMES}", "sqlite3", 3)
    assert "USING INDEX frames" in plan


# Death ----------------------------------------------------------------------------------------------------------------


def test_no_acknowledged_turn_is_lost_to_a_kill(tmp_path, drivers):
    dice, directory, last = random.Random(1), tmp_path / "run", -1
    for _ in range(20):
        drivers.start(directory)
        acknowledged = drivers.acknowledged()
        last = max(itertools.islice(acknowledged, dice.randrange(150)), default=last)
        drivers.kill()
        last = max(acknowledged, default=last)
    found = entries(directory)
    assert len(found) > last > 0
    assert found == expected([endless(number) for number in range(len(found))])
    assert query(directory, "SELECT status FROM experiments") == [("open",)]


def test_a_crash_while_a_run_is_made_leaves_nothing_in_the_way(tmp_path):
    (tmp_path / "journal.sqlite.draft").write_bytes(b"half of it")
    store = SqliteStore.create(tmp_path, {})
    commit(store, endless(0))
    store.close()
    assert len(entries(tmp_path)) == 1


# Wrong places ---------------------------------------------------------------------------------------------------------


def test_a_run_is_not_made_twice(run):
    with pytest.raises(ValueError, match=f"{run}.*already holds a run"):
        SqliteStore.create(run, {})
    assert len(entries(run)) == 60


@pytest.mark.parametrize("read_only", [True, False])
def test_no_run_there(tmp_path, read_only):
    with pytest.raises(ValueError, match=f"there is no run in '{tmp_path}/nowhere'"):
        SqliteStore.open(tmp_path / "nowhere", read_only=read_only)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_a_file_in_the_way(tmp_path, below):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=f"'{tmp_path / 'file' / below}'.*a file has this path"):
        SqliteStore.create(tmp_path / "file" / below, {})


@pytest.mark.parametrize("place", ["/proc/trialwright", "/sys/trialwright"])
def test_a_place_that_cannot_be_written_to(place):
    with pytest.raises(StorageError, match=place):
        SqliteStore.create(place, {})


def test_settings_that_are_no_plain_data(tmp_path):
    with pytest.raises(TypeError, match="not plain data"):
        SqliteStore.create(tmp_path, {"objective": cast(Plain, len)})
    assert not (tmp_path / "journal.sqlite").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 5000])
def test_a_file_that_is_no_journal(tmp_path, content):
    (tmp_path / "journal.sqlite").write_bytes(content)
    for read_only in (True, False):
        with pytest.raises(StorageError, match=str(tmp_path)):
            SqliteStore.open(tmp_path, read_only=read_only)


def test_a_database_of_another_program(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database, database:
        database.execute("CREATE TABLE experiments (id)")
    with pytest.raises(StorageError, match="not a journal of Trialwright"):
        SqliteStore.open(tmp_path)


def test_a_boundary_at_infinity_in_decisions(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    commit(store, Turn(0.0, [Started(0, 1)], [[Continue(at_step(math.inf))]]))
    assert next(store.entries()).decisions == [Continue(at_step(math.inf))]
    store.close()
