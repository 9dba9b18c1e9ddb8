"""Surrogate: what has been observed as arrays for models, and one fitted model for each output.

n: observations. d: columns. p: features. o: outputs, objectives first, then outcome constraints.

What a fit has found rides in the tags of the suggestion that it was made for: the next fit starts there, and between
fits it is what is used. So the models are a function of the history, and none is fitted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from trialwright.history import Record
from trialwright.messages import Plain, Tags
from trialwright.searchers.base import Problem
from trialwright.searchers.gp.backends import backend_of
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.model import Data, Model, Prior, fit
from trialwright.searchers.gp.thinning import representative
from trialwright.searchers.gp.warp import signed, warped
from trialwright.searchers.observations import DONE, Observations
from trialwright.searchers.pareto import best_first
from trialwright.space.values import Floats

TAG = "gp"


class Limits(NamedTuple):
    """How many observations a model looks at, and a fit, which looks some twenty times; time grows with their cube."""

    rows: int
    fitted: int


LIMITS = Limits(1000, 500)
LIMITS_ON_DEVICE = Limits(5000, 2000)


@dataclass(frozen=True)
class Observed:
    """What models are made from: a row for each trial that ended with values.

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


class Surrogate:
    """The models of a problem's outputs, on a device of torch if one is named."""

    def __init__(self, problem: Problem, features: Features, device: str | None) -> None:
        self._features, self._backend = features, backend_of(device)
        self._limits = LIMITS if device is None else LIMITS_ON_DEVICE
        self._objectives, self._outputs = problem.objectives, problem.objectives + problem.constraints
        self._prior = Prior(len(features.columns))

    def observed(self, known: Observations) -> Observed | None:
        """Return what the models can learn from, or None where nothing has been evaluated."""
        rows = known.rows(DONE)
        if not rows.size:
            return None
        raw = np.concatenate([known.values[rows], known.violations[rows]], axis=1)
        warps = [warped] * self._objectives + [signed] * (self._outputs - self._objectives)
        outputs = np.stack([warp(column) for warp, column in zip(warps, raw.T, strict=True)], axis=1)
        badness = np.empty(len(rows))
        badness[best_first(outputs[:, : self._objectives], outputs[:, self._objectives :])] = np.arange(len(rows))
        units, features = known.units[rows], self._features.of(known.units[rows], known.active[rows])
        return Observed(units, features, outputs, badness).thinned(self._limits.rows)

    def last_fit(self, records: Sequence[Record]) -> Fitted | None:
        """Return what the newest trial that brought a fit remembers; nothing if that was for another space."""
        for record in reversed(records):
            if TAG in record.tags:
                said = cast(dict[str, object], record.tags[TAG])
                found = Fitted(cast(int, said["n"]), np.array(said["thetas"], np.float64))
                return found if found.thetas.shape == (self._outputs, len(self._prior.mean)) else None
        return None

    def fitted(self, seen: Observed, n: int, last: Fitted | None) -> Fitted:
        """Return the last fit while it will do, else a new one of n observations.

        A fit starts where the last one ended; the first ones, and one in four later, also start from the beginning,
        lest a bad optimum be inherited for ever.
        """
        if last is not None and n < last.due:
            return last
        few, thetas = seen.thinned(self._limits.fitted), []
        data = Data(few.features, self._features.groups, self._backend)
        for o in range(self._outputs):
            starts = [] if last is None else [last.thetas[o]]
            starts += [self._prior.mean] if last is None or n % 4 == 0 else []
            thetas.append(fit(data, few.outputs[:, o], self._prior, np.stack(starts)))
        return Fitted(n, np.round(thetas, 6))

    def models(self, seen: Observed, fitted: Fitted) -> list[Model]:
        """Return a model for each output."""
        data = Data(seen.features, self._features.groups, self._backend)
        return [Model.of(theta, data, y) for theta, y in zip(fitted.thetas, seen.outputs.T, strict=True)]
