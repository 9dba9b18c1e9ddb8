"""Surrogate: what has been observed as arrays for models, and one fitted model for each output.

n: observations. d: columns. p: features. o: outputs, objectives first, then outcome constraints.

What a fit has found rides in the tags of the suggestion that it was made for: the next fit starts there, and between
fits it is what is used. So the models are a function of the history, and none is fitted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from trialist.history import Record
from trialist.messages import Plain, Tags
from trialist.searchers.gp.features import Features
from trialist.searchers.gp.model import Model, Prior, fit
from trialist.searchers.gp.thinning import representative
from trialist.searchers.gp.warp import signed, warped
from trialist.searchers.observations import DONE, FAILED, Observations
from trialist.searchers.pareto import best_first
from trialist.space.values import Floats

TAG = "gp"
ROWS_MAX = 1000
"""A model looks at no more observations than these; time grows with their cube."""
FITTED_MAX = 500
"""And a fit, which looks some ten or twenty times, at no more than these."""


@dataclass(frozen=True)
class Observed:
    """What models are made from: a row for each trial that ended, failures as bad as the worst that did not.

    Attributes:
        units: shape (n, d).
        features: shape (n, p).
        outputs: warped and standardised, shape (n, o); constraints are met where at most 0.
        badness: how bad each row is, shape (n,): 0 for the best, n - 1 for the worst.
    """

    units: Floats
    features: Floats
    outputs: Floats
    badness: Floats

    def thinned(self, count: int) -> Observed:
        """Return at most `count` rows that stand for all."""
        rows = representative(self.badness, count)
        if len(rows) == len(self.units):
            return self
        return Observed(self.units[rows], self.features[rows], self.outputs[rows], self.badness[rows])


def observed(known: Observations, features: Features, objectives: int) -> Observed | None:
    """Return what the models can learn from, or None where nothing has been evaluated."""
    if not known.rows(DONE).size:
        return None
    rows = np.flatnonzero((known.state == DONE) | (known.state == FAILED))
    raw = np.concatenate([known.values[rows], known.violations[rows]], axis=1)
    raw = np.where(np.isnan(raw), np.nanmax(raw, axis=0), raw)
    warps = [warped] * objectives + [signed] * (raw.shape[1] - objectives)
    outputs = np.stack([warp(column) for warp, column in zip(warps, raw.T, strict=True)], axis=1)
    badness = np.empty(len(rows))
    badness[best_first(outputs[:, :objectives], outputs[:, objectives:])] = np.arange(len(rows))
    seen = Observed(known.units[rows], features.of(known.units[rows], known.active[rows]), outputs, badness)
    return seen.thinned(ROWS_MAX)


@dataclass(frozen=True)
class Fitted:
    """What was fitted when there were n observations: a theta for each output, shape (o, d + 2)."""

    n: int
    thetas: Floats

    @property
    def due(self) -> int:
        """At how many observations to fit again: at each while they are few, later at each twentieth part more."""
        return self.n + max(1, self.n // 20)

    def tags(self) -> Tags:
        """Return it as plain data."""
        return {TAG: {"n": self.n, "thetas": cast(Plain, self.thetas.tolist())}}


def last_fit(records: Sequence[Record]) -> Fitted | None:
    """Return what the newest trial that brought one remembers."""
    for record in reversed(records):
        if TAG in record.tags:
            said = cast(dict[str, object], record.tags[TAG])
            return Fitted(cast(int, said["n"]), np.array(said["thetas"], np.float64))
    return None


def fitted(seen: Observed, n: int, last: Fitted | None, features: Features) -> Fitted:
    """Return the last fit while it will do, else a new one of n observations.

    A fit starts where the last one ended; the first ones, and one in four later, also start from the beginning, lest a
    bad optimum be inherited for ever.
    """
    if last is not None and n < last.due:
        return last
    prior, few = Prior(len(features.columns)), seen.thinned(FITTED_MAX)
    thetas = []
    for o in range(seen.outputs.shape[1]):
        starts = [] if last is None else [last.thetas[o]]
        starts += [prior.mean] if last is None or n % 4 == 0 else []
        thetas.append(fit(few.features, features.groups, few.outputs[:, o], prior, np.stack(starts)))
    return Fitted(n, np.round(thetas, 6))


def models(seen: Observed, fit_: Fitted, features: Features) -> list[Model]:
    """Return a model for each output."""
    return [
        Model.of(theta, features.groups, seen.features, y) for theta, y in zip(fit_.thetas, seen.outputs.T, strict=True)
    ]
