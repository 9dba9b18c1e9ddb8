"""Search spaces in Ray Tune's spellings, as the engine reads them.

Most functions that spaces are written with are the engine's own; here are those whose arguments have other names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from trialwright import nested
from trialwright import space as engine
from trialwright.searchers.variants import walk
from trialwright.space import (
    Category,
    Derived,
    Domain,
    Space,
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    uniform,
)
from trialwright.space.functions import RecursiveDependencyError
from trialwright.space.samplers import BaseSampler, Grid, LogUniform, Normal, Quantized, Sampler, Uniform
from trialwright.tune.domains import Categorical, Described, Float, Function, Integer, converted
from trialwright.tune.error import SettingError, SettingTypeError

__all__ = [
    "BaseSampler",
    "Categorical",
    "Domain",
    "Float",
    "Function",
    "Grid",
    "Integer",
    "LogUniform",
    "Normal",
    "Quantized",
    "RecursiveDependencyError",
    "Sampler",
    "Uniform",
    "as_space",
    "choice",
    "format_vars",
    "generate_variants",
    "grid_search",
    "lograndint",
    "loguniform",
    "paths",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "sample_from",
    "uniform",
    "variants",
    "varied",
]


def choice(categories: Sequence[Any]) -> Category:
    """One of the categories. One that is, or holds, a domain is a branch: its domains vary only if it is chosen.

    Raises:
        ValueError: there is none.
    """
    return engine.choice(converted(list(categories)))


def grid_search(values: Sequence[Any]) -> Category:
    """Every value in turn, as often as it is there; several grids make a product.

    Raises:
        SettingTypeError: it is no list.
        ValueError: there is none.
    """
    try:
        return engine.grid_search(values)
    except TypeError as error:
        raise SettingTypeError(str(error)) from error


def sample_from(func: Callable[..., Any]) -> Derived:
    """A value computed from the config so far: ``lambda spec: spec.config.lr * 2``.

    Raises:
        SettingError: it is no function of at most one argument.
    """
    try:
        return engine.sample_from(func)
    except TypeError as error:
        raise SettingError(str(error)) from error


def as_space(given: Mapping[str, Any] | Space | None) -> Space:
    """Return the space of a ``param_space`` or ``config``: bare lambdas are ``sample_from``, and ``{"grid_search":
    [...]}`` is what ``grid_search`` once returned.

    Raises:
        TypeError: it is no dict.
        ValueError: something in it makes no sense, or is a string to be evaluated.
    """
    if isinstance(given, Space):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"a search space is a dict of domains and constants, not {given!r}")
    return Space({name: _converted(value, name) for name, value in (given or {}).items()})


def paths(space: Space) -> list[str]:
    """Return the paths of all entries of a space, constants among them."""
    return sorted({path for path, _ in nested.items(space.definition)})


def varied(space: Space) -> frozenset[str]:
    """Return the paths of what varies, as they are in a config: of a branch, without its number."""
    return frozenset(re.sub(r"\[\d+\]", "", parameter.path) for parameter in space.parameters)


# Drawn by hand --------------------------------------------------------------------------------------------------------


def generate_variants(
    unresolved_spec: Mapping[str, Any],
    constant_grid_search: bool = False,  # noqa: FBT002 - as in Ray Tune
    random_state: int | np.random.Generator | None = None,
) -> Iterator[tuple[dict[tuple[str, ...], Any], dict[str, Any]]]:
    """Yield a sample of a space: for each point of its grid the values that vary, by their paths, and the whole config.

    Args:
        unresolved_spec: the space, or a dict around it, as an experiment is: ``{"config": {...}}``.
        constant_grid_search: what is drawn stays the same for the whole grid.
        random_state: a seed or a generator; NumPy's global one by default.

    Raises:
        RecursiveDependencyError: functions of ``sample_from`` need one another's values.
        ValueError: something in the space makes no sense.
    """
    space = as_space(unresolved_spec)
    if random_state is None:
        random_state = int(np.random.randint(2**31))  # noqa: NPY002 - it is what a user of globals has seeded
    generator = np.random.default_rng(random_state)
    seeds = generator.integers(2**32, size=1 if constant_grid_search else space.grid_size).tolist()
    for config in variants(space, lambda number: np.random.default_rng(seeds[number % len(seeds)])):
        found = nested.flatten(config, varied(space))
        yield {tuple(path.split("/")): found[path] for path in sorted(varied(space) & found.keys())}, config


def variants(space: Space, generator: Callable[[int], np.random.Generator]) -> Iterator[dict[str, Any]]:
    """Yield a config for each point of a space's grid, in Ray Tune's order: what is first in the alphabet changes
    fastest.

    Args:
        space: the space.
        generator: for the number of each point, what its other values are drawn from.
    """
    order = walk(space)
    for number in range(len(order)):
        yield space.sample(1, generator(number), grid=[order.number(number)])[0]


def format_vars(resolved_vars: Mapping[tuple[str, ...], Any]) -> str:
    """Return values as a string that can be a part of a file's name: ``lr=0.1,sizes=64_64``.

    Args:
        resolved_vars: the values by their paths, of which the last part is shown.
    """
    return ",".join(f"{_harmless(path[-1])}={_harmless(value)}" for path, value in sorted(resolved_vars.items()))


def _harmless(value: object) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^\w.+-]+", "_", text).strip("_")


def _converted(value: object, path: str) -> object:
    if isinstance(value, Described):
        return value.domain()
    if isinstance(value, FunctionType) and value.__name__ == "<lambda>":
        return sample_from(value)
    if isinstance(value, Mapping):
        if value.keys() == {"grid_search"}:
            return grid_search(value["grid_search"])
        if value.keys() == {"eval"}:
            raise ValueError(
                f"{path}: strings are not evaluated; write {value['eval']!r} as sample_from(lambda spec: ...)"
            )
        return {name: _converted(item, f"{path}/{name}") for name, item in value.items()}
    return [_converted(item, f"{path}/{index}") for index, item in enumerate(value)] if type(value) is list else value
