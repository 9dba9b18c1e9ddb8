"""The Gaussian process: its kernel, its posterior, its marginal likelihood with gradient, and its MAP fit.

F: features of the observations, shape (n, p). y: their values, warped and standardised, shape (n,).
l: length-scales, one for each of d columns; a column has one feature, or several where it is a category.
D: squared distances between rows, each feature divided by its length-scale, shape (n, m). k: Matern-3/2.
theta: (log l_1 .. log l_d, log of the signal variance, log of the noise variance), shape (d + 2,).
K: signal * k(D) + noise * I = L L', and on its diagonal what is known of each observation's noise. a: K^-1 y.
W: a a' - K^-1.

Learning curves: the last feature is then the logarithm t of the step, theta has log l_t and log c before the last two,
shape (d + 4,), and the kernel is k(D) (k(T) + c), a product over configs and steps (Swersky et al. 2014, arXiv
1406.3896, with Matern kernels): how configs differ is alike at all steps, the more so the larger c is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from trialwright.searchers.gp.backends import Backend, Numpy
from trialwright.searchers.gp.optimise import descend
from trialwright.space.values import Floats, Ints

ROOT3 = math.sqrt(3.0)
NOISY = 0.01
"""From this ratio of noise to signal on, the lowest value seen is luck, and the lowest mean of the model counts."""
NOISY_START = 0.3  # of the variance of the values


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


@dataclass(frozen=True)
class Prior:
    """Normal densities over theta, and its bounds; noise is small unless the data say otherwise."""

    d: int
    has_steps: bool = False
    length: tuple[float, float] = (0.0, 0.5)
    over_steps: tuple[tuple[float, float], ...] = ((0.7, 1.0), (0.0, 1.4))  # of log l_t and log c
    signal: tuple[float, float] = (0.0, 1.0)
    noise: tuple[float, float] = (-8.0, 2.0)

    @property
    def _densities(self) -> Floats:
        over_steps = self.over_steps if self.has_steps else ()
        return np.array([self.length] * self.d + [*over_steps, self.signal, self.noise])

    @property
    def mean(self) -> Floats:
        """The densities' means, of theta's shape, where a first fit starts."""
        return self._densities[:, 0]

    @property
    def noisy(self) -> Floats:
        """Where another descent starts, to the mode in which the values are a smooth function and noise."""
        return np.append(self.mean[:-1], math.log(NOISY_START))

    @property
    def sd(self) -> Floats:
        """Their standard deviations, of theta's shape."""
        return self._densities[:, 1]

    @property
    def bounds(self) -> tuple[Floats, Floats]:
        """The lowest and the highest theta."""
        low, high = ([0.05, 0.01], [100.0, 100.0]) if self.has_steps else ([], [])
        # A shorter length would let each value explain itself alone; at 1000 the column does not matter. Without some
        # noise, rows that are nearly equal would make K singular.
        low = [0.025] * self.d + [*low, 0.05, 1e-6]
        high = [1000.0] * self.d + [*high, 50.0, 1.0]
        return np.log(low), np.log(high)


@dataclass(frozen=True)
class Data:
    """What a model is made from: features (n, p) with the column of each, groups (p,), and where to calculate.

    Where it has steps, the last feature is the logarithm of the step, and its group is d. ``known`` is the variance of
    each observation as far as it is known, shape (n,); theta's noise comes on top.
    """

    features: Floats
    groups: Ints
    backend: Backend = field(default_factory=Numpy)
    has_steps: bool = False
    known: Floats | float = 0.0

    def scaled(self, theta: Floats, features: Floats) -> Floats:
        """Return rows divided by their length-scales, as an array of the backend."""
        return self.backend.array(features * np.exp(-theta[self.groups]))

    def kernel(self, theta: Floats, a: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Return the kernel between scaled rows, and its slope in the squared distance of their configs."""
        if not self.has_steps:
            return matern32(squared_distances(a, b, self.backend), self.backend)
        kernel, slope = matern32(squared_distances(a[:, :-1], b[:, :-1], self.backend), self.backend)
        over_steps = self.over_steps(a, b)[0] + math.exp(theta[-3])
        return kernel * over_steps, slope * over_steps

    def over_steps(self, a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
        """Return k(T) between scaled rows, its slope, and the squared distances T of their steps."""
        squared = squared_distances(a[:, -1:], b[:, -1:], self.backend)
        return (*matern32(squared + 0.0, self.backend), squared)  # matern32 uses up what it is given

    def variance(self, theta: Floats) -> float:
        """Return the variance of the function before anything is observed."""
        return math.exp(theta[-2]) * (1.0 + math.exp(theta[-3]) if self.has_steps else 1.0)

    def solve(self, lower: Floats, b: Floats) -> Floats:
        """Return (L L')^-1 b."""
        return self.backend.half_solve(lower, self.backend.half_solve(lower, b), transposed=True)


def loss(theta: Floats, data: Data, y: Floats, prior: Prior) -> tuple[float, Floats]:
    """Return -log p(y, theta) up to a constant, and its gradient; infinite where K is not positive.

    With G = W * signal * k'(D), the gradient for log l_j is twice the sum over the column's features f of
    (Z^2)'G1 - diag(Z'GZ), Z = F / l: two matrix products, and no (n, n, d) array.
    """
    backend, signal, noise = data.backend, math.exp(theta[-2]), math.exp(theta[-1])
    z = data.scaled(theta, data.features)
    kernel, slope = data.kernel(theta, z, z)
    kernel *= signal
    # A copy, because the gradient needs the kernel without noise.
    covariance = kernel + 0.0
    backend.lift(covariance, noise + data.known)
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
    if data.has_steps:
        gradient[-4:-2] -= _over_steps(theta, data, z, w * kernel)
        z = z[:, :-1]
    slope *= signal
    slope *= w
    per_feature = backend.host((z * z).T @ slope.sum(1) - (z * (slope @ z)).sum(0))
    gradient[: prior.d] += 2.0 * np.bincount(data.groups[: z.shape[1]], per_feature, minlength=prior.d)
    return float(value), gradient


def _over_steps(theta: Floats, data: Data, z: Floats, weighed: Floats) -> Floats:
    """Return half the sums of W times the derivatives of K in log l_t and log c, shape (2,); ``weighed`` is W K without
    its noise."""
    kernel, slope, squared = data.over_steps(z, z)
    constant = math.exp(theta[-3])
    weighed = weighed / (kernel + constant)
    return np.array([-float((weighed * slope * squared).sum()), 0.5 * constant * float(weighed.sum())])


def fit(data: Data, y: Floats, prior: Prior, starts: Floats) -> Floats:
    """Return the theta of the least loss that descents from the starts, shape (s, d + 2), lead to, shape (d + 2,)."""

    def losses(thetas: Floats, _rows: Ints) -> tuple[Floats, Floats]:
        found = [loss(theta, data, y, prior) for theta in thetas]
        return np.array([each[0] for each in found]), np.array([each[1] for each in found])

    low, high = prior.bounds
    # The likelihood is a sum over the values: what gains less than this part of it changes no prediction.
    thetas, values = descend(losses, starts, low, high, rounds=60, tolerance=1e-4 * max(len(y), 10), stride=1.0)
    return np.asarray(thetas[int(np.argmin(values))])


def fit_noisy(data: Data, y: Floats, prior: Prior, starts: Floats) -> Floats:
    """As ``fit``. But of noisy values there are two good explanations, and one is a rough function without noise. So
    descend to the other as well, and take it where it is better and has noise: else the fit is what it was."""
    rough, noisy = fit(data, y, prior, starts), fit(data, y, prior, prior.noisy[None])
    is_better = loss(noisy, data, y, prior)[0] < loss(rough, data, y, prior)[0]
    return noisy if is_better and noisy[-1] > math.log(NOISY) + noisy[-2] else rough


@dataclass(frozen=True)
class Model:
    """A Gaussian process given theta and the data, ready to be asked.

    y may have several columns, shape (n, f): several sets of values for the rows, which share all but the mean. Rows,
    `lower` and `weights` are arrays of the backend; `noises` are the variances of the observations, shape (n,).
    """

    theta: Floats
    data: Data
    y: Floats
    rows: Floats = field(repr=False)  # scaled, shape (n, p)
    lower: Floats = field(repr=False)
    weights: Floats = field(repr=False)  # K^-1 y, shape (n, f)
    noises: Floats = field(repr=False)

    @classmethod
    def of(cls, theta: Floats, data: Data, y: Floats) -> Self:
        """Factorise K."""
        y = y.reshape(len(y), -1)
        rows = data.scaled(theta, data.features)
        covariance = math.exp(theta[-2]) * data.kernel(theta, rows, rows)[0]
        noises = np.full(len(y), math.exp(theta[-1])) + data.known
        lower = _factor(covariance, noises, data.backend)
        return cls(theta, data, y, rows, lower, data.solve(lower, data.backend.array(y)), noises)

    @property
    def signal(self) -> float:
        """The variance of the function."""
        return math.exp(self.theta[-2])

    @property
    def noise(self) -> float:
        """The variance of one observation of it: their median."""
        return float(np.median(self.noises))

    @property
    def is_noisy(self) -> bool:
        """Whether the lowest value seen is luck."""
        return self.noise > NOISY * self.signal

    def smoothed(self) -> Floats:
        """Return the mean at the observations, shape (n, f): (K - noise I) K^-1 y."""
        return self.y - self.noises[:, None] * self.data.backend.host(self.weights)

    def covariances(self, rows: Ints) -> tuple[Floats, Floats]:
        """Return the posterior covariance of the function at b observations, shape (b, b), and weights, shape (n, b):
        their product with the prior covariance k(x, X) is that of f(x) with them, k(x, X) (E - K^-1 K_b)."""
        backend = self.data.backend
        prior = self.signal * self.data.kernel(self.theta, self.rows, self.rows[rows])[0]
        solved = backend.host(self.data.solve(self.lower, prior))
        prior, weights = backend.host(prior), -solved
        weights[rows, np.arange(len(rows))] += 1.0
        # Rounding makes it askew, and a Cholesky decomposition reads one half of it.
        covariance = prior[rows] - prior.T @ solved
        return 0.5 * (covariance + covariance.T), weights

    def at(self, features: Floats) -> Posterior:
        """Return the posterior of the function at rows, shape (m, p)."""
        return Posterior(self, features)

    def extended(self, features: Floats, y: Floats) -> Model:
        """Return the model with q more rows, shape (q, p), all together observed as y, shape (n + q, f): O(n^2 q)."""
        n, q, backend = len(self.rows), len(features), self.data.backend
        more = self.data.scaled(self.theta, features)
        cross = backend.half_solve(self.lower, self.signal * self.data.kernel(self.theta, self.rows, more)[0])
        own = self.signal * self.data.kernel(self.theta, more, more)[0]
        rows, lower = backend.zeros(n + q, features.shape[1]), backend.zeros(n + q, n + q)
        rows[:n], rows[n:] = self.rows, more
        lower[:n, :n], lower[n:, :n] = self.lower, cross.T
        noises = np.r_[self.noises, np.full(q, self.noise)]
        # The Schur complement: of L only what belongs to the new rows is computed.
        lower[n:, n:] = _factor(own - cross.T @ cross, noises[n:], backend)
        weights = self.data.solve(lower, backend.array(y))
        return replace(self, y=y, rows=rows, lower=lower, weights=weights, noises=noises)


class Posterior:
    """Mean and standard deviation at m rows, and the way back from their gradients to the rows'."""

    def __init__(self, model: Model, features: Floats) -> None:
        data, backend = model.data, model.data.backend
        self._model, self._rows = model, data.scaled(model.theta, features)
        kernel, self._slope = data.kernel(model.theta, self._rows, model.rows)
        kernel *= model.signal
        self.mean: Floats = backend.host(kernel @ model.weights)
        """Shape (m, f)."""
        self._half = backend.half_solve(model.lower, kernel.T)  # L^-1 k, shape (n, m)
        variance = data.variance(model.theta) - backend.host((self._half * self._half).sum(0))
        # Rounding leaves less than 0 at an observed row; improvement is divided by the sd, which must not be 0.
        self.sd: Floats = np.sqrt(np.maximum(variance, 1e-12 * model.signal))
        """Of the function, without noise: shape (m,)."""

    @property
    def moments(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation."""
        return self.mean, self.sd

    def pull_back(self, d_mean: Floats, d_sd: Floats) -> Floats:
        """Return the gradient in the rows, shape (m, p), of a function whose gradients are those, (m, f) and (m,); what
        it says of a step means nothing."""
        model, backend = self._model, self._model.data.backend
        solved = backend.half_solve(model.lower, self._half, transposed=True)  # K^-1 k, shape (n, m)
        pull = backend.array(d_mean) @ model.weights.T - backend.array((d_sd / self.sd)[:, None]) * solved.T
        pull *= self._slope
        steep = backend.host(self._rows * pull.sum(1)[:, None] - pull @ model.rows)
        return np.asarray(2.0 * model.signal * np.exp(-model.theta[model.data.groups]) * steep)


def _factor(matrix: Floats, noise: Floats, backend: Backend) -> Floats:
    """Return L of the matrix with noise, shape (n,), on its diagonal; where rounding makes that not positive, with ten
    times as much, and so on. Changes the matrix."""
    for _ in range(20):
        backend.lift(matrix, noise)
        lower = backend.cholesky(matrix)
        if lower is not None:
            return lower
        noise = 9.0 * noise  # with what is there already, ten times as much
    raise AssertionError("a matrix with so much on its diagonal is positive")
