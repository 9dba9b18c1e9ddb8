"""PBT on fixed dynamics, which need no GPU: whether a schedule of settings is found that no single setting can match.

The dynamics are those of ``trialwright.workloads``: Jaderberg's toy, and a quadratic whose optimum drifts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.comparison import interval, wilcoxon
from trialwright import Engine, Perturb, Random, Simulated
from trialwright.schedulers import FIFO, PBT, Scheduler
from trialwright.searchers import Searcher
from trialwright.workloads import DriftingQuadratic, JaderbergToy

MEMBERS, INTERVAL, SEEDS = 8, 10, 50

Dynamics = JaderbergToy | DriftingQuadratic
DYNAMICS: dict[str, Dynamics] = {"toy": JaderbergToy(), "drift": DriftingQuadratic()}
CONSTANTS: dict[str, list[dict[str, float]]] = {  # all settings of the one, a fine grid of the other
    "toy": [{"axis": 0}, {"axis": 1}],
    "drift": [{"h": float(h)} for h in np.linspace(0, 2, 201)],
}


def play(dynamics: Dynamics, config: Mapping[str, float]) -> float:
    """Return the score of one constant setting."""
    state, score = dynamics.start(dict(config), 0), 0.0
    while (step := dynamics.step(dict(config), state)) is not None:  # type: ignore[arg-type]
        state, score = step[0], step[1]["score"]  # type: ignore[assignment]
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
        for dynamics in DYNAMICS
        for name, make in (
            ("pbt", lambda: PBT(interval=INTERVAL)),
            ("pbt, synchronous", lambda: PBT(interval=INTERVAL, synchronous=True)),
        )
    ]


def _outcome(name: str, method: str, make: Callable[[], Scheduler], seeds: Sequence[int]) -> Outcome:
    dynamics = DYNAMICS[name]
    scores = np.array([tune(dynamics, make(), Perturb(Random()), seed) for seed in seeds])
    random = np.array([tune(dynamics, FIFO(), Random(), seed) for seed in seeds])
    constant = max(play(dynamics, config) for config in CONSTANTS[name])
    return Outcome(
        name,
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
