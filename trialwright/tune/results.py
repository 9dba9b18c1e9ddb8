"""What a run returns: ``Tuner.fit()`` a ``ResultGrid`` of ``Result``, and ``tune.run()`` an ``ExperimentAnalysis``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from textwrap import indent
from typing import TYPE_CHECKING, Any, overload

from trialwright.loading import load as load_run
from trialwright.results import Result as Run
from trialwright.space import Space
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.kept import load
from trialwright.tune.records import Record, Records, flat, frame, local_filesystem
from trialwright.tune.trial import Trial
from trialwright.tune.trial_result import Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExperimentAnalysis", "Result", "ResultGrid"]


class ResultGrid:
    """The results of a run, one a trial, in the order of the trials' numbers.

    Args:
        experiment_analysis: of the run; or what it has just found.
    """

    def __init__(self, experiment_analysis: ExperimentAnalysis | Records) -> None:
        self._given = experiment_analysis

    @cached_property
    def _records(self) -> Records:
        return self._given if isinstance(self._given, Records) else self._given.records

    @cached_property
    def _results(self) -> list[Result]:
        return [Result.of_record(record) for record in self._records.all]

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
            raise RuntimeError(f"No best trial found: {self._records.why_none(metric)}")
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
        return self._records.table(filter_metric, filter_mode)

    @property
    def errors(self) -> list[Exception]:
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

    def as_result(self) -> Run:
        """Return the run as a ``trialwright.Result``, read from its directory: for plots, importance, and more.

        Raises:
            ValueError: there is no run in the directory.
        """
        return load_run(self.experiment_path)

    @property
    def filesystem(self) -> Any:  # noqa: ANN401 - of pyarrow, which has no types
        """Where the path is, in pyarrow's words; it must be installed."""
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
        return "ResultGrid<[\n" + ",\n".join(indent(repr(result), "  ") for result in self) + "\n]>"


class ExperimentAnalysis:
    """The trials of a run: which was best, and what they reported.

    Args:
        experiment_checkpoint_path: the run's directory, to be read; or what a run has just found.
        storage_filesystem: refused: runs are kept on a disk of this machine.
        trials: refused: the journal has them.
        default_metric: what "best" means; the run's metric by default.
        default_mode: "min" or "max"; the run's by default.
        param_space: the run's, where it holds what is no data; without it these parameters are missing.

    Raises:
        ValueError: there is no run, or something refused is given.
    """

    def __init__(
        self,
        experiment_checkpoint_path: str | os.PathLike[str] | Records,
        *,
        storage_filesystem: object = None,
        trials: object = None,
        default_metric: str | None = None,
        default_mode: str | None = None,
        param_space: Mapping[str, Any] | Space | None = None,
    ) -> None:
        if storage_filesystem is not None or trials is not None:
            raise ValueError("storage_filesystem, trials: the run's directory is on this machine, and has all trials")
        given = experiment_checkpoint_path
        self.records = given if isinstance(given, Records) else load(given, param_space)
        self.default_metric = default_metric or self.records.facts.metric
        self.default_mode = default_mode or self.records.facts.mode

    def get_best_trial(
        self,
        metric: str | None = None,
        mode: str | None = None,
        scope: str = "last",
        filter_nan_and_inf: bool = True,  # noqa: FBT002 - as in Ray Tune
    ) -> Trial | None:
        """Return the best trial; None if none has reported the metric.

        Args:
            metric: what to compare by; the run's metric by default.
            mode: "min" or "max"; the run's by default.
            scope: which of a trial's values counts: "last", "all" (its best), "avg", "last-5-avg", "last-10-avg".
            filter_nan_and_inf: NaN and infinities do not count. If False, infinities do, and NaN where there is nothing
                else.

        Raises:
            ValueError: there is no metric, no mode, or no such scope.
        """
        best = self._best(metric, mode, scope, finite=filter_nan_and_inf)
        return best.trial if best else None

    def get_best_config(
        self, metric: str | None = None, mode: str | None = None, scope: str = "last"
    ) -> dict[str, Any] | None:
        """Return the best trial's configuration; arguments and errors are those of ``get_best_trial``."""
        best = self._best(metric, mode, scope)
        return best.found.config if best else None

    def get_best_logdir(self, metric: str | None = None, mode: str | None = None, scope: str = "last") -> str | None:
        """Return the directory of the best trial's files; arguments and errors are those of ``get_best_trial``."""
        best = self._best(metric, mode, scope)
        return str(best.found.directory) if best else None

    def get_best_checkpoint(
        self, trial: Trial, metric: str | None = None, mode: str | None = None
    ) -> Checkpoint | None:
        """Return what a trial saved with its best value; None if nothing is kept that it saved with a finite one.

        Raises:
            ValueError: there is no metric, no mode, or no checkpoint with that metric.
        """
        by, order = self.records.metric(metric or self.default_metric), self.records.mode(mode or self.default_mode)
        return self._record(trial).best_checkpoint(by, order)

    def get_last_checkpoint(
        self, trial: Trial | None = None, metric: str = "training_iteration", mode: str = "max"
    ) -> Checkpoint | None:
        """Return what a trial saved last; that of the trial that came furthest, if none is given."""
        record = self._record(trial) if trial else self._best(metric, mode, "last")
        return record.checkpoint if record else None

    @property
    def best_trial(self) -> Trial:
        """The best trial by the last value that each has reported.

        Raises:
            ValueError: there is no metric, or no trial has reported it.
        """
        return self._the_best().trial

    @property
    def best_config(self) -> dict[str, Any]:
        """The best trial's configuration."""
        return self._the_best().found.config

    @property
    def best_result(self) -> dict[str, Any]:
        """What the best trial reported last."""
        return self._the_best().trial.last_result

    @property
    def best_checkpoint(self) -> Checkpoint | None:
        """What the best trial saved with its best value."""
        return self.get_best_checkpoint(self.best_trial)

    @property
    def best_logdir(self) -> str:
        """The directory of the best trial's files."""
        return str(self._the_best().found.directory)

    @property
    def best_dataframe(self) -> pd.DataFrame:
        """All that the best trial reported."""
        return self._the_best().dataframe()

    @property
    def best_result_df(self) -> pd.DataFrame:
        """What the best trial reported last, as a table of one row."""
        return frame([flat(self.best_result)])

    @property
    def trials(self) -> list[Trial]:
        """All trials, in the order of their numbers."""
        return [record.trial for record in self.records.all]

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """What each trial reported last, by its id."""
        return {trial.trial_id: trial.last_result for trial in self.trials}

    @property
    def results_df(self) -> pd.DataFrame:
        """What each trial reported last; the index is the trials' ids."""
        rows = frame([flat(result) for result in self.results.values()])
        if not len(rows):
            return rows
        named = rows.set_axis(list(self.results), axis="index").rename_axis("trial_id")
        return named.drop(columns="trial/trial_id" if "trial/trial_id" in named else "trial_id")

    @property
    def trial_dataframes(self) -> dict[str, pd.DataFrame]:
        """All that each trial reported, by its id."""
        return {record.trial.trial_id: record.dataframe() for record in self.records.all}

    def dataframe(self, metric: str | None = None, mode: str | None = None) -> pd.DataFrame:
        """Return one row a trial: its last report, or the one with the best value of a metric.

        Args:
            metric: the metric; a trial without a finite value of it has no row.
            mode: "min" or "max"; None for the last reports: the run's mode does not count here.

        Raises:
            ImportError: pandas is not installed.
            ValueError: there is no such mode, or a mode without a metric.
        """
        return self.records.table(metric, mode)

    def get_all_configs(self, prefix: bool = False) -> dict[str, dict[str, Any]]:  # noqa: FBT002 - as in Ray Tune
        """Return the configuration of each trial, by its id.

        Args:
            prefix: join nested names with ``/``, and put ``config/`` before each.
        """
        configs = {record.trial.trial_id: record.found.config for record in self.records.all}
        return {trial: flat({"config": config}) for trial, config in configs.items()} if prefix else configs

    def stats(self) -> dict[str, Any]:
        """Return how many trials there are, by their status, and how long they ran, in seconds together."""
        counts = dict(Counter(trial.status for trial in self.trials))
        seconds = sum(float(record.found.metrics.get("time_s", 0.0)) for record in self.records.all)
        return {"trials": len(self.records.all), "status": counts, "time_total_s": seconds}

    @property
    def experiment_path(self) -> str:
        """The run's own directory; no later run of the same name is ever found there."""
        return str(self.records.directory)

    def as_result(self) -> Run:
        """Return the run as a ``trialwright.Result``, read from its directory: for plots, importance, and more.

        Raises:
            ValueError: there is no run in the directory.
        """
        return load_run(self.experiment_path)

    def _best(self, metric: str | None, mode: str | None, scope: str, *, finite: bool = True) -> Record | None:
        return self.records.best(metric or self.default_metric, mode or self.default_mode, scope, finite=finite)

    def _the_best(self) -> Record:
        best = self._best(None, None, "last")
        if best is None:
            raise ValueError(self.records.why_none(self.default_metric))
        return best

    def _record(self, trial: Trial) -> Record:
        return next(record for record in self.records.all if record.trial == trial)

    def __len__(self) -> int:
        return len(self.records.all)

    def __repr__(self) -> str:
        return f"ExperimentAnalysis({len(self)} trials, path={self.experiment_path!r})"
