"""A chart of characters, for a terminal or a log file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from trialwright.progress import number

MARKS = "●○◆◇▲△■□"


class Series(NamedTuple):
    """Points of one line, and how it is called."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def chart(series: Sequence[Series], width: int = 72, height: int = 16) -> list[str]:
    """Return the lines of a chart of several series, with a line that tells their marks.

    Args:
        series: what is drawn; points that are not finite are left out. The first stands in front.
        width: of the whole chart, in characters.
        height: of the area of the points, in lines.
    """
    points = [_finite(each) for each in series]
    everything = [point for several in points for point in several]
    if not everything:
        return ["nothing to draw: there are no finite values"]
    (left, right), (low, high) = (_range([point[axis] for point in everything]) for axis in (0, 1))
    labels = [number(high - (high - low) * row / (height - 1)) for row in range(height)]
    margin = max(map(len, labels))
    columns = max(width - margin - 2, 10)
    cells = [[" "] * columns for _ in range(height)]
    for mark, several in reversed([*zip(_marks(len(points)), points, strict=True)]):
        for x, y in several:
            row = round((high - y) / (high - low) * (height - 1))
            cells[row][round((x - left) / (right - left) * (columns - 1))] = mark
    shown = {0, height // 2, height - 1}
    lines = [
        f"{labels[row] if row in shown else '':>{margin}} │{''.join(cells[row]).rstrip()}" for row in range(height)
    ]
    ends = number(left), number(right)
    axis = f"{'':>{margin}} └{'─' * columns}"
    under = f"{'':>{margin}}  {ends[0]}{ends[1]:>{columns - len(ends[0])}}"
    return [*lines, axis, under, *_legend(series)]


def _marks(count: int) -> list[str]:
    return [MARKS[place % len(MARKS)] for place in range(count)]


def _legend(series: Sequence[Series]) -> list[str]:
    return ["  ".join(f"{mark} {each.name}" for mark, each in zip(_marks(len(series)), series, strict=True))]


def _finite(series: Series) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(x) and math.isfinite(y)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis, which must differ."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2)
