"""Every searcher that learns, with every scheduler: later trials are nearer to the optimum than random ones."""

import numpy as np
import pytest

import trialwright.schedulers
import trialwright.searchers
from trialwright import Engine, Simulated
from trialwright.schedulers import (
    ASHA,
    FIFO,
    MOASHA,
    PASHA,
    AsyncHyperBand,
    HyperBand,
    MedianStopping,
    ResourceChanging,
)
from trialwright.searchers import CMAES, DEHB, GP, NSGA2, TPE
from trialwright.searchers.gp.maximise import Effort
from trialwright.space import uniform

STEPS, SEEDS = 27, range(10)
BEST = {"w": 0.2, "x": 0.4, "y": 0.6, "z": 0.8}

SCHEDULERS = {
    "FIFO": FIFO,
    "ASHA": lambda: ASHA(STEPS, reduction_factor=3),
    "ASHA, promoting": lambda: ASHA(STEPS, reduction_factor=3, promote=True),
    "AsyncHyperBand": lambda: AsyncHyperBand(STEPS, reduction_factor=3),
    "AsyncHyperBand, promoting": lambda: AsyncHyperBand(STEPS, reduction_factor=3, promote=True),
    "HyperBand": lambda: HyperBand(STEPS, reduction_factor=3),
    "MedianStopping": lambda: MedianStopping(grace_period=3),
    "MOASHA": lambda: MOASHA(STEPS, reduction_factor=3),
    "PASHA": lambda: PASHA(STEPS, reduction_factor=3),
    "ResourceChanging": lambda: ResourceChanging(ASHA(STEPS, reduction_factor=3, promote=True)),
}
SEARCHERS = {
    "GP": lambda: GP(effort=Effort(everywhere=64, nearby=32, starts=1, rounds=10)),
    "TPE": TPE,
    "CMAES": CMAES,
    "DEHB": lambda: DEHB(population=12),
    "NSGA2": lambda: NSGA2(population=12),
}
EXCEPTIONS = {
    "PBT": "the members of a population begin together; what they explore later are their own variations",
    "PBTReplay": "one trial follows a schedule that is known",
    "Auto": "it is the GP or TPE",
    "PB2": "as PBT: it explores what members go on with, and the first population is its base's",
    "Perturb": "it varies members of a population, around any other searcher",
    "Repeat": "it repeats what another searcher suggests",
    "Schedule": "it suggests what a replay says",
}


class Bowl:
    """The loss falls with each step, to the distance from the optimum."""

    def start(self, config, seed):
        return 0

    def step(self, config, state):
        if state == STEPS:
            return None
        loss = sum((config[name] - best) ** 2 for name, best in BEST.items())
        return state + 1, {"loss": loss + 1 / (state + 1)}, 1.0


def distances(searcher, scheduler, seed) -> float:
    """The median distance of the last 20 of 60 trials from the optimum."""
    result = Engine(
        Bowl(),
        {name: uniform(0, 1) for name in BEST},
        metric="loss",
        num_samples=60,
        searcher=searcher,
        scheduler=scheduler,
        executor=Simulated(workers=4),
        storage=None,
        seed=seed,
        verbose=0,
    ).run()
    assert len(result) == 60
    return np.median([sum(abs(trial.config[name] - best) for name, best in BEST.items()) for trial in result][-20:])


@pytest.fixture(scope="module")
def at_random():
    return [distances("random", FIFO(), seed) for seed in SEEDS]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("searcher", SEARCHERS)
def test_the_last_suggestions_are_nearer_to_the_optimum_than_random_ones(searcher, scheduler, at_random):
    seeds = SEEDS[:4] if searcher == "GP" else SEEDS  # a fit takes time
    found = [distances(SEARCHERS[searcher](), SCHEDULERS[scheduler](), seed) for seed in seeds]
    nearer = sum(here < there for here, there in zip(found, at_random, strict=False))
    assert nearer >= len(seeds) - (len(seeds) > 4), "by chance: p = 0.06 with 4 seeds, 0.01 with 9 of 10"


def test_whoever_learns_is_tried_or_has_a_reason():
    named = {*SCHEDULERS, *SEARCHERS, *EXCEPTIONS}
    schedulers = {
        name for name in vars(trialwright.schedulers) if hasattr(getattr(trialwright.schedulers, name), "on_report")
    }
    searchers = {
        name
        for name, each in vars(trialwright.searchers).items()
        if getattr(each, "learns", False) and hasattr(each, "suggest")
    }
    assert (schedulers | searchers) - {"Scheduler", "Searcher"} <= named
