"""Small files beside a journal, syncing to a disk, and which errors are those of a disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

NO_ROOM = 65_536  # bytes: a disk that has fewer is full

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # so is a quota, or a file may not be so large
_OF_DISKS = _FULL | {errno.EIO, errno.EROFS, errno.ESTALE}  # it fails, is mounted read-only, or its server is gone


def is_of_disk(error: BaseException) -> bool:
    """Tell whether an error comes from a disk, so that the code that met it is not to blame."""
    return isinstance(error, OSError) and error.errno in _OF_DISKS


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that there is no more room."""
    return isinstance(error, OSError) and error.errno in _FULL


def is_of_disk_at(error: BaseException, directory: Path) -> bool:
    """Tell whether an error of other code comes from the disk where the directory is, or will be.

    Libraries turn the system's errors into their own: so every error counts if that disk has no room left. The error of
    a write to an open file names no file: then a full disk is assumed to be this one.
    """
    if _has_no_room(directory):
        return True
    if not isinstance(error, OSError) or not is_of_disk(error):
        return False
    named = error.filename2 or error.filename
    if not isinstance(named, str):
        return is_full(error)  # not EIO: reading from a closed terminal fails with that, too
    return _existing(Path(named)).stat().st_dev == _existing(directory).stat().st_dev


def _has_no_room(directory: Path) -> bool:
    disk = os.statvfs(_existing(directory))
    blocks = disk.f_bavail if os.geteuid() else disk.f_bfree  # some are kept for root
    return disk.f_blocks > 0 and blocks * disk.f_frsize < NO_ROOM


def _existing(path: Path) -> Path:
    """Return a path, or the nearest directory above it that exists."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())


def keep(path: Path, text: str) -> None:
    """Write a file: even after a power cut it has either its old content or this one.

    Raises:
        OSError: the disk is full or fails.
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
