"""Delays of a simulation: how many virtual seconds everything but training takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np

Delay: TypeAlias = float | tuple[float, float] | Callable[[np.random.Generator], float]


@dataclass(frozen=True)
class Delays:
    """How many virtual seconds things take. Each is a number; or a pair (low, high), for uniform draws; or a function
    that draws it from a NumPy ``Generator``, where negative values count as 0.

    Args:
        launch_s: from the decision to run a trial until its worker begins.
        halt_s: from the decision to end a trial's work until it has ended, drawn for each trial.
        report_s: the transfer of a report, or of the answer to a waiting one.
        ask_s: until the searcher has answered.
        save_s: for a worker to save a checkpoint, before it reports it.
        load_s: for a worker to load a checkpoint, before its first step.
        decide_s: from the arrival of a waiting report until the answer leaves.

    Raises:
        ValueError: one is negative or not finite, or a pair is in the wrong order.
        TypeError: one is neither a number, a pair, nor a function.
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
        """One of them is random."""
        return any(not isinstance(getattr(self, field.name), int | float) for field in fields(self))


def check_delay(name: str, delay: Delay) -> None:
    """Raise ValueError or TypeError if this is not a delay."""
    if callable(delay):
        return
    ends: tuple[float, ...] = delay if isinstance(delay, tuple) else (delay, delay)
    if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
        raise TypeError(f"{name} must be seconds, a pair (low, high), or a function of a Generator, not {delay!r}")
    if not 0 <= ends[0] <= ends[1] < math.inf:
        raise ValueError(f"{name} must be finite, not negative, and a pair in order, not {delay!r}")


def draw(delay: Delay, rng: np.random.Generator | None) -> float:
    """Return the seconds for this time. Without ``rng`` the delay must be a number."""
    if rng is None:
        return delay  # type: ignore[return-value]
    if isinstance(delay, int | float):
        return delay
    if isinstance(delay, tuple):
        return float(rng.uniform(*delay))
    return max(0.0, float(delay(rng)))
