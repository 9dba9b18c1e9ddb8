"""Spaces of other libraries as ours, and ours as theirs. Each library is imported when its function is called.

space = convert.from_ray_tune({"lr": tune.loguniform(1e-5, 1e-1)})
schema = convert.to_json_schema(space)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from trialwright.space import Space
from trialwright.space.functions import Derived
from trialwright.space.json_schema import from_json_schema, to_json_schema

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["from_json_schema", "from_optuna", "from_ray_tune", "to_json_schema", "to_optuna", "to_ray_tune"]


def from_optuna(distributions: Mapping[str, BaseDistribution]) -> Space:
    """Return the space of a dict of Optuna's distributions. A distribution with one value is a constant.

    Raises:
        ValueError, TypeError: a distribution has no domain; the message has its name.
    """
    from trialwright.integrations.optuna_distributions import domain_of, single

    definition: dict[str, object] = {}
    for name, each in distributions.items():
        try:
            definition[name] = single(each) if each.single() else domain_of(each)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{name}: {error}") from error
    return Space(definition)


def to_optuna(space: Space) -> dict[str, BaseDistribution]:
    """Return Optuna's distributions of the parameters of a space, by path. Constants are left out.

    Raises:
        ValueError: the space has branches, constraints or priors, which a dict of distributions cannot express.
        TypeError: a parameter is computed; the message has its path.
    """
    from trialwright.integrations.optuna_distributions import distribution_of

    _refuse_more_than_domains(space, "Optuna")
    distributions: dict[str, BaseDistribution] = {}
    for each in space.parameters:
        if each.condition is not None:
            raise ValueError(f"{each.path} exists only in one option of {each.condition.parent!r}")
        if isinstance(each.domain, Derived):
            raise TypeError(f"{each.path} is computed by a function, which Optuna does not have")
        distributions[each.path] = distribution_of(each.domain)
    return distributions


def from_ray_tune(config: Mapping[str, Any]) -> Space:
    """Return the space of a ``param_space`` of Ray Tune's.

    Raises:
        TypeError: a domain is of an unknown kind.
        ValueError: the space cannot be used.
    """
    from trialwright.integrations.ray_domains import of_ray

    return Space(cast("dict[str, object]", of_ray(config)))


def to_ray_tune(space: Space) -> dict[str, Any]:
    """Return a space as a ``param_space`` of Ray Tune's.

    Raises:
        ValueError: the space has constraints or priors.
        TypeError: Ray Tune has no such domain.
    """
    from trialwright.integrations.ray_domains import to_ray

    _refuse_more_than_domains(space, "Ray Tune")
    return cast("dict[str, Any]", to_ray(space.definition))


def _refuse_more_than_domains(space: Space, library: str) -> None:
    for name, there in (("constraints", space.has_constraints), ("priors", space.has_prior)):
        if there:
            raise ValueError(f"the space has {name}, which {library} does not have")
