"""Tables in Markdown, and a picture, of what a comparison found."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from trialwright.bench.statistics import MOMENTS, Line, Matrix, band
from trialwright.space.values import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def machine() -> str:
    """Say where and when this was measured."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    return f"{day}, {os.cpu_count()} CPUs ({platform.machine()}), {versions}"


def table(lines: Sequence[Line], against: str) -> str:
    """Return a table for each number of workers, in Markdown."""
    return "\n\n".join(_table(lines, workers, against) for workers in sorted({line.workers for line in lines}))


def _table(lines: Sequence[Line], workers: int, against: str) -> str:
    cells: dict[str, list[str]] = {}
    for moment in MOMENTS:
        for line in lines:
            if (line.workers, line.moment) == (workers, moment):
                cells.setdefault(line.method, []).extend(_cells(line, against))
    order = [line.method for line in lines if (line.workers, line.moment) == (workers, MOMENTS[-1])]
    head = [
        "method",
        *(f"{name}, {moment:.0%}" for moment in MOMENTS for name in ("rank", "regret", f"against {against}")),
    ]
    rows = [f"**{count(workers)}**\n", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*rows, *(f"| {method} | {' | '.join(cells[method])} |" for method in order)])


def _cells(line: Line, against: str) -> list[str]:
    rank = f"{line.rank:.1f} ({line.rank_low:.1f} to {line.rank_high:.1f})"
    regret = f"{line.regret:.3f} ({line.regret_low:.3f} to {line.regret_high:.3f})"
    return [rank, regret, "" if line.method == against else f"{line.wins} : {line.losses}, p = {line.p:.1g}"]


def pairwise(found: Matrix) -> str:
    """Return the table of all pairs."""
    head = [f"tasks with less regret than, {found.moment:.0%}, {count(found.workers)}", *found.methods]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    rows += [
        f"| {name} | {' | '.join('' if i == j else str(won) for j, won in enumerate(wins))} |"
        for i, (name, wins) in enumerate(zip(found.methods, found.wins, strict=True))
    ]
    return "\n".join(rows)


def count(workers: int) -> str:
    """Say how many workers there are."""
    return f"{workers} worker{'s' * (workers > 1)}"


def figure(traces: Mapping[int, Mapping[str, Floats]], xlabel: str, x: Floats) -> Figure:
    """Draw the mean regret of each method, and the band of its 95 % bootstrap interval over tasks; a panel for each
    number of workers.

    Args:
        traces: regrets of shape (tasks, seeds, points), by number of workers and method.
        xlabel: what ``x`` is.
        x: of each point.
    """
    try:
        from matplotlib.figure import Figure  # not pyplot, which chooses a window system for the process
    except ImportError as error:
        raise ImportError("the picture needs matplotlib: pip install 'trialwright[bench]'") from error

    rows, columns = (len(traces) + 1) // 2, min(2, len(traces))
    made = Figure(figsize=(4.5 * max(columns, 1.4), 3.2 * rows + 0.6))
    panels = made.subplots(rows, columns, squeeze=False, sharey=True)
    for panel, (workers, of_methods) in zip(panels.flat, traces.items(), strict=False):
        for name, regrets in of_methods.items():
            means = np.where(np.isinf(regrets), np.nan, regrets).mean(axis=1)  # (tasks, points)
            [line] = panel.plot(x, means.mean(axis=0), label=name)
            low, high = band(means)
            panel.fill_between(x, np.maximum(low, means.mean(axis=0) / 100), high, color=line.get_color(), alpha=0.15)
        panel.set(title=count(workers), xlabel=xlabel, ylabel="mean regret", yscale="log")
    made.tight_layout(rect=(0, 0.5 / made.get_figheight(), 1, 1))
    made.legend(*panels[0][0].get_legend_handles_labels(), loc="lower center", ncols=5, fontsize=8, frameon=False)
    return made
