"""The trials of a run that is over (or was interrupted), as ``ResultGrid`` and ``ExperimentAnalysis`` show them.

Nothing is read from the journal before somebody asks for it: a run may have many trials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from trialwright.results import TrialResult
from trialwright.storage import checkpoints
from trialwright.tune import names
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.error import TrialError
from trialwright.tune.trial import RunFacts, Trial

if TYPE_CHECKING:
    import pandas as pd


class Record:
    """One trial and what it reported.

    Args:
        found: the trial, as the engine tells of it.
        facts: about its run.
    """

    def __init__(self, found: TrialResult, facts: RunFacts) -> None:
        self.found, self.facts = found, facts

    @cached_property
    def trial(self) -> Trial:
        """The trial, with its last result."""
        return Trial.of_result(self.facts, self.found)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """All its reports, with the engine's names."""
        return self.found.history

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """All its reports, as users see them."""
        trial = Trial.of_result(self.facts, self.found)
        shown = [trial.note(row) for row in self.rows]
        for result in shown[:-1]:
            result["done"] = False
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
            for step, result in enumerate(self.results, start=self._first_step)
            if step in saved
        ]

    def dataframe(self) -> pd.DataFrame:
        """Return one row a report.

        Raises:
            ImportError: pandas is not installed.
        """
        return frame([flat(result) for result in self.results])

    def value(self, metric: str, mode: str, scope: str) -> float:
        """Return what the trial is judged by; NaN if it has not reported such a number.

        Args:
            metric: by the user's name.
            mode: "min" or "max".
            scope: one of ``SCOPES``.
        """
        name = names.to_engine(metric)
        if scope == "last":
            return _number(self.found.metrics.get(name))
        values = [value for row in self.rows if not math.isnan(value := _number(row.get(name)))]
        return SCOPES[scope](values, mode) if values else math.nan

    @property
    def _first_step(self) -> int:
        return int(self.rows[0]["step"]) if self.rows else 1


@dataclass(frozen=True)
class Records:
    """All trials of a run.

    Args:
        found: the trials, as the engine tells of them.
        facts: about the run.
        directory: the run's.
        path: how people call that: by a link, if there is one.
    """

    found: Sequence[TrialResult]
    facts: RunFacts
    directory: Path | None
    path: str | None

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
            finite: NaN and infinities do not count.

        Raises:
            ValueError: there is no metric, no mode, or no such scope.
        """
        metric, mode = self.metric(metric), self.mode(mode)
        if scope not in SCOPES:
            raise ValueError(f"scope must be one of {', '.join(map(repr, SCOPES))}, not {scope!r}")
        sign = -1 if mode == "max" else 1
        scored = [(sign * record.value(metric, mode, scope), record) for record in self.all]
        fit = [each for each in scored if (math.isfinite(each[0]) if finite else not math.isnan(each[0]))]
        return min(fit, key=lambda each: (each[0], each[1].found.id))[1] if fit else None

    def metric(self, given: str | None) -> str:
        """Return the metric that is meant.

        Raises:
            ValueError: there is none.
        """
        metric = given or self.facts.metric
        if metric is None:
            raise ValueError("by which metric? The run was given none: give metric='...' here")
        return metric

    def mode(self, given: str | None) -> str:
        """Return the mode that is meant.

        Raises:
            ValueError: there is none, or it is no mode.
        """
        mode = given or self.facts.mode
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
        return mode


def local_filesystem() -> Any:  # noqa: ANN401 - of pyarrow, which has no types
    """Return pyarrow's word for the disks of this machine.

    Raises:
        ImportError: pyarrow is not installed.
    """
    try:
        from pyarrow.fs import LocalFileSystem  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError(
            "filesystem is of pyarrow's kind, which is not installed: paths are of this machine"
        ) from error
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


def _extreme(values: list[float], mode: str) -> float:
    return max(values) if mode == "max" else min(values)


def _mean_of_last(count: int | None) -> Callable[[list[float], str], float]:
    return lambda values, _: fmean(values if count is None else values[-count:])


SCOPES: dict[str, Callable[[list[float], str], float]] = {
    "last": lambda values, _: values[-1],
    "all": _extreme,
    "avg": _mean_of_last(None),
    "last-5-avg": _mean_of_last(5),
    "last-10-avg": _mean_of_last(10),
}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
