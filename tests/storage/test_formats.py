import contextlib
import shutil
import sqlite3

import apsw
import pytest

from tests.contracts.store import commit, expected
from tests.storage.fixtures import make_fixture
from tests.storage.runs import entries, query
from trialwright import Engine, load, space
from trialwright.errors import StorageError
from trialwright.messages import (
    CapacityChanged,
    Enqueued,
    Failed,
    Finished,
    Halted,
    Lost,
    Reported,
    SamplesAdded,
    Started,
    StopRequested,
    Suggested,
    Ticked,
)
from trialwright.storage import formats
from trialwright.storage.sqlite import SqliteStore


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_format_is_refused(run, read_only):
    query(run, f"PRAGMA user_version = {formats.FORMAT + 1}")
    with pytest.raises(StorageError, match=rf"format {formats.FORMAT + 1}.*up to {formats.FORMAT}: upgrade"):
        SqliteStore.open(run, read_only=read_only)


def newer(monkeypatch, migration):
    """A Trialwright of the next format."""
    monkeypatch.setattr(formats, "MIGRATIONS", (*formats.MIGRATIONS, migration))
    monkeypatch.setattr(formats, "FORMAT", formats.FORMAT + 1)


def test_an_older_format_is_read_as_it_is_and_brought_up_to_date_to_continue_with_it(run, monkeypatch):
    before, old = entries(run), formats.FORMAT
    newer(monkeypatch, lambda database: database.execute("ALTER TABLE trials ADD COLUMN mood TEXT"))
    assert SqliteStore.open(run, read_only=True).format == old
    assert entries(run) == before
    SqliteStore.open(run).close()
    assert query(run, "PRAGMA user_version") == [(old + 1,)]
    assert query(run, "SELECT count(mood) FROM trials") == [(0,)]
    assert entries(run) == before
    assert (run / f"journal.sqlite.format_{old}").is_file()


def test_a_run_of_an_older_format_is_loaded_and_resumed(tmp_path, monkeypatch):
    def objective(config):
        return {"loss": config["x"]}

    keywords = {"executor": "local", "verbose": 0}
    what = {"x": space.uniform(0, 1)}
    result = Engine(objective, what, metric="loss", num_samples=3, storage=tmp_path, seed=0, **keywords).run()
    newer(monkeypatch, lambda database: database.execute("ALTER TABLE trials ADD COLUMN mood TEXT"))
    assert len(load(result.path)) == 3
    assert len(Engine.resume(result.path, objective, num_samples=5, **keywords).run()) == 5
    assert len(load(result.path)) == 5


def test_a_migration_that_fails_changes_nothing(run, monkeypatch):
    def migration(database):
        database.execute("DROP TABLE trials")
        raise apsw.SQLError("no")

    old = formats.FORMAT
    newer(monkeypatch, migration)
    with pytest.raises(StorageError, match="no"):
        SqliteStore.open(run)
    assert query(run, "PRAGMA user_version") == [(old,)]
    assert query(run, "SELECT count(*) FROM trials") == [(0,)]


def test_a_journal_of_format_1_is_read_without_its_decisions_and_not_resumed(tmp_path):
    shutil.copy(make_fixture.path_of(1), tmp_path / "journal.sqlite")
    store = SqliteStore.open(tmp_path, read_only=True)
    assert repr(store.settings) == repr(make_fixture.SETTINGS)
    found = list(store.entries())
    assert [type(entry.event) for entry in found] == [
        CapacityChanged, Suggested, Started, Enqueued, Reported, Failed, Halted, Lost, Finished, StopRequested,
        SamplesAdded, Ticked,
    ]  # fmt: skip
    assert {entry.decisions for entry in found} == {None}
    assert repr(list(store.trials())) == repr(make_fixture.LAST_SHOWN)
    assert [frame.checkpoint for frame in store.frames(0)] == ["/c/1"]
    with pytest.raises(ValueError, match=r"format 1.*earlier=trialwright\.load\("):
        SqliteStore.open(tmp_path)


def test_resuming_a_run_of_format_1_is_refused_by_name_and_offers_its_results_to_a_new_run(tmp_path):
    shutil.copy(make_fixture.path_of(1), tmp_path / "journal.sqlite")
    with pytest.raises(ValueError, match=r"format 1.*earlier=trialwright\.load\("):
        Engine.resume(tmp_path, print)


@pytest.mark.parametrize("version", range(formats.FIRST, formats.FORMAT + 1))
@pytest.mark.parametrize("read_only", [True, False])
def test_journals_of_every_format_since_are_read(tmp_path, version, read_only):
    shutil.copy(make_fixture.path_of(version), tmp_path / "journal.sqlite")
    store = SqliteStore.open(tmp_path, read_only=read_only)
    assert repr(store.settings) == repr(make_fixture.SETTINGS)
    assert repr(list(store.entries())) == repr(expected(make_fixture.TURNS))
    assert repr(list(store.trials())) == repr(make_fixture.LAST_SHOWN)
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
