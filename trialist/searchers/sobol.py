"""Quasi-random search: scrambled Sobol points (Sobol 1967; scrambling by Owen 1998), which cover the space more evenly
than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trialist.history import History
from trialist.messages import Request, Suggestion
from trialist.searchers.base import Problem
from trialist.searchers.drawing import BLOCK, Blocks, Rows, suggest_rows
from trialist.streams import Streams

if TYPE_CHECKING:
    from scipy.stats import qmc

DIMENSIONS_MAX = 21_201  # of the direction numbers that SciPy has


@dataclass
class Sobol:
    """Tries the points of a scrambled Sobol sequence, and every grid point in every sample."""

    learns = False

    def setup(self, problem: Problem) -> int:
        """Take any space of at most 21,201 dimensions.

        Raises:
            ValueError: it has more.
        """
        space = problem.space
        if space.dimension > DIMENSIONS_MAX:
            raise ValueError(f"Sobol points have at most {DIMENSIONS_MAX} dimensions; the space has {space.dimension}")
        self._space = space
        self._blocks: Blocks | None = None
        self._sequence: qmc.Sobol | None = None
        return space.grid_size

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Take the next points."""
        from scipy.stats import qmc  # half a second: only who uses it waits for it

        def make(block: int) -> Rows:
            if self._sequence is None or self._sequence.num_generated > block * BLOCK:
                self._sequence = qmc.Sobol(self._space.dimension, scramble=True, rng=rng.integer("sobol"))
            if skipped := block * BLOCK - self._sequence.num_generated:
                self._sequence.fast_forward(skipped)
            return self._space.tilt(self._sequence.random(BLOCK))

        self._blocks = self._blocks or Blocks(make)
        return suggest_rows(self._space, requests, self._blocks.rows([request.sample for request in requests]), rng)
