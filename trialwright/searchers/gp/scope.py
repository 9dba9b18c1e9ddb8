"""Scope: the rows that may be suggested, and how to draw some.

d: columns. m: rows. Allowed rows are snapped to values, lie on the request's grid point, and satisfy the constraints.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from trialwright.searchers.drawing import FEW, inside
from trialwright.searchers.gp.features import Features
from trialwright.searchers.untried import WALKED, every_row
from trialwright.space import Space
from trialwright.space.values import Bools, Floats

Integers = npt.NDArray[np.int64]
MOVED = 20
"""A perturbation moves about so many columns: one that moves a hundred is far away from where it began (Regis and
Shoemaker 2013)."""


class Scope:
    """A space as the inner search sees it; `sample` is the number of the config that is wanted."""

    def __init__(self, space: Space, features: Features) -> None:
        self.space, self.features, self.sample = space, features, 0
        self.smooth: Bools = features.smooth
        self.discrete = [j for j, each in enumerate(features.columns) if each.centres is not None]
        self._flat = all(each.condition is None for each in space.parameters)
        self._sobol = np.empty((0, space.dimension))

    def active(self, units: Floats) -> Bools:
        """Return which columns the rows have, both of shape (m, d)."""
        return np.ones(units.shape, np.bool_) if self._flat else self.space.active(units)

    def snapped(self, units: Floats) -> Floats:
        """Return the rows as their configs would be encoded, on the sample's grid point, both of shape (m, d)."""
        return self.space.snap(self.space.fix_grid(units, np.full(len(units), self.sample)))

    def allowed(self, units: Floats) -> Floats:
        """Return those of the rows, snapped, that satisfy the constraints, shape (at most m, d)."""
        units = self.snapped(units)
        return units[self.space.feasible(units)]

    def everywhere(self, count: int, generator: np.random.Generator) -> Floats:
        """Return about so many rows from all over the space; each config once if they are few."""
        if self._configs is not None:
            return np.unique(self.allowed(self._configs), axis=0)
        shifted = (self._points(count) + generator.random(self.space.dimension)) % 1.0  # Cranley and Patterson 1976
        rows = self.allowed(self.space.tilt(shifted))
        if not self.space.has_constraints or len(rows) > FEW * count:
            return rows
        return np.concatenate([rows, self.allowed(self.space.allowed(WALKED, generator, index=self.sample))])

    def nearby(self, centres: Floats, count: int, generator: np.random.Generator) -> Floats:
        """Return about so many rows near the centres, shape (k, d): smooth columns move by a thousandth to a fifth."""
        d, chosen = self.space.dimension, centres[np.arange(count) % len(centres)]
        width = 10.0 ** generator.uniform(-3.0, -0.7, (count, 1))
        near = chosen + width * generator.standard_normal((count, d))
        near = np.where(self.smooth, _reflected(near), generator.random((count, d)))
        share = np.where(self.smooth, 1.0, max(0.1, 1.0 / d)) * min(1.0, MOVED / d)
        moved = generator.random((count, d)) < share
        moved[np.arange(count), generator.integers(d, size=count)] = True
        return inside(self.space, np.where(moved, near, chosen), chosen, self.sample, generator)

    def neighbours(self, rows: Floats) -> tuple[Floats, Integers]:
        """Return the allowed rows that differ from one of these in one discrete column, and from which they do."""
        active = self.active(rows)
        tried, owners = [np.empty((0, self.space.dimension))], [np.empty(0, np.int64)]
        for owner, row in enumerate(rows):
            for j in self.discrete:
                others = self.features.columns[j].moves(float(row[j])) if active[owner, j] else np.empty(0)
                copies = np.repeat(row[None, :], len(others), axis=0)
                copies[:, j] = others
                tried.append(copies)
                owners.append(np.full(len(others), owner))
        units = self.snapped(np.concatenate(tried))
        allowed = self.space.feasible(units)
        return units[allowed], np.concatenate(owners)[allowed]

    @cached_property
    def _configs(self) -> Floats | None:
        """All configs, where they are few."""
        return every_row(self.space)

    def _points(self, count: int) -> Floats:
        """Return even points, shape (count, d); the same every time, because they are shifted."""
        if len(self._sobol) != count:
            from scipy.stats import qmc  # half a second: only who uses it waits for it

            d = self.space.dimension
            engine = qmc.Sobol(d, rng=0) if d <= qmc.Sobol.MAXDIM else qmc.LatinHypercube(d, rng=0)
            self._sobol = np.asarray(engine.random(count))
        return self._sobol


def _reflected(units: Floats) -> Floats:
    """Fold what lies outside [0, 1] back into it."""
    return np.asarray(1.0 - np.abs(1.0 - np.abs(units) % 2.0))
