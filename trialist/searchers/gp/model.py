"""The Gaussian process: its posterior, its marginal likelihood with gradient, and its MAP fit.

F: features of the observations, shape (n, p). y: their values, warped and standardised, shape (n,).
l: length-scales, one for each of d columns; a column has one feature, or several where it is a category.
theta: (log l_1 .. log l_d, log of the signal variance, log of the noise variance), shape (d + 2,).
K: signal * k(D) + noise * I = L L'. a: K^-1 y. W: a a' - K^-1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from trialist.searchers.gp.kernels import matern32, squared_distances
from trialist.searchers.gp.optimise import descend
from trialist.space.values import Floats

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Prior:
    """Normal densities over theta, and its bounds; noise is small unless the data say otherwise."""

    d: int
    length: tuple[float, float] = (0.0, 0.7)
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


def loss(theta: Floats, features: Floats, groups: Integers, y: Floats, prior: Prior) -> tuple[float, Floats]:
    """Return -log p(y, theta) up to a constant, and its gradient, shape (d + 2,); infinite where K is not positive.

    With G = W * signal * k'(D), the gradient for log l_j is twice the sum over the column's features f of
    (Z^2)'G1 - diag(Z'GZ), Z = F / l: two matrix products, and no (n, n, d) array.
    """
    n, signal, noise = len(y), math.exp(theta[-2]), math.exp(theta[-1])
    z = features * np.exp(-theta[groups])
    kernel, slope = matern32(squared_distances(z, z))
    kernel *= signal
    covariance = kernel.copy()
    covariance.flat[:: n + 1] = signal + noise
    lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
    if failed:
        return math.inf, np.zeros_like(theta)
    a = lapack.dpotrs(lower, y, lower=1)[0]
    deviation = (theta - prior.mean) / prior.sd
    value = 0.5 * y @ a + np.log(np.diag(lower)).sum() + 0.5 * deviation @ deviation
    inverse = lapack.dpotri(lower, lower=1)[0]  # its lower triangle
    inverse = inverse + np.tril(inverse, -1).T
    w = np.outer(a, a)
    w -= inverse
    gradient = deviation / prior.sd
    gradient[-2] -= 0.5 * np.vdot(w, kernel) + 0.5 * np.trace(w) * (signal - kernel[0, 0])
    gradient[-1] -= 0.5 * noise * np.trace(w)
    slope *= signal
    slope *= w
    per_feature = 2.0 * ((z * z).T @ slope.sum(1) - np.einsum("np,np->p", z, slope @ z))
    gradient[:-2] += np.bincount(groups, per_feature, minlength=prior.d)
    return float(value), gradient


def fit(features: Floats, groups: Integers, y: Floats, prior: Prior, starts: Floats) -> Floats:
    """Return the theta of the least loss that descents from the starts, shape (s, d + 2), lead to, shape (d + 2,)."""

    def losses(thetas: Floats, _rows: Integers) -> tuple[Floats, Floats]:
        found = [loss(theta, features, groups, y, prior) for theta in thetas]
        return np.array([each[0] for each in found]), np.array([each[1] for each in found])

    low, high = prior.bounds
    thetas, values = descend(losses, starts, low, high, rounds=60, tolerance=1e-4 * max(len(y), 10), stride=1.0)
    return np.asarray(thetas[int(np.argmin(values))])


@dataclass(frozen=True)
class Model:
    """A Gaussian process given theta and the data, ready to be asked.

    y may have several columns, shape (n, f): several tales of the same rows, which share all but the mean.
    """

    theta: Floats
    groups: Integers
    features: Floats
    y: Floats
    lower: Floats
    weights: Floats = field(repr=False)  # K^-1 y, shape (n, f)

    @classmethod
    def of(cls, theta: Floats, groups: Integers, features: Floats, y: Floats) -> Self:
        """Factorise K; where rounding makes it not positive, noise grows tenfold until it is."""
        y = y.reshape(len(y), -1)
        covariance = math.exp(theta[-2]) * matern32(_scaled_distances(theta, groups, features, features))[0]
        noise = math.exp(theta[-1])
        for _ in range(12):
            covariance.flat[:: len(y) + 1] = math.exp(theta[-2]) + noise
            lower, failed = lapack.dpotrf(covariance, lower=1, clean=1)
            if not failed:
                break
            noise *= 10.0
        return cls(theta, groups, features, y, lower, lapack.dpotrs(lower, y, lower=1)[0])

    @property
    def signal(self) -> float:
        """The variance of the function."""
        return math.exp(self.theta[-2])

    @property
    def noise(self) -> float:
        """The variance of one observation of it."""
        return math.exp(self.theta[-1])

    def at(self, features: Floats) -> Posterior:
        """Return the posterior of the function at rows, shape (m, p)."""
        return Posterior(self, features)

    def extended(self, features: Floats, y: Floats) -> Model:
        """Return the model with q more rows, shape (q, p), observed as y, shape (n + q, f): O(n^2 q)."""
        n, q = len(self.features), len(features)
        cross = self.signal * matern32(_scaled_distances(self.theta, self.groups, self.features, features))[0]
        corner = self.signal * matern32(_scaled_distances(self.theta, self.groups, features, features))[0]
        corner.flat[:: q + 1] = self.signal + self.noise
        below = lapack.dtrtrs(self.lower, cross, lower=1)[0]
        rest = corner - below.T @ below
        lower = np.zeros((n + q, n + q), order="F")
        lower[:n, :n], lower[n:, :n] = self.lower, below.T
        lower[n:, n:] = _factor(rest, self.noise)
        together = np.concatenate([self.features, features])
        return Model(self.theta, self.groups, together, y, lower, lapack.dpotrs(lower, y, lower=1)[0])


class Posterior:
    """Mean and standard deviation at m rows, and the way back from their gradients to the rows'."""

    def __init__(self, model: Model, features: Floats) -> None:
        self._model, self._features = model, features
        kernel, slope = matern32(_scaled_distances(model.theta, model.groups, features, model.features))
        kernel *= model.signal
        self._slope = slope
        self.mean: Floats = kernel @ model.weights
        """Shape (m, f)."""
        self._half = lapack.dtrtrs(model.lower, kernel.T, lower=1)[0]  # L^-1 k, shape (n, m)
        variance = model.signal - np.einsum("nm,nm->m", self._half, self._half)
        self.sd: Floats = np.sqrt(np.maximum(variance, 1e-12 * model.signal))
        """Of the function, without noise: shape (m,)."""

    @property
    def moments(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation."""
        return self.mean, self.sd

    def pull_back(self, d_mean: Floats, d_sd: Floats) -> Floats:
        """Return the gradient in the rows, shape (m, p), of a function whose gradients are those, (m, f) and (m,)."""
        model = self._model
        half = lapack.dtrtrs(model.lower, self._half, lower=1, trans=1)[0]  # K^-1 k, shape (n, m)
        pull = d_mean @ model.weights.T - (d_sd / self.sd)[:, None] * half.T
        pull *= self._slope
        rate = 2.0 * model.signal * np.exp(-2.0 * model.theta[model.groups])
        return np.asarray(rate * (self._features * pull.sum(1)[:, None] - pull @ model.features))

    def covariance(self) -> Floats:
        """Return the joint covariance of the rows, shape (m, m)."""
        model = self._model
        own = matern32(_scaled_distances(model.theta, model.groups, self._features, self._features))[0]
        return np.asarray(model.signal * own - self._half.T @ self._half)


def _scaled_distances(theta: Floats, groups: Integers, a: Floats, b: Floats) -> Floats:
    scale = np.exp(-theta[groups])
    return squared_distances(a * scale, b * scale)


def _factor(matrix: Floats, jitter: float) -> Floats:
    """Return the lower Cholesky factor, with as much jitter as it needs."""
    for _ in range(12):
        lower, failed = lapack.dpotrf(matrix, lower=1, clean=1)
        if not failed:
            break
        matrix = matrix + jitter * np.eye(len(matrix))
        jitter *= 10.0
    return np.asarray(lower)
