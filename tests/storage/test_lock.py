import fcntl
import multiprocessing
import os
import resource
import time

import pytest

from tests.contracts.store import WAIT_S
from tests.storage.runs import entries, query
from trialwright.errors import RunLocked, StorageError
from trialwright.storage.lock import NAME, Committed, DriverLock, committed, driver
from trialwright.storage.sqlite import SqliteStore


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


def test_the_driver_of_a_run_can_be_asked_for_and_asking_does_not_hinder_the_next_one(tmp_path):
    assert driver(tmp_path) is None, "no run was ever there"
    lock = DriverLock(tmp_path)
    assert driver(tmp_path).pid == os.getpid()
    lock.release()
    assert driver(tmp_path) is None
    DriverLock(tmp_path).release()


def test_a_look_at_the_moment_at_which_a_driver_comes_does_not_keep_it_out(tmp_path, monkeypatch):
    DriverLock(tmp_path).release()
    looking = os.open(tmp_path / NAME, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
    DriverLock(tmp_path).release()
    os.close(looking)


def test_what_the_last_driver_has_noted_says_whether_the_run_is_over(tmp_path):
    lock = DriverLock(tmp_path)
    lock.note(Committed(3, "m", is_over=True))
    lock.release()
    assert committed(tmp_path) == Committed(3, "m", is_over=True)
    (tmp_path / NAME).write_text('{"events": 3, "mark": "m"}')
    assert committed(tmp_path).is_over is None, "an earlier version has not said it"


def test_a_lock_file_that_says_nothing_is_no_obstacle(run):
    (run / "driver.lock").write_text("\0garbage")
    SqliteStore.open(run).close()


def test_a_forked_child_does_not_hold_the_lock(tmp_path):
    lock = DriverLock(tmp_path)
    context = multiprocessing.get_context("fork")
    born, end = context.Event(), context.Event()

    def live():
        born.set()
        end.wait(WAIT_S)

    child = context.Process(target=live)
    child.start()
    assert born.wait(WAIT_S)
    lock.abandon()  # as a dying process does: it closes its file and says nothing
    DriverLock(tmp_path).release()
    end.set()
    child.join(WAIT_S)
    assert child.exitcode == 0


def test_what_fails_to_open_lets_go_of_the_lock(run):
    query(run, "PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(StorageError, match="format 99"):
            SqliteStore.open(run)


def test_a_new_journal_may_begin_where_one_was_deleted(run):
    (run / "journal.sqlite").unlink()
    SqliteStore.create(run, {}).close()
    assert entries(run) == []


def test_a_disk_without_room_for_the_lock_releases_it(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(StorageError, match=r"driver\.lock.*make room"):
            DriverLock(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    DriverLock(tmp_path).release()


def test_a_lock_is_released_once_and_then_writes_nothing(tmp_path):
    lock = DriverLock(tmp_path)
    lock.note(Committed(3, "abc"))
    lock.release()
    lock.release()
    lock.note(Committed(4, "def"))  # its descriptor may be another file's by now
    assert committed(tmp_path) == Committed(3, "abc")


@pytest.mark.parametrize("said", ["", "\0garbage", "[]", '{"pid": 1}'])
def test_an_owner_that_cannot_be_read_is_another_process(tmp_path, said):
    lock = DriverLock(tmp_path)
    (tmp_path / "driver.lock").write_text(said)
    with pytest.raises(RunLocked, match="driven by another process"):
        DriverLock(tmp_path)
    lock.release()
