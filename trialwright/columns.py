"""Configurations as columns: an array of numbers for each parameter, for what looks at many trials at once.

A parameter is called as in tables: nested dicts are joined ("model/lr").

n: configurations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trialwright.nested import flatten
from trialwright.space.values import Bools, Floats, is_finite


@dataclass(frozen=True)
class Column:
    """One parameter in n configurations.

    ``values``, shape (n,), are NaN where a configuration does not have the parameter. Where some value is no number,
    they are places in ``names``. ``log`` says that the numbers belong on a logarithmic axis.
    """

    name: str
    values: Floats
    names: tuple[str, ...] | None = None
    log: bool = False

    @cached_property
    def active(self) -> Bools:
        """Which configurations have the parameter, shape (n,)."""
        return np.isfinite(self.values)

    @property
    def scaled(self) -> Floats:
        """The values as an axis has them, shape (n,): powers of ten where it is logarithmic."""
        return np.log10(self.values) if self.log else self.values

    @cached_property
    def is_constant(self) -> bool:
        """True if all configurations that have it have the same value, and where none has it."""
        there = self.values[self.active]
        return not len(there) or bool(there.min() == there.max())


def columns(configs: Sequence[Mapping[str, Any]], logarithmic: frozenset[str] = frozenset()) -> list[Column]:
    """Return a column for each parameter, in the order in which they first appear.

    Args:
        configs: n of them; dicts inside are looked into, other containers are values.
        logarithmic: the parameters whose numbers were drawn on a logarithmic axis.
    """
    found: dict[str, tuple[list[int], list[object]]] = {}
    for place, config in enumerate(configs):
        for name, value in flatten(config).items():
            column = found.get(name)
            if column is None:
                column = found[name] = ([], [])
            column[0].append(place)
            column[1].append(value)
    return [_column(name, len(configs), *column, name in logarithmic) for name, column in found.items()]


def _column(name: str, n: int, places: list[int], values: list[object], log: bool) -> Column:
    column = np.full(n, np.nan)
    if _are_numbers(values):
        column[places] = values
        return Column(name, column, log=log and bool(np.all(column[places] > 0)))
    known = {str(value): value for value in values}
    names = tuple(sorted(known, key=lambda text: _in_order(text, known[text])))
    order = {text: float(place) for place, text in enumerate(names)}
    column[places] = [order[str(value)] for value in values]
    return Column(name, column, names)


def _are_numbers(values: list[object]) -> bool:
    if set(map(type, values)) == {float}:  # one by one takes ten times as long
        return bool(np.isfinite(np.array(values, np.float64)).all())
    return all(map(is_finite, values))


def _in_order(text: str, value: Any) -> tuple[int, float, str]:  # noqa: ANN401 - a configuration holds anything
    """Put numbers in their own order, before names: as strings, "10" would come before "2"."""
    return (0, float(value), "") if is_finite(value) else (1, 0.0, text)
