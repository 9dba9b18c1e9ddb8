"""fANOVA: the part of a metric's variance over the whole space that each parameter alone explains.

Hutter, Hoos and Leyton-Brown 2014 (ICML, "An efficient approach for assessing hyperparameter importance"): a random
forest is fitted, and its main effects are computed exactly from the boxes of its leaves. What several parameters do
together counts for none of them.

A forest fits noise too. So the parts are multiplied by what it explains of the variance of trials that its trees have
not seen (R squared, out of bag): a parameter without effect is at 0 then, even if there is no other.

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
CHECKED_MAX = 300  # trials that the forest is checked with


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
        effects = _effects(points, values[rows], resamples, rng)
        drawn[:, group] = effects[:, [among.index(place) for place in group]]
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


def _effects(points: Binned, values: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Return the parts of all parameters by the tree of each resample, shape (resamples, d)."""
    n = len(values)
    seen = rng.permutation(n)[:CHECKED_MAX]
    sums, counts = np.zeros(len(seen)), np.zeros(len(seen))
    effects = []
    for _ in range(resamples):
        rows = rng.integers(0, n, min(n, ROWS_MAX))
        tree = grow(points.take(rows), values[rows], rng)
        effects.append(tree.effects())
        new = ~np.isin(seen, rows)
        sums[new] += tree.at(points.take(seen[new]))
        counts[new] += 1
    known = counts > 0
    return np.array(effects) * _explained(values[seen[known]], sums[known] / counts[known])


def _explained(values: Floats, predicted: Floats) -> float:
    """Return the part of the variance of the values that the predictions explain, at least 0."""
    variance = values.var()
    return max(0.0, float(1 - np.mean((values - predicted) ** 2) / variance)) if variance > 0 else 0.0
