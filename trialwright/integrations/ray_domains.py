"""Ray Tune's domains as ours, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ray import tune
from ray.tune.search import sample
from ray.tune.search.variant_generator import grid_search

from trialwright.space import (
    choice,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    sample_from,
    uniform,
)
from trialwright.space import grid_search as our_grid_search
from trialwright.space.domains import Category, Domain, Numeric, Stepped
from trialwright.space.functions import Derived

GRID = next(iter(grid_search([])))  # Ray Tune's grids are dicts with this key


def of_ray(value: object) -> object:
    """Return a space of Ray Tune's, or a part of one, with domains of ours.

    Raises:
        TypeError: a domain is of a kind that is unknown here.
    """
    if isinstance(value, sample.Domain):
        return _domain(value)
    if isinstance(value, Mapping):
        if value.keys() == {GRID}:
            return our_grid_search([of_ray(option) for option in value[GRID]])
        return {str(key): of_ray(item) for key, item in value.items()}
    return [of_ray(item) for item in value] if isinstance(value, list) else value


def _domain(domain: sample.Domain) -> Domain:
    sampler: Any = cast(Any, domain).get_sampler()
    step = getattr(sampler, "q", None)
    inner = sampler if step is None else sampler.get_sampler()
    if isinstance(domain, sample.Categorical):
        return choice([of_ray(option) for option in domain.categories])
    if isinstance(domain, sample.Function):
        return sample_from(domain.func)
    if isinstance(domain, sample.Integer):
        return _integers(domain, cast("int | None", step), log=isinstance(inner, sample.LogUniform))
    if isinstance(inner, sample.Normal):
        return randn(inner.mean, inner.sd) if step is None else qrandn(inner.mean, inner.sd, step)
    if not isinstance(domain, sample.Float):
        raise TypeError(f"a Ray Tune domain of an unknown kind: {domain!r}")
    if isinstance(inner, sample.LogUniform):
        low, high = domain.lower, domain.upper
        return loguniform(low, high) if step is None else qloguniform(low, high, step)
    return uniform(domain.lower, domain.upper) if step is None else quniform(domain.lower, domain.upper, step)


def _integers(domain: sample.Integer, step: int | None, *, log: bool) -> Domain:
    """Return integers: the upper end is excluded, but with steps it is a value."""
    if step is None or step == 1:
        return (lograndint if log else randint)(domain.lower, domain.upper)
    return (qlograndint if log else qrandint)(domain.lower, domain.upper, step)


def to_ray(value: object) -> object:
    """Return a space of ours, or a part of one, with domains of Ray Tune's.

    Raises:
        TypeError: Ray Tune has no such domain, as ``ordinal``.
    """
    if isinstance(value, Derived):
        return tune.sample_from(value.function)
    if isinstance(value, Category):
        return _options(value)
    if isinstance(value, Stepped) and value.count == 1:
        return value.lower
    if isinstance(value, Numeric):
        name, arguments = value.call
        if isinstance(value, Stepped) and name.startswith("q"):  # Ray Tune wants bounds that are steps themselves
            arguments = (value.lower, value.upper, value.grain.q)
        return getattr(tune, name)(*arguments)
    if isinstance(value, Domain):
        raise TypeError(f"Ray Tune has no domain like {value!r}")
    if isinstance(value, Mapping):
        return {key: to_ray(item) for key, item in value.items()}
    return [to_ray(item) for item in value] if isinstance(value, list) else value


def _options(domain: Category) -> object:
    options = [to_ray(option) for option in domain.options]
    if domain.kind == "grid_search":
        return tune.grid_search(options)
    if domain.kind == "ordinal":
        raise TypeError(f"Ray Tune has no ordered options, as of {domain!r}; use choice")
    return tune.choice(options)
