"""Recommend: which of the tried configurations is truly the best (the smallest noisy value may be luck), and
what others would come to.

A Gaussian process is fitted to all values, whatever the searcher was, and the least posterior mean wins. A value far
from what the model says of it without it is left out, and the model fitted again: a normal distribution believes every
value, and one that is a hundred standard deviations too good would win.

n: observations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trialwright.history import History
from trialwright.searchers.base import Problem
from trialwright.searchers.gp.backends import one_thread
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.model import Data, Model, Prior, fit_noisy
from trialwright.searchers.gp.surrogate import representative
from trialwright.searchers.gp.warp import sobered, steepness, warped
from trialwright.searchers.observations import DONE, Observations
from trialwright.space.values import Bools, Config, Floats, Ints

ROWS_MAX = 300  # observations that are fitted: time grows with their cube
ROUNDS = 3  # of leaving out
FAR = 5.0  # standard deviations, as the middle half of the values has them
ENOUGH = 10  # values, to tell which one is far
TO_NORMAL = 1.4826  # from the median of absolute deviations to a standard deviation
TWO_SIDED_95 = 1.96


@dataclass(frozen=True)
class Recommended:
    """The configuration that is the best by the model's mean, of those that were tried.

    ``trial`` is the number of the first trial with it. ``mean`` is what the metric is expected to be there, without
    noise, and ``interval`` where it lies with a probability of 95 %, both in the metric's own units.
    """

    trial: int
    config: dict[str, Any]  # the caller knows what is in it
    mean: float
    interval: tuple[float, float]

    def of_maximum(self) -> Recommended:
        """Return it for a metric that was turned because it is to be large."""
        low, high = self.interval
        return replace(self, mean=-self.mean, interval=(-high, -low))


@dataclass(frozen=True)
class Predicted:
    """What the metric is expected to be at n configurations: the mean without noise, and where it lies with a
    probability of 95 %, each of shape (n,) and in the metric's own units."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class _Fitted:
    """A model of some observations: their ``rows`` in the history, their values y, and which may be the best."""

    problem: Problem
    features: Features
    model: Model
    rows: Ints
    y: Floats
    allowed: Bools

    @classmethod
    def to(cls, problem: Problem, history: History, objective: int) -> _Fitted | None:
        """Return the model of a history; None where nothing may be the best."""
        known = Observations(problem)
        known.update(history)
        order = known.best_first()
        order = order[known.state[order] == DONE]
        rows = np.sort(order)
        rows = rows[representative(np.argsort(order).astype(np.float64), ROWS_MAX)]
        allowed = np.all(known.violations[rows] <= 0.0, axis=1)
        if not allowed.any():
            return None
        features, y = Features(problem.space), known.values[rows, objective]
        sems = known.sems_at(rows, known.level)[:, objective]
        kept, model = _robust(features, features.of(known.units[rows], known.active[rows]), y, sems, allowed)
        return cls(problem, features, model, rows[kept], y[kept], allowed[kept])

    def unwarped(self, moments: Floats) -> Floats:
        """Return moments of the model in the units of the values."""
        return _unwarped(moments, self.model.y[:, 0], self.y)


def recommend(problem: Problem, history: History) -> Recommended | None:
    """Return what is recommended after this history, by its first objective; None where no trial has finite values that
    meet the outcome constraints. The same history gives the same answer."""
    with one_thread():
        fitted = _Fitted.to(problem, history, 0)
        if fitted is None:
            return None
        place, moments = _least(fitted.model, fitted.allowed)
    low, mean, high = np.sort(fitted.unwarped(moments)).tolist()
    record = history.trials[int(fitted.rows[place])]
    return Recommended(record.id, problem.space.resolve(record.config), mean, (low, high))


def predict(problem: Problem, history: History, configs: Sequence[Config], objective: int = 0) -> Predicted | None:
    """Return what the model of this history says of n configurations in their plain form; None where it recommends
    none.

    Raises:
        ValueError: a configuration is none of the space.
    """
    units, active = problem.space.encode(configs)
    with one_thread():
        fitted = _Fitted.to(problem, history, objective)
        if fitted is None:
            return None
        posterior = fitted.model.at(fitted.features.of(units, active))
    mean, doubt = posterior.mean[:, 0], TWO_SIDED_95 * posterior.sd
    low, middle, high = (fitted.unwarped(moments) for moments in (mean - doubt, mean, mean + doubt))
    return Predicted(middle, low, high)


def _robust(features: Features, rows: Floats, y: Floats, sems: Floats, allowed: Bools) -> tuple[np.ndarray, Model]:
    """Return which observations are believed, of shape (at most n,), and the model of these."""
    kept = np.arange(len(y))
    model = _fitted(features, rows, y, sems)
    for _ in range(ROUNDS):
        near = ~_far(model)
        if near.all() or not allowed[kept[near]].any():
            break
        kept = kept[near]
        model = _fitted(features, rows[kept], y[kept], sems[kept])
    return kept, model


def _fitted(features: Features, rows: Floats, y: Floats, sems: Floats) -> Model:
    z, prior = warped(sobered(y)), Prior(len(features.columns))
    data = Data(rows, features.groups, known=(sems * steepness(y, z)) ** 2)
    return Model.of(fit_noisy(data, z, prior, prior.mean[None]), data, z)


def _far(model: Model) -> Bools:
    """Return which values are far from what the others say of them, shape (n,): residuals of leaving one out (Rasmussen
    and Williams 2006, eq. 5.12), in their own standard deviations. Without noise there are none: a value is what it is.
    """
    if not model.is_noisy or len(model.y) < ENOUGH:
        return np.zeros(len(model.y), np.bool_)
    a, inverse = model.weights[:, 0], model.data.backend.inverse(model.lower)
    size = np.abs(a) / np.sqrt(inverse.diagonal())
    return np.asarray(size > FAR * TO_NORMAL * max(float(np.median(size)), 1e-12))


def _least(model: Model, allowed: Bools) -> tuple[int, Floats]:
    """Return which observation has the least mean, of those that are allowed; and low, mean, and high there."""
    mean = model.smoothed()[:, 0]
    place = int(np.argmin(np.where(allowed, mean, np.inf)))
    doubt = TWO_SIDED_95 * model.at(model.data.features[[place]]).sd[0]
    return place, mean[place] + doubt * np.array([-1.0, 0.0, 1.0])


def _unwarped(moments: Floats, z: Floats, y: Floats) -> Floats:
    """Return numbers among the z as ones among the y: between the values in straight lines, beyond them too."""
    z, first = np.unique(z, return_index=True)
    y = y[first]
    if len(z) == 1:
        return np.full(len(moments), y[0])
    slope = steepness(z, y)
    below, above = np.minimum(moments - z[0], 0.0), np.maximum(moments - z[-1], 0.0)
    return np.asarray(np.interp(moments, z, y) + below * slope[0] + above * slope[-1])
