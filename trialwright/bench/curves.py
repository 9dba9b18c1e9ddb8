"""Tasks: learning curves of many configurations, from data that ``--data`` names, and some that are computed.

n = configurations, R = steps of a full training.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trialwright.workloads import CrossingCurves

Floats = npt.NDArray[np.float64]

POOL = 1000  # configurations of a task


@dataclass(frozen=True, eq=False)
class Task:
    """Curves that a run may see: ``losses`` and ``seconds`` (cumulative) of shape (n, R), and where each configuration
    lies in the unit cube: ``points`` of shape (n, d)."""

    family: str
    name: str
    losses: Floats
    seconds: Floats
    points: Floats

    @property
    def id(self) -> str:
        """What it is called in results."""
        return f"{self.family}/{self.name}"

    @property
    def full_s(self) -> float:
        """What a full training takes on average."""
        return float(self.seconds[:, -1].mean())

    def regret(self, losses: Floats) -> Floats:
        """Return losses on the task's own scale: 0 is the best of all, at any step; 1 is the middle of the last."""
        last = self.losses[:, -1]
        low = float(np.min(self.losses[np.isfinite(self.losses)]))
        return (losses - low) / (float(np.median(last[np.isfinite(last)])) - low)


def all_tasks(data: Path | None) -> list[Task]:
    """Return the tasks that can be had: those that are computed, and those of the data if there is any."""
    return [*computed(), *([] if data is None else [*_lcbench(data), *_taskset(data)])]


def computed() -> Iterator[Task]:
    """Yield three tasks of 81 steps: curves that keep their order, that cross, and that cross with noise."""
    for name, crossing, noise in (("ordered", 0.0, 0.0), ("crossing", 0.6, 0.0), ("noisy", 0.4, 0.02)):
        rng = np.random.default_rng(7)
        quality, pace = rng.random((2, POOL))
        curves = CrossingCurves(crossing=crossing)
        losses = curves.loss(quality[:, None], pace[:, None], np.arange(1.0, curves.steps + 1))
        losses += noise * rng.standard_normal(losses.shape)
        seconds = np.cumsum(np.ones_like(losses), axis=1) * (0.5 + pace[:, None])
        yield Task("computed", name, losses, seconds, np.stack([quality, pace], axis=1))


# Data -----------------------------------------------------------------------------------------------------------------


def _reader(directory: Path) -> Any:  # noqa: ANN401 - a module of the user's
    specification = importlib.util.spec_from_file_location("curves", directory / "curves.py")
    if specification is None or specification.loader is None:
        raise FileNotFoundError(f"--data {directory} has no curves.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["curves"] = module
    specification.loader.exec_module(module)
    return module


def _lcbench(directory: Path) -> Iterator[Task]:
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
        yield Task("lcbench", name, np.asarray(losses, float), seconds, points)


def _draw(space: dict[str, tuple[float, float, bool, bool]], rng: np.random.Generator) -> dict[str, float]:
    config = {}
    for name, (low, high, log, whole) in space.items():
        value = float(np.exp(rng.uniform(np.log(low), np.log(high))) if log else rng.uniform(low, high))
        config[name] = round(value) if whole else value
    return config


def _unit(value: float, low: float, high: float, log: bool, _whole: bool) -> float:
    share = math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low)
    return min(max(share, 0.0), 1.0)


def _taskset(directory: Path) -> Iterator[Task]:
    """TaskSet (Metz et al. 2020): validation losses at 50 checkpoints, a second each; some diverge."""
    reader = _reader(directory)
    for name in reader.TaskSet.tasks():
        table = reader.TaskSet(name)
        losses = np.asarray(table.valid, float)[:, 1:]
        points = np.stack([*map(_spread, np.asarray(table.X, float).T)], axis=1)
        yield Task("taskset", name, losses, np.cumsum(np.ones_like(losses), axis=1), points)


def _spread(column: Floats) -> Floats:
    """Return a column of hyper-parameters between 0 and 1; on a logarithmic axis where it has many sizes."""
    if column.min() >= 0 and column.max() > 50 * column[column > 0].min():
        column = np.log(np.maximum(column, column[column > 0].min()))
    return np.asarray((column - column.min()) / (column.max() - column.min()))
