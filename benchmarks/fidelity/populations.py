"""PBT on fixed dynamics, which need no GPU: whether a schedule of settings is found that no single setting can match.

The dynamics are those of ``trialwright.workloads``: Jaderberg's toy, a quadratic whose optimum drifts, and descent with
noisy gradients, whose best rate falls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trialwright import Engine, Perturb, Random, Simulated
from trialwright.bench.statistics import interval, wilcoxon
from trialwright.schedulers import FIFO, PBT, Scheduler
from trialwright.searchers import PB2, Searcher
from trialwright.workloads import DriftingQuadratic, JaderbergToy, NoisyDescent

MEMBERS, FEW, INTERVAL, SEEDS = 8, 4, 10, 50

Dynamics = JaderbergToy | DriftingQuadratic | NoisyDescent
DYNAMICS: dict[str, Dynamics] = {"toy": JaderbergToy(), "drift": DriftingQuadratic(), "descent": NoisyDescent()}
CONSTANTS: dict[str, list[dict[str, float]]] = {  # all settings, or a fine grid
    "toy": [{"axis": 0}, {"axis": 1}],
    "drift": [{"h": float(h)} for h in np.linspace(0, 2, 201)],
    "descent": [{"lr": float(lr)} for lr in np.geomspace(1e-3, 1, 301)],
}


def play(dynamics: Dynamics, config: Mapping[str, float]) -> float:
    """Return the score of one constant setting."""
    state, score = dynamics.start(dict(config), 0), 0.0
    while (step := dynamics.step(dict(config), state)) is not None:  # type: ignore[arg-type]
        state, score = step[0], step[1]["score"]  # type: ignore[assignment]
    return score


def tune(dynamics: Dynamics, scheduler: Scheduler, searcher: Searcher, seed: int, members: int = MEMBERS) -> float:
    """Return the best last score of a population."""
    result = Engine(
        dynamics,
        dynamics.space,
        metric="score",
        mode="max",
        num_samples=members,
        scheduler=scheduler,
        searcher=searcher,
        executor=Simulated(workers=members),
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
    """Compare PBT, asynchronous and synchronous, on all dynamics."""
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


@dataclass(frozen=True)
class Duel:
    """What few members reached with PB2 and with PBT, the same seeds: means with intervals, and on how many seeds PB2
    was better and worse."""

    dynamics: str
    pb2: tuple[float, float, float]
    pbt: tuple[float, float, float]
    better: int
    worse: int
    p: float


def duels(seeds: int = SEEDS) -> list[Duel]:
    """Compare PB2 with PBT, each with few members, on all dynamics."""
    return [_duel(name, dynamics, range(seeds)) for name, dynamics in DYNAMICS.items()]


def _duel(name: str, dynamics: Dynamics, seeds: Sequence[int]) -> Duel:
    makers: tuple[Callable[[], Searcher], ...] = (PB2, lambda: Perturb(Random()))
    pb2, pbt = (
        np.array([tune(dynamics, PBT(interval=INTERVAL), make(), seed, FEW) for seed in seeds]) for make in makers
    )
    means = [(float(each.mean()), *interval(each)) for each in (pb2, pbt)]
    return Duel(name, means[0], means[1], int((pb2 > pbt).sum()), int((pb2 < pbt).sum()), wilcoxon(pb2 - pbt))
