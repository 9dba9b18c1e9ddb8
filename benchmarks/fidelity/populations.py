"""PBT on fixed dynamics, which need no GPU: whether a schedule of settings is found that no single setting can match.

*Toy* (Jaderberg et al. 2017, figure 2): theta climbs 1.2 - h0 t0^2 - h1 t1^2, and is judged by 1.2 - t0^2 - t1^2; the
settings are (1, 0) and (0, 1), of which each sees one axis. *Drift*: each step adds 1 - (h - c)^2 to the score, and c
moves by 0.01 a step, from 0 to 2; the best constant is h = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.quality.comparison import interval, wilcoxon
from trialist import Engine, Perturb, Random, Simulated, space
from trialist.schedulers import FIFO, PBT, Scheduler
from trialist.searchers import Searcher

STEPS, MEMBERS, INTERVAL, SEEDS = 200, 8, 10, 50


@dataclass(frozen=True)
class Toy:
    """Two axes, of which a setting climbs one."""

    rate: float = 0.01
    space = {"axis": space.choice([0, 1])}  # noqa: RUF012 - a constant

    def start(self, config: Mapping[str, Any], seed: int) -> tuple[float, float, int]:
        """The paper's beginning."""
        return 0.9, 0.9, 0

    def step(self, config: Mapping[str, Any], state: tuple[float, float, int]) -> Any:  # noqa: ANN401 - see Workload
        """A step up the surrogate's gradient."""
        *theta, step = state
        theta[config["axis"]] *= 1 - 2 * self.rate
        score = 1.2 - theta[0] ** 2 - theta[1] ** 2
        return None if step == STEPS else ((*theta, step + 1), {"score": score}, 1.0)

    def constants(self) -> list[dict[str, Any]]:
        """All settings."""
        return [{"axis": 0}, {"axis": 1}]


@dataclass(frozen=True)
class Drift:
    """What is best moves on."""

    speed: float = 0.01
    space = {"h": space.uniform(0.0, 2.0)}  # noqa: RUF012 - a constant

    def start(self, config: Mapping[str, Any], seed: int) -> tuple[float, int]:
        """Nothing is gained yet."""
        return 0.0, 0

    def step(self, config: Mapping[str, Any], state: tuple[float, int]) -> Any:  # noqa: ANN401 - see Workload
        """Gain the more, the nearer the setting is to what is best now."""
        score, step = state
        score += 1 - (config["h"] - self.speed * step) ** 2
        return None if step == STEPS else ((score, step + 1), {"score": score}, 1.0)

    def constants(self) -> list[dict[str, Any]]:
        """A fine grid."""
        return [{"h": float(h)} for h in np.linspace(0, 2, 201)]


Dynamics = Toy | Drift


def play(dynamics: Dynamics, config: Mapping[str, Any]) -> float:
    """Return the score of one constant setting."""
    state, score = dynamics.start(config, 0), 0.0
    while (step := dynamics.step(config, state)) is not None:  # type: ignore[arg-type]
        state, score = step[0], step[1]["score"]
    return score


def tune(dynamics: Dynamics, scheduler: Scheduler, searcher: Searcher, seed: int) -> float:
    """Return the best last score of a population."""
    result = Engine(
        dynamics,
        dynamics.space,
        metric="score",
        mode="max",
        num_samples=MEMBERS,
        scheduler=scheduler,
        searcher=searcher,
        executor=Simulated(workers=MEMBERS),
        storage=None,
        seed=seed,
        verbose=0,
    ).run()
    return float(result.best_metrics["score"])


@dataclass(frozen=True)
class Outcome:
    """What a population reached, against random search with the same members and the best constant setting."""

    dynamics: str
    method: str
    score: float
    low: float
    high: float
    random: float
    constant: float
    wins_random: int
    wins_constant: int
    p_random: float
    p_constant: float


def outcomes(seeds: int = SEEDS) -> list[Outcome]:
    """Compare PBT, asynchronous and synchronous, on both dynamics."""
    return [
        _outcome(dynamics, name, make, range(seeds))
        for dynamics in (Toy(), Drift())
        for name, make in (
            ("pbt", lambda: PBT(interval=INTERVAL)),
            ("pbt, synchronous", lambda: PBT(interval=INTERVAL, synchronous=True)),
        )
    ]


def _outcome(dynamics: Dynamics, method: str, make: Callable[[], Scheduler], seeds: Sequence[int]) -> Outcome:
    scores = np.array([tune(dynamics, make(), Perturb(Random()), seed) for seed in seeds])
    random = np.array([tune(dynamics, FIFO(), Random(), seed) for seed in seeds])
    constant = max(play(dynamics, config) for config in dynamics.constants())
    return Outcome(
        type(dynamics).__name__.lower(),
        method,
        float(scores.mean()),
        *interval(scores),
        float(random.mean()),
        constant,
        int((scores > random).sum()),
        int((scores > constant).sum()),
        wilcoxon(scores - random),
        wilcoxon(scores - constant),
    )
