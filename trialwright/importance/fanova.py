"""fANOVA: the part of a metric's variance over the whole space that each parameter alone explains.

Hutter, Hoos and Leyton-Brown 2014 (ICML, "An efficient approach for assessing hyperparameter importance"): a random
forest is fitted, and its main effects are computed exactly from the boxes of its leaves. What several parameters do
together counts for none of them.

On a conditional space, parameters that the same trials have are judged together, by trees of these trials alone; each
tree knows all parameters that these trials have.

n: trials. d: parameters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialwright.columns import Column
from trialwright.importance.forest import Binned, grow
from trialwright.space.values import Floats

ROWS_MAX = 1000  # of a tree; each draws its own


def scores(columns: list[Column], values: Floats, resamples: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the part of each parameter, shape (d,), and that in each resample, shape (resamples, d).

    Args:
        columns: d parameters in n trials.
        values: shape (n,), finite.
        resamples: how often trials are drawn with replacement, at most ROWS_MAX; each grows a tree of its own. Together
            they are the forest.
        rng: draws them.
    """
    drawn = np.zeros((resamples, len(columns)))
    for group in _groups(columns):
        active = columns[group[0]].active
        rows = np.flatnonzero(active)
        among = [place for place, each in enumerate(columns) if each.active[rows].all() and _varies(each, rows)]
        points = Binned.of(np.column_stack([_units(columns[place], values, rows) for place in among]))
        for row in drawn:
            effects = dict(zip(among, _effects(points, values[rows], rng), strict=True))
            row[group] = [effects[place] for place in group]
    return drawn.mean(axis=0), drawn


def _groups(columns: list[Column]) -> Iterator[list[int]]:
    """Yield the places of parameters that the same trials have."""
    groups: dict[bytes, list[int]] = {}
    for place, column in enumerate(columns):
        groups.setdefault(column.active.tobytes(), []).append(place)
    yield from groups.values()


def _varies(column: Column, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> bool:
    there = column.values[rows]
    return bool(there.min() < there.max())


def _units(column: Column, values: Floats, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    """Return where the values lie between 0 and 1, shape (n,). Categories lie in the order of their mean values, so
    that one cut parts the better from the worse (Breiman et al. 1984)."""
    there = column.scaled[rows]
    if column.names is None:
        low, high = there.min(), there.max()
        return np.asarray((there - low) / (high - low))
    _, places, counts = np.unique(there, return_inverse=True, return_counts=True)
    means = np.bincount(places, values[rows]) / counts
    order = np.argsort(np.argsort(means, kind="stable"), kind="stable")
    return np.asarray((order[places] + 0.5) / len(counts))


def _effects(points: Binned, values: Floats, rng: np.random.Generator) -> Floats:
    """Return the parts of all parameters by the tree of one resample, shape (d,)."""
    rows = rng.integers(0, len(values), min(len(values), ROWS_MAX))
    return grow(Binned(points.bins[rows], points.edges), values[rows], rng).effects()
