"""The region: the rows whose configs satisfy the constraints, also if few draws do.

Even draws are tried first. Where they fail, it is a walk from rows that are known to be allowed. It goes along random
lines, each time to an even point of the allowed part of the line (hit-and-run, Smith 1984), which is found by shrinking
(slice sampling, Neal 2003). In the long run every allowed row is as likely as any other, whatever the region's shape,
as long as lines lead everywhere in it.

The first allowed rows are found in the same way, by levels (splitting, Kahn and Harris 1951): of some even rows the
eighth is kept that is nearest to satisfying the constraints, and walks among the rows that are as near give the others
anew. Constraints written as strings say how near a row is. Of a function only the answer is known: there, more even
rows are drawn.

n: rows. d: columns that vary; where sample_from draws values, one more, which seeds it: so a row says all of a config.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trialwright.space.constraints import Constraints
from trialwright.space.functions import fill
from trialwright.space.values import Bools, Config, Floats

BATCHES = (1, 7, 64, 128, 256)
"""So many even draws are made at a time for one config, before there is a walk to it."""
SEARCHED = 100_000
"""So many rows may be tried for the first that are allowed; a tenth, where there is another region to draw from."""
POOL, KEPT, STEPS = 64, 8, 3
"""How many rows are taken from level to level; one of how many is kept; how many steps they walk at each."""
SLOW = 1e-9
"""If the level falls by a smaller share, it falls to something above 0: no row is allowed."""
SHRINKS = 40
"""How often a piece of a line is made shorter before the walk stays where it is."""
HALVINGS = 12
"""How often a row is moved half the way towards another."""


@dataclass(frozen=True)
class Region:
    """Rows of shape (d,) in the unit cube, and what configs they mean.

    Args:
        columns: how many columns vary.
        place: turns rows, shape (n, columns), into units of the space.
        make: turns these into n configs of their own, in which sample_from is still pending.
        constraints: which of the configs are allowed.
        has_functions: sample_from computes some values.
        otherwise: the region to draw from if nothing is found in this one.
    """

    columns: int
    place: Callable[[Floats], Floats]
    make: Callable[[Floats], list[Config]]
    constraints: Constraints
    has_functions: bool = False
    otherwise: Region | None = None

    @property
    def dimension(self) -> int:
        """The number d."""
        return self.columns + self.has_functions

    @property
    def _most(self) -> int:
        return SEARCHED // (10 if self.otherwise else 1)

    def draw(self, rng: np.random.Generator) -> Config:
        """Return one config that satisfies the constraints.

        Raises:
            ValueError: none was found, with the constraint that rejected most; or a constraint raised.
        """
        rejections = Counter[int]()
        for count in BATCHES:
            for config in self.make(self.place(rng.random((count, self.columns)))):
                fill(config, rng)
                if (violated := self.constraints.violated(config)) is None:
                    return config
                rejections[violated] += 1
        if self._pool is not None:
            return self._made(self._rows(1, rng))[0]
        if self.otherwise is not None:
            return self.otherwise.draw(rng)
        message = "no config was found that satisfies the constraints: "
        raise ValueError(message + self.constraints.most_frequent(rejections))

    def units(self, n: int, rng: np.random.Generator) -> Floats:
        """Return n allowed units of the space, by walks from the pool, shape (n, columns); none if none were found."""
        if self._pool is not None:
            return self.place(self._rows(n, rng)[:, : self.columns])
        return self.otherwise.units(n, rng) if self.otherwise else np.empty((0, self.columns))

    def _rows(self, n: int, rng: np.random.Generator) -> Floats:
        pool = self._pool
        assert pool is not None, "looked at before"
        return self._walked(pool[rng.integers(len(pool), size=n)], 2 * self.dimension + 8, rng)

    def _walked(self, rows: Floats, steps: int, rng: np.random.Generator) -> Floats:
        """Return where walks of so many steps, along allowed rows, lead to; both of shape (n, d)."""
        for _ in range(steps if self.dimension else 0):
            rows, _ = self._stepped(rows, _directions(rows.shape, rng), rng, 0.0)
        return rows

    def _stepped(self, rows: Floats, directions: Floats, rng: np.random.Generator, level: float) -> tuple[Floats, int]:
        """Move each row along its direction, to a row no further off than the level; say how many were tried."""
        rows, (low, high) = rows.copy(), _chords(rows, directions)
        left, count = np.arange(len(rows)), 0
        for _ in range(SHRINKS):
            along = low[left] + (high[left] - low[left]) * rng.random(left.size)
            tried = np.clip(rows[left] + along[:, None] * directions[left], 0.0, 1.0)
            allowed, count = self._excess(tried) <= level, count + left.size
            rows[left[allowed]] = tried[allowed]
            left, along = left[~allowed], along[~allowed]
            if not left.size:
                break
            low[left], high[left] = np.where(along < 0, along, low[left]), np.where(along < 0, high[left], along)
        return rows, count

    def _excess(self, rows: Floats) -> Floats:
        """Return how far the rows are from being allowed, shape (n,)."""
        return np.array([self.constraints.excess(config) for config in self._made(rows)])

    def _made(self, rows: Floats) -> list[Config]:
        configs = self.make(self.place(rows[:, : self.columns]))
        for config, row in zip(configs, rows, strict=True) if self.has_functions else ():
            fill(config, np.random.default_rng(int(row[-1] * 2**53)))
        return configs

    @cached_property
    def _pool(self) -> Floats | None:
        """Allowed rows, shape (POOL, d), the same whenever they are looked for; None if none were found."""
        rng, tried, before = np.random.default_rng(0), 0, np.inf
        rows = rng.random((POOL, self.dimension))
        excess = self._excess(rows)
        while excess.max() > 0.0:
            level = _next_level(excess)
            if tried >= self._most or not self.dimension or 0 < before - level < SLOW * before:
                return None
            steps, before = STEPS if level < before else 1, level  # on flat ground only the number of rows matters
            rows = rows[rng.choice(np.flatnonzero(excess <= level), POOL)]
            for _ in range(steps):
                rows, count = self._stepped(rows, _directions(rows.shape, rng), rng, level)
                tried += count
            excess = self._excess(rows)
        return self._walked(rows, STEPS * self.dimension, rng)


def _next_level(excess: Floats) -> float:
    """Return how far off the rows may be that are kept: the nearest, and as many as are as near."""
    level = np.partition(excess, POOL // KEPT)[POOL // KEPT]
    nearer = excess[excess < excess.max()]
    return float(min(level, nearer.max()) if nearer.size else level)


def pulled(rows: Floats, anchors: Floats, feasible: Callable[[Floats], Bools]) -> Floats:
    """Return the rows, each moved towards its anchor by halves until it is allowed; both of shape (n, d). One that is
    not allowed near its anchor either is returned as it is there."""
    rows, left = rows.copy(), np.flatnonzero(~feasible(rows)) if len(rows) else np.empty(0, dtype=np.int64)
    for _ in range(HALVINGS if left.size else 0):
        rows[left] = (rows[left] + anchors[left]) / 2
        left = left[~feasible(rows[left])]
    return rows


def _directions(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return directions, shape (n, d): along one column, along two of them by as much, or along all."""
    n, d = shape
    directions = rng.standard_normal(shape)
    kinds, columns, signs = rng.integers(3, size=n), rng.integers(d, size=(n, 2)), rng.choice([-1.0, 1.0], n)
    few = np.flatnonzero(kinds < 2)
    pairs = np.flatnonzero(kinds == 1)
    directions[few] = 0.0
    directions[pairs, columns[pairs, 1]] = signs[pairs]
    directions[few, columns[few, 0]] = 1.0
    return directions


def _chords(rows: Floats, directions: Floats) -> tuple[Floats, Floats]:
    """Return how far back, and how far on, each line goes inside the cube, shapes (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        walls = np.stack([-rows / directions, (1.0 - rows) / directions])
    walls = np.where(directions == 0.0, np.array([-np.inf, np.inf])[:, None, None], walls)
    return walls.min(axis=0).max(axis=1), walls.max(axis=0).min(axis=1)
