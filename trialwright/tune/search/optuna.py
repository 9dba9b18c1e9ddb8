"""Optuna, by Ray Tune's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trialwright.integrations import Adapter, Optuna
from trialwright.integrations.adapter import library
from trialwright.nested import flatten
from trialwright.space import Category, Continuous, Parameter, Stepped
from trialwright.tune.search.library import LibrarySearcher, without_branches
from trialwright.tune.search.searcher import Names
from trialwright.tune.spaces import as_space


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

    library = Optuna

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
        if sampler is not None and seed is not None:
            raise ValueError("seed is for the default sampler: give it to your sampler instead")
        options = {"sampler": sampler, "storage": storage, "study_name": study_name or "optuna", "seed": seed}
        super().__init__(metric, mode, points_to_evaluate, space, evaluated_rewards, **options)

    @staticmethod
    def convert_search_space(spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return Optuna's distributions for a space of this layer, by the paths of the parameters.

        Args:
            spec: the space; distributions of Optuna's stay as they are, and constants are left out.

        Raises:
            ValueError: something has no distribution; a function that asks a trial may say it.
        """
        kinds = library("optuna", "optuna").distributions
        space = without_branches(as_space(spec), "Optuna has no distribution for a branch: give a function of a trial")
        own = {
            path: each for path, each in flatten(space.definition).items() if isinstance(each, kinds.BaseDistribution)
        }
        return own | {parameter.path: _distribution(kinds, parameter) for parameter in space.parameters}

    def adapter(self, mode: Names) -> Adapter:
        """Return the engine's searcher for Optuna, whose study knows the directions."""
        self._options["mode"] = mode
        return super().adapter(mode)


def _distribution(kinds: Any, parameter: Parameter) -> Any:  # noqa: ANN401 - Optuna's types are there only if it is
    domain = parameter.domain
    if isinstance(domain, Continuous):
        return kinds.FloatDistribution(domain.lower, domain.upper, log=domain.log)
    if isinstance(domain, Stepped) and not (domain.log and domain.grain.q != 1):
        kind = kinds.IntDistribution if domain.grain.integer else kinds.FloatDistribution
        return kind(domain.lower, domain.upper, log=domain.log, step=domain.grain.q)
    if isinstance(domain, Category) and domain.kind != "grid_search":
        return kinds.CategoricalDistribution(domain.options)
    raise ValueError(f"{parameter.path}: Optuna has no distribution for {domain!r}; use a function that asks a trial")
