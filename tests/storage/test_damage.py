import contextlib
import json
import random
import shutil
import sqlite3

import pytest

from tests.contracts.store import commit, row
from tests.storage.endless import turn as endless
from tests.storage.runs import entries, query
from trialwright.errors import StorageError
from trialwright.messages import Ticked
from trialwright.storage import journal
from trialwright.storage.base import Turn
from trialwright.storage.sqlite import SqliteStore


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
    file, draws = run / "journal.sqlite", random.Random(3)
    store = SqliteStore.open(run, read_only=True)
    original = (list(store.entries()), store.settings, [list(store.frames(trial)) for trial in range(7)])
    clean, outcomes = file.read_bytes(), []
    for _ in range(150):
        place = draws.randrange(len(clean))
        file.write_bytes(clean[:place] + bytes([clean[place] ^ (1 << draws.randrange(8))]) + clean[place + 1 :])
        outcomes.append(outcome(run, original))
    assert outcomes.count("noticed") > 50  # the others hit pages' empty space, and what is only for people


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        ("UPDATE events SET line = json_set(line, '$[0]', now + 1) WHERE seq = 31", "event 31 is not"),
        ("UPDATE events SET line = json_set(line, '$[1].attempt', 2) WHERE seq = 31", "event 31 is not"),
        ("UPDATE events SET line = json_set(line, '$[2]', NULL) WHERE seq = 31", "event 31 is not"),
        ("UPDATE events SET line = json_set(line, '$[3]', '0') WHERE seq = 31", "event 31 is not"),
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


def killed(directory, first, count=30):
    """A run as a driver that was killed has left it, with its log."""
    store = SqliteStore.create(directory / f"living-{first}", {})
    commit(store, *map(endless, range(first, first + count)))
    copy = shutil.copytree(directory / f"living-{first}", directory / f"killed-{first}")
    store.close()
    return copy


@pytest.mark.parametrize("read_only", [True, False])
def test_a_log_that_is_missing_is_missed_and_can_be_put_back(tmp_path, read_only):
    run = killed(tmp_path, 0)
    log = (run / "journal.sqlite-wal").rename(tmp_path / "log")
    (run / "journal.sqlite-shm").unlink()
    with pytest.raises(StorageError, match="30 were committed.*put it back; or, to go on without it, delete driver.lo"):
        list(SqliteStore.open(run, read_only=read_only).entries())
    log.rename(run / "journal.sqlite-wal")
    assert len(entries(run)) == 30


@pytest.mark.parametrize("names", [["journal.sqlite-wal"], ["journal.sqlite-wal", "journal.sqlite-shm"]])
@pytest.mark.parametrize("count", [5, 30, 55])
@pytest.mark.parametrize("read_only", [True, False])
def test_the_log_of_another_run_is_not_taken_for_this_runs(tmp_path, names, count, read_only):
    run, other = killed(tmp_path, 0), killed(tmp_path, 1000, count)
    right = entries(run)
    backup = shutil.copytree(run, tmp_path / "backup")
    for name in names:
        shutil.copy(other / name, run / name)
    with pytest.raises(StorageError, match="another run: put this run's own log in its place|another run"):
        list(SqliteStore.open(run, read_only=read_only).entries())
    for name in ("journal.sqlite-wal", "journal.sqlite-shm"):
        shutil.copy(backup / name, run / name)
    assert entries(run) == right, "to look at it has changed nothing"


def test_a_driver_that_was_killed_before_it_noted_its_last_commit_has_lost_nothing(tmp_path):
    run = killed(tmp_path, 0)
    note = json.loads((run / "driver.lock").read_text())
    mark = query(run, "SELECT mark FROM events WHERE seq = 29")[0][0]
    (run / "driver.lock").write_text(json.dumps({**note, "events": 29, "mark": mark}))
    assert len(entries(run)) == 30


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE trials SET line = json_set(line, '$[2]', 'failed') WHERE id = 3",
        "UPDATE trials SET line = json_set(line, '$[6].x', 0.5) WHERE id = 3",
        "UPDATE trials SET mark = '0' WHERE id = 3",
        "UPDATE trials SET id = 9 WHERE id = 3",
    ],
)
def test_a_row_of_a_trial_that_was_changed_is_noticed(tmp_path, harm):
    store = SqliteStore.create(tmp_path, {"name": "rows"})
    commit(store, Turn(0.0, [Ticked()], [[]], trials=[row(number, config={"x": 0.25}) for number in range(5)]))
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database, database:
        database.execute(harm)
    with pytest.raises(StorageError, match="damaged: the row of trial 3"):
        list(SqliteStore.open(tmp_path, read_only=True).trials())


def test_a_file_that_was_cut(run):
    file = run / "journal.sqlite"
    clean = file.read_bytes()
    for length in (0, 50, 4096, 5000, len(clean) // 2, len(clean) - 4096):
        file.write_bytes(clean[:length])
        with pytest.raises(StorageError, match="journal.sqlite"):
            entries(run)


def test_the_closed_journal_of_another_run_is_not_taken_for_this_runs(run, tmp_path):
    store = SqliteStore.create(tmp_path / "other", {})
    commit(store, *map(endless, range(1000, 1070)))
    store.close()
    shutil.copy(tmp_path / "other" / "journal.sqlite", run / "journal.sqlite")
    with pytest.raises(StorageError, match="events of another run, from event 60 or an earlier one on"):
        entries(run)
    with pytest.raises(StorageError, match="events of another run"):
        SqliteStore.open(run)


def test_an_event_that_this_version_does_not_know_is_refused_by_the_file(run):
    chain = journal.Chain()
    for (line,) in query(run, "SELECT line FROM events ORDER BY seq"):
        chain.add(line)
    later = '[99.0,{"kind":"FromTheFuture"},null,null]'
    chain.add(later)
    with contextlib.closing(sqlite3.connect(run / "journal.sqlite")) as database, database:
        database.execute("INSERT INTO events (seq, mark, line) VALUES (61, ?, ?)", (chain.mark, later))
        database.execute("UPDATE experiments SET events = 61, mark = ?", (chain.mark,))
    with pytest.raises(StorageError, match=f"{run}.*that this Trialwright cannot read: .*FromTheFuture"):
        entries(run)
