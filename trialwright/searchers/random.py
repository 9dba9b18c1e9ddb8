"""Random search: independent draws from the space's prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trialwright.history import History
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import BLOCK, Blocks, Rows, suggest_rows
from trialwright.streams import Streams


@dataclass
class Random:
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

        def make(block: int) -> Rows:
            return self._space.tilt(rng("random", block).random((BLOCK, self._space.dimension)))

        self._blocks = self._blocks or Blocks(make)
        share = self._space.grid_size if self.constant_grid else 1
        rows = self._blocks.rows([request.sample // share for request in requests])
        return suggest_rows(self._space, requests, rows, rng)
