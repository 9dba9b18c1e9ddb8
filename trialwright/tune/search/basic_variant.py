"""Random search and grids, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trialwright.searchers import Random
from trialwright.searchers import Searcher as EngineSearcher


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
        return Random(constant_grid=self._constant)


_NOT_CALLED = ("next_trial", "suggest", "on_trial_result", "on_trial_complete", "add_configurations", "is_finished")


def _seed(given: int | np.random.Generator | np.random.RandomState | None) -> int | None:
    if isinstance(given, np.random.Generator):
        return int(given.integers(2**32))
    return int(given.randint(2**32, dtype=np.int64)) if isinstance(given, np.random.RandomState) else given
