"""Expected improvement of several objectives: of the hypervolume for two or three, of a random mixture of more.

m: rows. o: objectives, of each of which less is better. k: boxes. r: draws. f: fantasies.

Hypervolume: what no point dominates, below a reference point, is cut into boxes; of a box, the part beyond a point is a
product over the objectives, and so is its expectation when they are independent (Emmerich et al. 2006; Yang et al.
2019): EHVI = sum over boxes, prod over objectives of EI(upper) - EI(lower). In logarithms it keeps its gradient where
it is small (Ament et al. 2023).

Mixtures: boxes would be too many, so many objectives become one, a different one each time (Knowles 2006, ParEGO). With
random weights w that sum to 1, s(y) = max_o w_o (y_o - ideal_o) + 0.05 sum_o w_o (y_o - ideal_o): each w leads to
another point of the front. Expected improvement of s is a mean over fixed normal draws, with a smooth corner at 0 so
that its logarithm has a gradient everywhere (Ament et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from trialwright.searchers.gp.improvement import DRAWS, Pair, Utility, even_normals, log_h
from trialwright.searchers.pareto import undominated
from trialwright.space.values import Floats

FRONT_MAX = 40
"""Of a larger front, so many points: boxes grow with their square in three objectives."""
FAR = -1e6  # below all standardised values
SMOOTH = 0.01  # width of the corner, in standard deviations of the observed s
SLOPE = 0.05  # without it, points that are equal in their worst objective count the same
Merged: TypeAlias = Callable[[Floats, Floats], tuple[Floats, Floats, Floats]]
"""A utility of mean and sd of all objectives together, each of shape (m, o)."""


def improvement_of_several(values: Floats, generator: np.random.Generator) -> Utility:
    """Log expected improvement of the hypervolume beyond the values, shape (n, o); of a random scalar if o > 3."""
    # The number of boxes is a power of the front's size, which rises with each objective.
    if values.shape[1] > 3:
        scalar = drawn(values, generator)
        best = float(scalar.of(values).min())
        return _merged(lambda mean, sd: log_improvement(scalar, best, mean, sd))
    boxes = boxes_of(values, reference_of(values))
    return _merged(lambda mean, sd: log_ehvi(boxes, mean, sd))


def _merged(function: Merged) -> Utility:
    """Make a utility of a function of the mean fantasy of all objectives."""

    def utility(outputs: Sequence[Pair]) -> tuple[Floats, list[Pair]]:
        # Boxes are cut once: fantasies, where there are several, count by their mean.
        mean = np.stack([each.mean(axis=1) for each, _ in outputs], axis=1)
        value, d_mean, d_sd = function(mean, np.stack([sd for _, sd in outputs], axis=1))
        f = outputs[0][0].shape[1]
        return value, [(np.repeat(d_mean[:, o, None] / f, f, axis=1), d_sd[:, o]) for o in range(len(outputs))]

    return utility


@dataclass(frozen=True)
class Boxes:
    """Their lower and upper corners, both of shape (k, o)."""

    lower: Floats
    upper: Floats


def reference_of(values: Floats) -> Floats:
    """Return a point beyond the front of values, shape (n, o), by a tenth of its extent; shape (o,)."""
    front = values[undominated(values)]
    # One point has no extent. Where a front has none in an objective, a gain there still has to count: hence the 0.1.
    extent = (front if len(np.unique(front, axis=0)) > 1 else values).max(axis=0) - front.min(axis=0)
    return np.asarray(front.max(axis=0) + 0.1 * np.maximum(extent, 0.1))


def boxes_of(values: Floats, reference: Floats) -> Boxes:
    """Cut what none of the points, shape (n, o), dominates below the reference, shape (o,), into boxes."""
    inside = values[np.all(values < reference, axis=1)]
    front = np.unique(inside[undominated(inside)], axis=0) if len(inside) else inside
    # ``unique`` has sorted by the first objective, so what is kept lies evenly along the front.
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
        # Points that are equal in the last objective have no slice between them: it would be a box of no volume.
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
    # Far from a box, EI of its two edges is the same in all digits: log(1 - 1) would be -inf, and end the search there.
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


@dataclass(frozen=True)
class Scalar:
    """One s: `weights` and `ideal` have shape (o,)."""

    weights: Floats
    ideal: Floats

    def of(self, values: Floats) -> Floats:
        """Return s of values, shape (..., o)."""
        parts = self.weights * (values - self.ideal)
        return np.asarray(parts.max(axis=-1) + SLOPE * parts.sum(axis=-1))

    def slopes(self, values: Floats) -> Floats:
        """Return its gradient, shape (..., o)."""
        parts = self.weights * (values - self.ideal)
        worst = parts == parts.max(axis=-1, keepdims=True)
        return np.asarray(self.weights * (worst + SLOPE))


def drawn(values: Floats, generator: np.random.Generator) -> Scalar:
    """Draw the weights, evenly from all that sum to 1; what is ideal is the best of each objective, of (n, o)."""
    return Scalar(generator.dirichlet(np.ones(values.shape[1])), values.min(axis=0))


def log_improvement(scalar: Scalar, best: float, mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Return log E[improvement of s on the best], shape (m,), and its gradients in mean and sd, both (m, o)."""
    from scipy.special import expit  # a third of a second: only who models waits for it

    normal = even_normals(mean.shape[1], seed=0)
    values = mean[:, None] + sd[:, None] * normal  # (m, r, o)
    excess = (best - scalar.of(values)) / SMOOTH
    gain = np.logaddexp(0.0, excess)  # softplus
    # Far below 0 softplus is exp, so that its logarithm is the excess itself, where exp would be 0.
    log_gain = np.where(excess < -30.0, excess, np.log(np.maximum(gain, 1e-300)))
    top = log_gain.max(axis=1)
    share = np.exp(log_gain - top[:, None])
    total = share.sum(axis=1)
    share /= total[:, None]
    rate = share * np.where(excess < -30.0, 1.0, expit(excess) / np.maximum(gain, 1e-300)) / SMOOTH
    pull = -rate[:, :, None] * scalar.slopes(values)
    return top + np.log(total * (SMOOTH / DRAWS)), pull.sum(axis=1), np.einsum("mro,ro->mo", pull, normal)
