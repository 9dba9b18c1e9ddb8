"""Runs that are drawn, and no screen."""

from __future__ import annotations

import math

import matplotlib as mpl
import pytest

from trialwright import ASHA, Engine, report
from trialwright import space as s

SPACE = {"lr": s.uniform(0, 1), "kind": s.choice(["a", "b"]), "model": {"depth": s.randint(1, 4), "width": 8}}
SETTINGS = {"executor": "local", "verbose": 0, "storage": None}
KERNEL = s.choice([{"name": "rbf", "gamma": s.loguniform(1e-3, 1e3)}, {"name": "poly", "degree": s.randint(2, 12)}])
MIXED = {"x": s.loguniform(1e-3, 1), "kernel": KERNEL, "depth": s.randint(1, 5), "fixed": 3}


def train(config):
    for step in range(1, 10):
        report(loss=config["lr"] / step, accuracy=step)


def mixed(config):
    """Fails, reports NaN, and has three objectives."""
    if config["x"] > 0.8:
        raise RuntimeError("too large")
    loss = math.nan if config["x"] < 0.0013 else abs(math.log10(config["x"]) + 1)
    report(loss=loss, size=config["depth"], accuracy=config["x"])


def run(objective, space, **keywords):
    settings = {"metric": "loss", "num_samples": 16, "seed": 0, "searcher": "random", **SETTINGS}
    return Engine(objective, space, **settings | keywords).run()


@pytest.fixture(scope="session")
def result():
    """Twelve trials under ASHA."""
    return run(train, SPACE, num_samples=12, searcher="auto", scheduler=ASHA(max_t=9, reduction_factor=3), seed=2)


@pytest.fixture(scope="session")
def many():
    """Eighty trials with all that is awkward: failures, NaN, branches, a logarithmic axis, a constant, categories."""
    goals = {"metric": ["loss", "size", "accuracy"], "mode": ["min", "min", "max"]}
    return run(mixed, MIXED, num_samples=80, **goals)


@pytest.fixture(scope="session")
def empty():
    """Two trials that report nothing."""
    return run(lambda config: 1 / 0, SPACE, num_samples=2)


@pytest.fixture(autouse=True)
def _no_screen():
    import matplotlib.pyplot as plt

    mpl.use("agg")
    yield
    plt.close("all")
