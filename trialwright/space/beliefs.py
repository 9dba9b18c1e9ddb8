"""Beliefs: where a user expects the good values of a parameter to be, as densities over its unit interval.

A belief tilts what is drawn, and is multiplied into what a model says (Hvarfner et al. 2022, piBO). It rules nothing
out.
u: units, shape (n,). c, w: centre and width of a bell, in units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialwright.space.values import Floats


@dataclass(frozen=True)
class Bell:
    """A normal density, cut off at the ends of the interval. `said` is what the user wrote."""

    said: tuple[float, ...]
    centre: float
    width: float

    def log_density(self, units: Floats) -> Floats:
        """Return the logarithm of the density at u; 0 would be even."""
        below, above = self._tails()
        z = (units - self.centre) / self.width
        return np.asarray(-0.5 * z * z - math.log(self.width * math.sqrt(2 * math.pi) * (above - below)))

    def quantile(self, units: Floats) -> Floats:
        """Turn evenly drawn u into draws from the belief."""
        from scipy.special import ndtri  # a third of a second: only who has beliefs waits for it

        below, above = self._tails()
        return np.asarray(np.clip(self.centre + self.width * ndtri(below + units * (above - below)), 0.0, 1.0))

    def _tails(self) -> tuple[float, float]:
        """The share of the whole normal distribution that lies below 0, and below 1."""
        low, high = (0.0 - self.centre) / self.width, (1.0 - self.centre) / self.width
        return 0.5 * math.erfc(-low / math.sqrt(2)), 0.5 * math.erfc(-high / math.sqrt(2))


@dataclass(frozen=True)
class Weights:
    """How likely each option is; `said` sums to anything above 0."""

    said: tuple[float, ...]

    def log_density(self, units: Floats) -> Floats:
        """Return the logarithm of the density at u; 0 would be even."""
        return np.asarray(np.log(self._shares * len(self.said))[self._cells(units)])

    def quantile(self, units: Floats) -> Floats:
        """Turn evenly drawn u into draws from the belief."""
        edges = np.cumsum(self._shares)
        edges[-1] = 1.0  # sums of floats fall short of it
        cells = np.minimum(np.searchsorted(edges, units, side="right"), len(edges) - 1)
        inside = (units - (edges - self._shares)[cells]) / self._shares[cells]
        return (cells + np.clip(inside, 0.0, 1.0 - 1e-12)) / len(edges)

    @property
    def _shares(self) -> Floats:
        weights = np.array(self.said, dtype=np.float64)
        return np.asarray(weights / weights.sum())

    def _cells(self, units: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.minimum(units * len(self.said), len(self.said) - 1).astype(np.int64)


Belief = Bell | Weights


def bell(call: str, mean: object, sd: object, centre: float, width: float) -> Bell:
    """Return the belief that a user's numbers make. Raises ValueError or TypeError where they make none."""
    for name, value in (("mean", mean), ("sd", sd)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TypeError(f"{call}.prior({mean!r}, {sd!r}): {name} must be a finite number")
    if not (isinstance(sd, int | float) and sd > 0):
        raise ValueError(f"{call}.prior({mean!r}, {sd!r}): sd must be above 0")
    return Bell((float(mean), float(sd)), centre, max(width, 1e-3))  # type: ignore[arg-type]  # checked above


def weights(call: str, given: object, count: int) -> Weights:
    """Return the belief that a user's weights make. Raises ValueError or TypeError where they make none."""
    numbers = given if isinstance(given, list | tuple) else []
    if len(numbers) != count:
        raise ValueError(f"{call}.prior({given!r}): it must be a list of {count} weights, one for each option")
    if not all(isinstance(each, int | float) and math.isfinite(each) and each > 0 for each in numbers):
        raise ValueError(f"{call}.prior({given!r}): every weight must be above 0; leave an option out to exclude it")
    return Weights(tuple(map(float, numbers)))
