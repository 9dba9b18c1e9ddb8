"""Ray Tune's functions on nested dicts: flat ones with joined names, and back; two dicts as one."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any


def flatten_dict(
    dt: Mapping[str, Any],
    delimiter: str = "/",
    prevent_delimiter: bool = False,  # noqa: FBT002 - as in Ray Tune
    flatten_list: bool = False,  # noqa: FBT002 - as in Ray Tune
) -> dict[str, Any]:
    """Return ``{"a/b": 1}`` for ``{"a": {"b": 1}}``, in a dict of the same type. An empty dict stays as it is.

    Args:
        dt: nested dicts.
        delimiter: what joins names.
        prevent_delimiter: refuse names that have the delimiter in them: they could not be told apart.
        flatten_list: the items of lists have names as well: their numbers.

    Raises:
        ValueError: a name has the delimiter in it.
    """
    flat = _same_type(dt)
    for path, value in _leaves(dt, flatten_list=flatten_list):
        wrong = next((name for name in path if prevent_delimiter and delimiter in name), None)
        if wrong is not None:
            raise ValueError(f"the name {wrong!r} has the delimiter {delimiter!r} in it")
        flat[delimiter.join(path)] = value
    return flat


def unflatten_dict(dt: Mapping[str, Any], delimiter: str = "/") -> dict[str, Any]:
    """Return ``{"a": {"b": 1}}`` for ``{"a/b": 1}``, in dicts of the same type.

    Raises:
        TypeError: a name stands for a value, and for a dict as well.
    """
    nested = _same_type(dt)
    for path, value in dt.items():
        *parents, last = path.split(delimiter)
        inside = nested
        for parent in parents:
            inside = inside.setdefault(parent, _same_type(dt))
            if not isinstance(inside, dict):
                raise TypeError(f"Cannot unflatten dict: {parent!r} of {path!r} is a value already, {inside!r}")
        if last in inside:
            raise TypeError(f"Cannot unflatten dict: {path!r} is a dict already, {inside[last]!r}")
        inside[last] = value
    return nested


def unflatten_list_dict(dt: Mapping[str, Any], delimiter: str = "/") -> dict[str, Any] | list[Any]:
    """Return ``{"a": [1, 2]}`` for ``{"a/0": 1, "a/1": 2}``: a dict whose names are the numbers from 0 on is a list.

    Raises:
        TypeError: a name stands for a value, and for a dict as well.
    """
    listed: dict[str, Any] | list[Any] = _listed(unflatten_dict(dt, delimiter), given=dt)
    return listed


def unflattened_lookup(flat_key: str, lookup: Any, delimiter: str = "/", **kwargs: object) -> Any:  # noqa: ANN401
    """Return what nested dicts and lists have under a joined name.

    Args:
        flat_key: joined names; a number is the place in a list.
        lookup: the dicts and lists.
        delimiter: what joins names.
        kwargs: ``default``: what is returned if there is nothing.

    Raises:
        KeyError: there is nothing, and no default.
    """
    found = lookup
    for name in flat_key.split(delimiter):
        try:
            found = found[name] if isinstance(found, Mapping) else found[int(name)]
        except (KeyError, IndexError, TypeError, ValueError):
            if "default" in kwargs:
                return kwargs["default"]
            raise KeyError(f"{flat_key!r} is not there: {name!r} is not in {found!r}") from None
    return found


def merge_dicts(d1: Mapping[str, Any], d2: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new dict with the values of both; where both have a dict, theirs; where they differ, the second's."""
    merged = copy.deepcopy(dict(d1))
    for name, value in d2.items():
        known = merged.get(name)
        nested = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[name] = merge_dicts(known, value) if nested else copy.deepcopy(value)  # type: ignore[arg-type]
    return merged


def _leaves(value: object, path: tuple[str, ...] = (), *, flatten_list: bool) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and (value or not path):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, str(name)), flatten_list=flatten_list)
    elif flatten_list and isinstance(value, list | tuple) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, str(place)), flatten_list=flatten_list)
    else:
        yield path, value


def _same_type(given: Mapping[str, Any]) -> dict[str, Any]:
    return type(given)() if isinstance(given, dict) else {}


def _listed(value: Any, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - dicts and lists of anything
    if not isinstance(value, dict) or not value:
        return value
    inner = {name: _listed(item, given) for name, item in value.items()}
    if set(inner) == {str(place) for place in range(len(inner))}:
        return [inner[str(place)] for place in range(len(inner))]
    same = _same_type(given)
    same.update(inner)
    return same
