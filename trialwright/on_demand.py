"""A sequence whose items are made when they are looked at: there may be many, and most are never needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import eq
from typing import Generic, TypeVar, overload

Given = TypeVar("Given")
Made = TypeVar("Made")


class OnDemand(Sequence[Made], Generic[Given, Made]):
    """What ``make`` returns for each of some items; it is called again for each look. Its copy or pickle is a list.

    Args:
        items: what to make it of; if they change, so does this.
        make: makes one.
    """

    def __init__(self, items: Sequence[Given], make: Callable[[Given], Made]) -> None:
        self._items, self._make = items, make

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Made: ...
    @overload
    def __getitem__(self, index: slice) -> list[Made]: ...
    def __getitem__(self, index: int | slice) -> Made | list[Made]:
        if isinstance(index, slice):
            return [*map(self._make, self._items[index])]
        return self._make(self._items[index])

    def __iter__(self) -> Iterator[Made]:
        return map(self._make, self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return repr([*self])

    def __reduce__(self) -> tuple[type, tuple[list[Made]]]:
        return list, ([*self],)
