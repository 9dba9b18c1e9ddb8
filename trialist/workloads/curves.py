"""Closed-form learning curves: how well a training ends and how fast it gets there are two parameters.

q = quality, s = speed, both in [0, 1]; c = crossing; t = step.

    loss(t) = e + (1 - e) (1 + t / tau)^-p        a power law that falls from 1 to e
    e = 0.02 + 0.5 q^2                            small q ends well
    m = (1 - c) q + c (1 - s)                     what sets the pace: with c = 0 it is q alone, so that no two cross
    tau = 1 + 12 m, p = 0.6 + 0.8 (1 - m)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from trialist.space import uniform
from trialist.streams import Streams
from trialist.workloads.base import Step

Floats: TypeAlias = npt.NDArray[np.float64]
State: TypeAlias = tuple[int, Floats]  # steps that are done, and the loss after each


@dataclass(frozen=True)
class CrossingCurves:
    """Trainings whose losses cross: whoever starts well need not end well, and stopping early can be wrong.

    Args:
        steps: of a full training.
        crossing: how much of the pace is speed instead of quality: with 0, curves keep their order.
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
        """Two numbers in [0, 1]: "quality", of which small is good, and "speed", of which large is slow."""
        return {"quality": uniform(0.0, 1.0), "speed": uniform(0.0, 1.0)}

    def losses(self, quality: npt.ArrayLike, speed: npt.ArrayLike) -> Floats:
        """Return the losses without noise, shape (..., R), of configurations of shape (...)."""
        q, s = np.asarray(quality, dtype=np.float64), np.asarray(speed, dtype=np.float64)
        mixed = (1 - self.crossing) * q + self.crossing * (1 - s)
        end = (0.02 + 0.5 * q**2)[..., None]
        tau, power = (1 + 12 * mixed)[..., None], (0.6 + 0.8 * (1 - mixed))[..., None]
        decay: Floats = (1 + np.arange(1, self.steps + 1) / tau) ** -power
        return end + (1 - end) * decay

    def start(self, config: dict[str, Any], seed: int) -> State:
        """Nothing is done; the noise is drawn."""
        return 0, self.noise * Streams(seed)("noise").standard_normal(self.steps)

    def step(self, config: dict[str, Any], state: State) -> Step | None:
        """One step along the curve of this configuration."""
        done, noise = state
        if done == self.steps:
            return None
        return (done + 1, noise), {"loss": self._loss(config, done + 1) + noise.item(done)}, 0.5 + config["speed"]
