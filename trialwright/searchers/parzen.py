"""Parzen: densities over the unit cube with one kernel for each trial, compared with uniform ones.

x: candidates' units, (m, d). u: trials' units, (n, d). s: bandwidths, (d,). w: weights, (n,).
A kernel is a product over the columns: of normal densities cut off at 0 and 1, centred on u with bandwidth s; for
unordered categories, of tables. Columns that a trial or a candidate does not have count for nothing. In the logarithm a
kernel is linear in features of x, (1, x, x^2) of each number and the indicators of each category, so that all kernels
at all candidates are one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialwright.space import Category, Parameter, Space, Stepped
from trialwright.space.values import Bools, Floats

_ROOT_2PI = np.sqrt(2 * np.pi)
EVEN = 1 / 12  # the variance of even draws from [0, 1]
FAR = 8.0  # bandwidths, beyond which a normal density has less than 1e-15
FEW = 64  # options of a category, which have a feature each; where there are more, options are compared
INAUDIBLE = -40.0  # what is less than another by so much in the logarithm changes no digit of their sum


class Columns:
    """How each column of a space enters a kernel: as a number or as an unordered category."""

    def __init__(self, space: Space) -> None:
        parameters = [each for each in space.parameters if each.column is not None]
        self.space = space
        self.categories = [
            (column, len(each.domain.options))
            for column, each in enumerate(parameters)
            if isinstance(each.domain, Category) and each.domain.kind != "ordinal"
        ]
        self.few = [(column, count) for column, count in self.categories if count <= FEW]
        self.many = [(column, count) for column, count in self.categories if count > FEW]
        taken = {column for column, _ in self.categories}
        self.numbers = np.array([column for column in range(len(parameters)) if column not in taken], dtype=np.int64)
        self.steps = np.array([_step(parameters[column]) for column in self.numbers.tolist()])  # width of a cell, or 0

    def features(self, units: Floats, active: Bools) -> Floats:
        """Return the features of candidates, shape (m, f)."""
        x, here = units[:, self.numbers], active[:, self.numbers].astype(np.float64)
        parts = [here, here * x, here * x * x]
        parts += [self.indicators(units, active, column, count) for column, count in self.few]
        return np.concatenate(parts, axis=1)

    @staticmethod
    def indicators(units: Floats, active: Bools, column: int, count: int) -> Floats:
        """Return which option of a category each row has taken, shape (n, options); none where it is inactive."""
        options = np.minimum(units[:, column] * count, count - 1).astype(np.int64)
        return np.asarray((options[:, None] == np.arange(count)) * active[:, column, None].astype(np.float64))


def _step(parameter: Parameter) -> float:
    domain = parameter.domain
    return 1.0 / domain.cardinality if isinstance(domain, Category | Stepped) else 0.0


@dataclass(frozen=True)
class Bandwidths:
    """How wide kernels are; all widths shrink by the factor n^(-1/(4+d)), of n kernels (Scott 1992).

    Kernels on the good trials are wider the further these lie apart, column by column: what matters little is spread
    and stays so, what matters is searched more and more closely. Those on the others are all alike.

    Args:
        magnitude: the width of kernels that are all alike.
        spread: the width of kernels that are fitted, as a part of the trials' variance over the standard deviation of
            even draws: one that falls with the square of the distances.
        doubt: how many evenly drawn trials that variance is mixed with, so that few good ones are not trusted.
        least: no narrower than this.
        cell: nor than this part of the cell of a discrete value: values in one cell cannot be distinguished.
        blur: what share of a category's kernel is spread over all options.
    """

    magnitude: float = 0.08
    spread: float = 0.5
    doubt: float = 4.0
    least: float = 0.02
    cell: float = 0.6
    blur: float = 0.5

    def alike(self, columns: Columns, n: int) -> Floats:
        """Return the widths of n kernels, one for each number, shape (numbers,)."""
        return np.asarray(np.maximum(self.magnitude * self.shrinking(columns, n), self._least(columns)))

    def fitted(self, columns: Columns, units: Floats, active: Bools, weights: Floats) -> Floats:
        """Return the widths for trials of shape (n, d), weighed by shape (n,); one for each number."""
        w = active[:, columns.numbers] * weights[:, None]
        w /= np.maximum(w.sum(axis=0), 1e-300)
        u = units[:, columns.numbers]
        variance = (w * (u - (w * u).sum(axis=0)) ** 2).sum(axis=0)
        count = 1 / np.maximum((w * w).sum(axis=0), 1e-300)  # as many trials of equal weight would tell as much
        # No trial has such a column: without this line its count would be 1e300, and its width the least.
        count[~w.any(axis=0)] = 0.0
        mixed = (count * variance + self.doubt * EVEN) / (count + self.doubt)
        widths = self.spread * mixed / np.sqrt(EVEN) * self.shrinking(columns, len(units))
        return np.asarray(np.maximum(widths, self._least(columns)))

    def blurred(self, columns: Columns, n: int) -> float:
        """Return the share of n categorical kernels that is spread over all options."""
        return min(self.blur * self.shrinking(columns, n), 1.0)

    @staticmethod
    def shrinking(columns: Columns, n: int) -> float:
        """Return the factor for n kernels."""
        return float(max(n, 1) ** (-1.0 / (4.0 + max(columns.space.dimension, 1))))

    def _least(self, columns: Columns) -> Floats:
        return np.maximum(self.least, columns.steps * self.cell)


class Parzen:
    """A density over the cube: kernels on trials, and an even one (or the user's beliefs).

    Args:
        columns: what enters how.
        units: of the trials, shape (n, d).
        active: which columns they have, shape (n, d).
        weights: of their kernels, shape (n,).
        widths: of the kernels, one for each number, shape (numbers,).
        blur: what share of a category's kernel is spread over all options.
        even: the weight of the even kernel.
    """

    def __init__(
        self,
        columns: Columns,
        units: Floats,
        active: Bools,
        weights: Floats,
        *,
        widths: Floats,
        blur: float,
        even: float = 1.0,
    ) -> None:
        self._columns, self.units, self._active, self._weights = columns, units, active, weights
        self._widths, self._blur, self._even = widths, blur, even
        self._kernels = self._expanded()
        # A good trial that is no better than the next one has weight 0: its kernel has no part, by -inf.
        with np.errstate(divide="ignore"):
            self._log_weights = np.log(weights)

    def _expanded(self) -> Floats:
        """Return the kernels as coefficients of the features, shape (n, f)."""
        columns = self._columns
        u, here = self.units[:, columns.numbers], self._active[:, columns.numbers].astype(np.float64)
        s = self._widths
        log_mass = np.log(s * _ROOT_2PI) + np.log1p(-_beyond(u / s) - _beyond((1 - u) / s))  # what is left inside
        parts = [here * (-0.5 * (u / s) ** 2 - log_mass), here * u / s**2, -0.5 * here / s**2]
        parts += [self._table(column, count) for column, count in columns.few]
        return np.concatenate(parts, axis=1)

    def _table(self, column: int, count: int) -> Floats:
        """Return the logarithm of each kernel's density of each option, shape (n, options), compared with 1/options."""
        taken = self._columns.indicators(self.units, self._active, column, count)
        there = self._active[:, column, None]
        return np.where(there, np.log((1 - self._blur) * taken * count + self._blur), 0.0)

    def _matches(self, units: Floats, active: Bools, column: int, count: int) -> Floats:
        """Return what one category of many options adds, shape (m, n): the same as by features and a table."""
        options, taken = (np.minimum(u[:, column] * count, count - 1).astype(np.int64) for u in (units, self.units))
        same, other = np.log((1 - self._blur) * count + self._blur), np.log(self._blur)
        there = active[:, column, None] & self._active[:, column]
        return np.asarray(np.where(there, np.where(options[:, None] == taken, same, other), 0.0))

    def log_density(self, units: Floats, active: Bools, features: Floats) -> Floats:
        """Return the logarithm of the density at candidates, shape (m,)."""
        with np.errstate(invalid="ignore"):
            terms = features @ self._kernels.T
            terms += self._log_weights
        for column, count in self._columns.many:
            terms += self._matches(units, active, column, count)
        even = np.full(len(units), np.log(self._even)) + self._beliefs(units)
        # The largest is taken out before exp, which else is 0 far away from all kernels.
        highest = np.maximum(terms.max(axis=1, initial=-np.inf), even)
        terms -= highest[:, None]
        heard = terms > INAUDIBLE  # few of many kernels, in more than some dimensions
        total = np.bincount(np.nonzero(heard)[0], np.exp(terms[heard]), len(terms)) + np.exp(even - highest)
        return np.asarray(highest + np.log(total) - np.log(self._weights.sum() + self._even))

    def _beliefs(self, units: Floats) -> Floats | float:
        return self._columns.space.log_prior(units) if self._columns.space.has_prior else 0.0

    def draw(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw candidates, shape (count, d)."""
        from scipy.special import ndtr, ndtri

        d = self._columns.space.dimension
        uniforms, even = rng.random((count, d)), self._columns.space.tilt(rng.random((count, d)))
        shares = np.append(self._weights, self._even)
        kernels = np.searchsorted(np.cumsum(shares / shares.sum())[:-1], rng.random(count), side="right")
        drawn = even
        from_trial = kernels < len(self.units)
        rows = kernels[from_trial]
        u, s, numbers = self.units[rows][:, self._columns.numbers], self._widths, self._columns.numbers
        below, above = ndtr(-u / s), ndtr((1 - u) / s)
        bells = np.clip(u + s * ndtri(below + uniforms[from_trial][:, numbers] * (above - below)), 0.0, 1.0)
        places = np.flatnonzero(from_trial)[:, None]
        there = self._active[rows][:, numbers]
        drawn[places, numbers] = np.where(there, bells, even[places, numbers])
        for column, _ in self._columns.categories:
            keep = self._active[rows, column] & (uniforms[from_trial, column] >= self._blur)
            drawn[places[:, 0], column] = np.where(keep, self.units[rows, column], drawn[places[:, 0], column])
        return drawn


def _beyond(distance: Floats) -> Floats:
    """Return how much of a normal density lies further off than this many bandwidths, on one side, shape as given."""
    from scipy.special import ndtr  # a third of a second: only who models waits for it

    tails, near = np.zeros_like(distance), distance < FAR
    tails[near] = ndtr(-distance[near])
    return tails
