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

from benchmarks.fidelity.comparison import MOMENTS, Line
from benchmarks.fidelity.populations import Outcome
from benchmarks.fidelity.runs import POINTS
from benchmarks.fidelity.tasks import Floats

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"
BEGIN, END = "<!-- results: python -m benchmarks.fidelity --write-docs -->", "<!-- end -->"


def machine() -> str:
    """Say where and when this was measured."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    return f"{day}, {os.cpu_count()} CPUs ({platform.machine()}), {versions}"


def table(lines: Sequence[Line]) -> str:
    """Return a table for each number of workers and each moment, in Markdown."""
    parts = []
    for workers in sorted({line.workers for line in lines}):
        for moment in MOMENTS:
            own = [line for line in lines if (line.workers, line.moment) == (workers, moment)]
            parts.append(f"{workers} worker{'s' * (workers > 1)}, {moment:.0%} of the budget:\n\n{_table(own)}")
    return "\n\n".join(parts)


def _table(lines: Sequence[Line]) -> str:
    rows = ["| method | mean rank | regret | tasks won and lost against random | p |", "|---|---|---|---|---|"]
    for line in lines:
        rank = f"{line.rank:.2f} ({line.rank_low:.2f} to {line.rank_high:.2f})"
        regret = f"{line.regret:.3f} ({line.regret_low:.3f} to {line.regret_high:.3f})"
        against = "| |" if line.method == "random" else f"| {line.wins} : {line.losses} | {line.p:.2g} |"
        rows.append(f"| {line.method} | {rank} | {regret} {against}")
    return "\n".join(rows)


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


def as_json(lines: Sequence[Line], outcomes: Sequence[Outcome], told: Mapping[str, object]) -> str:
    """Return everything that was compared."""
    results = {"schedulers": [line.plain() for line in lines], "populations": [asdict(each) for each in outcomes]}
    return json.dumps({"machine": machine(), "told": told, **results}, indent=1)


def write(text: str) -> None:
    """Put the results into the page, in place of those that are there."""
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def draw(traces: Mapping[int, Mapping[str, Floats]], target: Path) -> None:
    """Draw the mean regret of each method against the budget, a panel for each number of workers."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(traces), figsize=(4 * len(traces), 3.6), squeeze=False, sharey=True)
    share = np.arange(1, POINTS + 1) / POINTS
    for panel, (workers, of_methods) in zip(panels[0], traces.items(), strict=True):
        for name, regrets in of_methods.items():
            panel.plot(share, np.where(np.isinf(regrets), np.nan, regrets).mean(axis=(0, 1)), label=name)
        panel.set(title=f"{workers} workers", xlabel="share of the budget", yscale="log")
    panels[0][0].set_ylabel("mean normalised regret")
    panels[0][-1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(target, dpi=120)
    plt.close(figure)
