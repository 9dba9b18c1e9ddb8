"""Pareto: which points of several objectives are better than which.

n: points. m: objectives, of each of which less is better. c: outcome constraints, met where at most 0.
A point dominates another that is nowhere less and somewhere more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trialist.space.values import Bools, Floats

Ints = npt.NDArray[np.int64]


def undominated(values: Floats) -> Bools:
    """Return which points no other dominates, shape (n,), of values of shape (n, m)."""
    order = np.lexsort(values.T[::-1])
    front = np.zeros(len(values), dtype=bool)
    best: list[Floats] = []
    for row in order.tolist():  # sorted, a point can only be dominated by one before it
        if not best or not _dominated(values[row], np.array(best)):
            front[row] = True
            best.append(values[row])
    return front


def _dominated(point: Floats, others: Floats) -> bool:
    return bool(np.any(np.all(others <= point, axis=1) & np.any(others < point, axis=1)))


def ranks(values: Floats) -> Ints:
    """Return each point's front, from 0, shape (n,): what is undominated once the fronts before are taken away (Deb et
    al. 2002)."""
    fronts = np.full(len(values), -1, dtype=np.int64)
    rest, number = np.arange(len(values)), 0
    while rest.size:
        front = undominated(values[rest])
        fronts[rest[front]] = number
        rest, number = rest[~front], number + 1
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


def best_first(values: Floats, violations: Floats) -> Ints:
    """Return the points from best to worst, as indices of shape (n,).

    What meets all constraints comes before what does not; of the former those on earlier fronts, and on one front those
    in less crowded places, come first; of the latter, those that violate less.
    """
    excess = np.maximum(violations, 0.0)
    spread = np.maximum(excess.max(axis=0, initial=0.0), 1e-300)
    total = (excess / spread).sum(axis=1)
    if values.shape[1] == 1:
        return np.lexsort((values[:, 0], total))
    fronts, lonely = ranks(values), np.empty(len(values))
    for number in np.unique(fronts):
        lonely[fronts == number] = crowding(values[fronts == number])
    return np.lexsort((-lonely, fronts, total))


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
    slices = [hypervolume(front[: place + 1, :-1], reference[:-1]) for place in np.flatnonzero(heights > 0)]
    return float(np.dot(slices, heights[heights > 0]))
