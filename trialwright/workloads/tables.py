"""Tables: learning curves that are known, of so many configurations at so many steps.

n = configurations, R = steps of a full training, d = dimension of the space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trialwright.errors import refuse
from trialwright.messages import Metric
from trialwright.space import Space, randint
from trialwright.space.values import Floats
from trialwright.workloads.base import Step


class Table:
    """Replays curves. A trial is a row of the table, and step r reports what stands in its column r.

    Which row is said by the parameter "row". If the rows' ``configs`` are given, with the space that they are from, a
    trial is the row whose configuration is nearest in the unit cube. That makes a searcher look better or worse than it
    is: what it believes of a configuration is learnt from its neighbour.

    Args:
        curves: of each metric, what is reported, shape (n, R). NaN where a training has diverged.
        seconds: how long each step takes, shape (n, R), or anything that NumPy broadcasts to it.
        configs: of each row, n in all.
        space: what these vary over.

    Raises:
        ValueError: the shapes do not agree, or a step takes less than no time, or there is only one of ``configs`` and
            ``space``. All problems are listed.
    """

    def __init__(
        self,
        curves: Mapping[str, npt.ArrayLike],
        seconds: npt.ArrayLike = 1.0,
        *,
        configs: Sequence[Mapping[str, Any]] | None = None,
        space: Mapping[str, object] | None = None,
    ) -> None:
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in curves.items()}
        durations = np.asarray(seconds, dtype=np.float64)
        refuse(_problems(arrays, durations, configs, space), "the table")
        self.count, self.steps = next(iter(arrays.values())).shape
        durations = np.broadcast_to(durations, (self.count, self.steps))
        self._read = {name: values.item for name, values in arrays.items()}  # faster than indexing, and a Python float
        self._seconds = durations.item
        self.space: Mapping[str, object] = {"row": randint(0, self.count)} if space is None else dict(space)
        """What a run over this table varies."""
        self._space = Space(self.space)
        self._units = None if configs is None else self._space.encode([dict(config) for config in configs])[0]

    def row(self, config: Mapping[str, Any]) -> int:
        """Return which row a configuration is, or is nearest to."""
        if self._units is None:
            return int(config["row"])
        units = self._space.encode([dict(config)])[0]
        return int(np.argmin(((self._units - units) ** 2).sum(axis=1)))

    def start(self, config: dict[str, Any], seed: int) -> tuple[dict[str, Any], int, int]:
        """Before the first step: the configuration, its row, and how many steps are done."""
        return config, self.row(config), 0

    def step(self, config: dict[str, Any], state: tuple[dict[str, Any], int, int]) -> Step | None:
        """The next entry of the row; of another row, if the configuration has changed."""
        known, row, done = state
        if done == self.steps:
            return None
        if known is not config:  # the same object until a clone gets another one
            row = self.row(config)
        metrics: dict[str, Metric] = {name: read(row, done) for name, read in self._read.items()}
        return (config, row, done + 1), metrics, self._seconds(row, done)


def _problems(
    curves: Mapping[str, Floats],
    seconds: Floats,
    configs: Sequence[Mapping[str, Any]] | None,
    space: Mapping[str, object] | None,
) -> list[str]:
    shapes = {name: values.shape for name, values in curves.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 2:
        return [f"curves must all be of one shape (n, R), not {shapes}"]
    shape = next(iter(shapes.values()))
    problems = []
    if (configs is None) != (space is None):
        problems.append("configs and space are needed together")
    if configs is not None and len(configs) != shape[0]:
        problems.append(f"{len(configs)} configs are given for {shape[0]} rows")
    try:
        np.broadcast_to(seconds, shape)
    except ValueError:
        problems.append(f"seconds of shape {seconds.shape} cannot be those of curves of shape {shape}")
    if not (np.isfinite(seconds) & (seconds >= 0)).all():
        problems.append(f"seconds must be finite and not negative; the lowest is {seconds.min()}")
    return problems
