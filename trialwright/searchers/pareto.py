"""Pareto: which points of several objectives are better than which.

n: points. m: objectives, of each of which less is better. c: outcome constraints, met where at most 0.
A point dominates another that is nowhere less and somewhere more.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import combinations

import numpy as np

from trialwright.space.values import Bools, Floats, Ints

MANY = 4  # objectives, from which on neighbours along each say little (Deb and Jain 2014)


def undominated(values: Floats) -> Bools:
    """Return which points no other dominates, shape (n,), of values of shape (n, m): as many comparisons as there are
    such points, times n m."""
    with np.errstate(over="ignore", invalid="ignore"):
        left = np.lexsort((*values.T[::-1], values.sum(axis=1)))  # what dominates a point comes before it
    front = np.zeros(len(values), dtype=np.bool_)
    columns = [*values[left].T]
    while left.size:
        front[left[0]] = True
        worse, equal = np.ones(left.size, dtype=np.bool_), np.ones(left.size, dtype=np.bool_)
        for column in columns:
            worse &= column >= column[0]
            equal &= column == column[0]
        stay = ~worse | equal  # of two equal points neither dominates
        stay[0] = False
        left, columns = left[stay], [column[stay] for column in columns]
    return front


def ranks(values: Floats, count: int | None = None) -> Ints:
    """Return each point's front, from 0, shape (n,): what is undominated once the fronts before are taken away (Deb et
    al. 2002). Given a count, what lies behind the fronts of the first so many points is on one more."""
    if values.shape[1] == 2:
        return _ranks_of_two(values)
    fronts, rest, number = np.zeros(len(values), dtype=np.int64), np.arange(len(values)), 0
    while rest.size and (count is None or len(values) - rest.size < count):
        front = undominated(values[rest])
        fronts[rest[front]] = number
        rest, number = rest[~front], number + 1
    fronts[rest] = number
    return fronts


def _ranks_of_two(values: Floats) -> Ints:
    """Sorted by the first objective, a point is dominated by a front if that has had a second value as small; fronts
    that come later have larger ones, so that a binary search finds the first that has not (Jensen 2003)."""
    order = np.lexsort((values[:, 1], values[:, 0]))
    least, numbers = list[float](), list[int]()
    number, before = 0, None
    for point in values[order].tolist():
        if point != before:  # of two equal points neither dominates
            number = bisect_right(least, point[1])
            least[number : number + 1] = [point[1]]
        numbers.append(number)
        before = point
    fronts = np.empty(len(values), dtype=np.int64)
    fronts[order] = numbers
    return fronts


def crowding(values: Floats) -> Floats:
    """Return how far apart each point's neighbours are, summed over the objectives, shape (n,); infinite at the ends of
    each (Deb et al. 2002)."""
    distances = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        distances[order[[0, -1]]] = np.inf
        width = column[order[-1]] - column[order[0]]
        if len(values) > 2 and width > 0:
            distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / width
    return distances


def sharing(values: Floats) -> Floats:
    """Return how many points are nearer than each to the direction that it is nearest to, shape (n,): NSGA-III's way to
    keep a front of many objectives wide (Deb and Jain 2014)."""
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (values - low) / np.where(high > low, high - low, 1.0)
    along = scaled @ directions(values.shape[1]).T
    nearest = np.argmax(along, axis=1)  # of unit vectors, the one that a point goes along furthest is the nearest
    distance = np.sqrt(np.maximum((scaled**2).sum(axis=1) - along.max(axis=1) ** 2, 0.0))
    order = np.lexsort((distance, nearest))
    firsts = np.searchsorted(nearest[order], nearest[order])  # where those begin that share its direction
    places = np.empty(len(values))
    places[order] = np.arange(len(values)) - firsts
    return places


@lru_cache
def directions(m: int, parts: int = 4) -> Floats:
    """Return the unit vectors to all points of the simplex whose coordinates are multiples of 1/parts (Das and Dennis
    1998), shape (count, m)."""
    walls = np.array([*combinations(range(parts + m - 1), m - 1)])
    edges = np.concatenate([np.full((len(walls), 1), -1), walls, np.full((len(walls), 1), parts + m - 1)], axis=1)
    points = (np.diff(edges, axis=1) - 1).astype(np.float64)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def loneliness(values: Floats) -> Floats:
    """Return how much room there is around each point of a front, shape (n,); of four objectives and more, directions
    say what is crowded."""
    return crowding(values) if values.shape[1] < MANY else -sharing(values)


def best_first(values: Floats, violations: Floats, count: int | None = None) -> Ints:
    """Return the points from best to worst, as indices of shape (n,); only the first ``count``, if that is given.

    What meets all constraints comes before what does not; of the former those on earlier fronts, and on one front those
    in less crowded places, come first; of the latter, those that violate less.
    """
    excess = np.maximum(violations, 0.0)
    spread = np.maximum(excess.max(axis=0, initial=0.0), 1e-300)
    total = (excess / spread).sum(axis=1)
    if values.shape[1] == 1:
        rows = np.arange(len(values)) if count is None or total.any() else _least(values[:, 0], count)
        return rows[np.lexsort((values[rows, 0], total[rows]))][:count]
    fronts, lonely, feasible = np.zeros(len(values)), np.zeros(len(values)), np.flatnonzero(total == 0)
    fronts[feasible] = ranks(values[feasible], count)
    for number in np.unique(np.sort(fronts[feasible])[:count]):  # on later ones no order is wanted
        front = feasible[fronts[feasible] == number]
        lonely[front] = loneliness(values[front])
    return np.lexsort((-lonely, fronts, total))[:count]


def _least(values: Floats, count: int) -> Ints:
    """Return the places of the ``count`` smallest values, and of all that are equal to the largest of them: O(n)."""
    if count >= len(values):
        return np.arange(len(values))
    return np.flatnonzero(values <= np.partition(values, count)[count])


def hypervolume(values: Floats, reference: Floats) -> float:
    """Return the volume that the points, shape (n, m), dominate up to the reference, shape (m,).

    Exact, by slicing along the last objective: O(n log n) for two objectives, a factor n more for each further one.
    """
    inside = values[np.all(values < reference, axis=1)]
    if not len(inside):
        return 0.0
    front = inside[undominated(inside)]
    if front.shape[1] == 1:
        return float(reference[0] - front[:, 0].min())
    front = front[np.argsort(front[:, -1], kind="stable")]
    heights = np.diff(front[:, -1], append=reference[-1])
    if front.shape[1] == 2:
        return float(np.dot(reference[0] - np.minimum.accumulate(front[:, 0]), heights))
    slices = [hypervolume(front[: place + 1, :-1], reference[:-1]) for place in np.flatnonzero(heights > 0)]
    return float(np.dot(slices, heights[heights > 0]))
