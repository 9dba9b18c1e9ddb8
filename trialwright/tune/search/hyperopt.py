"""HyperOpt, by Ray Tune's name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from trialwright.integrations import HyperOpt
from trialwright.integrations.adapter import library
from trialwright.nested import flatten
from trialwright.space import Category, Continuous, Normal, Parameter, Stepped
from trialwright.tune.search.library import LibrarySearcher, without_branches
from trialwright.tune.spaces import as_space


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
            self.convert_search_space(space) if _is_mixed(space) else space,
            n_initial_points=n_initial_points,
            gamma=gamma,
            seed=random_state_seed,
        )

    @staticmethod
    def convert_search_space(spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return a space of this layer with HyperOpt's expressions in it; their labels are the parameters' paths.

        Args:
            spec: the space; constants and expressions of HyperOpt's stay as they are.

        Raises:
            ValueError: something has no such expression.
        """
        hyperopt = library("hyperopt", "hyperopt")
        space = without_branches(as_space(spec), "HyperOpt has no expression for a branch that is no hp.choice")
        expressions = {parameter.path: _expression(hyperopt, parameter) for parameter in space.parameters}
        found: dict[str, Any] = _filled(space.definition, expressions, "")
        return found


def _is_mixed(space: object) -> TypeGuard[Mapping[str, Any]]:
    """Tell whether a space has domains of this layer beside HyperOpt's expressions. One of domains only is left alone:
    the engine's searcher knows more of them than HyperOpt has expressions for."""
    if not isinstance(space, Mapping) or not as_space(space).parameters:
        return False
    expression = library("hyperopt", "hyperopt").pyll.base.Apply
    return any(isinstance(each, expression) for each in flatten(space).values())


def _filled(value: Any, expressions: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - whatever a space holds
    if path in expressions:
        return expressions[path]
    prefix = f"{path}/" if path else ""
    if isinstance(value, Mapping):
        return {name: _filled(each, expressions, f"{prefix}{name}") for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, expressions, f"{prefix}{place}") for place, each in enumerate(value)]
    return value


def _expression(hyperopt: Any, parameter: Parameter) -> Any:  # noqa: ANN401 - HyperOpt has no types
    hp, domain, label = hyperopt.hp, parameter.domain, parameter.path
    if isinstance(domain, Category) and domain.kind != "grid_search":
        return hp.choice(label, list(domain.options))
    if isinstance(domain, Normal):
        step = () if domain.grain is None else (domain.grain.q,)
        return (hp.qnormal if step else hp.normal)(label, domain.mean, domain.sd, *step)
    if not isinstance(domain, Continuous | Stepped):
        raise ValueError(f"{label}: HyperOpt has no expression for {domain!r}")  # noqa: TRY004 - a space is a value
    low, high = (math.log(domain.lower), math.log(domain.upper)) if domain.log else (domain.lower, domain.upper)
    if isinstance(domain, Continuous):
        return (hp.loguniform if domain.log else hp.uniform)(label, low, high)
    if domain.grain.integer and domain.grain.q == 1 and not domain.log:
        return hp.uniformint(label, low, high)
    stepped = (hp.qloguniform if domain.log else hp.quniform)(label, low, high, domain.grain.q)
    return hyperopt.pyll.scope.int(stepped) if domain.grain.integer else stepped
