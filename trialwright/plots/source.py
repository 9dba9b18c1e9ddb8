"""What plots read of a run: its trials with a value, their parameters as columns, and fewer of them if there are many.

n: trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np

from trialwright.columns import Column, columns
from trialwright.errors import nearest
from trialwright.importance import Settings, measure
from trialwright.result_protocol import AnyResult, AnyTrial, check_reported
from trialwright.space.values import Floats, Ints, is_finite

DOTS_MAX = 5000
PLACES_MAX = 1000  # of a line


@runtime_checkable
class HasResult(Protocol):
    """What a result can be had from, as ``tune.ResultGrid`` and ``tune.ExperimentAnalysis``."""

    def as_result(self) -> AnyResult:
        """Return the result of the run."""


Run: TypeAlias = AnyResult | HasResult
Runs: TypeAlias = Run | Sequence[Run] | Mapping[str, Run | Sequence[Run]]


def read(given: Run) -> AnyResult:
    """Return the result that was given, or that can be had from what was given."""
    return given.as_result() if isinstance(given, HasResult) else given


def named(given: Runs, others: Runs = ()) -> dict[str, list[AnyResult]]:
    """Return groups of runs by their names: those of a mapping, else each run alone by its own name.

    Raises:
        ValueError: there is no run.
    """
    groups = _named(given)
    for name, runs in _named(others).items():
        groups[_free(name, groups)] = runs
    if not groups or not all(groups.values()):
        raise ValueError(f"there is no run to draw{''.join(f' in {name!r}' for name in groups if not groups[name])}")
    return groups


def _named(given: Runs) -> dict[str, list[AnyResult]]:
    if isinstance(given, Mapping):
        return {name: _listed(runs) for name, runs in given.items()}
    groups: dict[str, list[AnyResult]] = {}
    for run in _listed(given):
        groups[_free(run.name, groups)] = [run]
    return groups


def _listed(given: Run | Sequence[Run]) -> list[AnyResult]:
    # A result is a sequence of trials itself, but no list.
    return [read(run) for run in given] if isinstance(given, list | tuple) else [read(given)]  # type: ignore[arg-type]


def _free(name: str, taken: Mapping[str, object]) -> str:
    tries = (name if number == 1 else f"{name} ({number})" for number in range(1, len(taken) + 2))
    return next(each for each in tries if each not in taken)


@dataclass(frozen=True)
class Scored:
    """The n trials that have a finite value of the metric, and these; ``missing`` other trials have none."""

    metric: str
    trials: list[AnyTrial]
    values: Floats
    missing: int

    @property
    def note(self) -> str:
        """How many trials are not shown because they have no value; an empty string for none."""
        return f"{self.missing:,} trials without a finite {self.metric}" if self.missing else ""


def scored(result: AnyResult, metric: str) -> Scored:
    """Return the trials that have a last value of the metric.

    Raises:
        ValueError: none has; with the nearest name that was reported.
    """
    trials = [*result]
    there = [trial for trial in trials if is_finite(trial.metrics.get(metric))]
    if not there:
        check_reported(result, metric)
        raise ValueError(f"there is nothing to draw: none of the {len(trials)} trials has a finite {metric!r}")
    values = np.array([float(trial.metrics[metric]) for trial in there])
    return Scored(metric, there, values, len(trials) - len(there))


def parameters_of(result: AnyResult, known: Scored) -> list[Column]:
    """Return the columns of the scored trials, constant ones too. A parameter may be called what the metric is: it is
    ``config/<name>`` then."""
    found = columns([trial.config for trial in known.trials], result.logarithmic)
    return [
        Column(f"config/{each.name}", each.values, each.names, each.log) if each.name == known.metric else each
        for each in found
    ]


def chosen(result: AnyResult, known: Scored, names: Sequence[str] | None, most: int) -> tuple[list[Column], str]:
    """Return the parameters to draw, and a note if some are missing: those of these names, else those that vary, and of
    too many the most important.

    Raises:
        ValueError: there is no such parameter (with the nearest name), or none varies.
    """
    found = {column.name: column for column in parameters_of(result, known)}
    for name in names or ():
        if name not in found:
            raise ValueError(f"there is no parameter {name!r}{nearest(name, found)}")
    if names:
        return [found[name] for name in names], ""
    varied = [column for column in found.values() if not column.is_constant]
    if not varied:
        raise ValueError(f"there is nothing to draw: no parameter varies among {len(known.trials)} trials")
    if len(varied) <= most:
        return varied, ""
    return _important(result, known, varied)[:most], f"{most} of {len(varied)} parameters: the most important"


def _important(result: AnyResult, known: Scored, varied: list[Column]) -> list[Column]:
    sign = -1.0 if dict(result.objectives).get(known.metric) == "max" else 1.0
    try:
        found = measure(varied, sign * known.values, known.metric, Settings(resamples=20))
    except ValueError:  # of few trials, none is known to matter more
        return varied
    order = {each.parameter: place for place, each in enumerate(found)}
    return sorted(varied, key=lambda column: order.get(column.name, len(order)))


def spread(n: int, most: int) -> Ints:
    """Return at most so many of the places 0 to n - 1, evenly spread, with the first and the last."""
    return np.arange(n) if n <= most else np.unique(np.linspace(0, n - 1, most).round().astype(np.int64))


def fewer(shown: int, n: int, what: str = "trials") -> str:
    """Say how many are drawn; an empty string if all are."""
    return f"{shown:,} of {n:,} {what} drawn" if shown < n else ""


def notes(*each: str) -> str:
    """Join notes."""
    return "; ".join(filter(None, each))
