"""The index of what is free: finds a machine that has room, without looking at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from trialwright.errors import InternalError

Key: TypeAlias = str | int  # what is counted: a resource's name, or a number of the caller's own
Row: TypeAlias = dict[Key, int]  # how much of each is free on one machine
Need: TypeAlias = tuple[tuple[Key, int], ...]  # how much of each is needed

LONG = 64  # a search of more steps is not made twice
REMEMBERED = 64  # so many needs at most


class FreeIndex:
    """Rows in an order, above which stands a binary tree of their maxima.

    ``_nodes[1]`` is the root, the children of node ``i`` are ``2 * i`` and ``2 * i + 1``, and the leaves are the rows
    themselves. A search skips each part of the tree where even the maxima are too small. Neither a search nor a change
    calls a function at a node: on a tree of 400 rows that would cost more than the work itself.

    Maxima may promise too much: one machine has free CPUs, its neighbour free GPUs, and none has both. After a long
    search, the rows that meet the need are kept as the bits of a number, which is updated from then on.

    Args:
        rows: one for each machine. The caller may change them, and then calls ``changed``. Keys that only other rows
            have are added to each, as zeros.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        leaves = list(rows)
        self._count = len(leaves)
        self._met: dict[Need, int] = {}  # the rows that meet a need, as bits
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
        if self._met and need in self._met:
            rows = self._met[need]
            return (rows & -rows).bit_length() - 1 if rows else None
        for key, _ in need:
            if key not in self._nodes[1]:
                return None
        return self._search(need) if self._count else None

    def _search(self, need: Need) -> int | None:
        nodes, first_leaf, at, steps = self._nodes, self._first_leaf, 1, 0
        while True:
            row, steps = nodes[at], steps + 1
            for key, amount in need:
                if row[key] < amount:
                    break
            else:
                if at >= first_leaf:
                    return at - first_leaf
                at *= 2
                continue
            if steps > LONG:
                self._remember(need)
                return self.first(need)
            while at & 1:  # a right child, or the root: go up until there is a right neighbour
                at >>= 1
            if not at:
                return None
            at += 1

    def changed(self, place: int, keys: Iterable[Key]) -> None:
        """Update the index after these amounts of a row have changed."""
        if self._met:
            for need in self._met:
                self._note(need, place)
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
        """Recount all maxima, and all remembered needs. Raise ``InternalError`` at the first that is wrong."""
        before = dict(self._met)
        for need in before:
            self._remember(need)
        if self._met != before:
            raise InternalError(f"the index of free amounts remembers {before}, not {self._met}")
        for at in range(1, self._first_leaf):
            if self._nodes[at] != self._maxima(at):
                raise InternalError(f"the index of free amounts says {self._nodes[at]}, not {self._maxima(at)}")

    def _remember(self, need: Need) -> None:
        if len(self._met) >= REMEMBERED and need not in self._met:
            del self._met[next(iter(self._met))]
        self._met[need] = 0
        for place in range(self._count):
            self._note(need, place)

    def _note(self, need: Need, place: int) -> None:
        row, bit = self._nodes[self._first_leaf + place], 1 << place
        for key, amount in need:
            if row[key] < amount:
                self._met[need] &= ~bit
                return
        self._met[need] |= bit

    def _maxima(self, at: int) -> Row:
        left, right = self._nodes[2 * at], self._nodes[2 * at + 1]
        return {key: max(amount, right[key]) for key, amount in left.items()}
