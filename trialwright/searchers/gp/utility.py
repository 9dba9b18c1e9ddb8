"""Utilities: from the models' predictions for some rows to the logarithm of how useful the rows are.

m: rows. f: fantasies. o: outputs, objectives first, then constraints. Means have shape (m, f) and sds (m,), one pair an
output; so have the gradients that come back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from trialwright.searchers.gp.acquisition import log_ei, log_feasible
from trialwright.searchers.gp.hypervolume import boxes_of, log_ehvi, reference_of
from trialwright.searchers.gp.scalarising import drawn, log_improvement
from trialwright.space.values import Floats

Pair: TypeAlias = tuple[Floats, Floats]  # of mean and sd, or of the gradients in them
Utility: TypeAlias = Callable[[Sequence[Pair]], tuple[Floats, list[Pair]]]
"""From (mean, sd) of each output to values, shape (m,), and the gradients in mean and sd of each output."""
Merged: TypeAlias = Callable[[Floats, Floats], tuple[Floats, Floats, Floats]]
"""The same of mean and sd of all objectives together, each of shape (m, o)."""


def improvement(best: Floats) -> Utility:
    """Log expected improvement of one objective on the best, shape (f,)."""

    def utility(outputs: Sequence[Pair]) -> tuple[Floats, list[Pair]]:
        ((mean, sd),) = outputs
        value, d_mean, d_sd = log_ei(best, mean, sd)
        return value, [(d_mean, d_sd)]

    return utility


def improvement_of_several(values: Floats, generator: np.random.Generator) -> Utility:
    """Log expected improvement of the hypervolume beyond the values, shape (n, o); of a random scalar if o > 3."""
    if values.shape[1] > 3:
        scalar = drawn(values, generator)
        best = float(scalar.of(values).min())
        return _merged(lambda mean, sd: log_improvement(scalar, best, mean, sd))
    boxes = boxes_of(values, reference_of(values))
    return _merged(lambda mean, sd: log_ehvi(boxes, mean, sd))


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


def _merged(function: Merged) -> Utility:
    """Make a utility of a function of the mean fantasy of all objectives."""

    def utility(outputs: Sequence[Pair]) -> tuple[Floats, list[Pair]]:
        mean = np.stack([each.mean(axis=1) for each, _ in outputs], axis=1)
        value, d_mean, d_sd = function(mean, np.stack([sd for _, sd in outputs], axis=1))
        f = outputs[0][0].shape[1]
        return value, [(np.repeat(d_mean[:, o, None] / f, f, axis=1), d_sd[:, o]) for o in range(len(outputs))]

    return utility
