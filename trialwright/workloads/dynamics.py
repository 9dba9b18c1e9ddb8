"""Training dynamics: what is learnt is a state that can be cloned, and the best setting changes while it is learnt.

So population based training can be studied without a GPU: a member that takes over another's state and goes on with
other settings reaches what no constant setting can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trialwright.space import choice, uniform
from trialwright.workloads.base import Step


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
