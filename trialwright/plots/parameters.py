"""Plots over parameters: parallel coordinates, slices, contours, ranks, importances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, Literal

import numpy as np

from trialwright.columns import Column
from trialwright.importance import Importance, Method, Settings
from trialwright.importance.of_result import importance
from trialwright.plots.drawing import Backend, show
from trialwright.plots.picture import Axis, Bars, Coordinate, Dots, Panel, Parallel, Picture, Surface
from trialwright.plots.source import DOTS_MAX, Run, Scored, chosen, fewer, notes, parameters_of, read, scored, spread
from trialwright.plots.surface import surface
from trialwright.result_protocol import AnyResult, metric_of
from trialwright.space.values import Floats, Ints

LINES_MAX = 500
BEST_LINES = 50  # of these, if not all are drawn
SLICES_MAX = 9


def parallel_coordinates(
    result: Run,
    metric: str | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw each trial as a line across its parameters, coloured by its last metric. Constant parameters are left out.
    Of more than 500 trials, 500 are drawn: the best 50, and others that are evenly spread over the run.

    Args:
        result: of a run.
        metric: the colour; the run's first metric if it is not given.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError, ImportError: as ``learning_curves``.
    """
    result = read(result)
    return show(parallel_picture(result, metric_of(result, metric)), ax, backend)


def parallel_picture(result: AnyResult, metric: str) -> Parallel:
    """Return a line for each of at most LINES_MAX trials."""
    known = scored(result, metric)
    mode = dict(result.objectives).get(metric, "min")
    rows = spread(len(known.trials), LINES_MAX)
    if len(rows) < len(known.trials):
        best = np.argsort(known.values if mode == "min" else -known.values, kind="stable")[:BEST_LINES]
        rows = np.union1d(spread(len(known.trials), LINES_MAX - BEST_LINES), best)
    axes = tuple(replace(axis, positions=axis.positions[rows]) for axis in coordinates(result, metric))
    few = fewer(len(rows), len(known.trials))
    note = notes(f"{few}, the best {BEST_LINES} too" if few else "", known.note)
    return Parallel(axes, mode, note=note)


def coordinates(result: AnyResult, metric: str) -> list[Coordinate]:
    """Return an axis for each parameter that is not the same for all, and one for the metric, which is the last."""
    known = scored(result, metric)
    varied = [column for column in parameters_of(result, known) if not column.is_constant]
    axes = [Coordinate(each.name, each.values, each.names, each.log) for each in varied]
    return [*axes, Coordinate(metric, known.values)]


def slices(
    result: Run,
    metric: str | None = None,
    parameters: Sequence[str] | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw the last value of the metric over each parameter, a panel a parameter; the colour is the trial's number.

    Args:
        result: of a run.
        metric: what to draw; the run's first metric if it is not given.
        parameters: over which; by default all that vary, and of more than nine the most important (see
            ``Result.importance``).
        ax: where to draw, with matplotlib, if it is one parameter.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: there is no such parameter, or none varies; else as ``learning_curves``.
        ImportError: the backend is not installed.
    """
    result = read(result)
    return show(slices_picture(result, metric_of(result, metric), parameters), ax, backend)


def slices_picture(result: AnyResult, metric: str, parameters: Sequence[str] | None) -> Picture:
    """Return a panel for each parameter."""
    known = scored(result, metric)
    columns, note = chosen(result, known, parameters, SLICES_MAX)
    return Picture(tuple(_slice(known, column, note if not place else "") for place, column in enumerate(columns)))


def _slice(known: Scored, column: Column, note: str) -> Panel:
    there = np.flatnonzero(column.active)
    rows = there[spread(len(there), DOTS_MAX)]
    numbers = np.array([float(known.trials[row].id) for row in rows])
    dots = Dots(column.values[rows], known.values[rows], _labels(known, rows), shade=numbers, shade_name="trial")
    missing = len(known.trials) - len(there)
    without = f"{missing:,} trials do not have it" if missing else ""
    return Panel(_axis(column), Axis(known.metric), (dots,), note=notes(note, fewer(len(rows), len(there)), without))


def _labels(known: Scored, rows: Ints) -> tuple[str, ...]:
    return tuple(f"trial {known.trials[row].id}: {known.values[row]:.6g}" for row in rows)


def _axis(column: Column) -> Axis:
    return Axis(column.name, column.log, column.names)


def contour(
    result: Run,
    metric: str | None = None,
    parameters: Sequence[str] | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw the metric over two parameters, as contours between the trials, a panel a pair. Between trials it is
    interpolated linearly; trials that are close are averaged first.

    Args:
        result: of a run.
        metric: what to draw; the run's first metric if it is not given.
        parameters: two or more, of which all pairs are drawn; by default the two that are most important (see
            ``Result.importance``).
        ax: where to draw, with matplotlib, if it is one pair.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: there are no two parameters that vary, or no trial has both; else as ``slices``.
        ImportError: the backend is not installed.
    """
    result = read(result)
    return show(pairs_picture(result, metric_of(result, metric), parameters, "contour"), ax, backend)


def rank(
    result: Run,
    metric: str | None = None,
    parameters: Sequence[str] | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw each trial over two parameters, coloured by its rank: 0 is the smallest value, 1 the largest. Outliers do
    not hide the others, as they do in the colours of values.

    Args:
        result: of a run.
        metric: what to draw; the run's first metric if it is not given.
        parameters: two or more, of which all pairs are drawn; by default the two that are most important (see
            ``Result.importance``).
        ax: where to draw, with matplotlib, if it is one pair.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: there are no two parameters that vary, or no trial has both; else as ``slices``.
        ImportError: the backend is not installed.
    """
    result = read(result)
    return show(pairs_picture(result, metric_of(result, metric), parameters, "rank"), ax, backend)


def pairs_picture(
    result: AnyResult, metric: str, parameters: Sequence[str] | None, kind: Literal["contour", "rank"]
) -> Picture:
    """Return a panel for each pair of parameters."""
    known = scored(result, metric)
    columns, note = chosen(result, known, parameters, 2)
    if len(columns) < 2:
        raise ValueError(f"{kind} needs two parameters that vary, and there is only {columns[0].name!r}")
    pairs = [*combinations(columns, 2)]
    return Picture(tuple(_pair(known, x, y, kind, note if not n else "") for n, (x, y) in enumerate(pairs)))


def _pair(known: Scored, x: Column, y: Column, kind: str, note: str) -> Panel:
    both = np.flatnonzero(x.active & y.active)
    if not len(both):
        raise ValueError(f"there is nothing to draw: no trial has both {x.name!r} and {y.name!r}")
    rows = both[spread(len(both), DOTS_MAX)]
    few = fewer(len(rows), len(both))
    missing = len(known.trials) - len(both)
    without = f"{missing:,} trials do not have both" if missing else ""
    dots = Dots(x.values[rows], y.values[rows], _labels(known, rows))
    if kind == "rank":
        ranked = replace(dots, shade=_ranks(known.values[both])[np.isin(both, rows)], shade_name="rank")
        return Panel(_axis(x), _axis(y), (ranked,), note=notes(note, few, without))
    found = surface(x, y, known.values, both, known.metric)
    flat = "" if isinstance(found, Surface) else "the trials are on one line: no contours"
    marks = (found, replace(dots, faint=True)) if isinstance(found, Surface) else (dots,)
    return Panel(_axis(x), _axis(y), marks, note=notes(note, few, without, flat))


def _ranks(values: Floats) -> Floats:
    """Return ranks from 0 to 1; equal values have the mean of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middles[places] / max(len(values) - 1, 1))


def importances(
    result: Run,
    metric: str | None = None,
    *,
    method: Method = "ped-anova",
    mode: Literal["min", "max"] | None = None,
    resamples: int = 100,
    seed: int = 0,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw how much each parameter matters, with 95 % intervals.

    Args:
        result: of a run.
        metric: any that was reported; the first objective if it is not given.
        method: "ped-anova" or "fanova".
        mode: "min" or "max", for a metric that is no objective.
        resamples: the intervals come from so many resamples of the trials.
        seed: of the random numbers.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: as ``Result.importance``.
        ImportError: the backend is not installed.
    """
    settings = Settings(method=method, resamples=resamples, seed=seed)
    return show(importances_picture(importance(read(result), metric, mode, settings)), ax, backend)


def importances_picture(found: Importance) -> Picture:
    """Return a bar for each parameter, the most important on top."""
    rows = [*found]
    names = tuple(row.parameter + (f" ({row.trials:,} trials)" if row.trials < found.trials else "") for row in rows)
    bars = Bars(*np.array([[row.importance, row.low, row.high] for row in rows]).T)
    out = [f"{count:,} trials left out: {reason}" for reason, count in found.left_out.items()]
    title = f"{found.method}, {found.trials:,} trials"
    axis = Axis(f"importance for {found.metric}")
    return Picture((Panel(axis, Axis("", names=names), (bars,), title, notes(*out), legend=False),))
