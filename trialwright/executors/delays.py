"""Delays of a simulated world: how many virtual seconds each thing takes that is not training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np

Delay: TypeAlias = float | tuple[float, float] | Callable[[np.random.Generator], float]


@dataclass(frozen=True)
class Delays:
    """How many virtual seconds things take. Each is a number; or a pair (low, high), from which it is drawn evenly each
    time; or a function that draws it from a NumPy ``Generator``, of which what is negative counts as 0.

    Args:
        launch_s: from the decision to run a trial until its worker begins.
        halt_s: from the decision to end a trial's work until it has ended. Each trial has its own.
        report_s: the way of a report, or of the answer to one that waits.
        ask_s: until the searcher has answered.
        save_s: a worker saves a checkpoint, before it reports it.
        load_s: a worker loads one, before its first step.
        decide_s: from the arrival of a report that waits until the answer leaves.

    Raises:
        ValueError: one is negative, or not finite, or a pair is the wrong way round.
        TypeError: one is none of the three.
    """

    launch_s: Delay = 0.0
    halt_s: Delay = 0.0
    report_s: Delay = 0.0
    ask_s: Delay = 0.0
    save_s: Delay = 0.0
    load_s: Delay = 0.0
    decide_s: Delay = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            check_delay(field.name, getattr(self, field.name))

    @property
    def are_drawn(self) -> bool:
        """One of them is left to chance."""
        return any(not isinstance(getattr(self, field.name), int | float) for field in fields(self))


def check_delay(name: str, delay: Delay) -> None:
    """Raise ValueError or TypeError for what is no delay."""
    if callable(delay):
        return
    ends: tuple[float, ...] = delay if isinstance(delay, tuple) else (delay, delay)
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        raise TypeError(f"{name} must be seconds, a pair (low, high), or a function of a Generator, not {delay!r}")
    if not 0 <= ends[0] <= ends[1] < math.inf:
        raise ValueError(f"{name} must be finite, not negative, and a pair in order, not {delay!r}")


def draw(delay: Delay, dice: np.random.Generator | None) -> float:
    """Return how many seconds it is this time. Only numbers do without dice."""
    if dice is None:
        return delay  # type: ignore[return-value]
    if isinstance(delay, int | float):
        return delay
    if isinstance(delay, tuple):
        return float(dice.uniform(*delay))
    return max(0.0, float(delay(dice)))
