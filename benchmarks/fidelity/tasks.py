"""Tasks: curves that are computed, and those of the data that ``--data`` names."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trialwright.bench.curves import POOL, Curves, crossing, spread


def all_tasks(data: Path | None) -> list[Curves]:
    """Return the tasks that can be had: those that are computed, and those of the data if there is any."""
    return [*computed(), *([] if data is None else [*_lcbench(data), *_taskset(data)])]


def computed() -> Iterator[Curves]:
    """Yield three tasks of 81 steps: curves that keep their order, that cross, and that cross with noise."""
    for name, share, noise in (("ordered", 0.0, 0.0), ("crossing", 0.6, 0.0), ("noisy", 0.4, 0.02)):
        yield crossing(f"computed/{name}", share, noise)


def _reader(directory: Path) -> Any:  # noqa: ANN401 - a module of the user's
    specification = importlib.util.spec_from_file_location("curves", directory / "curves.py")
    if specification is None or specification.loader is None:
        raise FileNotFoundError(f"--data {directory} has no curves.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["curves"] = module
    specification.loader.exec_module(module)
    return module


def _lcbench(directory: Path) -> Iterator[Curves]:
    """LCBench (Zimmer et al. 2021): validation errors of 50 epochs, and the seconds they took."""
    reader = _reader(directory)
    for place, name in enumerate(reader.LCBench.tasks()):
        rng = np.random.default_rng(place)
        configs = [_draw(reader.LCBench.space, rng) for _ in range(POOL)]
        losses, seconds = reader.LCBench(name).curves(configs)
        points = np.array(
            [[_unit(config[key], *how) for key, how in reader.LCBench.space.items()] for config in configs]
        )
        seconds = np.asarray(np.maximum(seconds, 1e-3), float)
        yield Curves(f"lcbench/{name}", np.asarray(losses, float), seconds, points)


def _draw(space: dict[str, tuple[float, float, bool, bool]], rng: np.random.Generator) -> dict[str, float]:
    config = {}
    for name, (low, high, log, whole) in space.items():
        value = float(np.exp(rng.uniform(np.log(low), np.log(high))) if log else rng.uniform(low, high))
        config[name] = round(value) if whole else value
    return config


def _unit(value: float, low: float, high: float, log: bool, _whole: bool) -> float:
    share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
    return min(max(share, 0.0), 1.0)


def _taskset(directory: Path) -> Iterator[Curves]:
    """TaskSet (Metz et al. 2020): validation losses at 50 checkpoints, a second each; some diverge."""
    reader = _reader(directory)
    for name in reader.TaskSet.tasks():
        table = reader.TaskSet(name)
        losses = np.asarray(table.valid, float)[:, 1:]
        points = np.stack([*map(spread, np.asarray(table.X, float).T)], axis=1)
        yield Curves(f"taskset/{name}", losses, np.cumsum(np.ones_like(losses), axis=1), points)
