"""A regression tree as the boxes of its leaves, what it predicts, and what it says of one parameter alone.

It is grown as Breiman's are (2001, "Random forests"): each cut is the one that leaves least variance, among those of
some parameters drawn at random. Values are put into bins before, and all nodes of one depth are cut at once, which is
fast in NumPy.

n: trials. d: parameters. b: bins of each parameter. k: nodes of one depth. m: leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trialwright.space.values import Bools, Floats, Ints

BINS_MAX = 32
LEAF_MIN = 3  # trials in a leaf
PART = 2 / 3  # of the parameters that each cut is chosen from
LEAST_GAIN = 1e-9  # of a cut, in variances of a single trial: less is rounding


@dataclass(frozen=True)
class Binned:
    """Points of the unit cube in bins: ``bins``, shape (n, d), and where these begin and end, ``edges``, shape
    (d, b + 1). A parameter with fewer bins has its last edges at 1."""

    bins: Ints
    edges: Floats

    @classmethod
    def of(cls, x: Floats) -> Binned:
        """Return points, shape (n, d), in bins with equally many points; equal values are in one bin."""
        cuts = [_cuts(column) for column in x.T]
        edges = np.ones((len(cuts), max(map(len, cuts)) + 2))
        edges[:, 0] = 0.0
        for row, own in zip(edges, cuts, strict=True):
            row[1 : len(own) + 1] = own
        bins = [np.searchsorted(own, column) for own, column in zip(cuts, x.T, strict=True)]
        return cls(np.column_stack(bins).astype(np.int64), edges)

    def take(self, rows: Ints) -> Binned:
        """Return these points."""
        return Binned(self.bins[rows], self.edges)

    @property
    def middles(self) -> Floats:
        """The middle of the bin of each point, shape (n, d)."""
        columns = np.arange(len(self.edges))
        return np.asarray((self.edges[columns, self.bins] + self.edges[columns, self.bins + 1]) / 2)


def _cuts(values: Floats) -> Floats:
    different = np.unique(values)
    middles = (different[1:] + different[:-1]) / 2
    if len(middles) < BINS_MAX:
        return np.asarray(middles)
    return np.unique(np.quantile(values, np.arange(1, BINS_MAX) / BINS_MAX))


@dataclass(frozen=True)
class Leaves:
    """The leaves of a tree over the unit cube: boxes from ``low`` to ``high``, shape (m, d), which fill it, and the
    ``value`` in each, shape (m,)."""

    low: Floats
    high: Floats
    value: Floats

    def at(self, points: Binned) -> Floats:
        """Return the value at each point, shape (n,)."""
        x = points.middles[:, None]
        return np.asarray(self.value[np.argmax(((self.low < x) & (x < self.high)).all(axis=2), axis=1)])

    def effects(self) -> Floats:
        """Return the part of the tree's variance that each parameter alone explains, shape (d,); 0 for a tree of one
        leaf (Hutter, Hoos and Leyton-Brown 2014, algorithm 2, where each point of the cube counts the same)."""
        width = self.high - self.low
        volume = np.prod(width, axis=1)
        apart = self.value - volume @ self.value
        total = float(volume @ apart**2)
        if total <= 0:
            return np.zeros(width.shape[1])
        steps = (volume * apart)[:, None] / width
        effects = [_variance(*column) for column in zip(self.low.T, self.high.T, steps.T, strict=True)]
        return np.asarray(np.array(effects) / total)


def _variance(low: Floats, high: Floats, steps: Floats) -> float:
    """Return the variance of a parameter's marginal: between two ends of boxes it is the sum of ``steps``, shape (m,),
    over the boxes there."""
    edges = np.unique(np.concatenate([low, high]))
    begins, ends = np.searchsorted(edges, low), np.searchsorted(edges, high)
    changes = np.bincount(begins, steps, len(edges)) - np.bincount(ends, steps, len(edges))
    return float(np.diff(edges) @ np.cumsum(changes)[:-1] ** 2)


class _Nodes(NamedTuple):
    """The nodes of one depth: the bins where each begins and ends, shape (k, d), and the node of each of its rows."""

    low: Ints
    high: Ints
    rows: Ints
    node: Ints


class _Cuts(NamedTuple):
    """The cut of each node: whether it helps, of which parameter, and the last bin on the left; each shape (k,)."""

    helps: Bools
    column: Ints
    at: Ints


def grow(points: Binned, y: Floats, rng: np.random.Generator) -> Leaves:
    """Grow one tree for the values y, shape (n,); ``rng`` draws the parameters that each cut is chosen from."""
    (n, d), b = points.bins.shape, points.edges.shape[1] - 1
    mean, sd = y.mean(), y.std() or 1.0
    y = (y - mean) / sd
    nodes = _Nodes(np.zeros((1, d), np.int64), np.full((1, d), b), np.arange(n), np.zeros(n, np.int64))
    lows, highs, values = [], [], []
    while len(nodes.low):
        counts, sums = _sums(nodes, points.bins, y, b)
        cuts = _best(counts, sums, rng)
        leaf = ~cuts.helps
        lows.append(nodes.low[leaf])
        highs.append(nodes.high[leaf])
        values.append(sums[leaf, 0, -1] / counts[leaf, 0, -1])
        nodes = _halves(nodes, cuts, points.bins)
    columns = np.arange(d)
    low, high = points.edges[columns, np.concatenate(lows)], points.edges[columns, np.concatenate(highs)]
    return Leaves(low, high, mean + sd * np.concatenate(values))


def _sums(nodes: _Nodes, bins: Ints, y: Floats, b: int) -> tuple[Floats, Floats]:
    """Return how many rows each node has up to each bin of each parameter, and the sum of their values, both of shape
    (k, d, b)."""
    k, d = nodes.low.shape
    places = ((nodes.node[:, None] * d + np.arange(d)) * b + bins[nodes.rows]).ravel()
    counts = np.bincount(places, minlength=k * d * b).reshape(k, d, b)
    sums = np.bincount(places, np.repeat(y[nodes.rows], d), k * d * b).reshape(k, d, b)
    return np.cumsum(counts, axis=2, dtype=np.float64), np.cumsum(sums, axis=2)


def _best(counts: Floats, sums: Floats, rng: np.random.Generator) -> _Cuts:
    k, d, _ = counts.shape
    rest, total = counts[:, :, -1:] - counts, sums[:, :, -1:]
    allowed = (counts >= LEAF_MIN) & (rest >= LEAF_MIN)
    allowed &= (np.argsort(rng.random((k, d)), axis=1) < max(1, round(PART * d)))[:, :, None]
    gain = np.full(counts.shape, -1.0)
    left, right, whole = sums[allowed], (total - sums)[allowed], np.broadcast_to(total, sums.shape)[allowed]
    n, m = counts[allowed], rest[allowed]
    gain[allowed] = left**2 / n + right**2 / m - whole**2 / (n + m)
    column = np.argmax(gain.max(axis=2), axis=1)
    own = gain[np.arange(k), column]
    return _Cuts(own.max(axis=1) > LEAST_GAIN, column, _middles(own))


def _middles(gain: Floats) -> Ints:
    """Return the middle of the bins where the gain, shape (k, b), is largest: between two values of a node there may be
    many empty bins."""
    first, last = np.argmax(gain, axis=1), gain.shape[1] - 1 - np.argmax(gain[:, ::-1], axis=1)
    rows, middle = np.arange(len(gain)), (first + last) // 2
    return np.asarray(np.where(gain[rows, middle] == gain[rows, first], middle, first))


def _halves(nodes: _Nodes, cuts: _Cuts, bins: Ints) -> _Nodes:
    """Return the nodes of the next depth: two for each that is cut, side by side."""
    number = np.cumsum(cuts.helps) - 1
    stays = cuts.helps[nodes.node]
    rows, node = nodes.rows[stays], nodes.node[stays]
    right = bins[rows, cuts.column[node]] > cuts.at[node]
    low, high = (np.repeat(ends[cuts.helps], 2, axis=0) for ends in (nodes.low, nodes.high))
    column, at = cuts.column[cuts.helps], cuts.at[cuts.helps] + 1
    places = np.arange(len(at))
    low[2 * places + 1, column] = high[2 * places, column] = at
    return _Nodes(low, high, rows, 2 * number[node] + right)
