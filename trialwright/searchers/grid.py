"""Grid search: every config of a finite space, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trialwright.history import History
from trialwright.messages import Config, Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import plain
from trialwright.space import Space
from trialwright.streams import Streams

CONSTRAINED_MAX = 1_000_000


@dataclass
class Grid:
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
