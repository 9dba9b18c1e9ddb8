"""Compare five schedulers on learning curves that cross: regret against time, on 8 simulated workers.

    pip install -e ".[examples]" && python examples/compare_schedulers.py

Nothing is trained, so it takes seconds. It prints the regret of each scheduler, and writes compare_schedulers.png.
"""

import argparse
import math
from statistics import fmean
from typing import Any

import matplotlib as mpl

from trialwright import ASHA, FIFO, Engine, HyperBand, Result, Simulated, space
from trialwright.schedulers import AsyncHyperBand, MedianStopping, Scheduler

EPOCHS = 81
BUDGET_S = 400.0  # in virtual time: enough for 40 full trainings on 8 workers
SEEDS = 4


def loss(config: dict[str, Any], epoch: int) -> float:
    """Return the loss after ``epoch`` epochs: with a large rate it falls fast, but ends higher."""
    floor = (config["width"] - 0.6) ** 2 + 0.01 * config["rate"]
    return floor + 0.7 * math.exp(-(0.06 + 0.06 * config["rate"]) * epoch)


LEAST = min(loss({"width": 0.6, "rate": percent / 100}, EPOCHS) for percent in range(101))


class Crossing:
    """A workload: a training that is computed, not run."""

    def start(self, config: dict[str, Any], seed: int) -> int:
        """Return the state before the first epoch."""
        return 0

    def step(self, config: dict[str, Any], epoch: int) -> tuple[int, dict[str, Any], float] | None:
        """Return the next state, the loss after one more epoch, and the seconds that it took; None at the end."""
        if epoch == EPOCHS:
            return None
        return epoch + 1, {"loss": loss(config, epoch + 1)}, 0.7 + 0.6 * config["width"]


SCHEDULERS: dict[str, Scheduler] = {
    "every trial to its end": FIFO(),
    "median rule": MedianStopping(grace_period=5),
    "ASHA": ASHA(max_t=EPOCHS, reduction_factor=3),
    "ASHA in brackets": AsyncHyperBand(max_t=EPOCHS, reduction_factor=3),
    "HyperBand": HyperBand(max_t=EPOCHS, reduction_factor=3),
}
SPACE = {"rate": space.uniform(0, 1), "width": space.uniform(0, 1)}


def run(scheduler: Scheduler, seed: int) -> Result:
    """Try random configurations for as long as the budget lasts."""
    return Engine(
        Crossing(), SPACE, metric="loss", num_samples=-1, searcher="random", scheduler=scheduler,
        executor=Simulated(workers=8), time_budget_s=BUDGET_S, storage=None, seed=seed, verbose=0,
    ).run()  # fmt: skip


def regret(result: Result, times: list[float]) -> list[float]:
    """Return, for each time, the difference between the best loss reported until then and the best possible loss.

    A report's time is the trial's start plus its running time; for a trial that was paused, this is too early.
    """
    seen = sorted((trial.started + row["time_s"], row["loss"]) for trial in result for row in trial.history)
    curve, best, place = [], math.inf, 0
    for time_s in times:
        while place < len(seen) and seen[place][0] <= time_s:
            best, place = min(best, seen[place][1]), place + 1
        curve.append(best - LEAST)
    return curve


def main() -> None:
    """Run all schedulers, print their regret, and plot it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--plot", default="compare_schedulers.png")
    given = parser.parse_args()
    times = [BUDGET_S * share / 100 for share in range(2, 101)]
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots()
    for name, scheduler in SCHEDULERS.items():
        curves = [regret(run(scheduler, seed), times) for seed in range(given.seeds)]
        mean = [fmean(at) for at in zip(*curves, strict=True)]
        axes.plot(times, mean, label=name)
        print(f"{name:24} regret {mean[24]:.4f} after a quarter of the time, {mean[-1]:.4f} at the end")
    axes.set(xlabel="virtual seconds", ylabel=f"regret, mean of {given.seeds} seeds", yscale="log")
    axes.legend()
    figure.savefig(given.plot, dpi=120)
    print(f"drawn in {given.plot}")


if __name__ == "__main__":
    main()
