"""HyperOpt, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trialwright.integrations import HyperOpt
from trialwright.tune.search.library import LibrarySearcher


class HyperOptSearch(LibrarySearcher):
    """HyperOpt's tree of Parzen estimators (``pip install hyperopt``).

    Args:
        space: a dict of HyperOpt's own ``hp`` expressions, which counts instead of ``param_space``; this may then hold
            constants only.
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        points_to_evaluate: configurations to try first: of ``param_space`` whole or in part, of ``space`` whole.
        n_initial_points: how many trials are drawn at random before the model is used.
        random_state_seed: of HyperOpt's random draws; the run's, if it is not given.
        gamma: how many of the trials count as good: gamma times the square root of their number.
    """

    library = HyperOpt

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        space: Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        n_initial_points: int | None = 20,
        random_state_seed: int | None = None,
        gamma: float | None = 0.25,
    ) -> None:
        super().__init__(
            metric,
            mode,
            points_to_evaluate,
            space,
            n_initial_points=n_initial_points,
            gamma=gamma,
            seed=random_state_seed,
        )
