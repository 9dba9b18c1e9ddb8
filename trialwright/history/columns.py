"""A growing column: a NumPy array with room at its end, written by one thread and read by others."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Scalar = TypeVar("Scalar", bound=np.generic)


class Block(Generic[Scalar]):
    """Rows of numbers, to which one thread appends.

    Other threads may read ``room`` up to a length that the writer publishes after it has written the rows. They fetch
    ``room`` once: growing copies all rows into a larger array, which then replaces it, so that the array that a reader
    holds, old or new, has every published row. There is little spare room (a sixteenth), because there are millions of
    rows.

    Args:
        dtype: of the numbers.
        width: how many numbers a row has; None where a row is one number, or what the dtype says.
    """

    __slots__ = ("_length", "room")

    def __init__(self, dtype: type[Scalar] | np.dtype[Scalar], width: int | None = None) -> None:
        self.room: npt.NDArray[Scalar] = np.empty(0 if width is None else (0, width), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def filled(self) -> npt.NDArray[Scalar]:
        """The rows so far, for the thread that writes."""
        return self.room[: self._length]

    def append(self, row: npt.ArrayLike) -> None:
        """Add one row."""
        place = self._length
        if place == len(self.room):
            self._grow(place + 1)
        self.room[place] = row
        self._length = place + 1

    def extend(self, rows: npt.ArrayLike, count: int) -> None:
        """Add ``count`` rows, or one row so often."""
        first, end = self._length, self._length + count
        if end > len(self.room):
            self._grow(end)
        self.room[first:end] = rows
        self._length = end

    def insert(self, place: int, row: npt.ArrayLike) -> None:
        """Insert a row before the one at ``place``. The rows after it move, so no other thread may read meanwhile."""
        self.append(row)
        if place < self._length - 1:
            self.room[place + 1 : self._length] = self.room[place : self._length - 1]
            self.room[place] = row

    def _grow(self, least: int) -> None:
        room = np.empty((least + least // 16 + 16, *self.room.shape[1:]), self.room.dtype)
        room[: self._length] = self.room[: self._length]
        self.room = room
