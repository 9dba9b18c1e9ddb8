"""Workloads by formula: learning curves in closed form, and training dynamics that are a state which can be cloned.

``CrossingCurves``: how well a training ends, and how soon, are two parameters of its configuration.
q = quality, p = pace, both in [0, 1]; c = crossing; t = step.

    loss(t) = e + (1 - e) (1 + t / tau)^-k      a power law that falls from 1 towards e
    e = 0.02 + 0.5 q^2                          where q is small, it ends well
    m = (1 - c) q + c (1 - p)                   what sets the pace: with c = 0 it is q alone, so that no two cross
    tau = 1 + 12 m,  k = 0.6 + 0.8 (1 - m)

The others are for population based training, which they let one study without a GPU. The best setting changes while a
model is trained: a member that takes over another's state and goes on with other settings reaches what no constant
setting can.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from trialwright.space import choice, loguniform, uniform
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
        loss += noise.item(done) if noise.size else 0.0  # a Python float, as users report it
        return (done + 1, noise), {"loss": loss}, 0.5 + config["pace"]


# One array for all trials without noise: it is in every state, and states are saved.
_NO_NOISE = np.empty(0)


@dataclass(frozen=True)
class JaderbergToy:
    """Two parameters, of which a setting sees one (Jaderberg et al. 2017, figure 2).

    Training climbs the gradient of 1.2 - h0 t0^2 - h1 t1^2 from (0.9, 0.9), where h is (1, 0) or (0, 1); what is
    reported as "score", to be maximised, is 1.2 - t0^2 - t1^2.

    Args:
        steps: of a full training.
        rate: of the gradient's ascent.
    """

    steps: int = 200
    rate: float = 0.01

    @property
    def space(self) -> dict[str, object]:
        """Which "axis" is climbed."""
        return {"axis": choice([0, 1])}

    def start(self, config: dict[str, Any], seed: int) -> tuple[int, float, float]:
        """The paper's beginning, with no steps done."""
        return 0, 0.9, 0.9

    def step(self, config: dict[str, Any], state: tuple[int, float, float]) -> Step | None:
        """A step up the gradient along one axis."""
        done, *theta = state
        if done == self.steps:
            return None
        theta[config["axis"]] *= 1 - 2 * self.rate
        return (done + 1, *theta), {"score": 1.2 - theta[0] ** 2 - theta[1] ** 2}, 1.0


@dataclass(frozen=True)
class DriftingQuadratic:
    """What is best moves on: a step adds 1 - (h - c)^2 to the "score", to be maximised, and c grows by ``drift`` a
    step, from 0.

    Of constant settings the best is the middle of c's way: h = 1 where 200 steps of 0.01 lead from 0 to 2.

    Args:
        steps: of a full training.
        drift: how much the best setting moves in a step.
    """

    steps: int = 200
    drift: float = 0.01

    @property
    def space(self) -> dict[str, object]:
        """The setting "h", from where c begins to where it ends."""
        return {"h": uniform(0.0, self.steps * self.drift)}

    def start(self, config: dict[str, Any], seed: int) -> tuple[int, float]:
        """Nothing is done, and nothing gained."""
        return 0, 0.0

    def step(self, config: dict[str, Any], state: tuple[int, float]) -> Step | None:
        """Gain the more, the nearer the setting is to what is best now."""
        done, score = state
        if done == self.steps:
            return None
        score += 1 - (config["h"] - self.drift * done) ** 2
        return (done + 1, score), {"score": score}, 1.0


@dataclass(frozen=True)
class NoisyDescent:
    """Gradient descent whose gradients are noisy, on a parabola: a high rate is fast and ends high, a low one is slow
    and ends low, so that curves cross, and the best rate falls with what is left.

    The expected loss L, from 1, becomes (1 - lr)^2 L + lr^2 noise in a step (Schaul et al. 2013, arXiv 1206.1106); the
    "score", to be maximised, is -log10 L. The best rate is L / (L + noise) at each step.

    Args:
        steps: of a full training.
        noise: the variance of the gradients.
    """

    steps: int = 200
    noise: float = 1.0

    @property
    def space(self) -> dict[str, object]:
        """The rate "lr"."""
        return {"lr": loguniform(1e-3, 1.0)}

    def start(self, config: dict[str, Any], seed: int) -> tuple[int, float]:
        """Nothing is done, and the loss is 1."""
        return 0, 1.0

    def step(self, config: dict[str, Any], state: tuple[int, float]) -> Step | None:
        """One step of descent."""
        done, loss = state
        if done == self.steps:
            return None
        loss = (1 - config["lr"]) ** 2 * loss + config["lr"] ** 2 * self.noise
        return (done + 1, loss), {"score": -math.log10(loss)}, 1.0
