"""Progress reporters with Ray Tune's interface. Users' own are really used.

A reporter is asked after each thing that happens, and once more at the end of the run; it runs off the loop.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from trialwright import callbacks as engine
from trialwright.callbacks import TrialInfo
from trialwright.errors import import_instead
from trialwright.progress import Snapshot, counts, line, shown
from trialwright.scopes import best_of
from trialwright.tune.names import flatten, found
from trialwright.tune.trial import RunFacts, Trial, TrialBook

AUTOMATIC = frozenset(
    {
        *("training_iteration", "time_total_s", "time_this_iter_s", "time_since_restore", "iterations_since_restore"),
        *("timestamp", "date", "pid", "hostname", "node_ip", "trial_id", "experiment_id", "experiment_tag", "done"),
        *("config", "timesteps_total", "should_checkpoint"),
    }
)


class ProgressReporter:
    """Subclass this to show a run in a way of your own."""

    def setup(
        self,
        start_time: float | None = None,
        total_samples: int | None = None,
        metric: str | None = None,
        mode: str | None = None,
        **kwargs: object,
    ) -> None:
        """Learn about the run: called once, before everything else."""

    def should_report(self, trials: Sequence[Trial], done: bool = False) -> bool:  # noqa: FBT002 - Ray Tune's interface
        """Tell whether ``report`` should be called now."""
        raise NotImplementedError

    def report(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> None:
        """Show the run. ``done``: for the last time."""
        raise NotImplementedError


class TuneReporterBase(ProgressReporter):
    """A table of trials now and then.

    Args:
        metric_columns: which metrics to show, as a list, or as a dict from names to titles; ``DEFAULT_COLUMNS`` and
            some of those that are reported if it is not given.
        parameter_columns: which parameters to show, likewise; all that vary if it is not given.
        total_samples: how many trials there will be, if the run should not say it.
        max_progress_rows: how many trials to show while the run goes on.
        max_error_rows: how many errors to show while it goes on.
        max_column_length: longer values are cut off.
        max_report_frequency: seconds between two tables.
        infer_limit: how many metrics to show if ``metric_columns`` is not given.
        print_intermediate_tables: False: only counts while the run goes on, the table at its end.
        metric: what to look for the best trial by, if the run should not say it.
        mode: "min" or "max", likewise.
        sort_by_metric: best first.

    Raises:
        ValueError: the mode is another one.
    """

    DEFAULT_COLUMNS: ClassVar[Mapping[str, str]] = {"training_iteration": "iter", "time_total_s": "total time (s)"}

    def __init__(
        self,
        *,
        metric_columns: Sequence[str] | Mapping[str, str] | None = None,
        parameter_columns: Sequence[str] | Mapping[str, str] | None = None,
        total_samples: int | None = None,
        max_progress_rows: int = 20,
        max_error_rows: int = 20,
        max_column_length: int = 20,
        max_report_frequency: float = 5,
        infer_limit: int = 3,
        print_intermediate_tables: bool | None = None,
        metric: str | None = None,
        mode: str | None = None,
        sort_by_metric: bool = False,
    ) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
        self._metric_columns = None if metric_columns is None else _titles(metric_columns)
        self._parameter_columns = None if parameter_columns is None else _titles(parameter_columns)
        self._untitled = {"metric": _is_list(metric_columns), "parameter": _is_list(parameter_columns)}
        self._total, self._metric, self._mode = total_samples, metric, mode
        self._rows, self._error_rows, self._length = max_progress_rows, max_error_rows, max_column_length
        self._period_s, self._infer_limit = max_report_frequency, infer_limit
        self._tables, self._sorted = print_intermediate_tables is not False, sort_by_metric
        self._began = time.time()
        self._reported: float | None = None

    def setup(
        self,
        start_time: float | None = None,
        total_samples: int | None = None,
        metric: str | None = None,
        mode: str | None = None,
        **kwargs: object,
    ) -> None:
        """Take from the run what was not given before."""
        self._began = start_time or self._began
        self._total = self._total or total_samples
        self._metric, self._mode = self._metric or metric, self._mode or mode

    def set_search_properties(self, metric: str | None, mode: str | None) -> bool:
        """Look for the best trial by this metric, as programs say that report by hand.

        Returns:
            Whether it is new; a reporter that has a metric or a mode already keeps it.
        """
        if (metric and self._metric) or (mode and self._mode):
            return False
        self._metric, self._mode = self._metric or metric, self._mode or mode
        return True

    def set_total_samples(self, total_samples: int) -> None:
        """Know how many trials there will be."""
        self._total = total_samples

    def set_start_time(self, timestamp: float | None = None) -> None:
        """Count the time from here on, or from a time in seconds since 1970."""
        self._began = time.time() if timestamp is None else timestamp

    def should_report(self, trials: Sequence[Trial], done: bool = False) -> bool:  # noqa: FBT002 - Ray Tune's interface
        """Once a period, and at the end."""
        now = time.monotonic()
        if done or self._reported is None or now - self._reported >= self._period_s:
            self._reported = now
            return True
        return False

    def add_metric_column(self, metric: str, representation: str | None = None) -> None:
        """Show one more metric.

        Raises:
            ValueError: it is shown already; or it has a title, and the columns were given as a list, without titles.
        """
        self._metric_columns = _added(self._metric_columns, metric, self._title("metric", representation))

    def add_parameter_column(self, parameter: str, representation: str | None = None) -> None:
        """Show one more parameter.

        Raises:
            ValueError: it is shown already; or it has a title, and the columns were given as a list, without titles.
        """
        self._parameter_columns = _added(self._parameter_columns, parameter, self._title("parameter", representation))

    def _title(self, kind: str, given: str | None) -> str | None:
        if given is not None and self._untitled[kind]:
            raise ValueError(f"title {given!r}: the {kind} columns were given as a list; give a dict of titles instead")
        return given

    # From trials to text --------------------------------------------------------------------------------------------

    def _text(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> str:
        of = "" if self._total is None else f" of {self._total}"
        states = counts(Counter(trial.status for trial in trials))
        parts = ["== Status ==", f"running for {time.time() - self._began:.0f} s", *sys_info]
        parts.append(f"{len(trials)}{of} trials: {states}")
        best = best_of([(self._rank(trial), trial) for trial in trials], "min")
        if best is not None and self._metric is not None:
            value = best.last_result[self._metric]
            parts.append(f"best: {best} with {self._metric}={value} and {best.evaluated_params}")
        if done or self._tables:
            parts.append(self._table(trials, None if done else self._rows))
        failed = [f"{trial}: {trial.get_error()}" for trial in trials if trial.get_error()]
        return "\n".join([*parts, *failed[: None if done else self._error_rows], ""])

    def _table(self, trials: Sequence[Trial], most: int | None) -> str:
        metrics = self._inferred(trials) if self._metric_columns is None else self._metric_columns
        varied = (name for trial in trials for name in trial.evaluated_params)
        parameters = {name: name for name in varied} if self._parameter_columns is None else self._parameter_columns
        listed = (sorted(trials, key=self._rank) if self._sorted else list(trials))[:most]
        titles = [f"config/{title}" if title in metrics.values() else title for title in parameters.values()]
        rows = [["trial", "status", *titles, *metrics.values()]]
        for trial in listed:
            values = [found(trial.config, name, "") for name in parameters]
            values += [found(trial.last_result, name, "") for name in metrics]
            rows.append([str(trial), trial.status, *map(shown, values)])
        hidden = len(trials) - len(listed)
        return _aligned(rows, self._length) + (f"\n... {hidden} more trials" if hidden else "")

    def _inferred(self, trials: Sequence[Trial]) -> dict[str, str]:
        """Choose among what users report as numbers, without what is automatic."""
        seen: dict[str, str] = {}
        for trial in trials:
            own = {name: value for name, value in trial.last_result.items() if name not in AUTOMATIC}
            reported = flatten({name: value for name, value in own.items() if not name.startswith("trial/")})
            seen.update({name: name for name, value in reported.items() if isinstance(value, int | float)})
        chosen = {name: name for name in list(seen)[: self._infer_limit]}
        return {**self.DEFAULT_COLUMNS, **chosen}

    def _rank(self, trial: Trial) -> float:
        value = trial.last_result.get(self._metric or "")
        if not isinstance(value, int | float) or not math.isfinite(value):
            return math.inf
        return -value if self._mode == "max" else value


class CLIReporter(TuneReporterBase):
    """Prints tables to the standard output."""

    def report(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> None:
        """Print one."""
        print(self._text(trials, done, *sys_info), file=sys.stdout, flush=True)  # noqa: T201 - that is its work


class JupyterNotebookReporter(TuneReporterBase):
    """Shows tables in a notebook.

    Args:
        overwrite: replace what the cell shows.
        settings: as for ``CLIReporter``.
    """

    def __init__(self, *, overwrite: bool = True, **settings: Any) -> None:  # noqa: ANN401 - those of the base class
        super().__init__(**settings)
        self._overwrite = overwrite

    def report(self, trials: Sequence[Trial], done: bool, *sys_info: str) -> None:
        """Show one.

        Raises:
            ImportError: IPython is not installed, so this is no notebook.
        """
        try:
            from IPython import display as untyped
        except ImportError as error:
            raise ImportError("JupyterNotebookReporter needs IPython; elsewhere use CLIReporter") from error
        display: Any = untyped
        if self._overwrite:
            display.clear_output(wait=True)
        display.display({"text/plain": self._text(trials, done, *sys_info)}, raw=True)


class Reporting(engine.Callback):
    """Has the engine ask a user's reporter. It is a ``trialwright.progress.Progress`` as well, if it is given as one.

    Args:
        reporter: the user's.
        facts: about the run.
    """

    def __init__(self, reporter: ProgressReporter, facts: RunFacts) -> None:
        self._reporter = self.wraps = reporter
        self._facts = facts
        self._book = TrialBook(facts)
        self._snapshot: Snapshot | None = None
        for hook in engine.HOOKS:
            if hook.startswith("on_trial_"):
                setattr(self, hook, self._ask)

    def setup(self, **info: object) -> None:
        """Tell the reporter about the run."""
        facts = self._facts
        facts.locate(info.get("directory"))
        self._reporter.setup(time.time(), facts.num_samples, facts.metric, facts.mode)

    def _ask(self, trials: Sequence[TrialInfo], *, done: bool = False, **info: object) -> None:
        """Something happened to a trial; it is in ``trials`` by now."""
        seen, directory = self._book.all(trials), self._facts.directory
        if self._reporter.should_report(seen, done=done):
            told = [] if self._snapshot is None else [line(self._snapshot)]
            told += [] if directory is None else [f"Result logdir: {directory}"]
            self._reporter.report(seen, done, *told)

    def on_experiment_end(self, trials: Sequence[TrialInfo], **info: object) -> None:
        """Ask a last time."""
        self._ask(trials, done=True)

    def update(self, snapshot: Snapshot) -> None:
        """Remember the newest state of the run, to be shown with the trials."""
        self._snapshot = snapshot

    def close(self, snapshot: Snapshot) -> None:
        """Nothing: the end of the run is shown when its callbacks are called."""


def to_engine(reporter: object, facts: RunFacts) -> Reporting:
    """Return what the engine is to call for a user's reporter.

    Raises:
        TypeError: it is no reporter.
    """
    if not isinstance(reporter, ProgressReporter):
        raise TypeError(
            f"progress_reporter must be a tune.ProgressReporter, not {reporter!r}{import_instead(reporter)}"
        )
    return Reporting(reporter, facts)


def _titles(columns: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    return dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns}


def _is_list(columns: Sequence[str] | Mapping[str, str] | None) -> bool:
    return columns is not None and not isinstance(columns, Mapping)


def _added(columns: dict[str, str] | None, name: str, title: str | None) -> dict[str, str]:
    columns = columns or {}
    if name in columns:
        raise ValueError(f"column {name!r} is there already")
    return {**columns, name: title or name}


def _aligned(rows: Sequence[Sequence[str]], longest: int) -> str:
    cut = [
        [text if len(text) <= longest or not column else text[: longest - 3] + "..." for column, text in enumerate(row)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cut, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cut
    )
