"""Parallel descents: L-BFGS with bounds, from many starts at once, in one array.

m: starts. d: columns. x: (m, d). f: (m,). g: (m, d). S, Y: the last h steps and changes of the gradient, (h, m, d).
A round evaluates each start once, all together: those that descended enough go on, the others try a shorter step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from trialwright.space.values import Bools, Floats, Ints

Function: TypeAlias = Callable[[Floats, Ints], tuple[Floats, Floats]]
"""From x, shape (k, d), and which starts these rows are of, shape (k,), to f and g."""

MEMORY = 6
ENOUGH = 1e-4  # of the descent that the gradient promises (Armijo 1966)
SHORTEST = 1e-6
HUGE = 1e150  # stands for infinity and NaN, and can be calculated with


def descend(
    function: Function,
    starts: Floats,
    lower: Floats,
    upper: Floats,
    *,
    rounds: int,
    tolerance: float = 1e-6,
    stride: float = 0.1,
) -> tuple[Floats, Floats]:
    """Minimise from each start within bounds, which broadcast to (m, d).

    The free coordinates follow L-BFGS (Nocedal 1980); those at a bound that the gradient presses against stay. A start
    is done where a round gains less than the tolerance. Its first step is at most `stride` long.

    Returns:
        x, shape (m, d), and f, shape (m,), of the best point of each.
    """
    x = np.minimum(np.maximum(starts, lower), upper)
    f, g = function(x, np.arange(len(x)))
    memory, length = _Memory(*x.shape), np.ones(len(x))
    alive = np.isfinite(f)
    # A start that is not finite goes nowhere; 0 in its place keeps NaN out of what is computed for all rows together.
    lost, f = ~alive, np.where(alive, f, 0.0)
    for _ in range(rounds):
        rows = np.flatnonzero(alive)
        if not rows.size:
            break
        free = ~((x <= lower) & (g > 0) | (x >= upper) & (g < 0))
        direction = memory.downhill(g, free, stride)
        trial = np.minimum(np.maximum(x + length[:, None] * direction, lower), upper)
        f_trial, g_trial = f.copy(), g.copy()
        f_trial[rows], g_trial[rows] = function(trial[rows], rows)
        f_trial = np.where(np.isfinite(f_trial), f_trial, HUGE)
        promise = _dot(trial - x, g)
        taken = alive & (f_trial <= f + ENOUGH * promise)
        shortened = length * _shorter(f_trial - f, promise)
        alive = np.where(taken, f - f_trial >= tolerance, alive & (shortened > SHORTEST))
        memory.remember(np.flatnonzero(taken), trial - x, g_trial - g)
        length = np.where(taken, 1.0, shortened)
        f, g = np.where(taken, f_trial, f), np.where(taken[:, None], g_trial, g)
        x = np.where(taken[:, None], trial, x)
    return x, np.where(lost, np.inf, f)


class _Memory:
    """Steps and changes of the gradient, newest first; an entry whose rho is 0 says nothing."""

    def __init__(self, m: int, d: int) -> None:
        self._steps, self._changes = np.zeros((MEMORY, m, d)), np.zeros((MEMORY, m, d))
        self._rho, self._scale = np.zeros((MEMORY, m, 1)), np.zeros((m, 1))
        self._length = 0

    def remember(self, rows: Ints, step: Floats, change: Floats) -> None:
        """Take in what these rows did, of arrays (m, d), where the function was found to be convex along the step."""
        curvature, size = _dot(step, change), _dot(change, change)
        # A change that curves down would make H indefinite, and the next direction could lead uphill.
        rows = rows[curvature[rows] > 1e-10 * np.sqrt(size * _dot(step, step))[rows] + 1e-300]
        if not rows.size:
            return
        rho = (1.0 / curvature[rows])[:, None]
        for array, new in ((self._steps, step[rows]), (self._changes, change[rows]), (self._rho, rho)):
            array[1:, rows] = array[:-1, rows]
            array[0, rows] = new
        self._scale[rows, 0] = curvature[rows] / size[rows]
        self._length = min(self._length + 1, MEMORY)

    def downhill(self, g: Floats, free: Bools, stride: float) -> Floats:
        """Return -H g over the free coordinates, shape (m, d); steepest descent where nothing better is known."""
        steepest = g * free
        q, alphas = steepest, []
        for i in range(self._length):
            alphas.append(self._rho[i] * _dot(self._steps[i], q)[:, None])
            q = q - alphas[i] * self._changes[i]
        q = q * self._scale
        for i in reversed(range(self._length)):
            q = q + (alphas[i] - self._rho[i] * _dot(self._changes[i], q)[:, None]) * self._steps[i]
        q *= free
        size = _dot(steepest, steepest)
        # Coordinates that are free now were not when the memory was made: H may lead uphill, and the gradient does not.
        lost = ~(_dot(q, g) > 1e-12 * size)
        return np.where(lost[:, None], steepest * (-stride / np.maximum(np.sqrt(size), stride))[:, None], -q)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("md,md->m", a, b))


def _shorter(rise: Floats, promise: Floats) -> Floats:
    """Return by what to shorten a step: to the least of the parabola through what is known, but not by too much."""
    with np.errstate(all="ignore"):
        best = -0.5 * promise / (rise - promise)
    return np.minimum(np.maximum(best, 0.1), 0.5)
