"""What a task is: a flat space and a function to be minimised, for developing or for judging."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from trialwright import space
from trialwright.space import Category, Domain, Stepped

Config = Mapping[str, Any]
Objective = Callable[[Config], float]
Noise = Callable[[float, np.random.Generator], float]  # what a method is told in place of the true value
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """One problem. ``make`` returns its function; it may be slow, and is called once a run. ``noise`` returns, for that
    function, what a method is told; what counts is without noise."""

    family: str
    name: str
    space: dict[str, Domain]
    make: Callable[[], Objective]
    judging: bool
    optimum: float | None = None  # where it is known
    noise: Callable[[Objective], Noise] | None = None

    @property
    def id(self) -> str:
        """Family and name."""
        return f"{self.family}/{self.name}"


def plain_space(definition: Mapping[str, Domain]) -> list[dict[str, object]]:
    """Describe a flat space to other people's searchers: floats, integers (both ends included), choices."""
    return [{"name": name, **_plain(domain)} for name, domain in definition.items()]


def _plain(domain: Domain) -> dict[str, object]:
    if isinstance(domain, Category):
        return {"kind": "choice", "options": [*domain.options]}
    if isinstance(domain, Stepped):
        return {"kind": "int", "lower": int(domain.lower), "upper": int(domain.upper), "log": domain.log}
    continuous = cast("space.Continuous", domain)
    return {"kind": "float", "lower": continuous.lower, "upper": continuous.upper, "log": continuous.log}
