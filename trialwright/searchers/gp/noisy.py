"""Expected improvement with noise: compared with draws of the function's minimum over the tried points.

Noisy expected improvement (Letham et al. 2019, arXiv 1706.07094) in logarithms (Ament et al. 2023, arXiv 2310.20708).
Only the function at the few tried rows that may be the best is drawn. Given a draw, the function elsewhere is normal,
and its improvement is known in closed form: so the tail stays exact.

n: rows of the model. b: the tried rows that may be the best, the baseline. s: draws. m: rows asked about.
f: the function at the baseline; mu and C = L L' its mean and covariance. c(x): the covariance of f(x) with f.
z: normal draws, shape (s, b); those of f are mu + L z. g = L^-1 c(x), shape (m, b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from trialwright.searchers.gp.acquisition import log_ei
from trialwright.searchers.gp.model import Model
from trialwright.searchers.gp.utility import Pair, Utility
from trialwright.searchers.pareto import Ints
from trialwright.space.values import Floats

DRAWS = 64
BASELINE_MAX = 16
CANDIDATES, RACES = 60, 512  # rows of least mean; those that are the least in one of so many draws are the baseline
JITTER = 1e-6  # of the signal, on the diagonal of C
FLOOR = 1e-8  # of the signal: variance that is left given a draw


def noisy_improvement(model: Model, rows: Ints, generator: np.random.Generator) -> tuple[Model, Utility]:
    """Return the log expected improvement on the least of the function at these rows of the model, which are allowed,
    and the model to ask for its moments: after the mean it says g.

    Given a draw, f(x) has the mean mu(x) + g'z and the variance sd^2 - |g|^2.
    """
    rows = _baseline(model, rows, generator)
    covariance, weights = model.covariances(rows)
    lower, z = _root(covariance, JITTER * model.signal), _normals(len(rows))
    best = (model.smoothed()[rows, 0] + z @ lower.T).min(axis=1)
    to_g = np.asarray(np.linalg.solve(lower, weights.T).T)
    return _with_columns(model, to_g), _improvement(best, z, FLOOR * model.signal)


def _improvement(best: Floats, z: Floats, floor: float) -> Utility:
    """Return log EI on the best of each draw, shape (s,), averaged over draws."""

    def utility(outputs: Sequence[Pair]) -> tuple[Floats, list[Pair]]:
        ((moments, sd),) = outputs
        g = moments[:, 1:]
        variance = sd * sd - np.einsum("mb,mb->m", g, g)
        rest = np.sqrt(np.maximum(variance, floor))
        value, d_draws, d_rest = log_ei(best, moments[:, :1] + g @ z.T, rest)
        d_rest = np.where(variance > floor, d_rest / rest, 0.0)
        d_moments = np.column_stack([d_draws.sum(axis=1), d_draws @ z - d_rest[:, None] * g])
        return value, [(d_moments, d_rest * sd)]

    return utility


def _baseline(model: Model, rows: Ints, generator: np.random.Generator) -> Ints:
    """Return which of the rows may be the best: those that are the least in a draw, the most frequent first."""
    mean = model.smoothed()[:, 0]
    near = rows[np.argsort(mean[rows], kind="stable")[:CANDIDATES]]
    lower = _root(model.covariances(near)[0], JITTER * model.signal)
    draws = mean[near] + generator.standard_normal((RACES, len(near))) @ lower.T
    winners, wins = np.unique(np.argmin(draws, axis=1), return_counts=True)
    return np.asarray(near[winners[np.argsort(-wins, kind="stable")]][:BASELINE_MAX])


def _with_columns(model: Model, weights: Floats) -> Model:
    """Return the model with more means: of weights, shape (n, b), to the prior covariance with the rows."""
    backend = model.data.backend
    weights = np.column_stack([backend.host(model.weights)[:, 0], weights])
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


@lru_cache(maxsize=BASELINE_MAX)
def _normals(b: int) -> Floats:
    """Return z: even points, the same each time."""
    from scipy.special import ndtri  # half a second: only who models waits for it
    from scipy.stats import qmc

    return np.asarray(ndtri(np.clip(qmc.Sobol(b, rng=1).random(DRAWS), 1e-6, 1.0 - 1e-6)))
