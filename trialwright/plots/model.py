"""Plots of the model of all results: its mean and its uncertainty along one or two parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import product
from typing import Any

import numpy as np

from trialwright.columns import Column
from trialwright.nested import flatten
from trialwright.plots.drawing import Backend, show
from trialwright.plots.picture import Axis, Band, Dots, Line, Panel, Picture, Surface
from trialwright.plots.source import DOTS_MAX, Run, Scored, chosen, fewer, notes, read, scored, spread
from trialwright.result_protocol import AnyResult, metric_of
from trialwright.space.values import Floats

PLACES = 60  # along one parameter
SIDE = 25  # along each of two


def model(
    result: Run,
    parameters: Sequence[str] | None = None,
    metric: str | None = None,
    *,
    base: Mapping[str, Any] | None = None,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw what a Gaussian process of all results expects along one parameter, with the 95 % interval; or along two,
    the mean and half the width of the interval. All other parameters are as in ``base``.

    Args:
        result: of a run.
        parameters: one or two; by default the most important one (see ``Result.importance``).
        metric: an objective; the first if it is not given.
        base: a configuration; that of the best trial if it is not given.
        ax: where to draw, with matplotlib, for one parameter.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: there are more than two parameters, or ``base`` does not have one; no trial has a value; or a loaded
            run does not know its space.
        ImportError: the backend is not installed.
    """
    result = read(result)
    return show(model_picture(result, metric_of(result, metric), parameters, base), ax, backend)


def model_picture(
    result: AnyResult, metric: str, parameters: Sequence[str] | None, base: Mapping[str, Any] | None
) -> Picture:
    """Return one panel along one parameter, two along two."""
    if parameters is not None and len(parameters) > 2:
        raise ValueError(f"the model can be drawn along one or two parameters, not {len(parameters)}")
    known = scored(result, metric)
    columns, _ = chosen(result, known, parameters, 1)
    whole = base or result.best().config
    for column in columns:
        if column.name not in flatten(whole):
            raise ValueError(f"the base configuration has no {column.name!r}: give base=... of another branch")
    note = "others as in the best trial" if base is None else "others as in base"
    if len(columns) == 1:
        return _along(result, known, columns[0], whole, note)
    return _over(result, known, (columns[0], columns[1]), whole, note)


def _along(result: AnyResult, known: Scored, column: Column, base: Mapping[str, Any], note: str) -> Picture:
    places, values = _grid(known, column, PLACES)
    found = result.predict([_with(base, {column.name: value}) for value in values], known.metric)
    there = np.flatnonzero(column.active)
    rows = there[spread(len(there), DOTS_MAX)]
    labels = tuple(f"trial {known.trials[row].id}" for row in rows)
    line = Line(places, found.mean, "mean of the model", is_best=True)
    band, dots = Band(places, found.low, found.high, line.name), Dots(column.values[rows], known.values[rows], labels)
    axis = Axis(column.name, column.log, column.names)
    note = notes("95 % interval", note, fewer(len(rows), len(there)))
    return Picture((Panel(axis, Axis(known.metric), (line, band, dots), note=note),))


def _over(
    result: AnyResult, known: Scored, columns: tuple[Column, Column], base: Mapping[str, Any], note: str
) -> Picture:
    (x, x_values), (y, y_values) = (_grid(known, column, SIDE) for column in columns)
    names = [column.name for column in columns]
    pairs = [dict(zip(names, pair[::-1], strict=True)) for pair in product(y_values, x_values)]
    found = result.predict([_with(base, pair) for pair in pairs], known.metric)
    shape = (len(y), len(x))
    both = np.flatnonzero(columns[0].active & columns[1].active)
    rows = both[spread(len(both), DOTS_MAX)]
    places = [column.values[rows] for column in columns]
    dots = Dots(places[0], places[1], tuple(f"trial {known.trials[row].id}" for row in rows), faint=True)
    axes = [Axis(column.name, column.log, column.names) for column in columns]
    heights = {"mean": found.mean, "half of the 95 % interval": (found.high - found.low) / 2}
    panels = [
        Panel(axes[0], axes[1], (Surface(x, y, z.reshape(shape), known.metric), dots), title, note)
        for title, z in heights.items()
    ]
    return Picture(tuple(panels))


def _grid(known: Scored, column: Column, most: int) -> tuple[Floats, list[object]]:
    """Return places along an axis, and the value of the parameter at each: the categories that were tried, or numbers
    between the least and the largest that was."""
    there = np.flatnonzero(column.active)
    places, first = np.unique(column.values[there], return_index=True)
    if column.names is not None:
        return places, [_value(known, column, row) for row in there[first].tolist()]
    even = np.linspace(column.scaled[there].min(), column.scaled[there].max(), most)
    between = np.clip(10**even if column.log else even, places[0], places[-1])  # powers miss the ends by a last digit
    if all(isinstance(_value(known, column, row), int) for row in there.tolist()):
        whole = np.unique(between.round())
        return whole, [int(place) for place in whole]
    return between, between.tolist()


def _value(known: Scored, column: Column, row: int) -> object:
    config = flatten(known.trials[row].config)
    return config[column.name if column.name in config else column.name.removeprefix("config/")]


def _with(base: Mapping[str, Any], changes: Mapping[str, object]) -> dict[str, Any]:
    """Return the configuration with other values at these places ("model/lr")."""
    config = deepcopy(dict(base))
    for path, value in changes.items():
        *parents, last = path.split("/")
        inside = config
        for parent in parents:
            inside = inside[parent]
        inside[last] = value
    return config
