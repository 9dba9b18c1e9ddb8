"""Closed-form learning curves: the configuration has two parameters: how well a training ends, and how fast.

q = quality, p = pace, both in [0, 1]; c = crossing; t = step.

    loss(t) = e + (1 - e) (1 + t / tau)^-k      a power law that falls from 1 towards e
    e = 0.02 + 0.5 q^2                          where q is small, it ends well
    m = (1 - c) q + c (1 - p)                   what sets the pace: with c = 0 it is q alone, so that no two cross
    tau = 1 + 12 m,  k = 0.6 + 0.8 (1 - m)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from trialwright.space import uniform
from trialwright.streams import Streams
from trialwright.workloads.base import Step

State: TypeAlias = tuple[int, npt.NDArray[np.float64]]  # the steps that are done, and the noise of all
Number = TypeVar("Number", float, npt.NDArray[np.float64])


@dataclass(frozen=True)
class CrossingCurves:
    """Trainings whose losses cross: who starts well need not end well, so that to stop early can be wrong.

    Args:
        steps: of a full training.
        crossing: how much the pace is a matter of its own, in [0, 1]; with 0 it is one of quality, and no curves cross.
        noise: the standard deviation of what is added to each report.

    Raises:
        ValueError: ``crossing`` is not within [0, 1], or ``noise`` is negative.
    """

    steps: int = 81
    crossing: float = 0.6
    noise: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.crossing <= 1:
            raise ValueError(f"crossing must be within [0, 1], not {self.crossing!r}")
        if not self.noise >= 0:
            raise ValueError(f"noise must not be negative, not {self.noise!r}")

    @property
    def space(self) -> dict[str, object]:
        """Two numbers: of "quality" little is good; much "pace" makes a loss fall sooner, and each step take longer."""
        return {"quality": uniform(0.0, 1.0), "pace": uniform(0.0, 1.0)}

    def loss(self, quality: Number, pace: Number, step: Number) -> Number:
        """Return the loss without noise, of numbers or of arrays that NumPy broadcasts."""
        q, c = quality, self.crossing
        m = (1 - c) * q + c * (1 - pace)
        e = 0.02 + 0.5 * q**2
        tau, k = 1 + 12 * m, 0.6 + 0.8 * (1 - m)
        left: Number = (1 + step / tau) ** -k
        return e + (1 - e) * left

    def start(self, config: dict[str, Any], seed: int) -> State:
        """Nothing is done; the noise is drawn."""
        return 0, self.noise * Streams(seed)("noise").standard_normal(self.steps) if self.noise else _NO_NOISE

    def step(self, config: dict[str, Any], state: State) -> Step | None:
        """A step along the curve of this configuration."""
        done, noise = state
        if done == self.steps:
            return None
        loss = self.loss(config["quality"], config["pace"], done + 1.0)
        loss += noise.item(done) if noise.size else 0.0
        return (done + 1, noise), {"loss": loss}, 0.5 + config["pace"]


_NO_NOISE = np.empty(0)
