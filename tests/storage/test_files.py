"""Small files beside a journal, and which errors are a disk's."""

import errno
import os
from pathlib import Path

import pytest

from trialwright.storage import files


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_without_room_is_a_disk_that_fails(number):
    error = OSError(number, "no room")
    assert files.is_full(error)
    assert files.is_of_disk(error)


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ESTALE])
def test_a_disk_that_fails_may_have_room(number):
    error = OSError(number, "it fails")
    assert not files.is_full(error)
    assert files.is_of_disk(error)


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "no such file"), OSError("no number"), ValueError("x")])
def test_other_errors_are_not_a_disks(error, tmp_path):
    assert not files.is_of_disk(error)
    assert not files.is_of_disk_at(error, tmp_path)


def test_an_error_that_names_a_file_of_another_disk_is_not_this_disks(tmp_path):
    assert Path("/proc").stat().st_dev != tmp_path.stat().st_dev
    assert not files.is_of_disk_at(OSError(errno.ENOSPC, "no room", "/proc/x"), tmp_path)
    assert files.is_of_disk_at(OSError(errno.ENOSPC, "no room", str(tmp_path / "not" / "yet")), tmp_path / "trials")


def test_of_a_rename_the_second_name_counts(tmp_path):
    error = OSError(errno.ENOSPC, "no room", "/proc/x", None, str(tmp_path / "x"))
    assert files.is_of_disk_at(error, tmp_path)


def test_an_error_that_names_no_file_is_this_disks_only_if_that_is_full(tmp_path):
    assert files.is_of_disk_at(OSError(errno.ENOSPC, "no room"), tmp_path)
    assert not files.is_of_disk_at(OSError(errno.EIO, "a terminal was closed"), tmp_path)
    assert not files.is_of_disk_at(OSError(errno.EIO, "it fails", 3), tmp_path)  # the number of an open file


def test_every_error_counts_where_the_disk_has_no_room_left(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "NO_ROOM", 2**62)
    assert files.is_of_disk_at(ValueError("a library's own error"), tmp_path)


def test_a_disk_that_does_not_count_its_blocks_is_not_full(monkeypatch):
    monkeypatch.setattr(files, "NO_ROOM", 2**62)
    assert os.statvfs("/proc").f_blocks == 0
    assert not files.is_of_disk_at(ValueError("x"), Path("/proc"))


def test_a_file_is_kept_whole_under_its_name(tmp_path, monkeypatch):
    steps, sync = [], files.sync

    def watch(path):
        steps.append((path.name, (tmp_path / "note").read_text() if (tmp_path / "note").exists() else None))
        sync(path)

    monkeypatch.setattr(files, "sync", watch)
    files.keep(tmp_path / "note", "first, é")
    files.keep(tmp_path / "note", "second")
    assert steps == [
        ("note.draft", None),
        (tmp_path.name, "first, é"),
        ("note.draft", "first, é"),
        (tmp_path.name, "second"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["note"]
