"""Expected improvement of one objective, on a value or on the best of noisy ones, and the probability of meeting
constraints, in logarithms and with gradients.

z: (best - mean) / sd. phi, Phi: density and distribution function of the normal. h(z) = phi(z) + z Phi(z).
EI = sd * h(z) (Jones et al. 1998); its logarithm in the tail is that of Ament et al. 2023 (LogEI, arXiv 2310.20708): EI
itself is 0 in most of a space, and a search cannot follow a gradient of 0.
m: rows that are asked about. f: fantasies, assumed results of pending trials; EI is the mean over them. o: outputs,
objectives first, then constraints. Means have shape (m, f) and sds (m,), one pair an output; so have gradients.

Where no value is certain, improvement is on the least of the function at what was tried, which is drawn: noisy expected
improvement (Letham et al. 2019, arXiv 1706.07094). Only the function at the few tried rows that may be the best is
drawn. Given a draw, the function elsewhere is normal, and its improvement is known in closed form: the tail is exact.
n: rows of the model. b: the tried rows that may be the best, the baseline. s: draws.
y: the function at the baseline; mu and C = L L' its mean and covariance. c(x): the covariance of the function at x with
y. z there: normal draws, shape (s, b); those of y are mu + L z. g = L^-1 c(x), shape (m, b).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from trialwright.searchers.gp.model import Model
from trialwright.space.values import Floats, Ints

LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
Pair: TypeAlias = tuple[Floats, Floats]  # of mean and sd, or of the gradients in them
Utility: TypeAlias = Callable[[Sequence[Pair]], tuple[Floats, list[Pair]]]
"""From (mean, sd) of each output to values, shape (m,), and the gradients in mean and sd of each output."""
DRAWS = 64
BASELINE_MAX = 16
CANDIDATES, RACES = 60, 512  # rows of least mean; those that are the least in one of so many draws are the baseline
JITTER = 1e-6  # of the signal, on the diagonal of C
FLOOR = 1e-8  # of the signal: variance that is left given a draw


def log_h(z: Floats) -> tuple[Floats, Floats]:
    """Return log h(z), and its derivative Phi(z) / h(z), both of z's shape.

    Below -1, phi(z) * (1 - |z| R) with Mills' ratio R = sqrt(pi/2) erfcx(|z| / sqrt 2) says the same without
    cancelling; below -1e5 it has lost all digits too, and 1 / z^2 remains.
    """
    from scipy.special import erfcx, ndtr  # a third of a second: only who models waits for it

    # Each formula is computed for all z, also where it overflows and another one is taken.
    with np.errstate(all="ignore"):
        size = np.abs(z)
        log_phi = -0.5 * z * z - LOG_ROOT_2PI
        phi, big_phi = np.exp(log_phi), ndtr(z)
        near = phi + z * big_phi
        mills = math.sqrt(math.pi / 2.0) * erfcx(size / math.sqrt(2.0))
        factor = np.where(size > 1e5, 1.0 / (z * z), 1.0 - size * mills)
        tail = z < -1.0
        value = np.where(tail, log_phi + np.log(factor), np.log(near))
        derivative = np.where(tail, np.where(size > 1e5, size, mills / factor), big_phi / near)
    return value, derivative


def log_ei(best: Floats, mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Return log EI below `best`, shape (m,), and its gradients in mean, shape (m, f), and sd, shape (m,).

    best: shape (f,). mean: shape (m, f). sd: shape (m,).
    """
    z = (best - mean) / sd[:, None]
    value, derivative = log_h(z)
    value += np.log(sd)[:, None]
    total = _log_mean(value)
    share = np.exp(value - total[:, None]) / mean.shape[1]
    slope = share * derivative / sd[:, None]
    return total, -slope, np.einsum("mf->m", share) / sd - np.einsum("mf,mf->m", slope, z)


def log_feasible(mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the log probability of being at most 0, shape (m,), and its gradients in mean, (m, f), and sd, (m,)."""
    from scipy.special import log_ndtr

    z = -mean / sd[:, None]
    value = log_ndtr(z)
    # phi / Phi as a difference of logarithms: far from the limit both are 0, and their ratio is not.
    derivative = np.exp(-0.5 * z * z - LOG_ROOT_2PI - value)
    total = _log_mean(value)
    share = np.exp(value - total[:, None]) / mean.shape[1]
    slope = share * derivative / sd[:, None]
    return total, -slope, -np.einsum("mf,mf->m", slope, z)


def _log_mean(values: Floats) -> Floats:
    # The largest is taken out first: exp(-1000) is 0, and its logarithm would be -inf.
    top = values.max(axis=1)
    return np.asarray(top + np.log(np.mean(np.exp(values - top[:, None]), axis=1)))


def improvement(best: Floats) -> Utility:
    """Log expected improvement of one objective on the best, shape (f,)."""

    def utility(outputs: Sequence[Pair]) -> tuple[Floats, list[Pair]]:
        ((mean, sd),) = outputs
        value, d_mean, d_sd = log_ei(best, mean, sd)
        return value, [(d_mean, d_sd)]

    return utility


def constrained(utility: Utility | None, objectives: int) -> Utility:
    """Add the log probability that every output after the objectives is at most 0 (Gardner et al. 2014).

    Without a utility, because nothing allowed is known that could be improved on, that probability is all.
    """

    def together(outputs: Sequence[Pair]) -> tuple[Floats, list[Pair]]:
        value, pulls = (utility or _nothing)(outputs[:objectives])
        for mean, sd in outputs[objectives:]:
            more, d_mean, d_sd = log_feasible(mean, sd)
            value = value + more
            pulls.append((d_mean, d_sd))
        return value, pulls

    return together


def _nothing(outputs: Sequence[Pair]) -> tuple[Floats, list[Pair]]:
    return np.zeros(len(outputs[0][0])), [(np.zeros_like(mean), np.zeros_like(sd)) for mean, sd in outputs]


def noisy_improvement(model: Model, rows: Ints, generator: np.random.Generator) -> tuple[Model, Utility]:
    """Return the log expected improvement on the least of the function at these rows of the model, which are allowed,
    and the model to ask for its moments: after the mean it says g.

    Given a draw, the function at x has the mean mu(x) + g'z and the variance sd^2 - |g|^2.
    """
    rows = _baseline(model, rows, generator)
    covariance, weights = model.covariances(rows)
    lower, z = _root(covariance, JITTER * model.signal), even_normals(len(rows), seed=1)
    best = (model.smoothed()[rows, 0] + z @ lower.T).min(axis=1)
    to_g = np.asarray(np.linalg.solve(lower, weights.T).T)
    return _with_columns(model, to_g), _improvement_on_draws(best, z, FLOOR * model.signal)


def _improvement_on_draws(best: Floats, z: Floats, floor: float) -> Utility:
    """Return log EI on the best of each draw, shape (s,), averaged over draws."""

    def utility(outputs: Sequence[Pair]) -> tuple[Floats, list[Pair]]:
        ((moments, sd),) = outputs
        g = moments[:, 1:]
        variance = sd * sd - np.einsum("mb,mb->m", g, g)
        # A draw fixes the function at the baseline's rows: no variance is left there, or by rounding less than 0.
        rest = np.sqrt(np.maximum(variance, floor))
        value, d_draws, d_rest = log_ei(best, moments[:, :1] + g @ z.T, rest)
        # At the floor nothing changes with g and sd; the slope of the root would be huge.
        d_rest = np.where(variance > floor, d_rest / rest, 0.0)
        d_moments = np.column_stack([d_draws.sum(axis=1), d_draws @ z - d_rest[:, None] * g])
        return value, [(d_moments, d_rest * sd)]

    return utility


def _baseline(model: Model, rows: Ints, generator: np.random.Generator) -> Ints:
    """Return which of the rows may be the best: those that are the least in a draw, the most frequent first."""
    mean = model.smoothed()[:, 0]
    # A row of high mean is the least in no draw, and to draw takes the cube of the number of rows.
    near = rows[np.argsort(mean[rows], kind="stable")[:CANDIDATES]]
    lower = _root(model.covariances(near)[0], JITTER * model.signal)
    draws = mean[near] + generator.standard_normal((RACES, len(near))) @ lower.T
    winners, wins = np.unique(np.argmin(draws, axis=1), return_counts=True)
    return np.asarray(near[winners[np.argsort(-wins, kind="stable")]][:BASELINE_MAX])


def _with_columns(model: Model, weights: Floats) -> Model:
    """Return the model with more means: of weights, shape (n, b), to the prior covariance with the rows."""
    backend = model.data.backend
    weights = np.column_stack([backend.host(model.weights)[:, 0], weights])
    # Nothing was observed of these columns: a mean is made of weights, and y only says how many there are.
    values = np.column_stack([model.y[:, 0], np.zeros((len(model.y), weights.shape[1] - 1))])
    return replace(model, weights=backend.array(weights), y=values)


def _root(covariance: Floats, jitter: float) -> Floats:
    """Return L; where rounding makes C not positive, of C with ten times as much on its diagonal, and so on."""
    for _ in range(20):
        try:
            return np.asarray(np.linalg.cholesky(covariance + jitter * np.eye(len(covariance))))
        except np.linalg.LinAlgError:
            jitter *= 10.0
    raise AssertionError("a matrix with so much on its diagonal is positive")


@lru_cache(maxsize=2 * BASELINE_MAX)
def even_normals(d: int, seed: int) -> Floats:
    """Return ``DRAWS`` normal draws, shape (s, d), that are even points and the same each time: do not change them."""
    from scipy.special import ndtri  # half a second: only who models waits for it
    from scipy.stats import qmc

    points = qmc.Sobol(d, rng=seed).random(DRAWS)
    return np.asarray(ndtri(np.clip(points, 1e-6, 1.0 - 1e-6)))  # a point may be at 0, of which the quantile is -inf
