"""Nested dicts as flat ones, and back: ``{"model": {"lr": 0.1}}`` is ``{"model/lr": 0.1}``.

Two places join names by rules of their own. ``metrics.clean`` checks what users report (names that are not strings or
come twice, depth), and must be fast. ``tune.names`` has to restore lists, and names with slashes in them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

_VALUES = frozenset({bool, float, int, str})


def flatten(nested: Mapping[str, Any], whole: Container[str] = ()) -> dict[str, Any]:
    """Return the values of nested dicts by their paths. An empty dict has no path.

    Args:
        nested: dicts in dicts.
        whole: the paths of dicts that are values themselves.
    """
    return dict(items(nested, whole))


def items(nested: Mapping[str, Any], whole: Container[str] = (), prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what ``flatten`` returns, in pairs. A path comes twice in ``{"a/b": 1, "a": {"b": 2}}``."""
    for name, value in nested.items():
        path = f"{prefix}{name}"
        # The first test is quick, and decides for most values: there may be a million.
        if type(value) not in _VALUES and isinstance(value, Mapping) and path not in whole:
            yield from items(value, whole, f"{path}/")
        else:
            yield path, value


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Undo ``flatten``."""
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, last = path.split("/")
        inside = nested
        for parent in parents:
            inside = inside.setdefault(parent, {})
        inside[last] = value
    return nested
