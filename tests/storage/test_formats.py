import contextlib
import shutil
import sqlite3

import apsw
import pytest

from tests.contracts.store import commit, expected
from tests.storage.fixtures import make_fixture
from tests.storage.runs import entries, query
from trialwright.errors import StorageError
from trialwright.storage import formats
from trialwright.storage.sqlite import SqliteStore


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_format_is_refused(run, read_only):
    query(run, "PRAGMA user_version = 2")
    with pytest.raises(StorageError, match=r"format 2.*up to 1: upgrade Trialwright"):
        SqliteStore.open(run, read_only=read_only)


def test_an_older_format_is_brought_up_to_date(run, monkeypatch):
    before = entries(run)
    migration = [lambda database: database.execute("ALTER TABLE trials ADD COLUMN mood TEXT")]
    monkeypatch.setattr(formats, "MIGRATIONS", tuple(migration))
    monkeypatch.setattr(formats, "FORMAT", 2)
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

    monkeypatch.setattr(formats, "MIGRATIONS", (migration,))
    monkeypatch.setattr(formats, "FORMAT", 2)
    with pytest.raises(StorageError, match="no"):
        SqliteStore.open(run)
    assert query(run, "PRAGMA user_version") == [(1,)]
    assert query(run, "SELECT count(*) FROM trials") == [(0,)]


@pytest.mark.parametrize("version", range(1, formats.FORMAT + 1))
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
    shutil.copy(make_fixture.path_of(formats.FORMAT), tmp_path / "fixture.sqlite")
    with contextlib.closing(sqlite3.connect(tmp_path / "fixture.sqlite")) as fixture:
        assert list(fixture.execute(text)) == query(tmp_path, text)
        assert list(fixture.execute("SELECT mark FROM experiments")) == [(store.digest[:16],)]
    store.close()
