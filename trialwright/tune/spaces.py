"""Search spaces in Ray Tune's spellings, as the engine reads them.

Most functions that spaces are written with are the engine's own; here are those whose arguments have other names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

from trialwright import nested
from trialwright import space as engine
from trialwright.space import (
    Category,
    Derived,
    Domain,
    Space,
    grid_search,
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
from trialwright.tune.domains import Categorical, Described, Float, Function, Integer, converted

__all__ = [
    "Categorical",
    "Domain",
    "Float",
    "Function",
    "Integer",
    "as_space",
    "choice",
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
    "varied",
]


def choice(categories: Sequence[Any]) -> Category:
    """One of the categories. One that is, or holds, a domain is a branch: its domains vary only if it is chosen.

    Raises:
        ValueError: there is none.
    """
    return engine.choice(converted(list(categories)))


def sample_from(func: Callable[..., Any]) -> Derived:
    """A value computed from the config so far: ``lambda spec: spec.config.lr * 2``.

    Raises:
        TypeError: it is no function of at most one argument.
    """
    return engine.sample_from(func)


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
