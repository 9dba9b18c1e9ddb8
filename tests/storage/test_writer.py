import contextlib
import resource
import shutil
from typing import Any, cast

import apsw
import pytest

from tests.contracts.store import WAIT_S, commit, events, expected
from tests.storage.endless import turn as endless
from tests.storage.runs import entries
from trialwright.errors import StorageError
from trialwright.messages import Started
from trialwright.storage import writer
from trialwright.storage.sqlite import SqliteStore


def test_many_turns_share_a_commit(tmp_path):
    store = SqliteStore.create(tmp_path, {})
    commit(store, *map(endless, range(2000)))
    statistics = store.statistics()
    assert statistics.turns == 2000
    assert statistics.commits < 1000
    assert statistics.deepest_queue > 1
    assert store.pending == 0
    store.close()


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
    check_dead(store, store.append(events(1.0, Started(1, 1, cast(str, object())))), "not plain data")
    assert len(entries(tmp_path)) == 1


def test_a_disk_that_does_not_answer_is_reported_and_can_be_waited_for_again(tmp_path, monkeypatch):
    store = SqliteStore.create(tmp_path, {})
    commit(store, endless(0))
    with contextlib.closing(apsw.Connection(str(tmp_path / "journal.sqlite"))) as other:
        other.execute("BEGIN IMMEDIATE")  # the writer waits for this lock, for five seconds
        future = store.append(endless(1))
        with monkeypatch.context() as patch, pytest.raises(StorageError, match="did not answer within 0 s"):
            patch.setattr(writer, "CLOSE_S", 0.05)
            store.close()
        assert not future.done()
        other.execute("ROLLBACK")
    store.close()
    assert future.exception() is None
    assert len(entries(tmp_path)) == 2
