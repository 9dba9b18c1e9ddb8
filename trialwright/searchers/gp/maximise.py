"""The inner search: where in a mixed, conditional, constrained space an acquisition is largest.

Screening: quasi-random rows over the whole space, and perturbations of the best known. Then ascents from the best of
each, in lock-step, along the smooth columns; then moves of one discrete column at a time; then ascents again.

d: columns. m: rows. k: starts. Allowed rows are snapped to values, lie on the request's grid point, and satisfy the
constraints; what a search may take from the space is its scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from trialwright.searchers.drawing import FEW, WALKED, every_row, inside
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.optimise import descend
from trialwright.space import Space
from trialwright.space.values import Bools, Floats, Ints

MOVED = 20
"""A perturbation moves about so many columns: one that moves a hundred is far away from where it began (Regis and
Shoemaker 2013)."""
MOVES_MAX = 8  # of one row, before it slides again
GAIN = 1e-4  # of a logarithm: less is not worth another round


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
        # Where little of the space is allowed, points that are spread over all of it find next to nothing there.
        if not self.space.has_constraints or len(rows) > FEW * count:
            return rows
        return np.concatenate([rows, self.allowed(self.space.allowed(WALKED, generator, index=self.sample))])

    def nearby(self, centres: Floats, count: int, generator: np.random.Generator) -> Floats:
        """Return about so many rows near the centres, shape (k, d): smooth columns move by a thousandth to a fifth."""
        d, chosen = self.space.dimension, centres[np.arange(count) % len(centres)]
        width = 10.0 ** generator.uniform(-3.0, -0.7, (count, 1))
        near = chosen + width * generator.standard_normal((count, d))
        near = 1.0 - np.abs(1.0 - np.abs(near) % 2.0)  # folded back into [0, 1]: clipped rows would pile up at the ends
        near = np.where(self.smooth, near, generator.random((count, d)))
        share = np.where(self.smooth, 1.0, max(0.1, 1.0 / d)) * min(1.0, MOVED / d)
        moved = generator.random((count, d)) < share
        # At least one column moves: else the row is its centre again.
        moved[np.arange(count), generator.integers(d, size=count)] = True
        return inside(self.space, np.where(moved, near, chosen), chosen, self.sample, generator)

    def neighbours(self, rows: Floats) -> tuple[Floats, Ints]:
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


class Score(Protocol):
    """What is maximised: rows of units, shape (m, d), of which `active`, shape (m, d), are there."""

    def value(self, units: Floats, active: Bools) -> Floats:
        """Return it, shape (m,)."""

    def steep(self, units: Floats, active: Bools) -> tuple[Floats, Floats]:
        """Return it, and its gradient, shape (m, d), which is 0 along unordered columns."""


@dataclass(frozen=True)
class Effort:
    """How hard to search.

    Args:
        everywhere: rows screened all over the space.
        nearby: rows screened near the best known.
        starts: ascents from each of the two.
        rounds: steps of an ascent.
        movers: how many of the ascents go on to move discrete columns.
        turns: how often ascents and moves take turns.
    """

    everywhere: int = 512
    nearby: int = 256
    starts: int = 4
    rounds: int = 40
    movers: int = 4
    turns: int = 2


@dataclass(frozen=True)
class Maximiser:
    """Looks for the rows of a scope with the largest score."""

    score: Score
    scope: Scope
    effort: Effort

    def maximise(self, centres: Floats, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Return rows, shape (any, d), and their scores, the best first; centres, shape (any, d), are the best known.

        There are none if no row that was screened satisfies the constraints.
        """
        pools = [
            self.scope.everywhere(self.effort.everywhere, generator),
            self.scope.nearby(centres, self.effort.nearby, generator),
        ]
        screened = [self._value(pool) for pool in pools]
        chosen = [_winners(values, self.effort.starts) for values in screened]
        starts = np.concatenate([pool[rows] for pool, rows in zip(pools, chosen, strict=True)])
        values = np.concatenate([each[rows] for each, rows in zip(screened, chosen, strict=True)])
        rows, values = self._climb(starts, values) if len(starts) else (starts, values)
        # What was only screened comes along: all that the ascents led to may have been tried already.
        rows, values = np.concatenate([rows, *pools]), np.concatenate([values, *screened])
        order = np.argsort(-values, kind="stable")
        return rows[order], values[order]

    def _climb(self, rows: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Improve rows until neither sliding nor moving does. Ordered columns of many values slide only once: what
        snapping took from that is given back by moves."""
        loose = self.scope.smooth
        for _ in range(self.effort.turns):
            rows, values = self._slide(rows, values, loose)
            if not self.scope.discrete:
                break
            best = np.argsort(-values, kind="stable")[: self.effort.movers]
            before = values[best]
            rows, values = self._move(rows[best], before)
            loose = loose & ~np.isin(np.arange(len(loose)), self.scope.discrete)
            if not loose.any() or not np.any(values > before + GAIN):
                break
        return rows, values

    def _slide(self, rows: Floats, values: Floats, loose: Bools) -> tuple[Floats, Floats]:
        """Ascend along the loose columns; all others are held by bounds that meet."""
        active = self.scope.active(rows)
        free = active & loose
        if not free.any():
            return rows, values

        def downhill(units: Floats, which: Ints) -> tuple[Floats, Floats]:
            value, gradient = self.score.steep(units, active[which])
            return -value, -gradient

        lower, upper = np.where(free, 0.0, rows), np.where(free, 1.0, rows)
        found, _ = descend(downhill, rows, lower, upper, rounds=self.effort.rounds, tolerance=GAIN)
        # An ascent knows no constraints: what has left them goes back towards where it began, which satisfies them.
        found = self.scope.snapped(self.scope.space.pulled(self.scope.snapped(found), rows))
        reached = np.where(self.scope.space.feasible(found), self._value(found), -np.inf)
        # Snapping and pulling back may have cost more than the ascent has gained.
        better = reached > values
        return np.where(better[:, None], found, rows), np.where(better, reached, values)

    def _move(self, rows: Floats, values: Floats) -> tuple[Floats, Floats]:
        """Change one discrete column of each row, to where the score is largest, as often as that helps."""
        rows, values, live = rows.copy(), values.copy(), np.arange(len(rows))
        for _ in range(MOVES_MAX):
            tried, owners = self.scope.neighbours(rows[live])
            if not len(tried):
                break
            scores = self._value(tried)
            order = np.lexsort((-scores, owners))
            owner, first = np.unique(owners[order], return_index=True)
            best = order[first]  # of each owner's neighbours
            better = scores[best] > values[live[owner]] + GAIN
            live, best = live[owner[better]], best[better]
            rows[live], values[live] = tried[best], scores[best]
            if not live.size:
                break
        return rows, values

    def _value(self, rows: Floats) -> Floats:
        return self.score.value(rows, self.scope.active(rows)) if len(rows) else np.empty(0)


def _winners(values: Floats, count: int) -> Ints:
    """Return the winners of `count` tournaments that divide the rows: good ones, but not all from one hill."""
    count = min(count, len(values))
    return np.array([k + count * int(np.argmax(values[k::count])) for k in range(count)], np.int64)
