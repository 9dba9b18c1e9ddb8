"""The package bayesian-optimization, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from trialwright.integrations import BayesOpt
from trialwright.tune.search.library import LibrarySearcher
from trialwright.tune.search.searcher import Names

UTILITY = ("kind", "kappa", "xi", "kappa_decay", "kappa_decay_delay")


class BayesOptSearch(LibrarySearcher):
    """Gaussian processes (``pip install bayesian-optimization``). There are no branches; anything else is searched.

    Args:
        space: bounds, ``{"x": (0, 20)}``, which count instead of ``param_space``; this may then hold constants only.
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        points_to_evaluate: configurations to try first, whole or in part.
        utility_kwargs: ``kind`` ("ucb", "ei", "poi"), ``kappa``, ``xi``, ``kappa_decay``, ``kappa_decay_delay``.
        random_state: the seed.
        random_search_steps: how many trials are drawn at random first. The model does not wait until they have ended.
        verbose: changes nothing: the package prints nothing here, and the run's progress shows every trial.
        patience: end the search where the same configuration is proposed more often than this.
        skip_duplicate: ask again where a configuration was tried before.
        analysis: an ``ExperimentAnalysis`` of an earlier run, whose results are known beforehand.
        repeat_float_precision: so many decimals must agree for configurations to be the same.

    Raises:
        ValueError: patience or precision is too small, or ``utility_kwargs`` has something else in it.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        space: Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        utility_kwargs: Mapping[str, Any] | None = None,
        random_state: int = 42,
        random_search_steps: int = 10,
        verbose: int = 0,
        patience: int = 5,
        skip_duplicate: bool = True,  # noqa: FBT002 - Ray Tune's order
        analysis: Any = None,  # noqa: ANN401 - of an earlier run
        repeat_float_precision: int = 5,
    ) -> None:
        super().__init__(metric, mode, points_to_evaluate, space)
        if patience <= 0 or repeat_float_precision < 0:
            raise ValueError(f"patience={patience} must be above 0, and repeat_float_precision at least 0")
        odd = set(utility_kwargs or ()) - set(UTILITY)
        if odd:
            raise ValueError(f"utility_kwargs has {min(odd)!r}; there are {', '.join(UTILITY)}")
        self._analysis = analysis
        self._options: dict[str, Any] = {
            **(utility_kwargs or {}),
            "seed": random_state,
            "random_search_steps": random_search_steps,
            "patience": patience,
            "skip_duplicate": skip_duplicate,
            "precision": repeat_float_precision,
        }

    def adapter(self, mode: Names) -> BayesOpt:
        """Return the engine's searcher for the package."""
        adapter = BayesOpt(**self._options, space=self._own_space, points=tuple(self._points))
        adapter.earlier = self._known(mode)
        return adapter

    def _known(self, mode: Names) -> list[tuple[dict[str, Any], tuple[float, ...]]]:
        """Return what the earlier run found: the best result of each of its trials."""
        if self._analysis is None:
            return []
        sign, metric = (-1 if mode == "max" else 1), cast(str, self._metric)
        rows = self._analysis.dataframe(metric=metric, mode=mode).set_index("logdir")[metric]
        configs = self._analysis.get_all_configs()
        return [(configs[logdir], (sign * float(value),)) for logdir, value in rows.items() if value == value]  # noqa: PLR0124 - NaN
