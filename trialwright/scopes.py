"""Which of its values a trial is judged by (its last, its best, a mean), and which of several trials is the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import le
from statistics import fmean
from typing import Literal, TypeVar, get_args

Scope = Literal["best", "last", "mean", "avg", "last-5-avg", "last-10-avg"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_COUNTS = {"last-5-avg": 5, "last-10-avg": 10}

Scored = TypeVar("Scored")


def best_of(scored: Iterable[tuple[float, Scored]], mode: str, *, finite: bool = True) -> Scored | None:
    """Return what has the best value, the first of equals; None if no value counts.

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


def value_of(reported: Iterable[object], scope: Scope, mode: str, *, finite: bool = True) -> float | None:
    """Return what a trial is judged by; None if it has reported no number, NaN if no number of it counts.

    Args:
        reported: what it has reported under one name, in order. What is no number is skipped, and so is NaN.
        scope: "last" and "mean" take the last value, "best" the best, "avg" the mean of all, "last-5-avg" and
            "last-10-avg" that of the last 5 or 10.
        mode: "min" or "max".
        finite: an infinity is not the best value. It counts in a mean, which is then infinite.

    Raises:
        ValueError: there is no such scope or mode.
    """
    checked_scope(scope)
    given = [value for each in reported if (value := number(each)) is not None]
    counts = math.isfinite if finite and scope == "best" else _is_known
    values = [value for value in given if counts(value)]
    return _summary(values, scope, checked(mode)) if values else (math.nan if given else None)


def meant(scored: Sequence[tuple[float, Scored]], group: Callable[[Scored], str]) -> list[tuple[float, Scored]]:
    """Give each the mean value of all in its group."""
    values: dict[str, list[float]] = {}
    for value, each in scored:
        values.setdefault(group(each), []).append(value)
    return [(fmean(values[group(each)]), each) for _, each in scored]


def undominated(costs: Mapping[int, tuple[float, ...]]) -> Iterator[int]:
    """Yield the trials that none dominates. In sorted order a trial can only be dominated by an earlier one, and it is
    enough to compare it with undominated ones (Kung, Luccio and Preparata 1975)."""
    front: list[tuple[float, ...]] = []
    for trial, cost in sorted(costs.items(), key=lambda item: item[1]):
        if not any(other != cost and all(map(le, other, cost)) for other in front):
            front.append(cost)
            yield trial


def checked_scope(scope: Scope) -> Scope:
    """Return the scope.

    Raises:
        ValueError: it is none.
    """
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {', '.join(map(repr, SCOPES))}, not {scope!r}")
    return scope


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


def _is_known(value: float) -> bool:
    return not math.isnan(value)


def _summary(values: Sequence[float], scope: Scope, mode: str) -> float:
    if scope == "best":
        return max(values) if mode == "max" else min(values)
    if scope in ("last", "mean"):
        return values[-1]
    return fmean(values[-_COUNTS.get(scope, len(values)) :])
