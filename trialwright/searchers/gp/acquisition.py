"""Acquisition: what a trial at some place would be worth, by the models, what is pending, and what the user believes.

m: rows. d: columns. q: pending trials. f: fantasies of them. o: outputs, objectives first, then constraints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.improvement import (
    Utility,
    constrained,
    improvement,
    noisy_improvement,
)
from trialwright.searchers.gp.model import Model
from trialwright.searchers.gp.multi_objective import improvement_of_several
from trialwright.space import Space
from trialwright.space.values import Bools, Floats, Ints

FAILED_AS = 1.0
"""A failure is as bad as a value one standard deviation above the mean."""


@dataclass(frozen=True)
class Belief:
    """What the user expects, as piBO weighs it: its log density times `weight`, which fades as results come in
    (Hvarfner et al. 2022)."""

    space: Space
    weight: float

    def value(self, units: Floats) -> Floats:
        """Return it at units, shape (m, d); shape (m,)."""
        return self.weight * self.space.log_prior(units) if self.space.has_prior else np.zeros(len(units))

    def gradient(self, units: Floats) -> Floats:
        """Return its gradient there, shape (m, d), by differences: each column has a density of its own."""
        steep = np.zeros_like(units)
        for parameter in self.space.parameters if self.space.has_prior else ():
            if parameter.column is not None and parameter.domain.belief is not None:
                u, belief = units[:, parameter.column], parameter.domain.belief
                # At an end of the cube the difference is one-sided: beyond it there is no density.
                low, high = np.maximum(u - 1e-4, 0.0), np.minimum(u + 1e-4, 1.0)
                steep[:, parameter.column] = (belief.log_density(high) - belief.log_density(low)) / (high - low)
        return self.weight * steep


@dataclass(frozen=True)
class Acquisition:
    """Utility and belief as a function of units: a Score; of curves, at the step whose logarithm is `log_step`."""

    features: Features
    models: Sequence[Model]
    utility: Utility
    belief: Belief
    log_step: float | None = None

    def value(self, units: Floats, active: Bools) -> Floats:
        """Return it at units, shape (m, d); shape (m,)."""
        rows = self.features.of(units, active, self.log_step)
        value, _ = self.utility([model.at(rows).moments for model in self.models])
        return value + self.belief.value(units)

    def steep(self, units: Floats, active: Bools) -> tuple[Floats, Floats]:
        """Return it, and its gradient, shape (m, d)."""
        rows = self.features.of(units, active, self.log_step)
        posteriors = [model.at(rows) for model in self.models]
        value, pulls = self.utility([each.moments for each in posteriors])
        steep = sum(each.pull_back(*pull) for each, pull in zip(posteriors, pulls, strict=True))
        gradient = self.features.pull_back(np.asarray(steep)) + self.belief.gradient(units)
        return value + self.belief.value(units), gradient


@dataclass(frozen=True)
class Outlook:
    """The models, and what is known or expected of the rows that improvement is measured by: values, shape (k, o)."""

    models: Sequence[Model]
    values: Floats

    def with_pending(self, rows: Floats) -> Outlook:
        """Return it as it would be if the rows, shape (q, p), brought what is expected of them.

        One believed outcome (Ginsbourger et al. 2010) does as well as 64 drawn ones, and costs less.
        """
        return self._with(rows, -np.inf)

    def with_failed(self, rows: Floats) -> Outlook:
        """Return it as if the rows had brought bad values, or what is expected of them if that is worse.

        The fit does not see them: a failure beside a good trial would make it believe in a rough function.
        """
        return self._with(rows, FAILED_AS)

    def _with(self, rows: Floats, at_least: float) -> Outlook:
        if not len(rows):
            return self
        expected = [np.maximum(model.at(rows).mean, at_least) for model in self.models]
        extended = [model.extended(rows, np.r_[model.y, y]) for model, y in zip(self.models, expected, strict=True)]
        if self.models[0].data.has_steps:  # what is only expected, and of other steps too, is no record to beat
            return replace(self, models=extended)
        return Outlook(extended, np.concatenate([self.values, np.concatenate(expected, axis=1)]))

    def is_uncertain(self, objectives: int) -> bool:
        """Whether it is not known which row is the best, and that is reckoned with: for one objective, at its end."""
        return objectives == 1 and self.models[0].is_noisy and not self.models[0].data.has_steps

    def worth(self, objectives: int, generator: np.random.Generator) -> tuple[Sequence[Model], Utility]:
        """Return what improves on the rows that are allowed, and the models to ask for its moments."""
        rows = np.flatnonzero(np.all(self.values[:, objectives:] <= 0.0, axis=1))
        if not len(rows) or not self.is_uncertain(objectives):
            return self.models, self._utility(rows, objectives, generator)
        wide, gain = noisy_improvement(self.models[0], rows, generator)
        return [wide, *self.models[1:]], gain if len(self.models) == 1 else constrained(gain, 1)

    def _utility(self, rows: Ints, objectives: int, generator: np.random.Generator) -> Utility:
        allowed = self.values[rows, :objectives]
        if objectives == 1:
            gain = improvement(allowed.min(axis=0)) if len(allowed) else None
        else:
            gain = improvement_of_several(allowed, generator) if len(allowed) else None
        if gain is not None and len(self.models) == objectives:
            return gain
        return constrained(gain, objectives)


def outlook(models: Sequence[Model], counted: Bools) -> Outlook:
    """Return what is known of the rows that count, shape (n,): observed values, or the models' means there where values
    are noisy."""
    worth = [model.smoothed()[:, 0] if model.is_noisy else model.y[:, 0] for model in models]
    return Outlook(models, np.stack(worth, axis=1)[counted])
