"""Makes the pictures of ``docs/plotting.md``: ``python docs/make_plots.py``. It takes half a minute."""

from __future__ import annotations

import io
import math
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from trialwright import ASHA, Engine, Result, plots, report, space

PLOTS = Path(__file__).parent / "plots"
SPACE = {
    "lr": space.loguniform(1e-4, 1),
    "width": space.randint(8, 129),
    "optimizer": space.choice(
        [{"name": "adam", "beta": space.uniform(0.8, 1.0)}, {"name": "sgd", "momentum": space.uniform(0, 1)}]
    ),
    "dropout": space.uniform(0, 0.5),
}


def train(config: dict[str, object]) -> None:
    """Report the losses of a training that is made up: its learning rate matters most."""
    lr, width, optimizer = float(config["lr"]), int(config["width"]), config["optimizer"]
    if lr > 0.7:
        raise FloatingPointError("the loss is not finite")
    off = (
        (math.log10(lr) + 2) ** 2 / 4
        + 8 / width
        + (0.2 * (1 - optimizer["momentum"]) if "momentum" in optimizer else 0.1)
    )
    for epoch in range(1, 28):
        report(loss=0.1 + off + (1 - off / 4) * math.exp(-0.15 * epoch), size=width)


def run(seed: int, **keywords: object) -> Result:
    """Run 120 trials."""
    settings = {"metric": "loss", "mode": "min", "num_samples": 120, "seed": seed, "name": "train"} | keywords
    return Engine(train, SPACE, executor="local", storage=None, verbose=0, max_failures=0, **settings).run()


def save(drawn: Axes | Figure, name: str) -> None:
    """Write one picture, in 64 colours: small files, because they are in the repository."""
    written = io.BytesIO()
    drawn.figure.savefig(written, dpi=60)
    Image.open(written).convert("RGB").quantize(64).save(PLOTS / f"{name}.png", optimize=True)


def main() -> None:
    """Write a file for each plot."""
    mpl.use("agg")
    random, stopped = run(0, searcher="random"), run(1, scheduler=ASHA(max_t=27, reduction_factor=3))
    two = run(2, searcher="nsga2", metric=["loss", "size"])
    drawn = {name: getattr(random.plot, name) for name in ("slices", "contour", "rank", "importances", "model", "edf")}
    drawn |= {name: getattr(stopped.plot, name) for name in ("learning_curves", "rung_survival", "timeline")}
    drawn |= {name: getattr(stopped.plot, name) for name in ("optimization_history", "parallel_coordinates")}
    drawn |= {name: getattr(two.plot, name) for name in ("pareto_front", "hypervolume_history")}
    PLOTS.mkdir(exist_ok=True)
    for name, draw in drawn.items():
        save(draw(), name)
    groups = {name: [run(seed, searcher=name, num_samples=40) for seed in range(5)] for name in ("random", "tpe")}
    save(plots.comparison(groups), "comparison")


if __name__ == "__main__":
    main()
