"""``Result``: one trial, what it reported last, what it saved, and what went wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialwright.space import Space
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.kept import load
from trialwright.tune.records import Record, best_saved, local_filesystem
from trialwright.tune.reporter import AUTOMATIC
from trialwright.tune.result import AUTO_RESULT_KEYS
from trialwright.tune.settings import refuse_filesystem

if TYPE_CHECKING:
    import pandas as pd


class Result:
    """One trial. A run makes it, with ``of_record``; made by hand, as for the tests of a program, it has what is given.

    Args:
        metrics: what the trial reported last.
        checkpoint: what it saved last.
        error: what it raised.
        path: the directory of its files.
        metrics_dataframe: all that it reported.
        best_checkpoints: what is kept of what it saved.
    """

    def __init__(  # noqa: PLR0917 - as in Ray Tune
        self,
        metrics: dict[str, Any] | None,
        checkpoint: Checkpoint | None,
        error: Exception | None,
        path: str,
        metrics_dataframe: pd.DataFrame | None = None,
        best_checkpoints: Sequence[tuple[Checkpoint, dict[str, Any]]] | None = None,
    ) -> None:
        self.metrics, self.checkpoint, self.error, self.path = metrics or {}, checkpoint, error, path
        self.config = self.metrics.get("config", {})
        self.metrics_dataframe, self.best_checkpoints = metrics_dataframe, list(best_checkpoints or ())

    @classmethod
    def of_record(cls, record: Record) -> Result:
        """Make the result of a trial of a run. What has to be read is read when it is asked for."""
        result = cls.__new__(cls)
        result.record = record
        return result

    @classmethod
    def from_path(
        cls,
        path: str | os.PathLike[str],
        storage_filesystem: object = None,
        *,
        param_space: Mapping[str, Any] | Space | None = None,
    ) -> Result:
        """Read the result of the trial with this directory.

        Args:
            path: the trial's directory.
            storage_filesystem: refused.
            param_space: the run's, where it holds what is no data; without it these parameters are missing.

        Raises:
            ValueError: there is no run, or no such trial; or a filesystem is given.
        """
        refuse_filesystem(storage_filesystem)
        directory = Path(path).resolve()
        for record in load(directory.parent.parent, param_space).all:
            if record.found.directory == directory:
                return cls.of_record(record)
        raise ValueError(f"there is no trial in {os.fspath(path)!r}")

    record: Record  # of a trial of a run; the properties below read it where nothing was given

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What it reported last, with the automatic metrics."""
        return self.record.trial.last_result

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its configuration."""
        return self.record.found.config

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        """What it saved last."""
        return self.record.checkpoint

    @cached_property
    def best_checkpoints(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """What is kept of what it saved, each with the result it was saved with."""
        return self.record.checkpoints

    @cached_property
    def error(self) -> Exception | None:
        """What it raised, if it failed: in a run a ``TrialError``."""
        return self.record.error

    @cached_property
    def path(self) -> str:
        """The directory of its files."""
        return str(self.record.found.directory)

    @property
    def filesystem(self) -> Any:  # noqa: ANN401 - of pyarrow, which has no types
        """Where the path is, in pyarrow's words; it must be installed."""
        return local_filesystem()

    @cached_property
    def metrics_dataframe(self) -> pd.DataFrame | None:
        """All that it reported, one row a report; pandas must be installed."""
        return self.record.dataframe()

    def get_best_checkpoint(self, metric: str, mode: str) -> Checkpoint | None:
        """Return what it saved with its best value; None if nothing is kept that it saved with a finite one.

        Args:
            metric: by the name under which it was reported; nested names joined with ``/``.
            mode: "min" or "max".

        Raises:
            ValueError: there is no such mode, or no checkpoint was reported with that metric.
        """
        return best_saved(self.best_checkpoints, metric, mode)

    def __repr__(self) -> str:
        shown: dict[str, object] = {} if self.error is None else {"error": type(self.error).__name__}
        own = {name: value for name, value in self.metrics.items() if name not in _NOT_SHOWN}
        shown |= {"metrics": own, "path": self.path, "filesystem": "local", "checkpoint": self.checkpoint}
        return "Result(\n" + ",\n".join(f"  {name}={value!r}" for name, value in shown.items()) + "\n)"


_NOT_SHOWN = {*AUTO_RESULT_KEYS, *AUTOMATIC}
