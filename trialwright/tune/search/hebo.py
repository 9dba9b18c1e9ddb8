"""HEBO, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trialwright.integrations import HEBO
from trialwright.tune.search.library import LibrarySearcher


class HEBOSearch(LibrarySearcher):
    """HEBO's Gaussian process with three acquisitions (``pip install --no-deps HEBO``; docs/integrations.md has what it
    needs besides). There are no branches.

    Args:
        space: a ``DesignSpace`` of HEBO's, the list of dicts that it is made of, or a dict of domains, which counts
            instead of ``param_space``; this may then hold constants only.
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        points_to_evaluate: configurations to try first, whole or in part.
        evaluated_rewards: the metric's values of ``points_to_evaluate``, which then need not be tried.
        random_state_seed: the seed. No global generator keeps it.
        max_concurrent: how many trials at a time. They are asked for one by one, not in batches.
        kwargs: what HEBO's class takes: ``model_name``, ``model_config``, ``acq_cls``, ``rand_sample``.

    Raises:
        ValueError: there is not one reward for each point, or ``max_concurrent`` is too small, or there is no such
            option.
    """

    library = HEBO

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        space: Any = None,  # noqa: ANN401 - HEBO has no types
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        random_state_seed: int | None = None,
        max_concurrent: int = 8,
        **kwargs: Any,  # noqa: ANN401 - HEBO's own
    ) -> None:
        if max_concurrent < 1:
            raise ValueError(f"max_concurrent={max_concurrent} must be at least 1")
        first = kwargs.pop("rand_sample", None)
        super().__init__(
            metric,
            mode,
            points_to_evaluate,
            space,
            evaluated_rewards,
            seed=random_state_seed,
            n_initial_points=first,
            options=kwargs,
        )
        self.max_concurrent = max_concurrent
