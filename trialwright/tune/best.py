"""Which trial, report, or checkpoint is the best: one rule for all three."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeVar

Scored = TypeVar("Scored")


def best_of(scored: Iterable[tuple[float, Scored]], mode: str, *, finite: bool = True) -> Scored | None:
    """Return what has the best value, the first of equals; None if nothing counts.

    Args:
        scored: values, each with what has it.
        mode: "min" or "max".
        finite: NaN and infinities do not count. If False, infinities count as numbers do, and NaN counts where there is
            nothing else.

    Raises:
        ValueError: there is no such mode.
    """
    sign = -1 if checked(mode) == "max" else 1
    fit = [each for each in scored if math.isfinite(each[0]) or not finite]
    best = min(fit, key=lambda each: (math.isnan(each[0]), 0 if math.isnan(each[0]) else sign * each[0]), default=None)
    return best[1] if best else None


def checked(mode: str | None) -> str:
    """Return the mode.

    Raises:
        ValueError: it is none.
    """
    if mode not in ("min", "max"):
        raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
    return mode


def number(value: object) -> float | None:
    """Return a metric's value as a number; None if it is none."""
    return float(value) if isinstance(value, int | float) else None
