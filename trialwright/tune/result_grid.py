"""What ``Tuner.fit()`` returns: ``ResultGrid``, a sequence of ``Result``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from trialwright.space import Space
from trialwright.tune.best import checked
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.error import TrialError
from trialwright.tune.records import Record, Records, flat, frame, local_filesystem
from trialwright.tune.trial import Trial

if TYPE_CHECKING:
    import pandas as pd


class Result:
    """One trial: what it reported last, what it saved, what went wrong. What has to be read is read when it is asked
    for."""

    def __init__(self, record: Record) -> None:
        self._record = record

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
        from trialwright.tune.kept import load

        if storage_filesystem is not None:
            raise ValueError("storage_filesystem: runs are kept on a disk that is mounted here")
        directory = Path(path).resolve()
        for record in load(directory.parent.parent, param_space).all:
            if record.found.directory == directory:
                return cls(record)
        raise ValueError(f"there is no trial in {os.fspath(path)!r}")

    @property
    def metrics(self) -> dict[str, Any]:
        """What it reported last, with the automatic metrics."""
        return self._record.trial.last_result

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration."""
        return self._record.found.config

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What it saved last."""
        return self._record.checkpoint

    @property
    def best_checkpoints(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """What is kept of what it saved, each with the result it was saved with."""
        return self._record.checkpoints

    @property
    def error(self) -> TrialError | None:
        """What it raised, if it failed."""
        return self._record.error

    @property
    def path(self) -> str:
        """The directory of its files."""
        return str(self._record.found.directory)

    @property
    def filesystem(self) -> Any:  # noqa: ANN401 - of pyarrow, which has no types
        """Where the path is, in pyarrow's words.

        Raises:
            ImportError: pyarrow is not installed.
        """
        return local_filesystem()

    @property
    def metrics_dataframe(self) -> pd.DataFrame:
        """All that it reported, one row a report.

        Raises:
            ImportError: pandas is not installed.
        """
        return self._record.dataframe()

    def get_best_checkpoint(self, metric: str, mode: str) -> Checkpoint | None:
        """Return what it saved with its best value; None if nothing is kept that it saved with a finite one.

        Args:
            metric: by the name under which it was reported; nested names joined with ``/``.
            mode: "min" or "max".

        Raises:
            ValueError: there is no such mode, or no checkpoint was reported with that metric.
        """
        return self._record.best_checkpoint(metric, mode)

    def __repr__(self) -> str:
        return f"Result(metrics={self.metrics!r}, path={self.path!r}, checkpoint={self.checkpoint!r})"


class ResultGrid:
    """The results of a run, one a trial, in the order of the trials' numbers."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._results = [Result(record) for record in records.all]

    def get_best_result(
        self,
        metric: str | None = None,
        mode: str | None = None,
        scope: str = "last",
        filter_nan_and_inf: bool = True,  # noqa: FBT002 - as in Ray Tune
    ) -> Result:
        """Return the best trial's result.

        Args:
            metric: the run's by default.
            mode: "min" or "max"; the run's by default.
            scope: which of a trial's values counts: "last", "all" (its best), "avg", "last-5-avg", "last-10-avg".
            filter_nan_and_inf: NaN and infinities do not count. If False, infinities do, and NaN where there is nothing
                else.

        Raises:
            ValueError: there is no metric, no mode, or no such scope.
            RuntimeError: no trial has reported the metric.
        """
        if len(self) == 1 and metric is None and self._records.facts.metric is None:
            return self[0]
        best = self._records.best(metric, mode, scope, finite=filter_nan_and_inf)
        if best is None:
            raise RuntimeError(f"no best result: {why_none(self._records, metric)}")
        return self._results[self._records.all.index(best)]

    def get_dataframe(self, filter_metric: str | None = None, filter_mode: str | None = None) -> pd.DataFrame:
        """Return one row a trial: its last report, or the one with the best value of a metric.

        Args:
            filter_metric: the metric; a trial without a finite value of it has no row.
            filter_mode: "min" or "max"; None for the last reports: the run's mode does not count here.

        Raises:
            ImportError: pandas is not installed.
            ValueError: there is no such mode, or a mode without a metric.
        """
        return table(self._records, filter_metric, filter_mode)

    @property
    def errors(self) -> list[TrialError]:
        """What the trials raised that failed."""
        return [result.error for result in self._results if result.error is not None]

    @property
    def num_errors(self) -> int:
        """How many trials failed."""
        return len(self.errors)

    @property
    def num_terminated(self) -> int:
        """How many trials ended well, or were stopped."""
        return sum(record.trial.status == Trial.TERMINATED for record in self._records.all)

    @property
    def experiment_path(self) -> str:
        """The run's own directory; no later run of the same name is ever found there."""
        return str(self._records.directory)

    @property
    def filesystem(self) -> Any:  # noqa: ANN401 - of pyarrow, which has no types
        """Where the path is, in pyarrow's words.

        Raises:
            ImportError: pyarrow is not installed.
        """
        return local_filesystem()

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> list[Result]: ...
    def __getitem__(self, index: int | slice) -> Result | list[Result]:
        return self._results[index]

    def __repr__(self) -> str:
        return f"ResultGrid({len(self)} results, {self.num_errors} errors, path={self.experiment_path!r})"


def table(records: Records, metric: str | None, mode: str | None) -> pd.DataFrame:
    """Return one row a trial: its last report, or that with the best value of the metric, if a mode is given.

    Raises:
        ValueError: there is no such mode, or a mode without a metric.
    """
    if mode is not None and metric is None:
        raise ValueError(f"mode={checked(mode)!r} says which value of a metric is the best: give a metric as well")
    rows = []
    for record in records.all:
        result = record.trial.last_result if metric is None or mode is None else record.best_report(metric, mode)
        if result is not None:
            rows.append(flat(result))
    return frame(rows)


def why_none(records: Records, metric: str | None) -> str:
    """Say why no trial is the best."""
    failed = [record for record in records.all if record.error is not None]
    first = f"; trial {failed[0].trial} said: {failed[0].found.error}" if failed else ""
    name = metric or records.facts.metric
    return f"no trial has reported a finite {name!r} ({len(records.all)} trials, {len(failed)} failed{first})"
