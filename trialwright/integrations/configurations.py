"""A space of ours as one of ConfigSpace's, which SMAC3 and HpBandSter search. It knows branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from trialwright.integrations.adapter import library
from trialwright.integrations.forms import Assignment, Axis
from trialwright.space.values import python_value


class Configurations:
    """Converts assignments to configurations of ConfigSpace, and back.

    Args:
        axes: of the space.
        package: what to install where ConfigSpace is missing.
    """

    def __init__(self, axes: list[Axis], package: str) -> None:
        self._package = library("ConfigSpace", package)
        # A number that can have one value only is none of ConfigSpace's.
        self._axes = {axis.name: axis for axis in axes if axis.kind == "category" or axis.low < axis.high}
        self.size = len(self._axes)
        self.varies = any(axis.low < axis.high for axis in self._axes.values())
        self.space = self._package.ConfigurationSpace()
        made = {name: self._hyperparameter(axis) for name, axis in self._axes.items()}
        self.space.add(list(made.values()))
        self.space.add([self._condition(axis, made) for axis in self._axes.values() if axis.condition is not None])

    def configuration(self, assignment: Assignment) -> Any:  # noqa: ANN401 - no types
        """Return the configuration of an assignment."""
        values = {name: _value(axis, assignment[name]) for name, axis in self._axes.items() if name in assignment}
        return self._package.Configuration(self.space, values=values)

    def assignment(self, configuration: Mapping[str, object]) -> Assignment:
        """Return the assignment of a configuration."""
        return {
            name: _number(self._axes[name], value) for name, value in dict(configuration).items() if value is not None
        }

    def _hyperparameter(self, axis: Axis) -> Any:  # noqa: ANN401 - as above
        if axis.kind == "category":
            return self._package.CategoricalHyperparameter(axis.name, [str(o) for o in range(int(axis.high) + 1)])
        kind = self._package.UniformFloatHyperparameter
        if axis.kind == "int":
            kind = self._package.UniformIntegerHyperparameter
        return kind(axis.name, axis.low, axis.high, log=axis.log)

    def _condition(self, axis: Axis, made: Mapping[str, object]) -> Any:  # noqa: ANN401 - as above
        assert axis.condition is not None
        parent, option = made[axis.condition.parent], str(axis.condition.option)
        return self._package.EqualsCondition(made[axis.name], parent, option)


def _value(axis: Axis, number: object) -> object:
    if axis.kind == "category":
        return str(int(cast(int, number)))
    return min(max(cast(float, number), axis.low), axis.high)


def _number(axis: Axis, value: object) -> float:
    plain = python_value(value)
    number = int(cast(int, plain)) if axis.kind != "float" else cast(float, plain)
    return min(max(number, axis.low), axis.high)
