"""What is drawn, as numbers: from a result to points."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from typing import Any, Protocol

from trialwright.errors import nearest
from trialwright.loading import load
from trialwright.nested import flatten
from trialwright.results import Result, TrialResult


@dataclass(frozen=True)
class Curve:
    """What one trial reported."""

    trial: int
    x: list[float]
    y: list[float]


@dataclass(frozen=True)
class History:
    """Trials in the order in which they ended: what each came to, and the best until then: NaN before one that may be
    the best, and nothing at all for a metric that is no objective, because it has no direction."""

    trials: list[int]
    values: list[float]
    best: list[float]


@dataclass(frozen=True)
class Axis:
    """One parameter, or the metric: a position for each trial, NaN where its configuration does not have the parameter,
    and names for positions where it is no number."""

    name: str
    positions: list[float]
    names: list[str] | None = None
    log: bool = False

    @property
    def scaled(self) -> list[float]:
        """The positions as they are drawn: on a logarithmic axis as powers of ten."""
        return [math.log10(position) for position in self.positions] if self.log else self.positions

    def label(self, scaled: float) -> str:
        """Say what stands at a place of the axis as it is drawn."""
        if self.names is not None:
            return self.names[int(scaled)]
        return f"{10**scaled if self.log else scaled:.4g}"


@dataclass(frozen=True)
class Survival:
    """How many trials have come at least this far."""

    x: list[float]
    count: list[int]


class Kept(Protocol):
    """What was found by a run that is kept in a directory, as ``tune.ResultGrid`` and ``tune.ExperimentAnalysis``."""

    @property
    def experiment_path(self) -> str:
        """The run's directory."""


def read(given: Result | Kept) -> Result:
    """Return the result of a run, which is read from its directory if it is not given itself.

    Raises:
        ValueError: there is no run in the directory.
    """
    return given if isinstance(given, Result) else load(given.experiment_path)


def metric_of(result: Result, metric: str | None) -> str:
    """Return the metric to draw.

    Raises:
        ValueError: neither the call nor the run names one.
    """
    chosen = metric or result.metric
    if chosen is None:
        raise ValueError("the run has no metric: give metric=...")
    return chosen


def curves(result: Result, metric: str, x: str) -> list[Curve]:
    """Return a curve for each trial that reported ``metric``, over ``x``."""
    found = []
    for trial in result:
        points = [
            (row[x], row[metric]) for row in trial.history if _is_number(row.get(x)) and _is_number(row.get(metric))
        ]
        if points:  # a metric may be reported by some trials only
            found.append(Curve(trial.id, [point[0] for point in points], [point[1] for point in points]))
    for name in () if found else (metric, x):
        _check_reported(result, name)
    return found


def history(result: Result, metric: str) -> History:
    """Return what trials came to, in the order in which they ended: the best value of an objective, by its own
    direction and among the reports that meet the outcome constraints; else the last value."""
    mode = dict(result.objectives).get(metric)
    ended = sorted(_scored(result, metric), key=lambda trial: (trial.ended or 0.0, trial.id))
    bests = [_best(result, trial, metric, mode) for trial in ended] if mode else []
    values = [float(trial.metrics[metric]) for trial in ended]
    values = [last if math.isnan(best) else best for last, best in zip_longest(values, bests, fillvalue=math.nan)]
    choose = min if mode == "min" else max
    so_far = accumulate(bests, lambda old, new: choose(filter(math.isfinite, (old, new)), default=math.nan))
    return History([trial.id for trial in ended], values, list(so_far))


def _best(result: Result, trial: TrialResult, metric: str, mode: str) -> float:
    """Return the best value that may be the best of a run; NaN if there is none."""
    if metric == result.metric:
        return trial.best[0] if trial.best else math.nan
    rows = [row for row in trial.history if all(goal.met(row) for goal in result.constraints)]
    values = [float(row[metric]) for row in rows if _is_number(row.get(metric))]
    return (min if mode == "min" else max)(values, default=math.nan)


def coordinates(result: Result, metric: str) -> list[Axis]:
    """Return an axis for each parameter that is not the same for all, and one for the metric, which is the last."""
    trials = _scored(result, metric)
    configs = [flatten(trial.config) for trial in trials]
    names = list(dict.fromkeys(name for config in configs for name in config))
    axes = [_axis(name, configs, log=name in result.logarithmic, taken=metric) for name in names]
    varied = [axis for axis in axes if len(set(filter(math.isfinite, axis.positions))) > 1]
    return [*varied, Axis(metric, [float(trial.metrics[metric]) for trial in trials])]


def survival(result: Result, x: str) -> Survival:
    """Return how many trials have come how far, by the last ``x`` that each reported."""
    reached = sorted(float(trial.metrics[x]) for trial in result if _is_number(trial.metrics.get(x)))
    places = sorted(set(reached))
    return Survival([0.0, *places], [len(reached), *(len(reached) - bisect_left(reached, place) for place in places)])


def _axis(name: str, configs: list[dict[str, Any]], *, log: bool, taken: str) -> Axis:
    label = f"config/{name}" if name == taken else name  # a parameter may be called what the metric is
    given = [config[name] for config in configs if name in config]
    if all(_is_number(value) for value in given):
        positions = [float(config.get(name, math.nan)) for config in configs]
        return Axis(label, positions, log=log and all(value > 0 for value in given))
    values = {str(value): value for value in given}
    # Numbers in their own order, then names: as text, 10 would come before 2.
    names = sorted(values, key=lambda text: (0, values[text], "") if _is_number(values[text]) else (1, 0, text))
    places = {text: float(place) for place, text in enumerate(names)}
    return Axis(label, [places[str(config[name])] if name in config else math.nan for config in configs], names)


def _scored(result: Result, metric: str) -> list[TrialResult]:
    scored = [trial for trial in result if _is_number(trial.metrics.get(metric))]
    if not scored:
        _check_reported(result, metric)
    return scored


def _check_reported(result: Result, metric: str) -> None:
    """Refuse a metric that no trial has reported, where others have been."""
    known = {name for trial in result for name in trial.metrics}
    if known and metric not in known:
        raise ValueError(f"no trial has reported {metric!r}{nearest(metric, known)}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
