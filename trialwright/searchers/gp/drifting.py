"""Drifting: a Gaussian process whose function changes with time, and where its upper bound is highest.

The kernel is k(D) (k(T) + c): over settings, and over time, k(T) = (1 - eps)^(|t - t'| / 2) (Bogunovic et al. 2016,
arXiv 1601.06650), with T in intervals; c is the part that stays as it is. So it is ``model.py``'s kernel over learning
curves, with another k(T): l_t = -2 / log(1 - eps).

n: intervals. p: features of the settings. q: members of which nothing is known yet. m: rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.model import Data, Integers, Model, Prior, fit
from trialwright.space.values import Bools, Floats

EPSILON = 0.1  # expected, as in the paper
C1, C2 = 0.2, 0.4  # of the bound: sqrt(C1 log(C2 n)) standard deviations (Parker-Holder et al. 2020, appendix)


@dataclass(frozen=True)
class Drifting(Data):
    """Rows (n, p + 2): settings, the cost before, and the time."""

    def over_steps(self, a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
        """Return k(T) between scaled rows, its slope, and the squared distances T of their times."""
        apart = np.abs(a[:, -1:] - b[:, -1:].T)
        kernel = np.exp(-apart)
        return kernel, -0.5 * kernel / np.maximum(apart, 1e-12), apart * apart


def fitted(rows: Floats, groups: Integers, gains: Floats) -> Model:
    """Return the model of gains (n,), standardised, at rows (n, p + 2), of columns ``groups`` (p + 2,)."""
    d = int(groups[-1])
    prior = Prior(d, has_steps=True, over_steps=((math.log(-2.0 / math.log(1.0 - EPSILON)), 1.0), (-2.0, 1.0)))
    data = Drifting(rows, groups, has_steps=True)
    return Model.of(fit(data, gains, prior, prior.mean[None, :]), data, gains)


class UpperBound:
    """How good settings may be now: a score for ``maximise.py``.

    Args:
        features: of the settings.
        model: of gains.
        pending: rows (q, p + 2) of which the gains are not known yet: they leave the mean as it is, and make the
            deviation smaller (Desautels et al. 2014: hallucinated observations).
        now: the cost and the time for which settings are wanted, as the model sees them, shape (2,).
        wide: how many standard deviations the bound is above the mean.
    """

    def __init__(self, features: Features, model: Model, pending: Floats, now: Floats, wide: float) -> None:
        self._features, self._model, self._now, self._wide = features, model, now, wide
        y = np.concatenate([model.y, np.zeros((len(pending), 1))])
        self._hallucinated = model.extended(pending, y) if len(pending) else model

    def value(self, units: Floats, active: Bools) -> Floats:
        """Return it, shape (m,)."""
        rows = self._rows(units, active)
        return np.asarray(self._model.at(rows).mean[:, 0] + self._wide * self._hallucinated.at(rows).sd)

    def steep(self, units: Floats, active: Bools) -> tuple[Floats, Floats]:
        """Return it, and its gradient in the units, shape (m, d)."""
        rows = self._rows(units, active)
        mean, deviation = self._model.at(rows), self._hallucinated.at(rows)
        ones, zeros = np.ones(len(rows)), np.zeros(len(rows))
        gradient = mean.pull_back(ones[:, None], zeros)
        gradient = gradient + deviation.pull_back(zeros[:, None], self._wide * ones)
        value = mean.mean[:, 0] + self._wide * deviation.sd
        return np.asarray(value), self._features.pull_back(gradient)

    def _rows(self, units: Floats, active: Bools) -> Floats:
        now = np.broadcast_to(self._now, (len(units), 2))
        return np.concatenate([self._features.of(units, active), now], axis=1)


def wide(n: int) -> float:
    """Return how many standard deviations the bound is above the mean, with n intervals known."""
    return math.sqrt(C1 * max(math.log(C2 * n), 0.0))
