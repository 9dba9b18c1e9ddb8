"""Fronts: points of several objectives, sorted into non-dominated fronts as they come (Deb et al. 2002).

A point dominates another that is nowhere less and somewhere more. Front 0 is what nobody dominates; front k + 1 is what
nobody dominates once the fronts up to k are taken away. A new point is put into the first front in which nobody
dominates it, which a binary search finds (Zhang et al. 2015): whom front k + 1 dominates, front k does as well. What it
dominates there moves one front down, and may push others down in turn. So the fronts are at any time those that sorting
all points at once would give.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from operator import le

Point = tuple[tuple[float, ...], int]  # one value an objective, of which less is better; and whose it is


def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Tell whether a is nowhere more than b, and somewhere less."""
    return a != b and all(map(le, a, b))


class Fronts:
    """Points, front by front."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self.fronts: list[list[Point]] = []
        self._length = 0
        for point in points:
            self.add(point)

    def __len__(self) -> int:
        return self._length

    def add(self, point: Point) -> int:
        """Put a point in; return the number of its front."""
        number = self._front_of(point)
        moving, to = [point], number
        while moving:
            if to == len(self.fronts):
                self.fronts.append([])
            front = self.fronts[to]
            kept, beaten = list[Point](), list[Point]()
            for old in front:
                (beaten if any(dominates(new[0], old[0]) for new in moving) else kept).append(old)
            self.fronts[to] = kept + moving
            moving, to = beaten, to + 1
        self._length += 1
        return number

    def _front_of(self, point: Point) -> int:
        low, high = 0, len(self.fronts)
        while low < high:
            middle = (low + high) // 2
            if any(dominates(other[0], point[0]) for other in self.fronts[middle]):
                low = middle + 1
            else:
                high = middle
        return low

    def before(self, number: int) -> int:
        """Return how many points lie in the fronts before this one."""
        return sum(map(len, self.fronts[:number]))

    def ahead(self, point: Point, number: int) -> int:
        """Return how many of a point's own front lie where it is less crowded; of equals, older trials do."""
        front = self.fronts[number]
        distances = crowding([values for values, _ in front])
        own = front.index(point)
        key = (-distances[own], point[1])
        return sum((-distance, trial) < key for distance, (_, trial) in zip(distances, front, strict=True))


def crowding(points: list[tuple[float, ...]]) -> list[float]:
    """Return how far apart each point's neighbours are, summed over the objectives, each scaled to its range in the
    front; infinite at the ends (Deb et al. 2002)."""
    distances = [0.0] * len(points)
    for objective in range(len(points[0])):
        column = [point[objective] for point in points]
        order = sorted(range(len(points)), key=column.__getitem__)
        distances[order[0]] = distances[order[-1]] = math.inf
        width = column[order[-1]] - column[order[0]]
        if width > 0:
            for left, here, right in zip(order, order[1:], order[2:], strict=False):
                distances[here] += (column[right] - column[left]) / width
    return distances
