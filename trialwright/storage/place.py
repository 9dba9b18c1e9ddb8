"""Where a journal can be kept: in a directory on a disk of this machine."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from pathlib import Path

from trialwright.errors import StorageError

_REMOTE = ("nfs", "cifs", "smb", "fuse.")  # how their names begin
_CONTAINER = "fuse.fuse-overlayfs"  # the disk of a container that root did not start


def make_directory(directory: Path) -> None:
    """Make a directory, or take the one that is there.

    Raises:
        ValueError: there is a file in the way.
        StorageError: the disk does not let us.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"a run cannot be kept in {str(directory)!r}: there is a file in the way") from error
    except OSError as error:
        raise StorageError(f"a run cannot be kept in {str(directory)!r}: {error.strerror}") from error


def warn_of_network(directory: Path) -> None:
    """Warn of a disk on which SQLite may not be able to keep its promises.

    It is not refused: the machines of a cluster need a disk that they share, and where only the driver's opens the
    journal, it works as far as that disk tells the truth.
    """
    kind = file_system(directory)
    if kind.startswith(_REMOTE) and kind != _CONTAINER:
        warnings.warn(
            f"{str(directory)!r} is on a network disk ({kind}), where locks and syncs may not do what they say: "
            "let only one machine open this run, and do not rely on what was acknowledged if that disk loses power",
            RuntimeWarning,
            stacklevel=2,
        )


def file_system(directory: Path) -> str:
    """Name the kind of file system, as ``mount`` does; an empty name where this cannot be found out."""
    device = directory.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):  # only Linux has this file
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            place, _, source = line.partition(" - ")
            if place.split()[2] == number:
                return source.split()[0]
    return ""
