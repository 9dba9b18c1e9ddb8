"""What is drawn, as numbers: from a result to points."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from trialwright.results import Result, TrialResult


@dataclass(frozen=True)
class Curve:
    """What one trial reported."""

    trial: int
    x: list[float]
    y: list[float]


@dataclass(frozen=True)
class History:
    """Trials in the order in which they ended: what each came to, and the best until then."""

    trials: list[int]
    values: list[float]
    best: list[float]


@dataclass(frozen=True)
class Axis:
    """One parameter, or the metric: a position for each trial, and names for positions where it is no number."""

    name: str
    positions: list[float]
    names: list[str] | None = None


@dataclass(frozen=True)
class Survival:
    """How many trials have come at least this far."""

    x: list[float]
    count: list[int]


def metric_of(result: Result, metric: str | None) -> str:
    """Return the metric to draw.

    Raises:
        ValueError: neither the call nor the run names one.
    """
    chosen = metric or result.metric
    if chosen is None:
        raise ValueError("which metric? The run was given none, so say metric=...")
    return chosen


def curves(result: Result, metric: str, x: str) -> list[Curve]:
    """Return a curve for each trial that reported ``metric``, over ``x``."""
    found = []
    for trial in result:
        points = [
            (row[x], row[metric]) for row in trial.history if _is_number(row.get(x)) and _is_number(row.get(metric))
        ]
        if points:
            found.append(Curve(trial.id, [point[0] for point in points], [point[1] for point in points]))
    return found


def history(result: Result, metric: str) -> History:
    """Return what trials came to, in the order in which they ended."""
    ended = sorted(_scored(result, metric), key=lambda trial: (trial.ended or 0.0, trial.id))
    values = [float(trial.metrics[metric]) for trial in ended]
    best = list(accumulate(values, min if result.mode == "min" else max))
    return History([trial.id for trial in ended], values, best)


def coordinates(result: Result, metric: str) -> list[Axis]:
    """Return an axis for each parameter that is not the same for all, and one for the metric, which is the last."""
    trials = _scored(result, metric)
    configs = [dict(_flat(trial.config, "")) for trial in trials]
    names = list(dict.fromkeys(name for config in configs for name in config))
    axes = [
        _axis(f"config/{name}" if name == metric else name, [config.get(name) for config in configs]) for name in names
    ]
    varied = [axis for axis in axes if len(set(axis.positions)) > 1]
    return [*varied, Axis(metric, [float(trial.metrics[metric]) for trial in trials])]


def survival(result: Result, x: str) -> Survival:
    """Return how many trials have come how far, by the last ``x`` that each reported."""
    reached = sorted(float(trial.metrics[x]) for trial in result if _is_number(trial.metrics.get(x)))
    places = sorted(set(reached))
    return Survival([0.0, *places], [len(reached), *(len(reached) - bisect_left(reached, place) for place in places)])


def _axis(name: str, values: list[Any]) -> Axis:
    if all(_is_number(value) for value in values):
        return Axis(name, [float(value) for value in values])
    texts = [str(value) for value in values]
    names = sorted(set(texts))
    return Axis(name, [float(names.index(text)) for text in texts], names)


def _scored(result: Result, metric: str) -> list[TrialResult]:
    return [trial for trial in result if _is_number(trial.metrics.get(metric))]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _flat(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value
