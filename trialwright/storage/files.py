"""Small files beside a journal, how what is written to a disk is made to stay there, and which errors are a disk's."""

from __future__ import annotations

import errno
import os
from pathlib import Path

NO_ROOM = 65_536  # bytes: a disk that has fewer is full

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # so is a quota, or a file may not be so large
_OF_DISKS = _FULL | {errno.EIO, errno.EROFS, errno.ESTALE}  # it fails, is mounted read-only, or its server is gone


def is_of_disk(error: BaseException) -> bool:
    """Tell whether an error is a disk's: whatever code met it could have done nothing about it."""
    return isinstance(error, OSError) and error.errno in _OF_DISKS


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that there is no more room."""
    return isinstance(error, OSError) and error.errno in _FULL


def is_of_disk_at(error: BaseException, directory: Path) -> bool:
    """Tell whether an error of other code is that of the disk where the directory is, or is to be.

    Libraries make errors of their own of the system's: so whatever is raised counts where that disk has no room left.
    Where an open file is written to, the system's error names no file: then a disk that is full is taken for this one.
    """
    if _has_no_room(directory):
        return True
    if not isinstance(error, OSError) or not is_of_disk(error):
        return False
    named = error.filename2 or error.filename
    if not isinstance(named, str):
        return is_full(error)  # to read from what is no disk, such as a closed terminal, fails with EIO, too
    return _existing(Path(named)).stat().st_dev == _existing(directory).stat().st_dev


def _has_no_room(directory: Path) -> bool:
    disk = os.statvfs(_existing(directory))
    blocks = disk.f_bavail if os.geteuid() else disk.f_bfree  # some are kept for root
    return disk.f_blocks > 0 and blocks * disk.f_frsize < NO_ROOM


def _existing(path: Path) -> Path:
    """Return a path, or the nearest one above it that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())


def keep(path: Path, text: str) -> None:
    """Write a file: whatever happens, and be it a power cut, it has its old text or this one.

    Raises:
        OSError: the disk does not let us.
    """
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    sync(draft)
    draft.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
