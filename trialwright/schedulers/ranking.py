"""Ranking: items in order, best first, and the rank of each, in O(log n) for each item.

The items lie in blocks that are lists, each in order. A block that has grown to twice ``BLOCK`` is split, so that an
insertion never moves more than that. How many items lie in front of a block is read off a Fenwick tree (Fenwick 1994)
over the blocks' lengths; it is made anew when a block is split, which happens once in ``BLOCK`` insertions.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=tuple[float, ...])

BLOCK = 512


class Ranking(Generic[Item]):
    """Items in order. No two may be equal.

    Args:
        items: what is in it at first, in any order.
    """

    __slots__ = ("_blocks", "_last", "_length", "_tree")

    def __init__(self, items: Iterable[Item] = ()) -> None:
        ordered = sorted(items)
        self._length = len(ordered)
        self._blocks = [ordered[start : start + BLOCK] for start in range(0, len(ordered), BLOCK)]
        self._index()

    def _index(self) -> None:
        self._last = [block[-1] for block in self._blocks]
        self._tree = [0, *map(len, self._blocks)]
        for place in range(1, len(self._tree)):
            above = place + (place & -place)
            if above < len(self._tree):
                self._tree[above] += self._tree[place]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        for block in self._blocks:
            yield from block

    def __getitem__(self, rank: int) -> Item:
        """Return the item of this rank, from 0.

        Raises:
            IndexError: there are not so many.
        """
        if not 0 <= rank < self._length:
            raise IndexError(f"there are {self._length} items, and none of rank {rank}")
        block, step = 0, 1 << len(self._blocks).bit_length()
        while step:
            if block + step < len(self._tree) and self._tree[block + step] <= rank:
                block += step
                rank -= self._tree[block]
            step >>= 1
        return self._blocks[block][rank]

    def add(self, item: Item) -> int:
        """Put an item in; return its rank."""
        if not self._blocks:
            self._blocks.append([])
            self._last, self._tree = [item], [0, 0]  # ``_count`` below counts the item
        number = min(bisect_left(self._last, item), len(self._blocks) - 1)
        block = self._blocks[number]
        insort(block, item)
        self._length += 1
        if len(block) < 2 * BLOCK:
            self._last[number] = block[-1]
            self._count(number, 1)
        else:
            # Only here is the whole tree made anew: O(n / BLOCK), once in BLOCK insertions.
            self._blocks[number : number + 1] = [block[:BLOCK], block[BLOCK:]]
            self._index()
        return self.rank(item)

    def remove(self, item: Item) -> None:
        """Take an item out.

        Raises:
            KeyError: it is not in it.
        """
        number = bisect_left(self._last, item)
        block = self._blocks[number] if number < len(self._blocks) else []
        place = bisect_left(block, item)
        if place == len(block) or block[place] != item:
            raise KeyError(item)
        del block[place]
        self._length -= 1
        if block:
            self._last[number] = block[-1]
            self._count(number, -1)
        else:
            del self._blocks[number]  # an empty block has no last item by which it could be found
            self._index()

    def rank(self, item: Item) -> int:
        """Return how many items come before this one, which need not be in it."""
        number = bisect_left(self._last, item)
        before = bisect_left(self._blocks[number], item) if number < len(self._blocks) else 0
        # Fenwick: the lengths of all blocks in front, added up in as many steps as ``number`` has bits set.
        while number:
            before += self._tree[number]
            number -= number & -number
        return before

    def _count(self, number: int, change: int) -> None:
        number += 1
        while number < len(self._tree):
            self._tree[number] += change
            number += number & -number
