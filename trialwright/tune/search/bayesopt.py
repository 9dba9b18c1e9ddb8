"""The package bayesian-optimization, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from trialwright.integrations import Adapter, BayesOpt
from trialwright.nested import flatten
from trialwright.space import Continuous
from trialwright.tune.search.library import LibrarySearcher
from trialwright.tune.search.searcher import Names
from trialwright.tune.spaces import as_space

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

    library = BayesOpt

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
        if patience <= 0 or repeat_float_precision < 0:
            raise ValueError(f"patience={patience} must be above 0, and repeat_float_precision at least 0")
        odd = set(utility_kwargs or ()) - set(UTILITY)
        if odd:
            raise ValueError(f"utility_kwargs has {min(odd)!r}; there are {', '.join(UTILITY)}")
        options = {
            **(utility_kwargs or {}),
            "seed": random_state,
            "random_search_steps": random_search_steps,
            "patience": patience,
            "skip_duplicate": skip_duplicate,
            "precision": repeat_float_precision,
        }
        super().__init__(metric, mode, points_to_evaluate, space, **options)
        self._analysis = analysis

    @staticmethod
    def convert_search_space(spec: Mapping[str, Any], join: bool = False) -> dict[str, Any]:  # noqa: FBT002 - as in Ray Tune
        """Return the bounds of the floats of a space of this layer, by their paths.

        Args:
            spec: the space.
            join: return its constants too; bounds, ``(0, 20)``, are always returned.

        Raises:
            ValueError: something is no range of floats on a linear axis.
        """
        space = as_space(spec)
        odd = [each for each in space.parameters if not isinstance(each.domain, Continuous) or each.domain.log]
        if odd:
            raise ValueError(f"{odd[0].path}: the package's bounds are those of uniform(), not of {odd[0].domain!r}")
        bounds = {each.path: (each.domain.lower, each.domain.upper) for each in space.parameters}  # type: ignore[attr-defined]
        rest = {path: value for path, value in flatten(space.definition).items() if path not in bounds}
        return bounds | {path: value for path, value in rest.items() if join or isinstance(value, tuple | list)}

    def adapter(self, mode: Names) -> Adapter:
        """Return the engine's searcher for the package."""
        adapter = super().adapter(mode)
        adapter.earlier = self._known(mode)
        return adapter

    def _known(self, mode: Names) -> list[tuple[dict[str, Any], tuple[float, ...]]]:
        """Return what the earlier run found: the best result of each of its trials."""
        if self._analysis is None:
            return []
        sign, metric = (-1 if mode == "max" else 1), cast(str, self._metric)
        rows = self._analysis.dataframe(metric=metric, mode=mode).set_index("trial_id")[metric]
        configs = self._analysis.get_all_configs()
        return [(configs[trial], (sign * float(value),)) for trial, value in rows.items() if value == value]  # noqa: PLR0124 - NaN
