"""The rows of the table: what each is, what was promised, and what the figures say about it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Row:
    """A promise: the figure is to be ``>=`` or ``<=`` the goal, and so many times the peer's, where that was said."""

    name: str
    what: str
    unit: str
    op: Literal[">=", "<="]
    goal: float
    peer: str = ""
    ratio: float | None = None


ROWS = (
    Row("trials", "no-op trials on Ray, random search, 50,000", "/s", ">=", 8_000, "Ray Tune", 150),
    Row("trials, local", "the same in `local`", "/s", ">=", 10_000, "Optuna, in memory", 4),
    Row("million", "a million no-op trials in `processes`, until the result is there", "s", "<=", 125),
    Row("asha", "ASHA on Ray, up to 4 reports a trial, 10,000", "/s", ">=", 3_000, "Ray Tune", 100),
    Row("results", "two trials that report 500,000 times each, on Ray", "/s", ">=", 250_000, "Ray Tune", 400),
    Row("verdicts", "two trials, a verdict of the median rule a report, on Ray", "/s", ">=", 8_000, "Ray Tune", 16),
    Row("latency, p50", "`report()` to its verdict, one trial", "ms", "<=", 0.15),
    Row("latency, p99", "the same, of the slowest of 100", "ms", "<=", 1.0),
    Row("growth", "driver's CPU a trial, 50,000th to 100,000th over 1,000th to 2,000th", "x", "<=", 1.2),
    Row("memory", "driver's memory a finished trial, of 100,000, with the result", "bytes", "<=", 1_200),
    Row("journal", "on disk, a trial of 3 parameters and 4 results of 2 metrics", "bytes", "<=", 700),
    Row("load", "`load` of 20,000 such trials", "s", "<=", 1.0),
    Row("resume", "resume of a finished run of 100,000 such trials", "s", "<=", 5.0),
    Row("useful", "slots' time that 400 trials of 0.1 s get", "%", ">=", 97, "Ray Tune"),
    Row("start, processes", "from `run()` to the first result", "s", "<=", 0.5),
    Row("start, ray", "the same on Ray: beyond its own start and a task", "s", "<=", 1.0, "Ray alone"),
    Row("import", "`import trialwright`", "s", "<=", 0.15),
)


@dataclass(frozen=True)
class Measured:
    """What was measured of a row, run by run; ``peer`` is empty where there is none."""

    row: Row
    ours: Sequence[float]
    peer: Sequence[float] = ()

    @property
    def median(self) -> float:
        """Of our runs."""
        return statistics.median(self.ours)

    @property
    def beside(self) -> float | None:
        """How many times the peer's median ours is, or, of times, the difference."""
        if not self.peer:
            return None
        peer = statistics.median(self.peer)
        return self.median / peer if self.row.op == ">=" else self.median - peer

    @property
    def is_kept(self) -> bool:
        """It is what was promised, beside the peer too where that was said; of a start, what is beyond the peer's."""
        value = self.beside if self.row.name == "start, ray" and self.beside is not None else self.median
        fits = value >= self.row.goal if self.row.op == ">=" else value <= self.row.goal
        return fits and (self.row.ratio is None or self.beside is None or self.beside >= self.row.ratio)


def table(measured: Sequence[Measured]) -> str:
    """Return the table in Markdown."""
    head = ["", "what", "measured", "goal", "compared with", "goal", ""]
    lines = [head, ["---"] * len(head), *map(_cells, measured)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(measured: Measured) -> list[str]:
    row, beside = measured.row, ""
    if measured.peer:
        ratio = f"{measured.beside:.3g} times" if row.op == ">=" else f"{measured.beside:+.2f} {row.unit}"
        beside = f"{ratio} {row.peer} ({number(statistics.median(measured.peer), row.unit)})"
    spread = f" ({number(min(measured.ours))} to {number(max(measured.ours))})" if len(measured.ours) > 1 else ""
    promised = f"{'at least' if row.op == '>=' else 'at most'} {number(row.goal, row.unit)}"
    ratio = "" if row.ratio is None else f"{row.ratio:g} times"
    kept = "reached" if measured.is_kept else "**not reached**"
    return [row.name, row.what, number(measured.median, row.unit) + spread, promised, beside, ratio, kept]


def number(value: float, unit: str = "") -> str:
    """Write a number with its unit."""
    # Four digits of a percentage: one that misses its goal by 0.01 must not read like the goal.
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}" if unit == "%" else f"{value:.3g}"
    return f"{text}{'' if unit in ('', '/s', '%', 'x') else ' '}{unit}"
