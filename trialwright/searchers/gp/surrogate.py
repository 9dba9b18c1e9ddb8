"""Surrogate: what has been observed as arrays for models, and one fitted model for each output.

n: observations. d: columns. p: features. o: outputs, objectives first, then outcome constraints.

Where trials stand at several levels, an observation is a pair of a trial and a level that it has reached, and the
models are of learning curves: over configs and steps (Klein et al. 2020, arXiv 2003.10865, section 3: MOBSTER). They
predict at the highest level that enough trials have reached.

What a fit has found is in the tags of the suggestion that it was made for: the next fit starts there, and between
fits it is what is used. So the models are a function of the history, and none is fitted twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias, cast

import numpy as np

from trialwright.history import History
from trialwright.messages import Plain, Tags
from trialwright.searchers.base import Problem
from trialwright.searchers.gp.backends import backend_of
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.model import Data, Model, Prior, fit, fit_noisy
from trialwright.searchers.gp.warp import signed, steepness, warped
from trialwright.searchers.observations import DONE, Observations
from trialwright.searchers.pareto import best_first
from trialwright.space.values import Bools, Floats, Ints

TAG = "gp"
NOISY_FROM = 20  # observations: of fewer, "all is noise" explains too much
Warp: TypeAlias = Callable[[Floats], Floats]


class Limits(NamedTuple):
    """How many observations a model looks at, and a fit, which looks some twenty times; time grows with their cube."""

    rows: int
    fitted: int


LIMITS = Limits(1000, 500)
LIMITS_OF_CURVES = Limits(500, 300)  # a trial has several observations, which say much the same
LIMITS_ON_DEVICE = Limits(5000, 2000)


@dataclass(frozen=True)
class Observed:
    """What models are made from: a row for each trial that has values at the level; of curves, for each level.

    Attributes:
        units: shape (n, d).
        features: shape (n, p).
        outputs: warped and standardised, shape (n, o); constraints are met where at most 0.
        noises: variances of the outputs as far as they are known, shape (n, o); 0 where they are not.
        trials: of which trial each row is, shape (n,).
        badness: how bad that trial is, shape (n,): 0 for the best.
        is_counted: which rows were observed at the level, shape (n,): by these an improvement is measured.
        log_step: logarithm of the level's step; None where the models are not of curves.
    """

    units: Floats
    features: Floats
    outputs: Floats
    noises: Floats
    trials: Ints
    badness: Floats
    is_counted: Bools
    log_step: float | None = None

    def thinned(self, count: int) -> Observed:
        """Return at most `count` rows that stand for all: all rows of some trials."""
        firsts = np.unique(self.trials, return_index=True)[1]
        rows, kept = np.arange(len(self.units)), len(firsts)
        while len(rows) > count:  # how many rows a trial has is not known before it is chosen
            kept = min(kept - 1, kept * count // len(rows))
            chosen = self.trials[firsts[representative(self.badness[firsts], kept)]]
            rows = np.flatnonzero(np.isin(self.trials, chosen))
        return self if len(rows) == len(self.units) else self._of(rows)

    def best(self, count: int) -> Floats:
        """Return the units of the best trials, shape (at most count, d)."""
        order = np.argsort(self.badness, kind="stable")
        firsts = np.unique(self.badness[order], return_index=True)[1]
        return self.units[order[firsts[:count]]]

    def ranked(self, worth: Floats) -> Observed:
        """Return it with trials ranked by what they are worth, objective and constraints, shape (n, o)."""
        badness = np.empty(len(worth))
        badness[best_first(worth[:, :1], worth[:, 1:])] = np.arange(len(worth))
        return replace(self, badness=badness)

    def _of(self, rows: Ints) -> Observed:
        names = ("units", "features", "outputs", "noises", "trials", "badness", "is_counted")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


@dataclass(frozen=True)
class Fitted:
    """What was fitted when there were n trials with values: a theta for each output, shape (o, d + 2), or of curves,
    shape (o, d + 4)."""

    n: int
    thetas: Floats

    @property
    def due(self) -> int:
        """At how many trials to fit again: at each while they are few, later at each twentieth part more."""
        return self.n + max(1, self.n // 20)

    def tags(self) -> Tags:
        """Return it as plain data."""
        return {TAG: {"n": self.n, "thetas": cast(Plain, self.thetas.tolist())}}


class Surrogate:
    """The models of a problem's outputs, on a device of torch if one is named."""

    def __init__(self, problem: Problem, features: Features, device: str | None) -> None:
        self._features, self._backend = features, backend_of(device)
        self._limits, self._limits_of_curves = LIMITS, LIMITS_OF_CURVES
        if device is not None:
            self._limits = self._limits_of_curves = LIMITS_ON_DEVICE
        self._objectives, self._outputs = problem.objectives, problem.objectives + problem.constraints

    def observed(self, known: Observations) -> Observed | None:
        """Return what the models can learn from, or None where nothing has been evaluated."""
        if len(known.levels) > 1:
            return self.curves(known)
        rows = known.rows(DONE)
        if not rows.size:
            return None
        raw = np.concatenate([known.values[rows], known.violations[rows]], axis=1)
        outputs = self._warped(raw)
        noises = self._noises(known.sems_at(rows, known.level), raw, outputs)
        badness = np.empty(len(rows))
        badness[best_first(outputs[:, : self._objectives], outputs[:, self._objectives :])] = np.arange(len(rows))
        units, features = known.units[rows], self._features.of(known.units[rows], known.active[rows])
        everywhere = np.ones(len(rows), np.bool_)
        return Observed(units, features, outputs, noises, rows, badness, everywhere).thinned(self._limits.rows)

    def curves(self, known: Observations, warp: Warp = warped) -> Observed:
        """Return a row for each trial and each level that it has reached, objectives warped; something must have been
        evaluated."""
        order, steps = known.best_first(), np.array([known.step_of(level) for level in known.levels])
        raw = np.stack([known.outputs_at(order, level) for level in known.levels], axis=1)  # (trials, levels, o)
        trial, level = np.nonzero(np.isfinite(raw).all(axis=2))
        rows, log_steps = order[trial], np.log(steps[level])
        features = self._features.of(known.units[rows], known.active[rows], log_steps)
        outputs = self._warped(raw[trial, level], warp)
        errors = np.stack([known.sems_at(order, each) for each in known.levels], axis=1)
        noises = self._noises(errors[trial, level], raw[trial, level], outputs)
        at = known.levels.index(known.level)
        badness, at_level = trial.astype(np.float64), level == at
        seen = Observed(known.units[rows], features, outputs, noises, rows, badness, at_level, math.log(steps[at]))
        return seen.thinned(self._limits_of_curves.rows)

    def _warped(self, raw: Floats, warp: Warp = warped) -> Floats:
        """Return raw outputs, shape (n, o), as models see them."""
        warps = [warp] * self._objectives + [signed] * (self._outputs - self._objectives)
        return np.stack([each(column) for each, column in zip(warps, raw.T, strict=True)], axis=1)

    def _noises(self, errors: Floats, raw: Floats, outputs: Floats) -> Floats:
        """Return the variances of outputs, shape (n, o), given the standard errors of objectives, shape (n, m)."""
        noises = np.zeros_like(outputs)
        for o in np.flatnonzero(errors.any(axis=0)):
            noises[:, o] = (errors[:, o] * steepness(raw[:, o], outputs[:, o])) ** 2
        return noises

    def last_fit(self, history: History, seen: Observed) -> Fitted | None:
        """Return what the newest suggestion that brought a fit remembers; nothing if that was for other models."""
        for tags in history.view.newest_tags():
            if TAG in tags:
                said = cast(dict[str, object], tags[TAG])
                found = Fitted(cast(int, said["n"]), np.array(said["thetas"], np.float64))
                # Once trials stand at several levels, models are of curves, and an older theta is too short for them.
                return found if found.thetas.shape == (self._outputs, len(self._prior(seen).mean)) else None
        return None

    def fitted(self, seen: Observed, n: int, last: Fitted | None) -> Fitted:
        """Return the last fit while it will do, else a new one, with n trials that have values.

        A fit starts where the last one ended; the first ones, and one in four later, also start from the beginning,
        so that a bad optimum is not kept.
        """
        if last is not None and n < last.due:
            return last
        limits = self._limits if seen.log_step is None else self._limits_of_curves
        few, thetas, prior = seen.thinned(limits.fitted), [], self._prior(seen)
        for o in range(self._outputs):
            starts = [] if last is None else [last.thetas[o]]
            is_long = last is None or n % 4 == 0
            # Both starts cost twice the time, so not at every fit.
            starts += [prior.mean] if is_long else []
            may_be_noisy = n >= NOISY_FROM and self._objectives == 1 and seen.log_step is None
            find = fit_noisy if is_long and o == 0 and may_be_noisy else fit
            thetas.append(find(self._data(few, o), few.outputs[:, o], prior, np.stack(starts)))
        return Fitted(n, np.round(thetas, 6))  # the tags go into the journal, and no fit is more exact than this

    def models(self, seen: Observed, fitted: Fitted) -> list[Model]:
        """Return a model for each output."""
        outputs = enumerate(zip(fitted.thetas, seen.outputs.T, strict=True))
        return [Model.of(theta, self._data(seen, o), y) for o, (theta, y) in outputs]

    def _prior(self, seen: Observed) -> Prior:
        return Prior(len(self._features.columns), has_steps=seen.log_step is not None)

    def _data(self, seen: Observed, output: int) -> Data:
        return replace(self.data(seen.features, has_steps=seen.log_step is not None), known=seen.noises[:, output])

    def data(self, features: Floats, *, has_steps: bool) -> Data:
        """Return features, shape (n, p), as models take them."""
        groups = self._features.groups
        groups = np.append(groups, len(self._features.columns)) if has_steps else groups
        return Data(features, groups, self._backend, has_steps)


def representative(badness: Floats, count: int) -> Ints:
    """Return `count` of n rows, in order, given how bad each is, shape (n,); all of them if there are no more.

    A quarter are the best, because there the next one will be; a quarter the newest, because they tell where the search
    stands; the rest lie evenly over the others, and hold the far ends of the space down. So cost stays flat, however
    long a run is.
    """
    n = len(badness)
    if n <= count:
        return np.arange(n)
    kept = np.zeros(n, np.bool_)
    kept[np.argsort(badness, kind="stable")[: count // 4]] = True
    kept[n - count // 4 :] = True
    rest = np.flatnonzero(~kept)
    kept[rest[np.linspace(0, len(rest) - 1, count - int(kept.sum())).astype(np.int64)]] = True
    return np.flatnonzero(kept)
