"""Curves: a task for schedulers, which is the learning curves of many configurations.

n = configurations, R = steps of a full training, d = dimension of the space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trialwright.errors import refuse
from trialwright.space import Space
from trialwright.space.values import Floats
from trialwright.streams import Streams
from trialwright.workloads import CrossingCurves, Workload

POOL = 1000  # configurations of a task that is computed


@dataclass(frozen=True, eq=False)
class Curves:
    """Learning curves of which a run sees some.

    Args:
        name: what the task is called in results.
        losses: what is minimised, shape (n, R); NaN where a training has diverged.
        seconds: from the start of a training until each step is done, shape (n, R).
        points: where each configuration lies in the unit cube, shape (n, d). Only methods with a searcher need it.

    Raises:
        ValueError: the shapes do not agree, no loss is finite, seconds fall, or there is nothing to gain: the best loss
            is also the median of the last. All problems are listed.
    """

    name: str
    losses: Floats
    seconds: Floats
    points: Floats | None = None

    def __post_init__(self) -> None:
        refuse(_problems(self.losses, self.seconds, self.points), f"task {self.name!r}")

    @property
    def steps(self) -> int:
        """Of a full training."""
        return int(self.losses.shape[1])

    @property
    def full_s(self) -> float:
        """What a full training takes on average."""
        return float(self.seconds[:, -1].mean())

    def regret(self, losses: Floats) -> Floats:
        """Return losses on the task's own scale: 0 is the best of all, at any step; 1 is the median of the last."""
        low, high = _scale(self.losses)
        return (losses - low) / (high - low)

    @classmethod
    def of(
        cls, workload: Workload, name: str, *, metric: str = "loss", mode: str = "min", configurations: int = POOL
    ) -> Curves:
        """Train random configurations of a workload to the end, and take their curves.

        Args:
            workload: with a ``space``; all its trainings have equally many steps.
            name: what the task is called in results.
            metric: of each step's report.
            mode: "min" or "max".
            configurations: how many are drawn; the same ones in each call.

        Raises:
            ValueError: the workload has no space or does not report the metric; trainings differ in length; ``mode``.
        """
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
        if not isinstance(getattr(workload, "space", None), Mapping | Space):
            raise ValueError(  # noqa: TRY004 - it may be there, and of another kind
                f"task {name!r}: {type(workload).__name__} has no space, from which to draw configurations"
            )
        space = workload.space if isinstance(workload.space, Space) else Space(workload.space)  # type: ignore[attr-defined]
        streams = Streams(0)
        configs = space.sample(configurations, streams("bench"))
        played = [_play(workload, config, streams.integer("bench", row)) for row, config in enumerate(configs)]
        if len({len(reports) for reports, _ in played}) != 1:
            raise ValueError(
                f"task {name!r}: trainings of {type(workload).__name__} differ in how many steps they have"
            )
        if missing := [report for reports, _ in played for report in reports if metric not in report]:
            raise ValueError(f"task {name!r}: the workload reports {sorted(missing[0])}, not {metric!r}")
        values = np.array([[float(report[metric]) for report in reports] for reports, _ in played])
        seconds = np.cumsum([steps for _, steps in played], axis=1)
        return cls(name, values if mode == "min" else -values, seconds, space.encode(configs)[0])


def crossing(name: str, crossing: float, noise: float) -> Curves:
    """Return curves that keep their order (``crossing=0``), or that cross, and are noisy (``CrossingCurves``)."""
    rng = np.random.default_rng(7)  # no stream: the numbers in docs/fidelity.md are of these curves
    quality, pace = rng.random((2, POOL))
    curves = CrossingCurves(crossing=crossing)
    losses = curves.loss(quality[:, None], pace[:, None], np.arange(1.0, curves.steps + 1))
    losses += noise * rng.standard_normal(losses.shape)
    seconds = np.cumsum(np.ones_like(losses), axis=1) * (0.5 + pace[:, None])
    return Curves(name, losses, seconds, np.stack([quality, pace], axis=1))


def spread(column: npt.ArrayLike) -> Floats:
    """Return values of a parameter between 0 and 1; on a logarithmic scale where they have many sizes."""
    values = np.asarray(column, dtype=np.float64)
    if values.min() >= 0 and values.max() > 50 * values[values > 0].min(initial=np.inf):
        values = np.log(np.maximum(values, values[values > 0].min()))
    return np.asarray((values - values.min()) / max(values.max() - values.min(), 1e-300))


def _play(workload: Workload, config: dict[str, Any], seed: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Return what one training reports, and the seconds that each step takes."""
    state, reports, seconds = workload.start(config, seed), [], []
    while (step := workload.step(config, state)) is not None:
        state, report, took_s = step
        reports.append(report)
        seconds.append(took_s)
    return reports, seconds


def _scale(losses: Floats) -> tuple[float, float]:
    """Return the losses that count as 0 and as 1."""
    last = losses[:, -1]
    return float(np.min(losses[np.isfinite(losses)])), float(np.median(last[np.isfinite(last)]))


def _problems(losses: Floats, seconds: Floats, points: Floats | None) -> Sequence[str]:
    if losses.ndim != 2 or not losses.size:
        return [f"losses must be of shape (configurations, steps), not {losses.shape}"]
    problems = []
    if seconds.shape != losses.shape:
        problems.append(f"seconds of shape {seconds.shape} cannot be those of losses of shape {losses.shape}")
    elif not (np.isfinite(seconds).all() and (seconds > 0).all() and (np.diff(seconds, axis=1) >= 0).all()):
        problems.append("seconds must be finite, more than 0, and may not fall along a training")
    if points is not None and (points.ndim != 2 or len(points) != len(losses)):
        problems.append(f"points of shape {points.shape} cannot be those of {len(losses)} configurations")
    if not np.isfinite(losses[:, -1]).any():
        problems.append("no training ends with a finite loss")
    elif _scale(losses)[0] >= _scale(losses)[1]:
        problems.append(f"there is nothing to gain: {_scale(losses)[0]:g} is the best loss and the median of the last")
    return problems
