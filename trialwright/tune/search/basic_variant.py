"""Random search and grids, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trialwright.history import History
from trialwright.messages import Request, Suggestion
from trialwright.searchers import Random
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.searchers.drawing import BLOCK, Blocks, suggest_rows
from trialwright.space.values import Floats
from trialwright.streams import Streams


class BasicVariantGenerator:
    """Draws each trial from the space, and tries every grid point in every sample: what a run does by default.

    Args:
        points_to_evaluate: configurations to try first, whole or in part.
        max_concurrent: how many trials at a time; 0: as many as there is room for.
        constant_grid_search: what is drawn stays the same for the whole grid.
        random_state: the run's seed, or a generator of NumPy's that one is drawn from.
    """

    metric = mode = None

    def __init__(
        self,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        max_concurrent: int = 0,
        constant_grid_search: bool = False,  # noqa: FBT002 - Ray Tune's order
        random_state: int | np.random.Generator | np.random.RandomState | None = None,
    ) -> None:
        self.points_to_evaluate = [dict(point) for point in points_to_evaluate or ()]
        self.max_concurrent = max_concurrent
        self.seed = _seed(random_state)
        self._constant = constant_grid_search

    def engine_searcher(self) -> EngineSearcher:
        """Return the engine's random search. The points, the limit, and the seed are for the engine itself.

        Raises:
            TypeError: a subclass has methods that Ray Tune would call and nothing here does.
        """
        own = [hook for hook in _NOT_CALLED if hasattr(self, hook)]
        if own:
            raise TypeError(
                f"{type(self).__name__}.{own[0]} would never be called: a searcher of your own is a subclass of "
                "tune.search.Searcher"
            )
        return ConstantGrid() if self._constant else Random()


_NOT_CALLED = ("next_trial", "suggest", "on_trial_result", "on_trial_complete", "add_configurations", "is_finished")


def _seed(given: int | np.random.Generator | np.random.RandomState | None) -> int | None:
    if isinstance(given, np.random.Generator):
        return int(given.integers(2**32))
    return int(given.randint(2**32, dtype=np.int64)) if isinstance(given, np.random.RandomState) else given


@dataclass
class ConstantGrid(Random):
    """Draws one row for all grid points of a sample."""

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Draw."""

        def make(block: int) -> Floats:
            return rng("random", block).random((BLOCK, self._space.dimension))

        self._blocks = self._blocks or Blocks(make)
        rows = self._blocks.rows([request.sample // self._space.grid_size for request in requests])
        return suggest_rows(self._space, requests, rows, rng)
