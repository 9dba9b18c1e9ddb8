"""Reports: tables for people, JSON for programs, a picture, and the page ``docs/fidelity.md``."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.fidelity.comparison import MOMENTS, Line, Matrix
from benchmarks.fidelity.populations import Duel, Outcome
from benchmarks.fidelity.runs import POINTS
from benchmarks.fidelity.tasks import Floats

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"
END = "<!-- end -->"  # of what is written into the page; "<!-- NAME: ..." is its beginning


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


def populations(outcomes: Sequence[Outcome]) -> str:
    """Return the table of PBT on fixed dynamics."""
    head = ["dynamics", "method", "score", "random search", "best constant"]
    head += ["seeds better than random", "p", "than constant", "p"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    rows += [
        f"| {o.dynamics} | {o.method} | {o.score:.4g} ({o.low:.4g} to {o.high:.4g}) | {o.random:.4g} "
        f"| {o.constant:.4g} | {o.wins_random} | {o.p_random:.1g} | {o.wins_constant} | {o.p_constant:.1g} |"
        for o in outcomes
    ]
    return "\n".join(rows)


def duels(found: Sequence[Duel]) -> str:
    """Return the table of PB2 against PBT, with few members."""
    head = ["dynamics, 4 members", "PB2", "PBT", "seeds better : worse", "p"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for each in found:
        cells = [f"{mean:.4g} ({low:.4g} to {high:.4g})" for mean, low, high in (each.pb2, each.pbt)]
        rows.append(f"| {each.dynamics} | {' | '.join(cells)} | {each.better} : {each.worse} | {each.p:.1g} |")
    return "\n".join(rows)


def as_json(
    lines: Sequence[Line], outcomes: Sequence[Outcome], duels: Sequence[Duel], told: Mapping[str, object]
) -> str:
    """Return everything that was compared."""
    results = {
        "schedulers": [line.plain() for line in lines],
        "populations": [asdict(each) for each in outcomes],
        "few members": [asdict(each) for each in duels],
    }
    return json.dumps({"machine": machine(), "told": told, **results}, indent=1)


def write(text: str, part: str) -> None:
    """Put results into a part of the page, in place of those that are there."""
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(f"<!-- {part}: ")
    told, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{begin}{told.partition('-->')[0]}-->\n\n{text}\n\n{END}{after}", encoding="utf-8")


def draw(traces: Mapping[int, Mapping[str, Floats]], target: Path) -> None:
    """Draw the mean regret of each method against the budget, a panel for each number of workers."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = (len(traces) + 1) // 2
    figure, panels = plt.subplots(rows, min(2, len(traces)), figsize=(9, 3.2 * rows + 0.6), squeeze=False, sharey=True)
    share = np.arange(1, POINTS + 1) / POINTS
    for panel, (workers, of_methods) in zip(panels.flat, traces.items(), strict=False):
        for name, regrets in of_methods.items():
            panel.plot(share, np.where(np.isinf(regrets), np.nan, regrets).mean(axis=(0, 1)), label=name)
        panel.set(title=count(workers), xlabel="share of the budget", ylabel="mean regret", yscale="log")
    figure.tight_layout(rect=(0, 0.5 / figure.get_figheight(), 1, 1))
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="lower center", ncols=5, fontsize=8, frameon=False)
    figure.savefig(target, dpi=100)
    plt.close(figure)
