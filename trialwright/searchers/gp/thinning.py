"""Thinning: which observations a model uses if there are too many.

A quarter are the best, because there the next one will be; a quarter the newest, because they tell where the search
stands; the rest lie evenly over the others, and hold the far ends of the space down. Cost stays flat however long a
run is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trialwright.space.values import Floats

Integers = npt.NDArray[np.int64]


def representative(badness: Floats, count: int) -> Integers:
    """Return `count` of n rows, in order, given how bad each is, shape (n,); all of them if there are no more."""
    n = len(badness)
    if n <= count:
        return np.arange(n)
    kept = np.zeros(n, np.bool_)
    kept[np.argsort(badness, kind="stable")[: count // 4]] = True
    kept[n - count // 4 :] = True
    rest = np.flatnonzero(~kept)
    kept[rest[np.linspace(0, len(rest) - 1, count - int(kept.sum())).astype(np.int64)]] = True
    return np.flatnonzero(kept)
