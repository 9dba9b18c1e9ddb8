"""FLAML's BlendSearch and CFO, by the names that Ray Tune had for them (Ray 2.60 has them no longer)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from trialwright.errors import nearest
from trialwright.integrations import flaml
from trialwright.tune.search.library import LibrarySearcher

REFUSED = {
    "time_budget_s": "give TuneConfig(time_budget_s=...)",
    "resource_attr": "a scheduler decides how long trials run",
    "min_resource": "a scheduler decides how long trials run",
    "max_resource": "a scheduler decides how long trials run",
    "reduction_factor": "give it to a scheduler",
    "global_search_alg": "the global search is Optuna's",
    "config_constraints": "give the space constraints: Space(..., constraints=[...])",
    "metric_constraints": "the search knows one metric",
    "cost_attr": "what a trial costs is not known to the search: low_cost_partial_config says where they are cheap",
    "cost_budget": "as cost_attr",
    "lexico_objectives": "the search knows one metric",
    "use_incumbent_result_in_evaluation": "call Engine.best() where it is wanted",
    "allow_empty_config": "a trial has a configuration",
}


class CFO(LibrarySearcher):
    """FLAML's local search that begins where trials are cheap (``pip install flaml``). There are no branches.

    Args:
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        space: domains of ``trialwright.tune``, which count instead of ``param_space``; this may then hold constants
            only.
        low_cost_partial_config: the values of some parameters at which trials are cheap.
        cat_hp_cost: of some categories, the relative cost of each option.
        points_to_evaluate: configurations to try first, whole or in part.
        evaluated_rewards: the metric's values of ``points_to_evaluate``, which then need not be tried.
        num_samples: how many trials FLAML may plan with.
        seed: of its random draws.
        experimental: FLAML's experimental features.
        options: FLAML's other arguments, which are refused; the message says what to use instead.

    Raises:
        ValueError: an argument is given that cannot be honoured.
    """

    library = flaml.CFO

    def __init__(  # noqa: PLR0917 - FLAML's order, which was Ray Tune's
        self,
        metric: str | None = None,
        mode: str | None = None,
        space: Mapping[str, Any] | None = None,
        low_cost_partial_config: Mapping[str, Any] | None = None,
        cat_hp_cost: Mapping[str, Sequence[float]] | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        evaluated_rewards: Sequence[float] | None = None,
        *,
        num_samples: int | None = None,
        seed: int | None = 20,
        experimental: bool = False,
        **options: Any,  # noqa: ANN401 - FLAML's
    ) -> None:
        for name, value in options.items():
            if name not in REFUSED:
                known = inspect.signature(type(self)).parameters.keys() | REFUSED.keys()
                raise TypeError(f"{type(self).__name__} has no argument {name!r}{nearest(name, known)}")
            if value not in (None, False) and (name, value) != ("cost_attr", "auto"):
                raise ValueError(f"{type(self).__name__}({name}={value!r}) is not supported: {REFUSED[name]}")
        told = {"num_samples": num_samples, "experimental": experimental or None}
        super().__init__(
            metric,
            mode,
            points_to_evaluate,
            space,
            evaluated_rewards,
            low_cost_partial_config=dict(low_cost_partial_config or {}),
            cat_hp_cost=dict(cat_hp_cost or {}),
            seed=seed,
            options={name: value for name, value in told.items() if value is not None},
        )


class BlendSearch(CFO):
    """FLAML's local searches, and Optuna's for where to begin them (``pip install flaml optuna``). Else as ``CFO``."""

    library = flaml.BlendSearch
