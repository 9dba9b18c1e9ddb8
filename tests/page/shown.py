"""Runs that the page's tests show: small ones in virtual time, made once."""

from __future__ import annotations

from trialwright import Engine, space
from trialwright.executors import Simulated
from trialwright.page.run import open_run
from trialwright.schedulers import ASHA

HOSTILE = '</script><img src=x onerror="window.hacked=1">\'"`'
WITH_OPTIMIZER = f"net/{HOSTILE}"


class Falling:
    """A loss that falls; some configurations fail at their third step, and one metric has names that are hostile."""

    def start(self, config, seed):
        return 0

    def step(self, config, state):
        if state == 9:
            return None
        if config["net"]["width"] == 64 and config["lr"] < 0.6 and state == 2:
            raise ValueError(f"loss is nan at lr {config['lr']:.3f} {HOSTILE}")
        step = state + 1
        return step, {"loss": (config["lr"] - 0.3) ** 2 + 0.5 / step, "size": config["net"]["width"] - step / 100}, 1.0


def make_run(storage, name="shown", num_samples=40, **keywords):
    given = {
        "metric": ["loss", "size"],
        "mode": "min",
        "searcher": "random",
        "scheduler": ASHA(max_t=9, grace_period=1, reduction_factor=3),
        "executor": Simulated(workers=4),
        "resources": {"cpu": 1},
        "seed": 1,
        "verbose": 0,
    } | keywords
    where = {
        "lr": space.uniform(0, 1),
        "net": {"width": space.choice([64, 128, 256]), HOSTILE: space.choice(["adam", HOSTILE])},
    }
    return Engine(Falling(), where, num_samples=num_samples, storage=storage, name=name, **given).run()


def filled(index):
    """Read all of a run into its index."""
    while index.is_behind:
        index.update()
    return index


def opened(result):
    run = open_run(result.path)
    filled(run.index)
    return run
