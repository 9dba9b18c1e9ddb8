import contextlib
import itertools
import json
import math
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from tests.contracts.store import WAIT_S, StoreContract, commit, expected, frame, row
from tests.storage.endless import turn as endless
from tests.storage.fixtures import make_fixture
from trialist.errors import RunLocked, StorageError
from trialist.messages import Continue, New, Plain, Reported, Started, at_step
from trialist.storage import sqlite
from trialist.storage.base import Turn
from trialist.storage.memory import MemoryStore
from trialist.storage.sqlite import SqliteStore

ROOT = Path(__file__).parents[2]
LIBRARIES: dict[str, Callable[[str], Any]] = {"apsw": apsw.Connection, "sqlite3": sqlite3.connect}


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def new_store(self, tmp_path):
        numbers = itertools.count()
        return lambda settings: SqliteStore.create(tmp_path / f"run-{next(numbers)}", settings)


@pytest.fixture
def run(tmp_path):
    """A run of 60 turns, closed."""
    store = SqliteStore.create(tmp_path / "run", {"name": "é", "seed": 7})
    commit(store, *map(endless, range(60)))
    store.close()
    return tmp_path / "run"


class Drivers:
    """Drivers in other processes, one after the other: see ``writer.py``."""

    def __init__(self, process):
        self._process = process
        self.pid = 0

    def start(self, directory):
        """Start one, and return once it has opened the run."""
        self._process.stdin.write(f"{directory}\n")
        self._process.stdin.flush()
        word, pid = next(self._process.stdout).split()
        assert word == "open"
        self.pid = int(pid)

    def acknowledged(self):
        """The numbers that it says, until it has died."""
        return map(int, iter(self._process.stdout.readline, "dead\n"))

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def drivers():
    command = [sys.executable, "-m", "tests.storage.writer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        drivers = Drivers(process)
        yield drivers
        with contextlib.suppress(ProcessLookupError):  # a test that failed may have left one alive
            drivers.kill()


def query(directory, text, library="sqlite3", *values):
    with contextlib.closing(LIBRARIES[library](str(directory / "journal.sqlite"))) as database:
        return list(database.execute(text, values))


def entries(directory):
    return list(SqliteStore.open(directory, read_only=True).entries())


# Going on, and reading beside -----------------------------------------------------------------------------------------


def test_a_run_goes_on_where_it_was_closed(run):
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


def test_many_turns_share_a_commit(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    commit(store, *map(endless, range(2000)))
    statistics = store.statistics()
    assert statistics.turns == 2000
    assert statistics.commits < 1000
    assert statistics.deepest_queue > 1
    assert store.pending == 0
    store.close()


def test_a_copy_of_the_files_of_a_living_run_is_a_prefix(tmp_path):
    store = SqliteStore.create(tmp_path / "run", {})
    commit(store, *map(endless, range(30)))
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    shutil.copytree(tmp_path / "run", tmp_path / "without", ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    store.close()
    assert entries(tmp_path / "copy") == entries(tmp_path / "run")
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
    commit(store, Turn(0.0, [Started(4, 2), frame(4, 2, 7, **columns), frame(5, loss=[1.0])]))
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
    commit(store, Turn(0.0, [Reported(1, 1, 1, (0.5,), {})]))
    store.close()
    assert query(tmp_path, "SELECT step, time_s, metrics FROM results", library) == [(1, 0.5, "{}")]


@pytest.mark.parametrize("library", LIBRARIES)
def test_tables_can_be_read_by_people(tmp_path, library):
    store = SqliteStore.create(tmp_path / "my run", {"seed": 3})
    shown = row(
        2, config={"lr": 0.5, "net": {"n": 2}}, metrics={"loss": math.nan}, outcome="failed", error="ValueError: x"
    )
    commit(store, Turn(1.0, [Started(2, 1)], trials=[row(2), row(1)]), Turn(2.0, [], [[New()]], trials=[shown]))
    store.close()
    directory = tmp_path / "my run"
    assert query(directory, "SELECT kind, trial, attempt, json_extract(body, '$.worker') FROM events", library) == [
        ("Started", 2, 1, ""),
        ("Decided", None, None, None),
    ]
    [trial] = query(directory, "SELECT config, metrics, outcome, error FROM trials WHERE id = 2", library)
    assert trial == ('{"lr":0.5,"net":{"n":2}}', '{"loss":{"float":"nan"}}', "failed", "ValueError: x")
    [experiment] = query(directory, "SELECT name, format, settings, host, created FROM experiments", library)
    assert experiment[:4] == ("my run", 1, '{"seed":3}', os.uname().nodename)
    assert experiment[4].endswith("+00:00")


def test_frames_of_a_trial_are_found_by_an_index(run):
    [(_, _, _, plan)] = query(run, f"EXPLAIN QUERY PLAN {sqlite._FRAMES}", "sqlite3", 3)
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


# One driver -----------------------------------------------------------------------------------------------------------


def test_a_second_driver_is_refused_by_name(tmp_path, drivers):
    drivers.start(tmp_path)
    for attempt in (SqliteStore.open, lambda path: SqliteStore.create(path, {})):
        with pytest.raises(RunLocked, match=f"process {drivers.pid} on {os.uname().nodename}"):
            attempt(tmp_path)
    SqliteStore.open(tmp_path, read_only=True).close()
    drivers.kill()
    list(drivers.acknowledged())
    SqliteStore.open(tmp_path).close()  # what the dead one left is no obstacle


def test_a_second_driver_in_the_same_process_is_refused(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    with pytest.raises(RunLocked, match=str(os.getpid())):
        SqliteStore.open(tmp_path)
    store.close()
    SqliteStore.open(tmp_path).close()


def test_a_lock_file_that_says_nothing_is_no_obstacle(run):
    (run / "driver.lock").write_text("\0garbage")
    SqliteStore.open(run).close()


def test_a_forked_child_does_not_hold_the_lock(tmp_path):
    lock = sqlite._Lock(tmp_path)
    context = multiprocessing.get_context("fork")
    born, end = context.Event(), context.Event()

    def live():
        born.set()
        end.wait(WAIT_S)

    child = context.Process(target=live)
    child.start()
    assert born.wait(WAIT_S)
    lock.abandon()  # as a dying process does: it closes its file and says nothing
    sqlite._Lock(tmp_path).release()
    end.set()
    child.join(WAIT_S)
    assert child.exitcode == 0


def test_what_fails_to_open_lets_go_of_the_lock(run):
    query(run, "PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(StorageError, match="format 99"):
            SqliteStore.open(run)


# A disk that fails ----------------------------------------------------------------------------------------------------


def check_dead(store, future, *texts):
    """The turn was not acknowledged, and no other ever will be."""
    with pytest.raises(StorageError, match=texts[0]) as caught:
        future.result(WAIT_S)
    for text in texts:
        assert text in str(caught.value)
    with pytest.raises(StorageError):
        store.append(endless(0)).result(WAIT_S)
    store.close()


def test_a_full_database(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    commit(store, endless(0))
    cast(Any, store)._writer._database.execute("PRAGMA max_page_count = 20")
    futures = [store.append(endless(number)) for number in range(1, 1000)]
    check_dead(store, futures[-1], "full", str(tmp_path), "make room")
    done = [future.exception() is None for future in futures]
    assert len(entries(tmp_path)) == 1 + done.count(True)  # all that was acknowledged, and nothing else
    assert done == sorted(done, reverse=True)


def test_a_file_that_may_not_grow(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    commit(store, endless(0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        futures = [store.append(endless(number)) for number in range(1, 2000)]
        check_dead(store, futures[-1], str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    done = [future.exception() is None for future in futures]
    found = entries(tmp_path)
    assert len(found) >= 1 + done.count(True)
    assert found == expected([endless(number) for number in range(len(found))])


@pytest.mark.parametrize("harm", [shutil.rmtree, lambda path: path.rename(path.with_name("elsewhere"))])
def test_a_directory_that_goes_away(tmp_path, harm):
    store = SqliteStore.create(tmp_path / "run", {})
    commit(store, endless(0))
    harm(tmp_path / "run")
    check_dead(store, store.append(endless(1)), str(tmp_path / "run"), "moved or deleted")


def test_another_file_in_its_place(tmp_path):
    store = SqliteStore.create(tmp_path / "run", {})
    SqliteStore.create(tmp_path / "other", {}).close()
    (tmp_path / "other" / "journal.sqlite").replace(tmp_path / "run" / "journal.sqlite")
    check_dead(store, store.append(endless(1)), "another file")


def test_what_is_no_plain_data_is_not_acknowledged(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    commit(store, endless(0))
    check_dead(store, store.append(Turn(1.0, [Started(1, 1, cast(str, object()))])), "not plain data")
    assert len(entries(tmp_path)) == 1


# Damage ---------------------------------------------------------------------------------------------------------------


def outcome(directory, original):
    """What came of damage: it was noticed, or it did no harm. Anything else is a failure of the test."""
    try:
        store = SqliteStore.open(directory, read_only=True)
        found = (list(store.entries()), store.settings, [list(store.frames(trial)) for trial in range(7)])
    except StorageError:
        return "noticed"
    assert found == original
    return "harmless"


def test_flipped_bytes_are_noticed_or_do_no_harm(run):
    file, dice = run / "journal.sqlite", random.Random(3)
    store = SqliteStore.open(run, read_only=True)
    original = (list(store.entries()), store.settings, [list(store.frames(trial)) for trial in range(7)])
    clean, outcomes = file.read_bytes(), []
    for _ in range(150):
        place = dice.randrange(len(clean))
        file.write_bytes(clean[:place] + bytes([clean[place] ^ (1 << dice.randrange(8))]) + clean[place + 1 :])
        outcomes.append(outcome(run, original))
    assert outcomes.count("noticed") > 50  # the others hit pages' empty space, and what is only for people


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        ("UPDATE events SET body = replace(body, '\"attempt\":1', '\"attempt\":2') WHERE seq = 31", "event 31 is not"),
        ("UPDATE events SET now = now + 1 WHERE seq = 31", "event 31 is not"),
        ("UPDATE events SET decisions = NULL WHERE seq = 31", "event 31 is not"),
        ("UPDATE events SET digest = '0' WHERE seq = 31", "event 31 is not"),
        ("UPDATE events SET mark = '0' WHERE seq = 31", "event 31 is not"),
        ("DELETE FROM events WHERE seq = 31", "event 31 is not"),
        ("DELETE FROM events WHERE seq > 40", "ends with event 40, and 60 were committed"),
        ("DELETE FROM events", "ends with event 0"),
        ("UPDATE experiments SET settings = '{}'", "settings"),
    ],
)
def test_rows_that_were_changed_are_noticed(run, harm, text):
    with contextlib.closing(sqlite3.connect(run / "journal.sqlite")) as database, database:
        database.execute(harm)
    with pytest.raises(StorageError, match=text) as caught:
        entries(run)
    assert str(run) in str(caught.value)
    with pytest.raises(StorageError, match=text):
        SqliteStore.open(run)  # nothing is ever appended to what is damaged


def test_a_file_that_was_cut(run):
    file = run / "journal.sqlite"
    clean = file.read_bytes()
    for length in (0, 50, 4096, 5000, len(clean) // 2, len(clean) - 4096):
        file.write_bytes(clean[:length])
        with pytest.raises(StorageError, match="journal.sqlite"):
            entries(run)


# Formats --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_format_is_refused(run, read_only):
    query(run, "PRAGMA user_version = 2")
    with pytest.raises(StorageError, match=r"format 2.*up to 1: upgrade Trialist"):
        SqliteStore.open(run, read_only=read_only)


def test_an_older_format_is_brought_up_to_date(run, monkeypatch):
    before = entries(run)
    migration = [lambda database: database.execute("ALTER TABLE trials ADD COLUMN mood TEXT")]
    monkeypatch.setattr(sqlite, "MIGRATIONS", tuple(migration))
    monkeypatch.setattr(sqlite, "FORMAT", 2)
    with pytest.raises(StorageError, match="old format 1"):
        SqliteStore.open(run, read_only=True)
    SqliteStore.open(run).close()
    assert query(run, "PRAGMA user_version") == [(2,)]
    assert query(run, "SELECT count(mood) FROM trials") == [(0,)]
    assert entries(run) == before
    assert (run / "journal.sqlite.format_1").is_file()


def test_a_migration_that_fails_changes_nothing(run, monkeypatch):
    def migration(database):
        database.execute("DROP TABLE trials")
        raise apsw.SQLError("no")

    monkeypatch.setattr(sqlite, "MIGRATIONS", (migration,))
    monkeypatch.setattr(sqlite, "FORMAT", 2)
    with pytest.raises(StorageError, match="no"):
        SqliteStore.open(run)
    assert query(run, "PRAGMA user_version") == [(1,)]
    assert query(run, "SELECT count(*) FROM trials") == [(0,)]


@pytest.mark.parametrize("version", range(1, sqlite.FORMAT + 1))
@pytest.mark.parametrize("read_only", [True, False])
def test_journals_of_every_format_are_read(tmp_path, version, read_only):
    shutil.copy(make_fixture.path_of(version), tmp_path / "journal.sqlite")
    store = SqliteStore.open(tmp_path, read_only=read_only)
    assert repr(store.settings) == repr(make_fixture.SETTINGS)
    assert repr(list(store.entries())) == repr(expected(make_fixture.TURNS))
    assert repr(list(store.trials())) == repr(list(make_fixture.TURNS[5].trials))
    assert [frame.checkpoint for frame in store.frames(0)] == ["/c/1"]
    store.close()


def test_the_fixture_is_what_its_script_makes(tmp_path):
    store = SqliteStore.create(tmp_path, make_fixture.SETTINGS)
    commit(store, *make_fixture.TURNS)
    text = "SELECT sql FROM sqlite_schema ORDER BY name"
    shutil.copy(make_fixture.path_of(sqlite.FORMAT), tmp_path / "fixture.sqlite")
    with contextlib.closing(sqlite3.connect(tmp_path / "fixture.sqlite")) as fixture:
        assert list(fixture.execute(text)) == query(tmp_path, text)
        assert list(fixture.execute("SELECT mark FROM experiments")) == [(store.digest[:16],)]
    store.close()


# Wrong places ---------------------------------------------------------------------------------------------------------


def test_a_run_is_not_made_twice(run):
    with pytest.raises(ValueError, match=f"{run}.*has a run already"):
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
    with pytest.raises(ValueError, match=f"'{tmp_path / 'file' / below}'.*file in the way"):
        SqliteStore.create(tmp_path / "file" / below, {})


@pytest.mark.parametrize("place", ["/proc/trialist", "/sys/trialist"])
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


def test_a_database_of_somebody_else(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database, database:
        database.execute("CREATE TABLE experiments (id)")
    with pytest.raises(StorageError, match="not a journal of Trialist"):
        SqliteStore.open(tmp_path)


def test_a_boundary_at_infinity_in_decisions(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    commit(store, Turn(0.0, [Started(0, 1)]), Turn(1.0, [], [[Continue(at_step(math.inf))]]))
    assert next(store.entries()).decisions == [Continue(at_step(math.inf))]
    store.close()
