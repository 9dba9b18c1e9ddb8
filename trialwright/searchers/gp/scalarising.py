"""Scalarising: many objectives as one, a different one each time, where boxes would be too many (Knowles 2006, ParEGO).

With random weights w that sum to 1, s(y) = max_o w_o (y_o - ideal_o) + 0.05 sum_o w_o (y_o - ideal_o): each w leads to
another point of the front. Expected improvement of s is a mean over fixed normal draws, with a smooth corner at 0 so
that its logarithm has a gradient everywhere (Ament et al. 2023).

m: rows. o: objectives. r: draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialwright.space.values import Floats

DRAWS = 64
SMOOTH = 0.01  # width of the corner, in standard deviations of the observed s
SLOPE = 0.05  # without it, points that are equal in their worst objective count the same


@dataclass(frozen=True)
class Scalar:
    """One s: `weights` and `ideal` have shape (o,)."""

    weights: Floats
    ideal: Floats

    def of(self, values: Floats) -> Floats:
        """Return s of values, shape (..., o)."""
        parts = self.weights * (values - self.ideal)
        return np.asarray(parts.max(axis=-1) + SLOPE * parts.sum(axis=-1))

    def slopes(self, values: Floats) -> Floats:
        """Return its gradient, shape (..., o)."""
        parts = self.weights * (values - self.ideal)
        worst = parts == parts.max(axis=-1, keepdims=True)
        return np.asarray(self.weights * (worst + SLOPE))


def drawn(values: Floats, generator: np.random.Generator) -> Scalar:
    """Draw the weights, evenly from all that sum to 1; what is ideal is the best of each objective, of (n, o)."""
    return Scalar(generator.dirichlet(np.ones(values.shape[1])), values.min(axis=0))


def log_improvement(scalar: Scalar, best: float, mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Return log E[improvement of s on the best], shape (m,), and its gradients in mean and sd, both (m, o)."""
    from scipy.special import expit  # a third of a second: only who models waits for it

    normal = _draws(mean.shape[1])
    values = mean[:, None] + sd[:, None] * normal  # (m, r, o)
    excess = (best - scalar.of(values)) / SMOOTH
    gain = np.logaddexp(0.0, excess)  # softplus
    log_gain = np.where(excess < -30.0, excess, np.log(np.maximum(gain, 1e-300)))
    top = log_gain.max(axis=1)
    share = np.exp(log_gain - top[:, None])
    total = share.sum(axis=1)
    share /= total[:, None]
    rate = share * np.where(excess < -30.0, 1.0, expit(excess) / np.maximum(gain, 1e-300)) / SMOOTH
    pull = -rate[:, :, None] * scalar.slopes(values)
    return top + np.log(total * (SMOOTH / DRAWS)), pull.sum(axis=1), np.einsum("mro,ro->mo", pull, normal)


def _draws(o: int) -> Floats:
    from scipy.special import ndtri
    from scipy.stats import qmc  # half a second: only who has many objectives waits for it

    return np.asarray(ndtri(np.clip(qmc.Sobol(o, rng=0).random(DRAWS), 1e-6, 1.0 - 1e-6)))
