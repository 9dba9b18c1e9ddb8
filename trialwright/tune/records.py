"""The trials of a run that is over (or was interrupted), as ``ResultGrid`` and ``ExperimentAnalysis`` show them.

The journal is read only when something from it is asked for: a run may have many trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from trialwright.scopes import Scope, best_of, checked, number
from trialwright.storage import checkpoints
from trialwright.trial_result import TrialResult
from trialwright.tune import names
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.error import TrialError
from trialwright.tune.trial import RunFacts, Trial

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

SCOPES: dict[str, Scope] = {  # Ray Tune's name -> the engine's
    "last": "last",
    "all": "best",
    "avg": "avg",
    "last-5-avg": "last-5-avg",
    "last-10-avg": "last-10-avg",
}


class Record:
    """One trial and what it reported.

    Args:
        found: the trial, as the engine returns it.
        facts: about its run.
    """

    def __init__(self, found: TrialResult, facts: RunFacts) -> None:
        self.found, self.facts = found, facts

    @cached_property
    def trial(self) -> Trial:
        """The trial, with its last result."""
        return Trial.of_result(self.facts, self.found)

    @cached_property
    def rows(self) -> dict[int, dict[str, Any]]:
        """All its reports, with the engine's names, by the engine's steps: users report a ``training_iteration`` of
        their own, so what a report says of its step names no checkpoint."""
        return self.found.reports

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """All its reports, as users see them."""
        trial = Trial.of_result(self.facts, self.found)
        shown = [trial.note(row) for row in self.rows.values()]
        for result in shown[-1:]:
            result["done"] = trial.is_finished()
        return shown

    @property
    def error(self) -> TrialError | None:
        """What ended it, if it failed."""
        failed = self.trial.status == Trial.ERROR
        return TrialError(self.found.error, self.found.traceback) if failed else None

    @property
    def checkpoint(self) -> Checkpoint | None:
        """What it saved last."""
        return self.trial.checkpoint

    @cached_property
    def checkpoints(self) -> list[tuple[Checkpoint, dict[str, Any]]]:
        """What it saved and what is kept of that, each with the result it was saved with, in the order of steps."""
        saved = checkpoints.saved(self.found.directory) if self.found.directory else {}
        return [
            (Checkpoint.from_saved(saved[step]), result)
            for step, result in zip(self.rows, self.results, strict=True)
            if step in saved
        ]

    def dataframe(self) -> pd.DataFrame:
        """Return one row a report.

        Raises:
            ImportError: pandas is not installed.
        """
        return frame([flat(result) for result in self.results])

    def best_report(self, metric: str, mode: str) -> dict[str, Any] | None:
        """Return the report with the best value, as users see it; None if no report has a finite one.

        Raises:
            ValueError: there is no such mode.
        """
        return best_of(_scored([(result, result) for result in self.results], metric), mode)

    def best_checkpoint(self, metric: str, mode: str) -> Checkpoint | None:
        """Return what was saved with the best value; None if nothing is kept that was saved with a finite one.

        Raises:
            ValueError: there is no such mode, or no checkpoint was reported with that metric.
        """
        return best_saved(self.checkpoints, metric, mode)


@dataclass(frozen=True)
class Records:
    """All trials of a run.

    Args:
        found: the trials, as the engine returns them.
        facts: about the run.
        directory: the run's own. Users see this path, not the link, which a later run of the same name changes.
    """

    found: Sequence[TrialResult]
    facts: RunFacts
    directory: Path | None

    @cached_property
    def all(self) -> list[Record]:
        """A record for each, in the order of their numbers."""
        return [Record(trial, self.facts) for trial in self.found]

    def best(self, metric: str | None, mode: str | None, scope: str, *, finite: bool = True) -> Record | None:
        """Return the best trial; None if none has reported the metric.

        Args:
            metric: by the user's name; the run's if it is None.
            mode: "min" or "max"; the run's if it is None.
            scope: which of a trial's values counts, one of ``SCOPES``.
            finite: NaN and infinities do not count; see ``best_of``.

        Raises:
            ValueError: there is no metric, no mode, or no such scope.
        """
        metric, mode = self.metric(metric), self.mode(mode)
        if scope not in SCOPES:
            raise ValueError(f"scope must be one of {', '.join(map(repr, SCOPES))}, not {scope!r}")
        name = names.to_engine(metric)
        judged = [(record.found.value(name, mode, SCOPES[scope], finite=finite), record) for record in self.all]
        return best_of([(value, record) for value, record in judged if value is not None], mode, finite=finite)

    def metric(self, given: str | None) -> str:
        """Return the metric that is meant.

        Raises:
            ValueError: there is none.
        """
        metric = given or self.facts.metric
        if metric is None:
            raise ValueError("the run has no metric: give metric='...' here")
        return metric

    def mode(self, given: str | None) -> str:
        """Return the mode that is meant.

        Raises:
            ValueError: there is none, or it is no mode.
        """
        return checked(given or self.facts.mode)

    def table(self, metric: str | None, mode: str | None) -> pd.DataFrame:
        """Return one row a trial: its last report, or that with the best value of the metric, if a mode is given; and
        the trial's directory.

        Raises:
            ImportError: pandas is not installed.
            ValueError: there is no such mode, or a mode without a metric.
        """
        if mode is not None and metric is None:
            raise ValueError(f"mode={checked(mode)!r} says which value of a metric is the best: give a metric as well")
        rows = [
            each.trial.last_result if metric is None or mode is None else each.best_report(metric, mode)
            for each in self.all
        ]
        kept = [(each, flat(row)) for each, row in zip(self.all, rows, strict=True) if row is not None]
        return frame(
            [{("trial/logdir" if "logdir" in row else "logdir"): each.trial.logdir, **row} for each, row in kept]
        )

    def why_none(self, metric: str | None) -> str:
        """Say why no trial is the best by this metric."""
        failed = [record for record in self.all if record.error is not None]
        first = f"; trial {failed[0].trial} said: {failed[0].found.error}" if failed else ""
        name = metric or self.facts.metric
        return f"no trial has reported a finite {name!r} ({len(self.all)} trials, {len(failed)} failed{first})"


def best_saved(checkpoints: Sequence[tuple[Checkpoint, dict[str, Any]]], metric: str, mode: str) -> Checkpoint | None:
    """Return what was saved with the best value; None if nothing was saved with a finite one.

    Raises:
        ValueError: there is no such mode, or no checkpoint was reported with that metric.
    """
    scored = _scored(checkpoints, metric)
    if checkpoints and not scored:
        raise ValueError(f"no checkpoint was reported with {metric!r}")
    return best_of(scored, mode)


def local_filesystem() -> Any:  # noqa: ANN401 - of pyarrow, which has no types
    """Return pyarrow's word for the disks of this machine.

    Raises:
        ImportError: pyarrow is not installed.
    """
    try:
        from pyarrow.fs import LocalFileSystem  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError("filesystem needs pyarrow, which is not installed; path is a path of this machine") from error
    return LocalFileSystem()


def frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Make a table.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("tables of results need pandas: pip install 'trialwright[pandas]'") from error
    return pd.DataFrame(rows)


def flat(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result as a row of a table: nested names are joined with ``/``."""
    return names.flatten(result)


def _scored(given: Sequence[tuple[T, dict[str, Any]]], metric: str) -> list[tuple[float, T]]:
    """Return what was reported with a number of this name, behind that number."""
    read = [(number(flat(result).get(metric)), each) for each, result in given]
    return [(value, each) for value, each in read if value is not None]
