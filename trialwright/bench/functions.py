"""Functions: a task for searchers, which is a function to be minimised on a space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from trialwright.space import Space

Config: TypeAlias = Mapping[str, Any]
Objective: TypeAlias = Callable[[Config], float]
Noise: TypeAlias = Callable[[float, np.random.Generator], float]  # what a method is told in place of the true value


def _itself(objective: Objective) -> Objective:
    return objective


@dataclass(frozen=True)
class Function:
    """A function to be minimised.

    Args:
        name: what the task is called in results.
        space: what may vary.
        make: returns the function; it may be slow, and is called once a run.
        optimum: the least value, if it is known; else that is the best of all runs.
        noise: returns, for the function, what a method is told; what counts is without noise.
    """

    name: str
    space: Mapping[str, Any] | Space
    make: Callable[[], Objective]
    optimum: float | None = None
    noise: Callable[[Objective], Noise] | None = None

    @classmethod
    def of(
        cls, name: str, objective: Objective, space: Mapping[str, Any] | Space, optimum: float | None = None
    ) -> Function:
        """Return the task of a plain function, which takes a configuration and returns a number.

        Raises:
            TypeError: it cannot be called.
        """
        if not callable(objective):
            raise TypeError(f"task {name!r} must be a function of a configuration, not {objective!r}")
        return cls(name, space, partial(_itself, objective), optimum)
