"""The directory of a run: where a journal can be kept, and how one is found."""

from __future__ import annotations

import difflib
import os
import re
import warnings
from contextlib import suppress
from pathlib import Path

from trialwright.errors import StorageError

JOURNAL = "journal.sqlite"
LONGEST = 200  # bytes of a name; most file systems take 255
SHOWN = 5  # runs that a message names
_STAMP = re.compile(r"-\d{8}-\d{6}-[0-9a-f]{6}$")  # which ends the name of a run's directory
_REMOTE = ("nfs", "cifs", "smb", "fuse.")  # how their names begin
_CONTAINER = "fuse.fuse-overlayfs"  # the disk of a container that root did not start


def make_directory(directory: Path) -> None:
    """Make a directory, or take the one that is there.

    Raises:
        ValueError: there is a file in the way.
        StorageError: the directory cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    # These are the caller's mistake (ValueError); all others are the disk's.
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(
            f"a run cannot be kept in {str(directory)!r}: a file has this path, or a part of it"
        ) from error
    except OSError as error:
        raise StorageError(f"a run cannot be kept in {str(directory)!r}: {error.strerror}") from error


def home() -> Path:
    """Return the directory in which runs are kept where no other is given."""
    return Path(os.environ.get("TRIALWRIGHT_HOME") or "~/trialwright").expanduser()


def find_run(given: str | os.PathLike[str]) -> Path:
    """Return the directory of a run.

    Args:
        given: the directory; ``~`` is the user's own.

    Raises:
        TypeError: it is not a path.
        ValueError: there is no run; the message names runs whose names begin so, or are similar.
    """
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"a run's directory must be a path, not {given!r}")
    path = Path(given).expanduser()
    if not is_run(path):
        raise ValueError(f"there is no run in {str(path)!r}{_near(path)}")
    return path


def is_run(path: Path) -> bool:
    """Tell whether there is a run in this directory."""
    return (path / JOURNAL).is_file()


def name_of(directory: Path) -> str:
    """Return the name of the run in this directory: the directory's, without the stamp at its end."""
    return _STAMP.sub("", directory.name)


def stamp_of(directory: Path) -> str:
    """Return the time in the name of a run's directory, which sorts as times do; an empty string if it has none."""
    found = _STAMP.search(directory.name)
    return found[0] if found else ""


def _near(path: Path) -> str:
    """Name the runs inside it; else those beside it whose names begin so, or are similar, or the newest."""
    inside, beside = _runs(path), _runs(path.parent)
    begin = [run for run in beside if run.name.startswith(path.name)]
    stems = {_STAMP.sub("", run.name) for run in beside}
    close = difflib.get_close_matches(_STAMP.sub("", path.name), sorted(stems), n=1, cutoff=0.5)
    alike = [run for run in beside if _STAMP.sub("", run.name) in close]
    for what, runs in (("in it are", inside), ("there are", begin), ("did you mean", alike), ("there are", beside)):
        if runs:
            more = f", and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
            mark = "?" if what == "did you mean" else ""
            return f"; {what} {', '.join(repr(str(run)) for run in runs[:SHOWN])}{more}{mark}"
    return ""


def _runs(directory: Path) -> list[Path]:
    """Return the runs in a directory, the newest first."""
    try:
        found = [(path.stat().st_mtime, path) for path in directory.iterdir() if is_run(path)]
    except OSError:  # it is missing or not readable, or a run is removed meanwhile: these are only hints
        return []
    return [path for _, path in sorted(found, reverse=True)]


def harmless(name: str, most: int = 80) -> str:
    """Return what of a name is safe in a path: at most so many letters, digits, ``.``, ``_``, and ``-``."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:most]


def can_be_named(name: str) -> bool:
    """Tell whether a file that people see can have this name."""
    return name.isprintable() and "/" not in name and name[:1] not in ("", ".") and len(os.fsencode(name)) <= LONGEST


def link_to(directory: Path, name: str) -> None:
    """Make a link of this name beside a directory that leads to it, or have the one that is there lead to it.

    A run can do without: where there is something else of this name, or the disk has no links, there is a warning.
    """
    link, draft = directory.with_name(name), directory.with_name(f".{directory.name}.link")
    try:
        if os.path.lexists(link) and not link.is_symlink():
            raise FileExistsError(f"{str(link)!r} is there, and is no link")
        draft.symlink_to(directory.name)
        draft.replace(link)  # in one step: there is always a whole link
    except OSError as error:
        warnings.warn(f"no link leads to {str(directory)!r}: {error}", RuntimeWarning, stacklevel=2)


def warn_of_network(directory: Path) -> None:
    """Warn of a network disk, on which SQLite's locks and syncs may not work.

    It is not refused: the machines of a cluster need a shared disk, and if only the driver's machine opens the journal,
    it works as far as that disk's syncs do.
    """
    kind = file_system(directory)
    if is_remote(kind):
        warnings.warn(
            f"{str(directory)!r} is on a network disk ({kind}), where file locks and syncs may not work: open this run "
            "from one machine only; reports may be lost if that disk loses power",
            RuntimeWarning,
            stacklevel=2,
        )


def is_remote(kind: str) -> bool:
    """Tell whether a kind of file system is on another machine."""
    # The names come from the kernel: "nfs" and "nfs4", "smb3", "fuse.sshfs".
    return kind.startswith(_REMOTE) and kind != _CONTAINER


def file_system(directory: Path) -> str:
    """Return the kind of file system, as ``mount`` names it; an empty string if it is not known."""
    device = directory.stat().st_dev
    # By the number of the device: paths in that list may be bind mounts, or of another namespace.
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):  # only Linux has this file
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            # A varying number of optional fields stands before the dash, so what is behind it is found from there.
            place, _, source = line.partition(" - ")
            if place.split()[2] == number:
                return source.split()[0]
    return ""
