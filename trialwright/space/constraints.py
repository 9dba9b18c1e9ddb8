"""Constraints: what a config must also satisfy, as users' functions, or as strings such as ``"a < b"``."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from trialwright.errors import nearest
from trialwright.space.expressions import TINY, Expression
from trialwright.space.values import Config, brief, fresh

Constraint = Callable[[Config], Any] | str
"""Called with a whole config, its truth value says whether the config is allowed; a string is an `Expression`."""


class Constraints:
    """The constraints of one space, asked in order."""

    def __init__(self, functions: Sequence[Constraint]) -> None:
        self._functions = tuple(Expression(each) if isinstance(each, str) else each for each in functions)

    def __len__(self) -> int:
        return len(self._functions)

    @property
    def are_strings(self) -> bool:
        """True if all of them are data."""
        return all(isinstance(each, Expression) for each in self._functions)

    @property
    def strings(self) -> list[str]:
        """Those that are strings."""
        return [each.text for each in self._functions if isinstance(each, Expression)]

    def violated(self, config: Config) -> int | None:
        """Return the number of the first constraint that the config violates, or None.

        Raises ValueError, with its name and the config, for a constraint that raises or gives no answer.
        """
        return next((number for number in range(len(self)) if not self._holds(number, config)), None)

    def excess(self, config: Config) -> float:
        """Return how far the config is from being allowed: 0 if it is, else the number of constraints from the first
        that it violates on, less up to 1 the nearer it is to meet that one."""
        number = self.violated(config)
        if number is None:
            return 0.0
        function = self._functions[number]
        near = function.excess(config) if isinstance(function, Expression) else 1.0
        return len(self) - 1 - number + max(near, TINY)

    def name(self, number: int) -> str:
        """Return how messages call a constraint: by its number, its name, and where it was written."""
        function = self._functions[number]
        if isinstance(function, Expression):
            return f"constraint {function!r}"
        code = getattr(function, "__code__", None)
        where = f", {code.co_filename}:{code.co_firstlineno}" if code else ""
        return f"constraint {number} ({getattr(function, '__name__', brief(function))}{where})"

    def most_frequent(self, rejections: Counter[int]) -> str:
        """Return a sentence about the constraint that rejected most."""
        number, times = rejections.most_common(1)[0]
        return f"{self.name(number)} rejected most, {times} of {rejections.total()}"

    def _holds(self, number: int, config: Config) -> bool:
        try:
            function = self._functions[number]
            answer = function(config if isinstance(function, Expression) else fresh(config))
            holds = bool(answer)
        except Exception as error:
            message = f"{self.name(number)} raised {type(error).__name__}: {error}, for {brief(config, 1000)}"
            raise ValueError(message) from error
        if answer is None:
            message = f"{self.name(number)} returned None, not True or False, for {brief(config, 1000)}"
            raise ValueError(message)
        return holds


def problems_of_constraints(constraints: object, definition: object) -> list[str]:
    """Return what is wrong with the constraints argument of a space of this definition."""
    if not isinstance(constraints, list | tuple):
        return [f"constraints must be a list of functions or strings, got {brief(constraints)}"]
    known = [*definition] if isinstance(definition, dict) else []
    return [text for number, each in enumerate(constraints) for text in _problems_of_one(number, each, known)]


def _problems_of_one(number: int, constraint: object, known: list[str]) -> list[str]:
    if not isinstance(constraint, str):
        return [] if callable(constraint) else [f"constraint {number}: {brief(constraint)} is not callable"]
    try:
        names = Expression(constraint).names
    except ValueError as error:
        return [str(error)]
    unknown = [name for name in names if name not in known]
    return [f"constraint {constraint!r}: the space has no {name!r}{nearest(name, known)}" for name in unknown]
