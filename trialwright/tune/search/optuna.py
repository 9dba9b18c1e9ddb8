"""Optuna, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialwright.integrations import Optuna
from trialwright.tune.search.library import LibrarySearcher
from trialwright.tune.search.searcher import Names, listed, signs


class OptunaSearch(LibrarySearcher):
    """Optuna's samplers (``pip install optuna``); several metrics are possible.

    Args:
        space: a dict of Optuna's distributions, or a function that asks an Optuna trial for its parameters and may
            return a dict of constants. It counts instead of ``param_space``, which then may hold constants only.
        metric: what to optimise, where ``TuneConfig`` does not say so; or several.
        mode: "min" or "max", for each metric.
        points_to_evaluate: configurations to try first, whole or in part.
        sampler: a sampler of Optuna's; a ``TPESampler`` by default. A resumed run goes on with other draws of your own.
        study_name: of the study, "optuna" by default.
        storage: a storage object of Optuna's, or its URL; memory by default. An existing study is continued.
        seed: of the default sampler; the run's, if it is not given.
        evaluated_rewards: the metric's values of ``points_to_evaluate``, which then need not be tried.

    Raises:
        ValueError: both a sampler and a seed are given: the sampler has its own; or there is not one reward a point.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        space: Mapping[str, Any] | Callable[[Any], Mapping[str, Any] | None] | None = None,
        metric: Names | None = None,
        mode: Names | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        sampler: object = None,
        study_name: str | None = None,
        storage: object = None,
        seed: int | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
    ) -> None:
        super().__init__(metric, mode, points_to_evaluate, space)
        if sampler is not None and seed is not None:
            raise ValueError("seed is for the default sampler: give it to your sampler instead")
        if evaluated_rewards is not None and len(evaluated_rewards) != len(self._points):
            raise ValueError(f"there are {len(self._points)} points_to_evaluate and {len(evaluated_rewards)} rewards")
        self._sampler, self._seed = sampler, seed
        self._study_name, self._storage = study_name or "optuna", storage
        self._rewards = None if evaluated_rewards is None else list(evaluated_rewards)

    def adapter(self, mode: Names) -> Optuna:
        """Return the engine's searcher for Optuna."""
        return Optuna(
            sampler=self._sampler,
            storage=self._storage,
            study_name=self._study_name,
            mode=mode,
            space=self._own_space,
            points=tuple(self._points) if self._rewards is None else (),
            earlier=[
                (point, tuple(sign * value for sign, value in zip(signs(mode), _vector(reward), strict=True)))
                for point, reward in zip(self._points, self._rewards or (), strict=False)
            ],
            seed=self._seed,
        )


def _vector(reward: Any) -> list[float]:  # noqa: ANN401 - a number, or one for each metric
    return listed(reward) if isinstance(reward, list | tuple) else [reward]  # type: ignore[return-value]
