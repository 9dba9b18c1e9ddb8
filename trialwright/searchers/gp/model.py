"""The Gaussian process: its posterior, its marginal likelihood with gradient, and its MAP fit.

F: features of the observations, shape (n, p). y: their values, warped and standardised, shape (n,).
l: length-scales, one for each of d columns; a column has one feature, or several where it is a category.
theta: (log l_1 .. log l_d, log of the signal variance, log of the noise variance), shape (d + 2,).
K: signal * k(D) + noise * I = L L'. a: K^-1 y. W: a a' - K^-1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from trialwright.searchers.gp.backends import Backend, Numpy
from trialwright.searchers.gp.kernels import matern32, squared_distances
from trialwright.searchers.gp.optimise import descend
from trialwright.space.values import Floats

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Prior:
    """Normal densities over theta, and its bounds; noise is small unless the data say otherwise."""

    d: int
    length: tuple[float, float] = (0.0, 0.5)
    signal: tuple[float, float] = (0.0, 1.0)
    noise: tuple[float, float] = (-8.0, 2.0)

    @property
    def mean(self) -> Floats:
        """The densities' means, shape (d + 2,), where a first fit starts."""
        return np.array([self.length[0]] * self.d + [self.signal[0], self.noise[0]])

    @property
    def sd(self) -> Floats:
        """Their standard deviations, shape (d + 2,)."""
        return np.array([self.length[1]] * self.d + [self.signal[1], self.noise[1]])

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """The lowest and the highest theta, both of shape (d + 2,)."""
        low = np.log([0.025] * self.d + [0.05, 1e-6])
        high = np.log([1000.0] * self.d + [50.0, 1.0])
        return low, high


@dataclass(frozen=True)
class Data:
    """What a model is made from: features (n, p) with the column of each, groups (p,), and where to calculate."""

    features: Floats
    groups: Integers
    backend: Backend = field(default_factory=Numpy)

    def scaled(self, theta: Floats, features: Floats) -> Floats:
        """Return rows divided by their length-scales, as an array of the backend."""
        return self.backend.array(features * np.exp(-theta[self.groups]))

    def kernel(self, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Return the kernel and its slope between scaled rows."""
        return matern32(squared_distances(a, b, self.backend), self.backend)

    def solve(self, lower: Floats, b: Floats) -> Floats:
        """Return (L L')^-1 b."""
        return self.backend.half_solve(lower, self.backend.half_solve(lower, b), transposed=True)


def loss(theta: Floats, data: Data, y: Floats, prior: Prior) -> tuple[float, Floats]:
    """Return -log p(y, theta) up to a constant, and its gradient, shape (d + 2,); infinite where K is not positive.

    With G = W * signal * k'(D), the gradient for log l_j is twice the sum over the column's features f of
    (Z^2)'G1 - diag(Z'GZ), Z = F / l: two matrix products, and no (n, n, d) array.
    """
    backend, signal, noise = data.backend, math.exp(theta[-2]), math.exp(theta[-1])
    z = data.scaled(theta, data.features)
    kernel, slope = data.kernel(z, z)
    kernel *= signal
    covariance = kernel + 0.0
    backend.lift(covariance, noise)
    lower = backend.cholesky(covariance)
    if lower is None:
        return math.inf, np.zeros_like(theta)
    a = data.solve(lower, backend.array(y[:, None]))
    deviation = (theta - prior.mean) / prior.sd
    half_determinant = np.log(backend.host(lower.diagonal())).sum()
    value = 0.5 * y @ backend.host(a)[:, 0] + half_determinant + 0.5 * deviation @ deviation
    w = a @ a.T
    w -= backend.inverse(lower)
    gradient, trace = deviation / prior.sd, float(w.diagonal().sum())
    gradient[-2] -= 0.5 * float((w * kernel).sum())
    gradient[-1] -= 0.5 * noise * trace
    slope *= signal
    slope *= w
    per_feature = backend.host((z * z).T @ slope.sum(1) - (z * (slope @ z)).sum(0))
    gradient[:-2] += 2.0 * np.bincount(data.groups, per_feature, minlength=prior.d)
    return float(value), gradient


def fit(data: Data, y: Floats, prior: Prior, starts: Floats) -> Floats:
    """Return the theta of the least loss that descents from the starts, shape (s, d + 2), lead to, shape (d + 2,)."""

    def losses(thetas: Floats, _rows: Integers) -> tuple[Floats, Floats]:
        found = [loss(theta, data, y, prior) for theta in thetas]
        return np.array([each[0] for each in found]), np.array([each[1] for each in found])

    low, high = prior.bounds
    thetas, values = descend(losses, starts, low, high, rounds=60, tolerance=1e-4 * max(len(y), 10), stride=1.0)
    return np.asarray(thetas[int(np.argmin(values))])


@dataclass(frozen=True)
class Model:
    """A Gaussian process given theta and the data, ready to be asked.

    y may have several columns, shape (n, f): several tales of the same rows, which share all but the mean. Rows,
    `lower` and `weights` are arrays of the backend.
    """

    theta: Floats
    data: Data
    y: Floats
    rows: Floats = field(repr=False)  # scaled, shape (n, p)
    lower: Floats = field(repr=False)
    weights: Floats = field(repr=False)  # K^-1 y, shape (n, f)

    @classmethod
    def of(cls, theta: Floats, data: Data, y: Floats) -> Self:
        """Factorise K."""
        y = y.reshape(len(y), -1)
        rows = data.scaled(theta, data.features)
        covariance = math.exp(theta[-2]) * data.kernel(rows, rows)[0]
        lower = _factor(covariance, math.exp(theta[-1]), data.backend)
        return cls(theta, data, y, rows, lower, data.solve(lower, data.backend.array(y)))

    @property
    def signal(self) -> float:
        """The variance of the function."""
        return math.exp(self.theta[-2])

    @property
    def noise(self) -> float:
        """The variance of one observation of it."""
        return math.exp(self.theta[-1])

    def smoothed(self) -> Floats:
        """Return the mean at the observations, shape (n, f): (K - noise I) K^-1 y."""
        return self.y - self.noise * self.data.backend.host(self.weights)

    def at(self, features: Floats) -> Posterior:
        """Return the posterior of the function at rows, shape (m, p)."""
        return Posterior(self, features)

    def extended(self, features: Floats, y: Floats) -> Model:
        """Return the model with q more rows, shape (q, p), all together observed as y, shape (n + q, f): O(n^2 q)."""
        n, q, backend = len(self.rows), len(features), self.data.backend
        more = self.data.scaled(self.theta, features)
        cross = backend.half_solve(self.lower, self.signal * self.data.kernel(self.rows, more)[0])
        own = self.signal * self.data.kernel(more, more)[0]
        rows, lower = backend.zeros(n + q, features.shape[1]), backend.zeros(n + q, n + q)
        rows[:n], rows[n:] = self.rows, more
        lower[:n, :n], lower[n:, :n] = self.lower, cross.T
        lower[n:, n:] = _factor(own - cross.T @ cross, self.noise, backend)
        return replace(self, y=y, rows=rows, lower=lower, weights=self.data.solve(lower, backend.array(y)))


class Posterior:
    """Mean and standard deviation at m rows, and the way back from their gradients to the rows'."""

    def __init__(self, model: Model, features: Floats) -> None:
        data, backend = model.data, model.data.backend
        self._model, self._rows = model, data.scaled(model.theta, features)
        kernel, self._slope = data.kernel(self._rows, model.rows)
        kernel *= model.signal
        self.mean: Floats = backend.host(kernel @ model.weights)
        """Shape (m, f)."""
        self._half = backend.half_solve(model.lower, kernel.T)  # L^-1 k, shape (n, m)
        variance = model.signal - backend.host((self._half * self._half).sum(0))
        self.sd: Floats = np.sqrt(np.maximum(variance, 1e-12 * model.signal))
        """Of the function, without noise: shape (m,)."""

    @property
    def moments(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation."""
        return self.mean, self.sd

    def pull_back(self, d_mean: Floats, d_sd: Floats) -> Floats:
        """Return the gradient in the rows, shape (m, p), of a function whose gradients are those, (m, f) and (m,)."""
        model, backend = self._model, self._model.data.backend
        solved = backend.half_solve(model.lower, self._half, transposed=True)  # K^-1 k, shape (n, m)
        pull = backend.array(d_mean) @ model.weights.T - backend.array((d_sd / self.sd)[:, None]) * solved.T
        pull *= self._slope
        steep = backend.host(self._rows * pull.sum(1)[:, None] - pull @ model.rows)
        return np.asarray(2.0 * model.signal * np.exp(-model.theta[model.data.groups]) * steep)


def _factor(matrix: Floats, noise: float, backend: Backend) -> Floats:
    """Return L of the matrix with noise on its diagonal; where rounding makes that not positive, with ten times as
    much, and so on. Changes the matrix."""
    for _ in range(20):
        backend.lift(matrix, noise)
        lower = backend.cholesky(matrix)
        if lower is not None:
            return lower
        noise *= 9.0
    raise AssertionError("a matrix with so much on its diagonal is positive")
