"""Log files are made from the journal, by a process of their own that reads it while the run is active.

So they cost the run next to nothing, no row is ever lost because a callback was slow, and they are the same however
often a run was resumed: each process makes them anew. ``export`` makes them for a run that is over; one that was
shorter than the process needs to begin does so itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from trialwright.callbacks import Callback, TrialInfo
from trialwright.loggers.following import Follower
from trialwright.loggers.formats import check
from trialwright.loggers.rows import Naming
from trialwright.storage.place import find_run

WAIT_S = 8.0  # how long the end of a run waits for its logs; what is left is written all the same


class FileLogger(Callback):
    """Writes files about every trial into its directory: for people, TensorBoard, VisKit, and data frames.

    Args:
        kinds: of "csv" (``progress.csv``), "json" (``result.json``), and "tensorboard" (event files with
            hyper-parameters); each also writes ``params.json``, and ``error.txt`` where there was an error.
        naming: how rows are named.

    Raises:
        ValueError: a kind that is not known.
    """

    needs_storage = True

    def __init__(self, *kinds: str, naming: Naming | None = None) -> None:
        check(kinds)
        self.kinds = kinds
        self.naming = naming or Naming()
        self._process: subprocess.Popen[bytes] | None = None

    def setup(self, **info: object) -> None:
        """Start the process.

        Raises:
            ValueError: the run keeps nothing.
        """
        directory = info.get("directory")
        if directory is None:
            raise ValueError("log files are made from the journal, and storage=None keeps no journal")
        self._directory, self._warn = str(directory), cast("Callable[[str], None]", info.get("warn") or _warn)
        self._process = subprocess.Popen(  # noqa: S603 - what is run is Python, on a module of ours
            [*_command(self._directory, self.kinds, self.naming), "--follow"],
            env=_environment(),
            stdin=subprocess.PIPE,  # ends when this process does, however it ends
            stdout=subprocess.PIPE,  # says that it has begun
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the run, not for its logs
        )

    def on_experiment_end(self, trials: Sequence[TrialInfo], **info: object) -> None:
        """Wait for the rest to be written, for a while.

        Raises:
            RuntimeError: the files could not be written.
        """
        if self._process is None:
            return
        if not _has_begun(self._process):
            self._write_instead(self._process)
            return
        try:
            _, said = self._process.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            raise RuntimeError(
                f"the log files are not complete yet: process {self._process.pid} is still writing them"
            ) from None
        text = said.decode(errors="replace").strip()
        if self._process.returncode:
            raise RuntimeError(f"the log files are not complete: {text}")
        for note in text.splitlines():
            self._warn(note)

    def _write_instead(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.communicate()
        try:
            for note in _write(Path(self._directory), self.kinds, self.naming):
                self._warn(note)
        except Exception as error:
            raise RuntimeError(f"the log files are not complete: {type(error).__name__}: {error}") from error


class CSVLogger(FileLogger):
    """Writes ``progress.csv`` and ``params.json`` into each trial's directory."""

    def __init__(self) -> None:
        super().__init__("csv")


class JSONLogger(FileLogger):
    """Writes ``result.json``, ``params.json`` and ``params.pkl`` into each trial's directory."""

    def __init__(self) -> None:
        super().__init__("json")


class TensorBoardLogger(FileLogger):
    """Writes event files and ``params.json`` into each trial's directory."""

    def __init__(self) -> None:
        super().__init__("tensorboard")


def export(directory: str | os.PathLike[str], *kinds: str, naming: Naming | None = None) -> None:
    """Write the log files of a run as it is now.

    Args:
        directory: the run's.
        kinds: which files, as for ``FileLogger``.
        naming: how rows are named.

    Raises:
        ValueError: there is no run, or a kind is not known.
    """
    check(kinds)
    for note in _write(find_run(directory), kinds, naming or Naming()):
        _warn(note)


def _write(directory: Path, kinds: Sequence[str], naming: Naming) -> Sequence[str]:
    follower = Follower(directory, kinds, naming)
    follower.write()
    return follower.notes


def _warn(note: str) -> None:
    warnings.warn(note, RuntimeWarning, stacklevel=3)


def _has_begun(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the process reads the journal by now; to load its modules may take it longer than a short run."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return bool(process.stdout.read(1)) or process.poll() is not None


def _command(directory: str, kinds: Sequence[str], naming: Naming) -> list[str]:
    return [sys.executable, "-m", "trialwright.loggers", directory, *kinds, "--naming", json.dumps(asdict(naming))]


def _environment() -> dict[str, str]:
    """The process must find the same Trialwright, however this one found it."""
    found = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, found))}
