"""The index of what is free: finds the first of many machines that has room, without looking at each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from trialwright.errors import InternalError

Key: TypeAlias = str | int  # what is counted: a resource's name, or a number of the caller's own
Row: TypeAlias = dict[Key, int]  # how much of each is free on one machine
Need: TypeAlias = tuple[tuple[Key, int], ...]  # how much of each is needed


class FreeIndex:
    """Rows in an order, above which stands a binary tree of their maxima.

    ``_nodes[1]`` is the root, the children of node ``i`` are ``2 * i`` and ``2 * i + 1``, and the leaves are the rows
    themselves. A search skips each part of the tree where even the maxima are too small. Neither a search nor a change
    calls a function at a node: on a tree of 400 rows that would cost more than the work itself.

    Args:
        rows: one for each machine. They stay the caller's: whoever changes one calls ``changed``. Keys that only other
            rows have are added to each, as zeros.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        leaves = list(rows)
        self._count = len(leaves)
        self._first_leaf = 1 << max(self._count - 1, 0).bit_length()
        keys = dict.fromkeys(key for row in leaves for key in row)
        leaves += [{} for _ in range(self._first_leaf - self._count)]
        for row in leaves:
            row.update({key: 0 for key in keys if key not in row})
        self._nodes: list[Row] = [{} for _ in range(self._first_leaf)] + leaves
        for at in range(self._first_leaf - 1, 0, -1):
            self._nodes[at] = self._maxima(at)

    def first(self, need: Need) -> int | None:
        """Return the place of the first row that has all that is needed; ``None`` if none has."""
        nodes, first_leaf, at = self._nodes, self._first_leaf, 1
        for key, _ in need:
            if key not in nodes[1]:
                return None
        while True:
            row = nodes[at]
            for key, amount in need:
                if row[key] < amount:
                    break
            else:
                if at >= first_leaf:
                    return at - first_leaf if self._count else None
                at *= 2
                continue
            while at & 1:  # a right child, or the root: go up until there is a right neighbour
                at >>= 1
            if not at:
                return None
            at += 1

    def changed(self, place: int, keys: Iterable[Key]) -> None:
        """Take note that these amounts of a row are others now."""
        nodes, at = self._nodes, (self._first_leaf + place) >> 1
        while at:
            row, left, right, is_news = nodes[at], nodes[2 * at], nodes[2 * at + 1], False
            for key in keys:
                amount = left[key] if left[key] > right[key] else right[key]  # noqa: FURB136 - max() is a call
                if row[key] != amount:
                    row[key], is_news = amount, True
            if not is_news:
                return
            at >>= 1

    def check(self) -> None:
        """Recount all maxima. Raise ``InternalError`` at the first that is wrong."""
        for at in range(1, self._first_leaf):
            if self._nodes[at] != self._maxima(at):
                raise InternalError(f"the index of free amounts says {self._nodes[at]}, not {self._maxima(at)}")

    def _maxima(self, at: int) -> Row:
        left, right = self._nodes[2 * at], self._nodes[2 * at + 1]
        return {key: max(amount, right[key]) for key, amount in left.items()}
