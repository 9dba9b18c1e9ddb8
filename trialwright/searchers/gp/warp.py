"""Output warp: from raw values to numbers that suit a Gaussian process, with mean 0 and variance 1.

Losses have long tails to the bad side: a learning rate too high gives 1e9, and a standardised 1e9 leaves all good
values at one point. First what is far above the median is pulled in, then a power is chosen that makes the rest look
normal. The warp increases, so that the best stays the best, and depends on nothing but y.

y: values, the smaller the better, shape (n,), finite. z: the same in [0, 1], or standardised.
"""

from __future__ import annotations

import numpy as np

from trialwright.space.values import Floats

POWERS = np.linspace(-1.9, 1.9, 40)[:, None]  # 0 and 2, where the formula has logarithms, are none of them
JUDGED = 256  # quantiles of y that choose the power
REACH = 5.0
BEYOND = 1e4  # spreads above the median: what is worse has diverged, and how far says nothing
FURTHEST = 1e9  # medians of a constraint: what violates it by more has diverged
TINY = 1e-12  # what is not 0 stays so


def warped(y: Floats) -> Floats:
    """Return an objective as models see it. In comparisons (benchmarks.quality, development tasks and others) this
    won over standardising alone, over ranks, and over ranks of the bad half."""
    return yeo_johnson(standardised(winsorised(scaled(y))))


def steepness(y: Floats, z: Floats) -> Floats:
    """Return by how much z changes with y at each value, shape (n,), where z is y warped."""
    values, first, place = np.unique(y, return_index=True, return_inverse=True)
    return np.asarray(np.gradient(z[first], values)[place] if len(values) > 1 else np.ones(len(y)))


def scaled(y: Floats) -> Floats:
    """Return y between 0 and 1, without overflow where values are huge; diverged values are clipped first, else one of
    1e14 spreads would leave all others at one number."""
    y = clipped(y / max(float(np.max(np.abs(y))), 1e-300))
    y = y - y.min()
    return np.asarray(y / max(float(y.max()), 1e-300))


def clipped(y: Floats) -> Floats:
    """Return y with what lies far above the median at the same value."""
    middle = float(np.median(y))
    spread = middle - float(np.quantile(y, 0.25)) or middle - float(y.min())  # a quarter may be equal
    return np.minimum(y, middle + BEYOND * spread) if spread > 0.0 else y


def sobered(y: Floats) -> Floats:
    """Pull in what lies below the median by more than 5 spreads of the good half, by its logarithm: for models to which
    a value may be too good to be true."""
    middle = float(np.median(y))
    spread = middle - float(np.quantile(y, 0.25))
    if not 0.0 < spread < np.inf:
        return y
    edge = middle - REACH * spread
    return np.asarray(np.maximum(y, edge) - spread * np.log1p(np.maximum(edge - y, 0.0) / spread))


def standardised(z: Floats) -> Floats:
    """Return z with mean 0 and variance 1; zeros where all are equal."""
    sd = float(np.std(z))
    return np.asarray((z - np.mean(z)) / sd) if sd > TINY else np.zeros_like(z)


def winsorised(z: Floats) -> Floats:
    """Pull in what lies above the median by more than 5 spreads of the good half: by its logarithm."""
    middle = float(np.median(z))
    spread = middle - float(np.quantile(z, 0.25))
    if spread < TINY:
        return z
    edge = middle + REACH * spread
    return np.asarray(np.minimum(z, edge) + spread * np.log1p(np.maximum(z - edge, 0.0) / spread))


def yeo_johnson(z: Floats) -> Floats:
    """Return the power transform of standardised z that is of greatest likelihood (Yeo and Johnson 2000, eq. 3.1)."""
    judged = z if len(z) <= JUDGED else np.quantile(z, np.linspace(0, 1, JUDGED))
    spread = np.var(_powers(judged, POWERS), axis=1)
    slant = np.mean(np.sign(judged) * np.log1p(np.abs(judged)))
    likelihood = (POWERS[:, 0] - 1.0) * slant - 0.5 * np.log(np.maximum(spread, 1e-300))
    return standardised(_powers(z, POWERS[[int(np.argmax(likelihood))]])[0])


def _powers(z: Floats, powers: Floats) -> Floats:
    """Return z transformed by each of the powers, shape (k, 1); shape (k, n)."""
    own = np.where(z >= 0.0, powers, 2.0 - powers)
    return np.asarray(np.sign(z) * np.expm1(own * np.log1p(np.abs(z))) / own)


def signed(c: Floats) -> Floats:
    """Return a constraint as models see it: of variance near 1, far ends by their logarithm, and 0 where it was 0."""
    size = np.abs(c)
    middle = float(np.median(size))
    scale = middle if middle > 0.0 else float(np.max(size)) / FURTHEST
    shrunk = np.log1p(np.minimum(size, FURTHEST * scale) / scale) if scale > 0.0 else size
    return np.asarray(np.sign(c) * np.maximum(shrunk, TINY))


def rank_normal(y: Floats) -> Floats:
    """Return the normal quantiles of the ranks of y, ties at their mean. It keeps the best few apart, where a power of
    values from all steps together leaves them at nearly one number: what a goal beyond the best needs."""
    from scipy.special import ndtri
    from scipy.stats import rankdata  # half a second: only who uses it waits for it

    return np.asarray(ndtri((rankdata(y) - 0.5) / len(y)))
