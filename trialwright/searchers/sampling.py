"""The searchers that ignore results: random points, quasi-random ones, and the points of a grid.

Quasi-random points (Sobol, Halton, Latin hypercubes) cover the space more evenly than chance.

d: dimensions of the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np

from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Config, Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import BLOCK, Blocks, plain, suggest_rows
from trialwright.space import Space
from trialwright.space.values import Floats
from trialwright.streams import Streams

if TYPE_CHECKING:
    from scipy.stats import qmc

DIMENSIONS_MAX = 21_201  # of the direction numbers that SciPy has
CONSTRAINED_MAX = 1_000_000


@dataclass
class Random(SettingsTable):
    """Draws each trial from the space, and tries every grid point in every sample.

    Args:
        constant_grid: draw once for each sample, so that all its grid points have the same values besides the grid's.
    """

    constant_grid: bool = False

    learns = False

    def setup(self, problem: Problem) -> int:
        """Take any space."""
        self._space = problem.space
        self._blocks: Blocks | None = None
        return self._space.grid_size

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Draw."""
        self._blocks = self._blocks or Blocks(partial(self._make, rng))
        share = self._space.grid_size if self.constant_grid else 1
        rows = self._blocks.rows([request.sample // share for request in requests])
        return suggest_rows(self._space, requests, rows, rng)

    def _make(self, rng: Streams, block: int) -> Floats:
        return self._space.tilt(rng("random", block).random((BLOCK, self._space.dimension)))


class _Even:
    """Tries the points of a table, and every grid point in every sample."""

    learns: ClassVar[bool] = False

    def setup(self, problem: Problem) -> int:
        """Take any space of at most 21,201 dimensions.

        Raises:
            ValueError: it has more.
        """
        d = problem.space.dimension
        if d > DIMENSIONS_MAX:
            name = type(self).__name__
            raise ValueError(f"{name} points have at most {DIMENSIONS_MAX} dimensions; the space has {d}")
        self._space = problem.space
        self._blocks: Blocks | None = None
        self._begin()
        return problem.space.grid_size

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Take the next points."""
        self._blocks = self._blocks or Blocks(partial(self._tilted, rng))
        return suggest_rows(self._space, requests, self._blocks.rows([request.sample for request in requests]), rng)

    def _begin(self) -> None:
        """Forget another run."""

    def _tilted(self, rng: Streams, block: int) -> Floats:
        return self._space.tilt(self._make(block, rng))

    def _make(self, block: int, rng: Streams) -> Floats:
        raise NotImplementedError


@dataclass
class _Sequence(_Even, SettingsTable):
    """One endless sequence, in blocks of 256 points."""

    def _begin(self) -> None:
        self._sequence: qmc.QMCEngine | None = None

    def _open(self, rng: Streams) -> qmc.QMCEngine:
        raise NotImplementedError

    def _make(self, block: int, rng: Streams) -> Floats:
        # A sequence only goes forward: for an earlier block it begins again.
        if self._sequence is None or self._sequence.num_generated > block * BLOCK:
            self._sequence = self._open(rng)
        if skipped := block * BLOCK - self._sequence.num_generated:
            self._sequence.fast_forward(skipped)
        return cast(Floats, self._sequence.random(BLOCK))


@dataclass
class Sobol(_Sequence):
    """Scrambled Sobol points (Sobol 1967; scrambling by Owen 1998)."""

    def _open(self, rng: Streams) -> qmc.QMCEngine:
        from scipy.stats import qmc  # half a second: only who uses it waits for it

        return qmc.Sobol(self._space.dimension, scramble=True, rng=rng.integer("sobol"))


@dataclass
class MiddleFirst(Sobol):
    """Sobol points after the middle of the space, where the user's ranges and beliefs point to: how models begin."""

    def _make(self, block: int, rng: Streams) -> Floats:
        rows = super()._make(block, rng)
        if block == 0:
            rows[0] = 0.5
        return rows


@dataclass
class Halton(_Sequence):
    """Scrambled Halton points (Halton 1960; scrambling by Owen 2017): any number of them is even, not only powers of
    two; beyond some 20 dimensions Sobol points are better."""

    def _open(self, rng: Streams) -> qmc.QMCEngine:
        from scipy.stats import qmc

        return qmc.Halton(self._space.dimension, scramble=True, rng=rng.integer("halton"))


@dataclass
class LatinHypercube(_Even, SettingsTable):
    """Latin hypercubes (McKay, Beckman and Conover 1979), one after the other: in each, every parameter has one point
    in every one of ``size`` equal slices of its range.

    Args:
        size: how many points make one: the number of trials, if that is all there will be.
    """

    size: int = 16

    def setup(self, problem: Problem) -> int:
        """Take any space.

        Raises:
            ValueError: ``size`` is less than 1.
        """
        if self.size < 1:
            raise ValueError(f"LatinHypercube(size={self.size!r}): it must be at least 1")
        return super().setup(problem)

    def _make(self, block: int, rng: Streams) -> Floats:
        first, last = block * BLOCK, (block + 1) * BLOCK - 1
        cubes = range(first // self.size, last // self.size + 1)
        rows = np.concatenate([self._cube(rng("latin", cube)) for cube in cubes])
        return rows[first - cubes[0] * self.size :][:BLOCK]  # cubes and blocks need not begin together

    def _cube(self, generator: np.random.Generator) -> Floats:
        """Return one hypercube, shape (size, d)."""
        inside = generator.random((self.size, self._space.dimension))
        slices = generator.permuted(np.tile(np.arange(self.size)[:, None], inside.shape[1]), axis=0)
        return np.asarray((slices + inside) / self.size)


@dataclass
class Grid(SettingsTable):
    """Tries all configs in the order of ``itertools.product``; one sample is the whole grid, without what violates a
    constraint."""

    learns = False
    is_exhaustive = True

    def setup(self, problem: Problem) -> int:
        """Check that the space is finite.

        Raises:
            ValueError: a parameter has infinitely many values; or there are constraints, and too many configs to
                check.
        """
        space = problem.space
        if space.cardinality is None:
            endless = [p.path for p in space.parameters if p.column is not None and p.domain.cardinality is None]
            raise ValueError(
                f"searcher='grid' needs a finite space; {', '.join(endless)} can have any value in a range: use "
                "choice, grid_search, randint, or quniform there, or searcher='random', which tries every grid_search "
                "point too"
            )
        self._space = space
        self._indices = self._allowed(space, space.cardinality) if space.has_constraints else None
        self._size = space.cardinality if self._indices is None else len(self._indices)
        return self._size

    def _allowed(self, space: Space, size: int) -> Sequence[int]:
        if size > CONSTRAINED_MAX:
            raise ValueError(
                f"searcher='grid' checks constraints for at most {CONSTRAINED_MAX:,} configs; the space has {size:,}"
            )
        # Counted before the run, which has no seed yet: hence a stream of no run.
        allowed = [index for index in range(size) if space.satisfies(space.at(index, Streams(0)("grid", index)))]
        if not allowed:
            raise ValueError("no config of the grid satisfies the constraints")
        return allowed

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Return the next configs; the grid starts again after the last."""
        return [Suggestion(self._config(request.sample, rng)) for request in requests]

    def _config(self, number: int, rng: Streams) -> Config:
        index = number % self._size if self._indices is None else self._indices[number % self._size]
        return plain(self._space, self._space.at(index, rng("sample", number)))
