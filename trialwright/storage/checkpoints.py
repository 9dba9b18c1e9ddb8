"""Checkpoints on disk: saved completely or not at all, and loaded in the form in which they were saved.

A checkpoint is a directory of ours that holds one thing: ``directory/``, ``file/<name>``, or ``dict.msgpack``. It is
written under another name, synced, and renamed, so that a name that exists is a checkpoint that is complete. Nothing is
ever unpickled.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, cast

import msgpack

from trialwright.storage.files import sync

_NAME = re.compile(r"(\d+)-(\d+)")  # attempt and step
_OURS = re.compile(_NAME.pattern + r"(\.draft|\.earlier)?")

Saveable: TypeAlias = "str | os.PathLike[str] | Mapping[str, object]"


def trial_directory(root: Path, trial: int) -> Path:
    """Return the directory for a trial's files, under a run's directory."""
    return root.joinpath("trials", f"{trial:06d}")  # takes half the time of two slashes, and every trial needs it


def from_run(path: str, root: Path) -> str:
    """Return a path as the journal keeps it: relative to the run's directory if it is inside, so that the directory can
    be moved."""
    return str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else path


def located(path: str, root: Path | None) -> str:
    """Return the full path for one from the journal; without ``root`` (nothing is kept) paths are full already."""
    return str(root / path) if root else path


def save(checkpoint: Saveable, target: Path) -> None:
    """Copy a directory or file, or write a dict, to ``target``; it is on the disk when this returns.

    Links in a directory stay links.

    Raises:
        FileNotFoundError: there is nothing at the path given.
        TypeError: it is none of these, or the dict holds something that is not plain data.
        ValueError: it is a directory that contains ``target``.
    """
    _make_directory(target.parent)
    draft, earlier = target.with_name(target.name + ".draft"), target.with_name(target.name + ".earlier")
    for leftover in (draft, earlier):
        shutil.rmtree(leftover, ignore_errors=True)
    draft.mkdir()
    try:
        _write(checkpoint, draft)
        _sync(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    with suppress(FileNotFoundError):  # the system renames no directory over one that is not empty
        target.rename(earlier)
    draft.rename(target)
    sync(target.parent)
    shutil.rmtree(earlier, ignore_errors=True)


def load(source: Path) -> Path | dict[str, object]:
    """Return the path of the directory or file that was saved, or the dict.

    Raises:
        FileNotFoundError: there is no checkpoint at this path.
    """
    if (source / "dict.msgpack").is_file():
        return cast("dict[str, object]", msgpack.unpackb((source / "dict.msgpack").read_bytes(), strict_map_key=False))
    if (source / "directory").is_dir():
        return source / "directory"
    [file] = (source / "file").iterdir()
    return file


def saved(directory: Path) -> dict[int, Path]:
    """Return the checkpoints that a trial's directory has, by the step, in the order of steps; of a step that several
    attempts saved, the last attempt's."""
    kept = directory / "checkpoints"
    named = [(path, _NAME.fullmatch(path.name)) for path in (sorted(kept.iterdir()) if kept.is_dir() else ())]
    found = {int(name[2]): path for path, name in named if name is not None}
    return dict(sorted(found.items()))


def discard(path: Path, root: Path) -> None:
    """Delete a checkpoint, if it lies under ``root`` and is one; one that does not exist is no error.

    ``path`` came from a worker, so it may be anything. Links are resolved before its place is checked.
    """
    with suppress(OSError):
        if root.resolve() in path.resolve().parents and _is_checkpoint(path):
            draft = path.with_name(path.name + ".draft")
            shutil.rmtree(draft, ignore_errors=True)
            path.rename(draft)  # a half deleted directory must not look like a checkpoint
            shutil.rmtree(draft)


def sweep(root: Path, needed: Iterable[str]) -> None:
    """Delete what a dead driver left in a run's directory: drafts, checkpoints that were saved and not committed, and
    those that should have been deleted. Directories with other names are left alone.

    Args:
        root: the run's directory, which no driver or worker uses now.
        needed: the paths of the checkpoints that the run still needs.
    """
    kept = {Path(path).parts[-4:] for path in needed}  # of a run that was moved before paths were relative, too
    for path in root.glob("trials/*/checkpoints/*"):
        if _OURS.fullmatch(path.name) and path.parts[-4:] not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _is_checkpoint(path: Path) -> bool:
    names = [item.name for item in path.iterdir()]
    return not path.is_symlink() and len(names) == 1 and names[0] in {"directory", "file", "dict.msgpack"}


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it, and sync their names to the disk."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync(path.parent)


def _write(checkpoint: Saveable, draft: Path) -> None:
    if isinstance(checkpoint, Mapping):
        (draft / "dict.msgpack").write_bytes(_packed(checkpoint))
    elif isinstance(checkpoint, str | os.PathLike):
        if not os.fspath(checkpoint):
            raise FileNotFoundError("checkpoint: the path is empty")
        _copy(Path(checkpoint), draft)
    else:
        raise TypeError(f"checkpoint must be a directory, a file, or a dict, not a {type(checkpoint).__name__}")


def _packed(checkpoint: Mapping[str, object]) -> bytes:
    try:
        return cast("bytes", msgpack.packb(dict(checkpoint)))
    except (TypeError, ValueError, OverflowError) as error:
        advice = "write arrays and objects to a file (torch.save, numpy.savez) and report its path"
        raise TypeError(f"a checkpoint dict may hold only plain data ({error}); {advice}") from error


def _copy(path: Path, draft: Path) -> None:
    if path.is_file():
        (draft / "file").mkdir()
        shutil.copy2(path, draft / "file" / path.name)
    elif not path.is_dir():
        raise FileNotFoundError(f"checkpoint: there is nothing at {str(path)!r}")
    elif path.resolve() in draft.resolve().parents:
        raise ValueError(f"checkpoint: {str(path)!r} is where checkpoints are kept; report another directory")
    else:
        _copy_tree(path, draft / "directory")


def _copy_tree(source: Path, target: Path) -> None:
    """Copy like ``shutil.copytree``, but that turns the system's errors into strings, which hide a full disk."""
    target.mkdir()
    for item in source.iterdir():
        place = target / item.name
        if item.is_symlink():
            place.symlink_to(item.readlink())
        elif item.is_dir():
            _copy_tree(item, place)
        else:
            shutil.copy2(item, place)
    shutil.copystat(source, target)


def _sync(directory: Path) -> None:
    for path in _tree(directory):
        sync(path)


def _tree(directory: Path) -> Iterator[Path]:
    yield from (path for path in directory.rglob("*") if not path.is_symlink())
    yield directory
