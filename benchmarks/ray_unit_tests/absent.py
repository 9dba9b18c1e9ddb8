"""What stands in a rewritten test file for a name that could not be imported; it is copied beside the test files."""

from __future__ import annotations

from typing import NoReturn


class Absent:
    """Raises the import's error when it is used. Without it one absent name would fail every test of a file.

    Args:
        error: what the import raised.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        # pytest and its plugins look at every name of a module for marks and fixtures: those are truly not there
        looked_for = ("_", "pytest", "hypothesis", "is_hypothesis", "place_as")
        raise AttributeError(name) if name.startswith(looked_for) else ImportError(self._error)

    def __call__(self, *values: object, **named: object) -> NoReturn:
        """Raise the import's error."""
        raise ImportError(self._error)

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        """Return what a class that is derived from the absent one inherits: an error when it is made."""
        return (type("Absent", (), {"__init__": self.__call__}),)
