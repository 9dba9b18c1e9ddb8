"""Hypervolume: how much a point is expected to add to what a front dominates, for two or three objectives.

What no point dominates, below a reference point, is cut into boxes; of a box, the part beyond a point is a product
over the objectives, and so is its expectation when they are independent (Emmerich et al. 2006; Yang et al. 2019):
EHVI = sum over boxes, prod over objectives of EI(upper) - EI(lower). In logarithms it keeps its gradient where it is
small (Ament et al. 2023).

m: rows. k: boxes. o: objectives, of each of which less is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialwright.searchers.gp.acquisition import log_h
from trialwright.searchers.pareto import undominated
from trialwright.space.values import Floats

FRONT_MAX = 40
"""Of a larger front, so many points: boxes grow with their square in three objectives."""
FAR = -1e6  # below all standardised values


@dataclass(frozen=True)
class Boxes:
    """Their lower and upper corners, both of shape (k, o)."""

    lower: Floats
    upper: Floats


def reference_of(values: Floats) -> Floats:
    """Return a point beyond the front of values, shape (n, o), by a tenth of its extent; shape (o,)."""
    front = values[undominated(values)]
    extent = (front if len(np.unique(front, axis=0)) > 1 else values).max(axis=0) - front.min(axis=0)
    return np.asarray(front.max(axis=0) + 0.1 * np.maximum(extent, 0.1))


def boxes_of(values: Floats, reference: Floats) -> Boxes:
    """Cut what none of the points, shape (n, o), dominates below the reference, shape (o,), into boxes."""
    inside = values[np.all(values < reference, axis=1)]
    front = np.unique(inside[undominated(inside)], axis=0) if len(inside) else inside
    if len(front) > FRONT_MAX:
        front = front[np.linspace(0, len(front) - 1, FRONT_MAX).astype(np.int64)]
    lower, upper = _cut(front, reference)
    return Boxes(lower, upper)


def _cut(front: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Slice along the last objective: in a slice, only points below it dominate, in the objectives that remain."""
    o = len(reference)
    if o == 1:
        top = min(float(reference[0]), float(front[:, 0].min(initial=np.inf)))
        return np.array([[FAR]]), np.array([[top]])
    front = front[np.argsort(front[:, -1], kind="stable")]
    edges = np.r_[FAR, front[:, -1], reference[-1]]
    lowers, uppers = [], []
    for place in range(len(front) + 1):
        if edges[place + 1] > edges[place]:
            below = front[:place, :-1]
            below = below[undominated(below)] if place else below
            lower, upper = _cut(below, reference[:-1])
            lowers.append(np.c_[lower, np.full(len(lower), edges[place])])
            uppers.append(np.c_[upper, np.full(len(upper), edges[place + 1])])
    return np.concatenate(lowers), np.concatenate(uppers)


def log_ehvi(boxes: Boxes, mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Return log EHVI, shape (m,), and its gradients in mean and sd, both of shape (m, o)."""
    upper, up_mean, up_sd = _log_ei(boxes.upper, mean, sd)
    lower, low_mean, low_sd = _log_ei(boxes.lower, mean, sd)
    ratio = np.exp(np.minimum(lower - upper, -1e-12))
    log_part = upper + np.log1p(-ratio)  # (m, k, o)
    log_box = log_part.sum(axis=2)
    top = log_box.max(axis=1)
    share = np.exp(log_box - top[:, None])
    total = share.sum(axis=1)
    share /= total[:, None]
    scale = share[:, :, None] / (1.0 - ratio)
    d_mean = np.einsum("mko,mko->mo", scale, up_mean - ratio * low_mean)
    d_sd = np.einsum("mko,mko->mo", scale, up_sd - ratio * low_sd)
    return top + np.log(total), d_mean, d_sd


def _log_ei(edges: Floats, mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Log EI below each edge, shape (k, o), of each row; it and its gradients have shape (m, k, o)."""
    z = (edges - mean[:, None]) / sd[:, None]
    value, derivative = log_h(z)
    slope = derivative / sd[:, None]
    return value + np.log(sd)[:, None], -slope, 1.0 / sd[:, None] - slope * z
