"""Constraints: what a config must also satisfy, said by users' functions."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from trialist.space.values import Config, brief

Constraint = Callable[[Config], Any]
"""Called with a whole config; its truth value says whether the config is allowed."""


class Constraints:
    """The constraints of one space, asked in order."""

    def __init__(self, functions: Sequence[Constraint]) -> None:
        self._functions = tuple(functions)

    def __len__(self) -> int:
        return len(self._functions)

    def violated(self, config: Config) -> int | None:
        """Return the number of the first constraint that the config violates, or None.

        Raises ValueError, with its name and the config, for a constraint that raises or gives no answer.
        """
        return next((number for number in range(len(self)) if not self._holds(number, config)), None)

    def name(self, number: int) -> str:
        """Return how messages call a constraint: by its number, its name, and where it was written."""
        function = self._functions[number]
        code = getattr(function, "__code__", None)
        where = f", {code.co_filename}:{code.co_firstlineno}" if code else ""
        return f"constraint {number} ({getattr(function, '__name__', brief(function))}{where})"

    def most_frequent(self, rejections: Counter[int]) -> str:
        """Return a sentence about the constraint that rejected most."""
        number, times = rejections.most_common(1)[0]
        return f"{self.name(number)} rejected most, {times} of {rejections.total()}"

    def _holds(self, number: int, config: Config) -> bool:
        try:
            answer = self._functions[number](config)
            holds = bool(answer)
        except Exception as error:
            message = f"{self.name(number)} raised {type(error).__name__}: {error}, for {brief(config, 1000)}"
            raise ValueError(message) from error
        if answer is None:
            message = f"{self.name(number)} returned None, not True or False, for {brief(config, 1000)}"
            raise ValueError(message)
        return holds


def problems_of_constraints(constraints: object) -> list[str]:
    """Return what is wrong with the constraints argument of a space."""
    if not isinstance(constraints, list | tuple):
        return [f"constraints must be a list of functions, got {brief(constraints)}"]
    return [
        f"constraint {i}: {brief(each)} is not callable" for i, each in enumerate(constraints) if not callable(each)
    ]
