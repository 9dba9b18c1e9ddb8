"""Converts configurations to assignments of a library, and back.

An assignment is a flat dict: the name of each active parameter, and a number that the library can model. Of a space of
ours, the name is the parameter's path, and the number is the value itself for floats, the number of the step for
stepped numbers (integers are their own), the number of the option for categories, and the place in the distribution,
from 0 to 1, for normally distributed ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import numpy as np

from trialwright.messages import Plain
from trialwright.space import (
    Category,
    Condition,
    Continuous,
    Domain,
    Space,
    Stepped,
    choice,
    lograndint,
    loguniform,
    randint,
    uniform,
)
from trialwright.space.values import python_value
from trialwright.streams import Streams

Assignment = dict[str, Plain]
Resolved = dict[str, object]  # a configuration as the objective gets it


class Form(Protocol):
    """A space, as a library sees it."""

    @property
    def size(self) -> int:
        """How many parameters there are; 0 only where there is nothing to decide."""

    @property
    def grid_size(self) -> int:
        """How many grid points one sample goes through."""

    def grid(self, number: int) -> Assignment:
        """Return what the grid says about this sample."""

    def assignment(self, config: Resolved) -> Assignment:
        """Return the assignment that makes this configuration.

        Raises:
            ValueError: there is none, or it cannot be told.
        """

    def complete(self, assignment: Assignment, number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        """Return the configuration of a proposal, and the assignment that it really has."""

    def check(self, point: Mapping[str, object]) -> None:
        """Look at a point of the user's.

        Raises:
            ValueError: it does not fit.
        """

    def point(self, point: Mapping[str, object], number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        """Return the configuration of a point of the user's, and its assignment."""


@dataclass(frozen=True)
class Axis:
    """A parameter of a space of ours: numbers from ``low`` to ``high``, both included; categories have no order."""

    name: str
    kind: Literal["float", "int", "category"]
    low: float
    high: float
    log: bool
    column: int
    condition: Condition | None
    domain: Domain

    @classmethod
    def of(cls, name: str, domain: Domain, column: int, condition: Condition | None) -> Axis:
        """Describe a parameter."""
        kind: Literal["float", "int", "category"]
        kind, low, high, log = "float", 0.0, 1.0, False
        if isinstance(domain, Continuous):
            low, high, log = domain.lower, domain.upper, domain.log
        elif isinstance(domain, Stepped):
            kind, low, high, log = "int", domain.first, domain.first + domain.count - 1, domain.log
        elif isinstance(domain, Category):
            kind, high = "int" if domain.kind == "ordinal" else "category", domain.cardinality - 1
        return cls(name, kind, low, high, log, column, condition, domain)

    def written(self) -> list[Plain]:
        """Describe it as plain data, for a process that knows the space by its numbers only."""
        condition: Plain = None if self.condition is None else [self.condition.parent, self.condition.option]
        return [self.name, self.kind, self.low, self.high, self.log, self.column, condition]

    @classmethod
    def read(cls, described: list[Any]) -> Axis:
        """Undo ``written``: the domain has the same numbers and no other values."""
        name, kind, low, high, log, column, condition = described
        if kind == "category":
            domain: Domain = choice(range(int(high) + 1))
        elif kind == "int":
            domain = (lograndint if log else randint)(int(low), int(high) + 1)
        else:
            domain = (loguniform if log else uniform)(low, high)
        return cls.of(name, domain, column, None if condition is None else Condition(*condition))

    def unit(self, value: float) -> float:
        """Return the value's place in the unit interval; one outside the range is taken to the nearest edge."""
        value = min(max(round(value) if self.kind != "float" else value, self.low), self.high)
        if isinstance(self.domain, Category):
            return self.domain.centre(int(value))
        if isinstance(self.domain, Stepped):
            return self.domain.centre(int(value) - self.domain.first)
        return self.domain.encode(value) if isinstance(self.domain, Continuous) else value

    def value(self, unit: float) -> float:
        """Return the value at a place of the unit interval."""
        place = np.array([unit])
        if isinstance(self.domain, Category):
            return int(self.domain.cells(place)[0])
        if isinstance(self.domain, Stepped):
            return self.domain.grain.step(self.domain.decode(place)[0])
        return self.domain.decode(place)[0] if isinstance(self.domain, Continuous) else float(unit)

    def unit_of(self, assignment: Assignment) -> float:
        """Return the place of this parameter's value in an assignment."""
        return self.unit(cast(float, assignment[self.name]))


class SpaceForm:
    """A space of ours."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.axes = [
            Axis.of(parameter.path, parameter.domain, parameter.column, parameter.condition)
            for parameter in space.parameters
            if parameter.column is not None
        ]
        self._grid = {column: axis for axis in self.axes for column in space.grid_units(0) if axis.column == column}

    @property
    def size(self) -> int:
        return len(self.axes)

    @property
    def grid_size(self) -> int:
        return self.space.grid_size

    def grid(self, number: int) -> Assignment:
        return {self._grid[column].name: self._grid[column].value(u) for column, u in self._units(number).items()}

    def assignment(self, config: Resolved) -> Assignment:
        units, active = self.space.encode([config])
        return {axis.name: axis.value(units[0, axis.column]) for axis in self.axes if active[0, axis.column]}

    def complete(self, assignment: Assignment, number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        """Fill in what the proposal lacks, and draw a configuration that the constraints forbid again."""
        units = streams("fill", number).random((1, self.space.dimension))
        for axis in self.axes:
            if axis.name in assignment:
                units[0, axis.column] = axis.unit_of(assignment)
        config = self.space.decode(units, streams("sample", number))[0]
        if not self.space.satisfies(config):
            config = self.space.sample(1, streams("again", number), grid=[number])[0]
            return config, self.assignment(config)
        actual = self.assignment(config)
        return config, assignment if assignment.keys() == actual.keys() else actual

    def check(self, point: Mapping[str, object]) -> None:
        problems = self.space.validate(dict(point), partial=True)
        if problems:
            raise ValueError("; ".join(problems))

    def point(self, point: Mapping[str, object], number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        config = self.space.complete(dict(point), streams("point", number))
        return config, self.assignment(config)

    def _units(self, number: int) -> dict[int, float]:
        return self.space.grid_units(number) if self._grid else {}


def taken(axis: Axis, assignment: Assignment) -> bool:
    """Tell whether an axis is active where those before it have these values."""
    return axis.condition is None or assignment.get(axis.condition.parent) == axis.condition.option


def refuse_branches(name: str, axes: list[Axis]) -> None:
    """Raise ``ValueError``, for a library that knows none, if a parameter depends on another."""
    for axis in axes:
        if axis.condition is not None:
            raise ValueError(
                f"{name} has no branches, and {axis.name!r} exists only in one of {axis.condition.parent!r}: "
                "use searcher='hyperopt' or 'optuna'"
            )


def plain_data(value: object) -> object:
    """Turn what other libraries put into configurations (NumPy's scalars and arrays, tuples) into plain data."""
    if isinstance(value, Mapping):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain_data(item) for item in value]
    return python_value(value)
