"""Comparisons: regrets, ranks, intervals and tests, of traces.

Regret is normalised task by task: 0 is the optimum where it is known, else the best value in any trace; 1 is the median
of all first values. What is compared is the mean over the seeds of a task; tasks are what is drawn in the bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.quality.tasks import Task
from benchmarks.quality.traces import Trace

Floats = npt.NDArray[np.float64]

POINTS = (25, 50, 100)
DRAWS = 10_000


def regrets(traces: Sequence[Trace], tasks: Sequence[Task], methods: Sequence[str], at: int) -> Floats:
    """Return the mean normalised regret after so many evaluations, shape (tasks, methods); NaN where nothing ran."""
    table = np.full((len(tasks), len(methods)), np.nan)
    for row, task in enumerate(tasks):
        own = [trace for trace in traces if trace.task == task.id]
        low, high = scale(own, task)
        for column, method in enumerate(methods):
            values = [trace.best(at) for trace in own if trace.method == method]
            if values:
                table[row, column] = np.mean([(value - low) / (high - low) for value in values])
    return table


def scale(traces: Sequence[Trace], task: Task) -> tuple[float, float]:
    """Return what counts as 0 and what as 1."""
    if not traces:
        return 0.0, 1.0
    lowest = min(trace.falls[-1][1] for trace in traces)
    low = lowest if task.optimum is None else min(task.optimum, lowest)
    high = float(np.median([trace.falls[0][1] for trace in traces]))
    return low, high if high > low else low + 1.0


def ranks(table: Floats) -> Floats:
    """Return the rank of each method on each task, from 1, ties shared."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(table, axis=1))


def interval(differences: Floats, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean of paired differences, by drawing tasks."""
    drawn = np.random.default_rng(seed).integers(len(differences), size=(DRAWS, len(differences)))
    low, high = np.percentile(differences[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


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


def show(traces: Sequence[Trace], tasks: Sequence[Task], methods: Sequence[str], plot: Path | None) -> None:
    """Print the tables; tasks that a method lacks are left out, and that is said."""
    counts = {method: len({trace.seed for trace in traces if trace.method == method}) for method in methods}
    lacking = [bool(np.isnan(row).any()) for row in regrets(traces, tasks, methods, POINTS[0])]
    chosen = [task for task, lacks in zip(tasks, lacking, strict=True) if not lacks]
    print(f"\n{len(chosen)} of {len(tasks)} tasks have all methods; seeds: {counts}")
    for at in POINTS:
        table = regrets(traces, chosen, methods, at)
        placed = ranks(table)
        print(f"\nafter {at} evaluations: mean rank, mean and median normalised regret, mean seconds in ask and tell")
        for column in np.argsort(placed.mean(axis=0)):
            seconds = np.mean([trace.seconds for trace in traces if trace.method == methods[column]])
            mean, middle = table[:, column].mean(), np.median(table[:, column])
            rank = placed[:, column].mean()
            print(f"  {methods[column]:<12} {rank:5.2f}  {mean:8.4f}  {middle:8.4f}  {seconds:8.2f}")
        if at != POINTS[0]:
            _compare(table, methods)
    if plot is not None:
        _draw(traces, chosen, methods, plot)


def _compare(table: Floats, methods: Sequence[str]) -> None:
    """Print ours against each of the others: differences of rank, pair by pair, with interval and test."""
    for one in (method for method in methods if method in ("gp", "tpe", "auto")):
        own = list(methods).index(one)
        pairs = {}
        for other, name in enumerate(methods):
            if other != own:
                pair = ranks(table[:, [own, other]])
                low, high = interval(pair[:, 0] - pair[:, 1])
                wins = int((table[:, own] < table[:, other]).sum())
                pairs[name] = (wilcoxon(table[:, own] - table[:, other]), low, high, wins)
        adjusted = holm({name: pair[0] for name, pair in pairs.items()})
        for name, (_, low, high, wins) in pairs.items():
            won = f"wins {wins}/{len(table)}"
            print(f"    {one} - {name:<11} rank [{low:+.2f}, {high:+.2f}]  {won}  p {adjusted[name]:.4f}")


def _draw(traces: Sequence[Trace], tasks: Sequence[Task], methods: Sequence[str], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    steps = range(1, max(trace.evaluations for trace in traces) + 1)
    for method in methods:
        axes.plot(steps, [regrets(traces, tasks, [method], at)[:, 0].mean() for at in steps], label=method)
    axes.set(xlabel="evaluations", ylabel="mean normalised regret", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=120)
