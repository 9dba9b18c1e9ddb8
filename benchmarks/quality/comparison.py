"""Comparisons: regrets, ranks, intervals and tests, of traces.

Regret is normalised task by task: 0 is the optimum where it is known, else the best value in any trace; 1 is the median
of all first values. What is compared is the mean over the seeds of a task; tasks are what is drawn in the bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.quality.base import Task
from benchmarks.quality.traces import POINTS
from trialwright.bench.searches import Trace, scale
from trialwright.bench.statistics import holm, interval, ranks, wilcoxon
from trialwright.space.values import Floats

DEFENDED = ("gp", "tpe", "auto", "gp-from-sobol")  # each is set against all others


@dataclass(frozen=True)
class Standing:
    """One method among the others: its mean rank, and the mean and median over tasks of what was compared."""

    method: str
    rank: float
    mean: float
    median: float


@dataclass(frozen=True)
class Duel:
    """Two methods: the mean difference of their ranks (below 0: the first is better), its 95 % bootstrap interval, how
    many tasks the first won and lost, and Holm's p of the signed-rank test of what was compared."""

    one: str
    other: str
    difference: float
    low: float
    high: float
    wins: int
    losses: int
    p: float


@dataclass(frozen=True)
class Result:
    """A table in short: what its numbers are, of how many tasks, and who stands where, the best first."""

    what: str
    at: int
    tasks: int
    standings: list[Standing]
    duels: list[Duel]


def compare(traces: Sequence[Trace], tasks: Sequence[Task], methods: Sequence[str]) -> list[Result]:
    """Return the results of normalised regret, for all tasks that every method has done, and for each family; and, of
    tasks with noise, the regret of what each method recommends."""
    done = complete(traces, tasks, methods)
    groups = {"regret": done} | {family: [t for t in done if t.family == family] for family in _families(done)}
    found = [
        result(what, at, regrets(traces, group, methods, at), methods)
        for what, group in groups.items()
        for at in POINTS
        if group
    ]
    noisy = complete([trace for trace in traces if trace.recommended], done, methods)
    tables = {at: regrets(traces, noisy, methods, at, Trace.final) for at in POINTS if noisy}
    return [*found, *(result("recommended", at, table, methods) for at, table in tables.items())]


def compare_parallel(
    traces: Sequence[Trace], tasks: Sequence[Task], methods: Sequence[str], batch: int
) -> list[Result]:
    """Return the results of what is lost by asking for ``batch`` at a time: regret less the regret of one by one, on
    one scale; and of the regret itself.

    Args:
        traces: those made one by one too.
        tasks: what counts are those that every method has done both ways.
        methods: whom to compare.
        batch: how many were asked for at a time.
    """
    wide = {method: f"{method} x{batch}" for method in methods}
    named = [replace(trace, method=wide[trace.method]) if trace.batch == batch else trace for trace in traces]
    both = [*wide.values(), *methods]
    done, found = complete(named, tasks, both), []
    for at in POINTS if done else ():
        together, alone = np.hsplit(regrets(named, done, both, at), 2)
        found += [result("regret", at, together, methods), result("loss", at, together - alone, methods)]
    return found


def complete(traces: Sequence[Trace], tasks: Sequence[Task], methods: Sequence[str]) -> list[Task]:
    """Return the tasks that every method has done."""
    done = {(trace.task, trace.method) for trace in traces}
    return [task for task in tasks if all((task.name, method) in done for method in methods)]


def result(what: str, at: int, table: Floats, methods: Sequence[str]) -> Result:
    """Rank the columns of a table of numbers, smaller is better, shape (tasks, methods)."""
    placed = ranks(table)
    means, medians = table.mean(axis=0), np.median(table, axis=0)
    standings = [
        Standing(methods[column], *map(float, (placed[:, column].mean(), means[column], medians[column])))
        for column in np.argsort(placed.mean(axis=0), kind="stable")
    ]
    defended = [method for method in methods if method in DEFENDED]
    return Result(what, at, len(table), standings, [duel for one in defended for duel in duels(table, methods, one)])


def duels(table: Floats, methods: Sequence[str], one: str) -> list[Duel]:
    """Set one method against each of the others."""
    own, placed = list(methods).index(one), ranks(table)
    others = {name: column for column, name in enumerate(methods) if column != own}
    adjusted = holm({name: wilcoxon(table[:, own] - table[:, column]) for name, column in others.items()})
    found = []
    for name, column in others.items():
        steps = placed[:, own] - placed[:, column]
        wins, losses = int((steps < 0).sum()), int((steps > 0).sum())
        found.append(Duel(one, name, float(steps.mean()), *interval(steps), wins, losses, adjusted[name]))
    return found


def regrets(
    traces: Sequence[Trace],
    tasks: Sequence[Task],
    methods: Sequence[str],
    at: int,
    value: Callable[[Trace, int], float] = Trace.best,
) -> Floats:
    """Return the mean normalised regret after so many evaluations, shape (tasks, methods); NaN where nothing ran. It is
    that of the best ever tried, or of another value of the traces."""
    table = np.full((len(tasks), len(methods)), np.nan)
    for row, task in enumerate(tasks):
        own = [trace for trace in traces if trace.task == task.name]
        low, high = scale(own, task.optimum)
        for column, method in enumerate(methods):
            values = [value(trace, at) for trace in own if trace.method == method]
            if values:
                table[row, column] = (np.mean(values) - low) / (high - low)
    return table.round(12)  # so that the last bit of a sum breaks no tie


def _families(tasks: Sequence[Task]) -> list[str]:
    return list(dict.fromkeys(task.family for task in tasks))
