"""Checkpoints on disk: saved whole or not at all, and given back in the form in which they came.

A checkpoint is a directory of ours that holds one thing: ``directory/``, ``file/<name>``, or ``dict.msgpack``. It is
written under another name, synced, and renamed, so that a name that exists is a checkpoint that is complete. Nothing is
ever unpickled.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, cast

import msgpack

Saveable: TypeAlias = "str | os.PathLike[str] | Mapping[str, object]"


def save(checkpoint: Saveable, target: Path) -> None:
    """Copy a directory or file, or write a dict, to ``target``; it is on the disk when this returns.

    Raises:
        FileNotFoundError: there is nothing at the path given.
        TypeError: it is none of these, or the dict holds something that is not plain data.
    """
    draft = target.with_name(target.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        _write(checkpoint, draft)
        _sync(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    _sync_one(target.parent)


def load(source: Path) -> Path | dict[str, object]:
    """Return the path of the directory or file that was saved, or the dict.

    Raises:
        FileNotFoundError: there is no checkpoint at this path.
    """
    if (source / "dict.msgpack").is_file():
        return cast("dict[str, object]", msgpack.unpackb((source / "dict.msgpack").read_bytes(), strict_map_key=False))
    if (source / "directory").is_dir():
        return source / "directory"
    return next((source / "file").iterdir())


def discard(path: Path, root: Path) -> None:
    """Delete a checkpoint, if it lies under ``root``; one that is gone already is no error."""
    if root.resolve() in path.resolve().parents:
        shutil.rmtree(path, ignore_errors=True)


def _write(checkpoint: Saveable, draft: Path) -> None:
    if isinstance(checkpoint, Mapping):
        try:
            (draft / "dict.msgpack").write_bytes(msgpack.packb(dict(checkpoint)))
        except (TypeError, ValueError, OverflowError) as error:
            advice = "write arrays and objects to a file (torch.save, numpy.savez) and report its path"
            raise TypeError(f"a checkpoint dict holds plain data only ({error}); {advice}") from error
        return
    if not isinstance(checkpoint, str | os.PathLike):
        raise TypeError(f"checkpoint must be a directory, a file, or a dict, not a {type(checkpoint).__name__}")
    path = Path(checkpoint)
    if path.is_dir():
        shutil.copytree(path, draft / "directory", symlinks=True)
    elif path.is_file():
        (draft / "file").mkdir()
        shutil.copy2(path, draft / "file" / path.name)
    else:
        raise FileNotFoundError(f"checkpoint: there is nothing at {str(path)!r}")


def _sync(directory: Path) -> None:
    for path in _tree(directory):
        _sync_one(path)


def _tree(directory: Path) -> Iterator[Path]:
    yield from (path for path in directory.rglob("*") if not path.is_symlink())
    yield directory


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
