"""Statistics: mean regrets and ranks of methods on tasks, with intervals and tests.

Regrets have shape (tasks, seeds, points); what is compared is the mean over the seeds of a task, and tasks are what is
drawn in the bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from trialwright.space.values import Floats

DRAWS = 10_000
MOMENTS = (0.25, 0.5, 1.0)  # of the budget
NEVER = 10.0  # the regret of a run that has seen nothing yet


@dataclass(frozen=True)
class Line:
    """A method at one moment: its mean regret and rank over tasks, with 95 % intervals, and how it does against the
    method that all are compared with: tasks won and lost, and Holm's p of the signed-rank test."""

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


@dataclass(frozen=True)
class Matrix:
    """How many tasks each method (row) has less regret on than each other one (column), at one moment."""

    workers: int
    moment: float
    methods: tuple[str, ...]
    wins: tuple[tuple[int, ...], ...]


def lines(workers: int, traces: Mapping[str, Floats], against: str) -> list[Line]:
    """Return a line for each method and moment, best rank first.

    Args:
        workers: how many there were.
        traces: of each method, normalised regrets of shape (tasks, seeds, points).
        against: the method that the others are compared with.
    """
    return [line for moment in MOMENTS for line in _at(workers, moment, traces, against)]


def matrix(workers: int, moment: float, traces: Mapping[str, Floats]) -> Matrix:
    """Compare all pairs at one moment."""
    table = _means(moment, traces)
    wins = tuple(tuple(int((table[:, i] < table[:, j]).sum()) for j in range(len(traces))) for i in range(len(traces)))
    return Matrix(workers, moment, tuple(traces), wins)


def at(regrets: Floats, moment: float) -> Floats:
    """Return the regrets, shape (tasks, seeds), when this share of the budget is spent."""
    return np.asarray(regrets[:, :, max(round(moment * regrets.shape[2]) - 1, 0)])


def ranks(table: Floats) -> Floats:
    """Return the rank of each method on each task, from 1, ties shared; shape (tasks, methods)."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(table, axis=1))


def interval(differences: Floats, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of paired differences, by drawing tasks."""
    drawn = np.random.default_rng(seed).integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def band(values: Floats, seed: int = 0) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % bootstrap interval of the mean over tasks at each point; values have shape (tasks,
    points)."""
    count = len(values)
    shares = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS) / count
    low, high = np.percentile(shares @ values, [2.5, 97.5], axis=0)
    return low, high


def holm(values: Mapping[str, float]) -> dict[str, float]:
    """Return the p values adjusted for their number (Holm 1979)."""
    adjusted, highest = {}, 0.0
    for place, (name, value) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, value * (len(values) - place)))
        adjusted[name] = highest
    return adjusted


def wilcoxon(differences: Floats) -> float:
    """Return the p value of the two-sided signed-rank test; 1 where there are no differences."""
    from scipy.stats import wilcoxon as test

    return float(test(differences).pvalue) if np.any(differences) else 1.0


def _means(moment: float, traces: Mapping[str, Floats]) -> Floats:
    """Return mean regrets, shape (tasks, methods)."""
    columns = [np.minimum(at(regrets, moment), NEVER).mean(axis=1) for regrets in traces.values()]
    return np.stack(columns, axis=1).round(12)


def _at(workers: int, moment: float, traces: Mapping[str, Floats], against: str) -> list[Line]:
    methods, table = list(traces), _means(moment, traces)
    placed, base = ranks(table), methods.index(against)
    p_values = holm({name: wilcoxon(table[:, i] - table[:, base]) for i, name in enumerate(methods) if i != base})
    found = []
    for column, name in enumerate(methods):
        steps = table[:, column] - table[:, base]
        own, rank = table[:, column], placed[:, column]
        numbers = (float(own.mean()), *interval(own), float(rank.mean()), *interval(rank))
        won, lost = int((steps < 0).sum()), int((steps > 0).sum())
        found.append(Line(workers, moment, name, *numbers, won, lost, p_values.get(name, 1.0)))
    return sorted(found, key=lambda line: line.rank)
