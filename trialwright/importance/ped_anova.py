"""PED-ANOVA: a parameter matters if the good trials have other values of it than all trials have.

Watanabe, Bansal and Hutter 2023 (IJCAI, "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
subspaces"): the variance of a parameter's marginal effect is the Pearson divergence of its distribution among the best
trials from that among all trials of a region (theorem 1, eq. 12; without the factor that is the same for all).

Two things are done in another way than there. The distributions are shares of cells that hold equally many trials, not
kernel densities: the divergence is the same on any axis of the parameter, so that none has to be known. And what the
divergence is expected to be by chance alone is subtracted, else a parameter with many values would look important.

m: trials that have the parameter, the best first. k: cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trialwright.columns import Column
from trialwright.space.values import Floats, Ints

TOP_MIN = 10  # so many good trials there are at least, where twice as many trials are


class Good(NamedTuple):
    """Which trials count as good: the best part, ``quantile``, of them; in comparison with the best part ``region``."""

    quantile: float
    region: float


def scores(
    columns: list[Column], costs: Floats, good: Good, resamples: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the divergence of each parameter, shape (d,), and that in each resample, shape (resamples, d).

    Args:
        columns: d parameters in n trials.
        costs: shape (n,), finite; smaller is better.
        good: which trials are compared with which.
        resamples: how often n trials are drawn from the n, with replacement.
        rng: draws them.
    """
    order = np.argsort(costs, kind="stable")
    each = [_Marginal(column, order, costs, good) for column in columns]
    n = len(costs)
    own = np.array([marginal.divergence(np.ones(n, np.int64)) - marginal.by_chance for marginal in each])
    drawn = np.empty((resamples, len(each)))
    for row in drawn:
        weights = np.bincount(rng.integers(0, n, n), minlength=n)
        # A resample of the trials differs from these as much as these do from the truth: by chance, twice.
        row[:] = [marginal.divergence(weights) - 2 * marginal.by_chance for marginal in each]
    return np.maximum(own, 0.0), np.maximum(drawn, 0.0)


class _Marginal:
    """One parameter among the trials that have it."""

    def __init__(self, column: Column, order: Ints, costs: Floats, good: Good) -> None:
        self._rows = order[column.active[order]]
        self._costs, self._good = costs[self._rows], good
        ones = np.ones(len(self._rows), np.int64)
        around, top = self._sizes(np.cumsum(ones))
        self._cells = cells(column.values[self._rows], round(1.5 * top**0.4))
        used = len(np.unique(self._cells[:around]))
        # Of a part of this size, drawn without replacement (the mean of Pearson's chi-squared statistic).
        self.by_chance = (used - 1) / top * (around - top) / max(around - 1, 1)

    def _sizes(self, total: Ints) -> tuple[int, int]:
        """Return how many rows are in the region, and how many of these are good; ``total``, shape (m,), counts the
        trials up to each row."""
        n = int(total[-1])
        around = prefix(self._costs, total, self._good.region * n) if self._good.region < 1 else len(total)
        wanted = max(self._good.quantile * n, min(TOP_MIN, int(total[around - 1]) / 2))
        return around, prefix(self._costs[:around], total[:around], wanted)

    def divergence(self, weights: Ints) -> float:
        """Return the Pearson divergence, where each of n trials counts as often as ``weights``, shape (n,), says."""
        own = weights[self._rows]
        if not own.any():
            return 0.0
        around, top = self._sizes(np.cumsum(own))
        everywhere = _shares(self._cells[:around], own[:around])
        good = _shares(self._cells[:top], own[:top])
        good = np.pad(good, (0, len(everywhere) - len(good)))
        there = everywhere > 0
        return float(np.sum((good[there] - everywhere[there]) ** 2 / everywhere[there]))


def prefix(costs: Floats, total: Ints, wanted: float) -> int:
    """Return how many of the best rows hold about as many trials as wanted; rows of the same cost stay together.

    Args:
        costs: shape (m,), ascending.
        total: shape (m,), the trials up to each row.
        wanted: trials.
    """
    place = min(int(np.searchsorted(total, wanted)), len(total) - 1)
    ends = [int(np.searchsorted(costs, costs[place], side)) for side in ("left", "right")]
    sizes = [end for end in ends if end and total[end - 1]]
    # All rows are no part of them: better the fewer that are truly better, however few.
    return min(sizes, key=lambda end: (end == len(total) and len(sizes) > 1, abs(int(total[end - 1]) - wanted)))


def cells(values: Floats, count: int) -> Ints:
    """Return the cell of each value, shape (m,): a cell for each different value where these are few, else ``count``
    cells with about equally many values; equal values share one."""
    different, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    if len(different) <= count:
        return np.asarray(places, np.int64)
    middles = np.cumsum(sizes) - sizes / 2
    return np.asarray((middles * count / len(values)).astype(np.int64)[places])


def _shares(cells: Ints, weights: Ints) -> Floats:
    counts = np.bincount(cells, weights)
    return np.asarray(counts / counts.sum())
