"""The surface of a metric over two parameters, between the trials.

n: trials that have both parameters.
"""

from __future__ import annotations

import numpy as np

from trialwright.columns import Column
from trialwright.plots.picture import Surface
from trialwright.space.values import Floats, Ints

CELLS = 40  # along each axis: of more trials than this, close ones are averaged
GRID = 60  # places along each axis


def surface(x: Column, y: Column, values: Floats, rows: Ints, name: str) -> Surface | None:
    """Return a metric, linear on the triangles between the trials; None if these are on one line.

    Args:
        x: one parameter.
        y: another.
        values: of the metric, for all trials.
        rows: the n trials that have both.
        name: of the metric.
    """
    from scipy.interpolate import LinearNDInterpolator  # half a second: only who draws contours waits for it
    from scipy.spatial import QhullError

    units = np.column_stack([_units(column.scaled[rows]) for column in (x, y)])
    cells, places = np.unique(_cells(units), axis=0, return_inverse=True)
    counts = np.bincount(places.ravel())
    centres = [np.bincount(places.ravel(), axis) / counts for axis in (*units.T, values[rows])]
    if len(cells) < 4:
        return None
    try:
        between = LinearNDInterpolator(np.column_stack(centres[:2]), centres[2])
    except QhullError:
        return None
    (x_units, x_grid), (y_units, y_grid) = (_grid(column, rows) for column in (x, y))
    return Surface(x_grid, y_grid, np.asarray(between(*np.meshgrid(x_units, y_units))), name)


def _units(there: Floats) -> Floats:
    low, high = there.min(), there.max()
    return np.asarray((there - low) / (high - low)) if high > low else np.zeros(len(there))


def _cells(units: Floats) -> Floats:
    """Return what trials have in common that are averaged: the same place, or, of many trials, the same cell."""
    return units if len(units) <= CELLS**2 else np.floor(units * (CELLS - 1e-9))


def _grid(column: Column, rows: Ints) -> tuple[Floats, Floats]:
    """Return places along an axis, from 0 to 1 and as the axis has them; categories are these places themselves."""
    there = column.scaled[rows]
    places = np.unique(there) if column.names is not None else np.linspace(there.min(), there.max(), GRID)
    return _units(places), 10**places if column.log else places
