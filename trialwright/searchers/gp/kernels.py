"""Kernels: Matern-3/2 over squared distances, and the distances by one matrix product.

n, m: rows. p: features. D: squared distances between rows, each feature divided by its length-scale, shape (n, m).
"""

from __future__ import annotations

import math

from trialwright.searchers.gp.backends import Backend
from trialwright.space.values import Floats

ROOT3 = math.sqrt(3.0)


def squared_distances(a: Floats, b: Floats, backend: Backend) -> Floats:
    """Return |a_i - b_j|^2, shape (n, m), of rows a (n, p) and b (m, p) that are scaled already.

    |a|^2 + |b|^2 - 2ab is one product and no (n, m, p) array; what rounding leaves below 0 is 0.
    """
    squared = a @ (-2.0 * b.T)
    squared += (a * a).sum(1)[:, None]
    squared += (b * b).sum(1)
    return backend.at_least(squared, 0.0)


def matern32(squared: Floats, backend: Backend) -> tuple[Floats, Floats]:
    """Return k(D) = (1 + s) exp(-s), s = sqrt(3 D), and dk/dD, both of D's shape (Rasmussen and Williams 2006, 4.2.1).

    Uses up D. In comparisons it won over 5/2, which expects smoother functions than tuning has, at 50 and 100
    evaluations.
    """
    s = backend.root(squared)
    s *= ROOT3
    slope = backend.exp(-s)
    s += 1.0
    s *= slope
    slope *= -1.5
    return s, slope
