"""``Checkpoint``: a directory in which a trial's state is saved."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trialwright.storage import checkpoints

METADATA = ".metadata.json"
_DATA = "dict.msgpack"  # the name under which the engine, too, keeps a dict


class Checkpoint:
    """A directory with a saved state in it, on a disk of this machine.

    Args:
        path: of the directory.
        filesystem: Ray Tune's way to other disks; only None is taken.

    Raises:
        ValueError: a filesystem, or a path with a scheme (``s3://``), is given.
    """

    def __init__(self, path: str | os.PathLike[str], filesystem: object = None) -> None:
        if filesystem is not None or "://" in os.fspath(path):
            raise ValueError(
                f"filesystem, path: a checkpoint is a directory on a disk that is mounted here, not {os.fspath(path)!r}"
            )
        self.path = os.path.abspath(os.fspath(path))  # noqa: PTH100 - a string, as in Ray Tune

    @classmethod
    def from_directory(cls, path: str | os.PathLike[str]) -> Checkpoint:
        """Make a checkpoint of a directory that is there."""
        return cls(path)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Checkpoint:
        """Make a checkpoint of plain data.

        Raises:
            TypeError: something in it is not plain data.
        """
        directory = Path(tempfile.mkdtemp(prefix="trialwright-checkpoint-"), "saved")
        checkpoints.save(data, directory)
        return cls(directory)

    @classmethod
    def from_saved(cls, path: str | os.PathLike[str]) -> Checkpoint:
        """Return what lies in a directory in which the engine saved something: a directory, a file, or a dict."""
        inside = [Path(path) / name for name in ("directory", "file") if (Path(path) / name).is_dir()]
        return cls(inside[0] if inside else path)

    def to_dict(self) -> dict[str, Any]:
        """Return the plain data that this was made of.

        Raises:
            FileNotFoundError: it was not made by ``from_dict``.
        """
        if not Path(self.path, _DATA).is_file():
            raise FileNotFoundError(f"{self} holds no dict: read its files with as_directory()")
        loaded = checkpoints.load(Path(self.path))
        assert isinstance(loaded, dict), "load() looks for the same file"
        return loaded

    @contextmanager
    def as_directory(self) -> Iterator[str]:
        """Give the directory's path, to read from: it is the checkpoint itself, no copy."""
        yield self.path

    def to_directory(self, path: str | os.PathLike[str] | None = None) -> str:
        """Copy the files to a directory, a new temporary one by default, and return its path."""
        target = tempfile.mkdtemp(prefix="trialwright-checkpoint-") if path is None else os.fspath(path)
        shutil.copytree(self.path, target, symlinks=True, dirs_exist_ok=True)
        return target

    def get_metadata(self) -> dict[str, Any]:
        """Return what ``set_metadata`` was given, or an empty dict."""
        file = Path(self.path, METADATA)
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}

    def set_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Write JSON data beside the files, in the place of what was there.

        Raises:
            TypeError: it is not JSON data.
        """
        Path(self.path, METADATA).write_text(json.dumps(dict(metadata)), encoding="utf-8")

    def update_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Write JSON data beside what is there already."""
        self.set_metadata({**self.get_metadata(), **metadata})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checkpoint) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"Checkpoint(filesystem=local, path={self.path})"
