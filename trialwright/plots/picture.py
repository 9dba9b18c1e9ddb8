"""What is drawn, as values: a picture has panels, a panel has axes and marks. Both backends draw the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from trialwright.space.values import Floats


@dataclass(frozen=True)
class Axis:
    """An axis: its title, whether it is logarithmic, and, for places 0, 1, ... that have names, these."""

    title: str
    log: bool = False
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Line:
    """A line through points, all of shape (n,); NaN is a gap.

    ``step`` makes a staircase: "after" changes at each point, "before" after it.
    """

    x: Floats
    y: Floats
    name: str = ""
    step: str = ""
    is_best: bool = False  # to be seen among many lines


@dataclass(frozen=True)
class Dots:
    """Points, shape (n,), each with what it is called. ``shade``, shape (n,), is a number that its colour shows, and
    ``shade_name`` what that is; ``faint`` dots are in the background."""

    x: Floats
    y: Floats
    labels: tuple[str, ...] = ()
    name: str = ""
    shade: Floats | None = None
    shade_name: str = ""
    faint: bool = False
    z: Floats | None = None  # of a panel with three axes


@dataclass(frozen=True)
class Band:
    """The area between two lines, shape (n,) each; it belongs to the line of this name."""

    x: Floats
    low: Floats
    high: Floats
    name: str = ""
    step: bool = False


@dataclass(frozen=True)
class Bars:
    """Horizontal bars of these lengths, each with an interval, at the places 0, 1, ...; the first is on top."""

    length: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Surface:
    """A number ``z``, shape (m, n), at each of n places x and m places y, as coloured contours; NaN is a hole."""

    x: Floats
    y: Floats
    z: Floats
    name: str


@dataclass(frozen=True)
class Spans:
    """Bars from ``begin`` to ``end`` in the lane y, shape (n,) each: of one kind, which has one colour."""

    begin: Floats
    end: Floats
    lane: Floats
    name: str
    labels: tuple[str, ...] = ()


Mark: TypeAlias = Line | Dots | Band | Bars | Surface | Spans


@dataclass(frozen=True)
class Panel:
    """Axes and what is drawn into them. ``note`` says what is not shown. With ``z`` it is in three dimensions.
    ``y_range`` has the ends of the vertical axis, where they are not those of the marks."""

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    title: str = ""
    note: str = ""
    z: Axis | None = None
    y_range: tuple[float | None, float | None] = (None, None)
    legend: bool = True


@dataclass(frozen=True)
class Picture:
    """Panels, side by side, at most three in a row."""

    panels: tuple[Panel, ...]

    @property
    def columns(self) -> int:
        """How many panels are in a row."""
        return min(len(self.panels), 3)

    @property
    def rows(self) -> int:
        """How many rows of panels there are."""
        return -(-len(self.panels) // self.columns)


@dataclass(frozen=True)
class Coordinate:
    """One axis of parallel coordinates: a place for each trial, NaN where it has none, and names for places."""

    name: str
    positions: Floats
    names: tuple[str, ...] | None = None
    log: bool = False

    @property
    def scaled(self) -> Floats:
        """The positions as they are drawn: on a logarithmic axis as powers of ten."""
        return np.log10(self.positions) if self.log else self.positions

    def label(self, scaled: float) -> str:
        """Say what is at a place of the axis as it is drawn."""
        if self.names is not None:
            return self.names[int(scaled)]
        return f"{10**scaled if self.log else scaled:.4g}"


@dataclass(frozen=True)
class Parallel:
    """Parallel coordinates: a line for each trial across all axes, the last of which is its colour."""

    axes: tuple[Coordinate, ...]
    mode: str
    labels: tuple[str, ...] = ()
    note: str = ""


Drawn: TypeAlias = Picture | Parallel
