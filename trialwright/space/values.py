"""Facts about single values: whether it is a number, JSON data, or equal to another."""

import math
from collections.abc import Hashable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
_CONTAINERS: frozenset[type] = frozenset({dict, list, tuple})

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Config = dict[str, Any]
"""One assignment of every parameter and constant, nested as the definition is."""


def python_value(value: object) -> object:
    """Return a numpy scalar as the Python number it stands for, anything else unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def is_number(value: object) -> bool:
    """Return True for an int or a float; a bool is an answer, not a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Return True for a number that a float can hold and that is neither infinite nor NaN."""
    try:
        return is_number(value) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:
        return False


def is_json_scalar(value: object) -> bool:
    """Return True where JSON gives the very same value back: subclasses and inf do not count."""
    return value is None or type(value) in {bool, int, str} or (type(value) is float and math.isfinite(value))


def is_structure(value: object) -> bool:
    """Return True for the containers a space looks into: a dict with string keys, or a list."""
    return type(value) is list or (type(value) is dict and all(type(key) is str for key in value))


def items(structure: object) -> list[tuple[str | int, object]]:
    """Return the (key, value) pairs of a structure; a list's keys are its positions."""
    if isinstance(structure, dict):
        return list(structure.items())
    return list(enumerate(structure)) if isinstance(structure, list) else []


def fresh(value: T) -> T:
    """Copy the dicts, lists and tuples of a value, so that two configs never share one; what they hold stays shared."""
    kind: type = type(value)
    return cast(T, _copied(value)) if kind in _CONTAINERS else value


def _copied(value: Any) -> object:  # noqa: ANN401 - a config holds anything
    if type(value) is dict:  # leaves are told apart here: a call for each would take twice as long
        return {key: _copied(item) if type(item) in _CONTAINERS else item for key, item in value.items()}
    items = [_copied(item) if type(item) in _CONTAINERS else item for item in value]
    return tuple(items) if type(value) is tuple else items


def brief(value: object, width: int = 160) -> str:
    """Return the repr of a value, cut in the middle where it would flood a message."""
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 40]} ... {text[-35:]}"


def token(value: object) -> Hashable:
    """Return a hashable stand-in; two values are the same option exactly when their tokens are equal.

    1, 1.0 and True differ, NaN equals NaN, and what can be neither hashed nor looked into is itself only.
    """
    if type(value) is dict:
        return dict, frozenset((token(key), token(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return type(value), tuple(token(item) for item in value)
    if isinstance(value, float) and math.isnan(value):
        return float, "nan"
    try:
        hash(value)
    except TypeError:
        return type(value), id(value)
    return type(value), value


def loosely_equal(one: object, other: object) -> bool:
    """Return True if the two compare equal (1 and 1.0 do); bools match bools only, odd types match nothing."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    try:
        return bool(one == other)
    except Exception:
        return False
