"""Fronts: points of several objectives, sorted into non-dominated fronts, one point at a time (Deb et al. 2002).

A point dominates another that is nowhere less and somewhere more. Front 0 is what no point dominates; front k + 1 is
what no point dominates once the fronts up to k are taken away. A new point is put into the first front in which no
point dominates it, which a binary search finds (Zhang et al. 2015): what front k + 1 dominates, front k does as well.
What it dominates there moves one front down, and may push others down in turn. So the fronts are at any time those that
sorting all points at once would give.

A front of two objectives is a stair: in the order of the first, the second falls. So its last point before a new one is
the only one that need be looked at, and what moves down is always a run of neighbours (Yakupov and Buzdalov 2015). What
an insertion costs then is how many fronts something moves through, which grows as the root of the number of points.
With more objectives each point of those fronts is looked at.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import le

Point = tuple[tuple[float, ...], int]  # one value an objective, of which less is better; and whose it is


def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Tell whether a is nowhere more than b, and somewhere less."""
    return a != b and all(map(le, a, b))  # equal points stand on one front


class Front:
    """Points of which none dominates another, of any number of objectives."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def beats(self, values: tuple[float, ...]) -> bool:
        """Tell whether some point dominates these values."""
        return any(dominates(other, values) for other, _ in self.points)

    def take(self, moving: list[Point]) -> list[Point]:
        """Put points in that come from the front before; return those that they dominate, which are taken out."""
        kept, beaten = list[Point](), list[Point]()
        for old in self.points:
            (beaten if any(dominates(new, old[0]) for new, _ in moving) else kept).append(old)
        self.points = kept + moving
        return beaten


class Stair(Front):
    """A front of two objectives, in the order of the first."""

    def beats(self, values: tuple[float, ...]) -> bool:
        """Tell whether the last point before these values dominates them: of those, its second value is the least."""
        # ``(values,)`` stands before all points of equal values, so that none of them counts: equals do not dominate.
        before = bisect_left(self.points, (values,))
        return before > 0 and self.points[before - 1][0][1] <= values[1]

    def take(self, moving: list[Point]) -> list[Point]:
        """Put neighbours in; what they dominate are neighbours here, and they stand in its place."""
        points, size, least = self.points, len(self.points), moving[-1][0][1]
        end = start = bisect_left(points, (moving[0][0], math.inf))  # behind those that are equal to the first
        while end < size and points[end][0][1] >= least:
            end += 1
        beaten, points[start:end] = points[start:end], moving
        return beaten


class Fronts:
    """Points, front by front."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self._fronts: list[Front] = []
        self._length = 0
        for point in points:
            self.add(point)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> list[Point]:
        """Return the points of a front."""
        return self._fronts[number].points

    def __iter__(self) -> Iterator[list[Point]]:
        return (front.points for front in self._fronts)

    def add(self, point: Point) -> int:
        """Put a point in; return the number of its front."""
        number = bisect_left(self._fronts, 1, key=lambda front: 0 if front.beats(point[0]) else 1)
        self._length, moving = self._length + 1, [point]
        for front in islice(self._fronts, number, None):
            moving = front.take(moving)
            if not moving:
                return number
        self._fronts.append(Stair() if len(point[0]) == 2 else Front())
        self._fronts[-1].take(moving)
        return number

    def before(self, number: int) -> int:
        """Return how many points lie in the fronts before this one."""
        return sum(len(front.points) for front in self._fronts[:number])

    def ahead(self, point: Point, number: int) -> int:
        """Return how many of a point's own front lie where it is less crowded; of equals, older trials do."""
        front = self._fronts[number].points
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
