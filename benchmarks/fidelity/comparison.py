"""Comparisons: mean regrets and ranks of methods on tasks, with intervals and tests.

Traces have shape (tasks, seeds, points); what is compared is the mean over the seeds of a task, and tasks are what is
drawn in the bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.fidelity.runs import POINTS
from benchmarks.fidelity.tasks import Floats
from benchmarks.quality.comparison import holm, interval, ranks, wilcoxon

MOMENTS = (0.25, 0.5, 1.0)  # of the budget
NEVER = 10.0  # the regret of a run that has seen nothing yet


@dataclass(frozen=True)
class Line:
    """A method at one moment: its mean regret and rank over tasks, with 95 % intervals, and how it does against random:
    tasks won and lost, and Holm's p of the signed-rank test."""

    workers: int
    moment: float
    method: str
    regret: float
    regret_low: float
    regret_high: float
    rank: float
    rank_low: float
    rank_high: float
    wins: int
    losses: int
    p: float

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def lines(workers: int, traces: Mapping[str, Floats]) -> list[Line]:
    """Return a line for each method and moment, best rank first.

    Args:
        workers: how many there were.
        traces: of each method, normalised regrets of shape (tasks, seeds, POINTS).
    """
    return [line for moment in MOMENTS for line in _at(workers, moment, traces)]


def _at(workers: int, moment: float, traces: Mapping[str, Floats]) -> list[Line]:
    methods = list(traces)
    point = round(moment * POINTS) - 1
    table = np.stack([np.minimum(traces[name][:, :, point], NEVER).mean(axis=1) for name in methods], axis=1).round(12)
    placed, random = ranks(table), methods.index("random")
    p_values = holm({name: wilcoxon(table[:, i] - table[:, random]) for i, name in enumerate(methods) if i != random})
    found = []
    for column, name in enumerate(methods):
        steps = table[:, column] - table[:, random]
        own, rank = table[:, column], placed[:, column]
        numbers = (float(own.mean()), *interval(own), float(rank.mean()), *interval(rank))
        won, lost = int((steps < 0).sum()), int((steps > 0).sum())
        found.append(Line(workers, moment, name, *numbers, won, lost, p_values.get(name, 1.0)))
    return sorted(found, key=lambda line: line.rank)
