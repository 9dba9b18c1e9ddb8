"""Draws pictures with matplotlib, which is imported when the first one is drawn: it takes up to a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from trialwright.plots.picture import (
    Axis,
    Band,
    Bars,
    Coordinate,
    Dots,
    Drawn,
    Line,
    Mark,
    Panel,
    Parallel,
    Picture,
    Spans,
    Surface,
)
from trialwright.space.values import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGEND_POINTS = 500  # of more, it takes matplotlib long to find where the legend hides none
STEPS = {"after": "steps-post", "before": "steps-pre", "": "default"}


def draw(drawn: Drawn, ax: Axes | None = None) -> Axes | Figure:
    """Draw into these axes, by default into a new figure. Return the axes; of several panels, the figure.

    Raises:
        ValueError: axes are given for several panels, or flat axes for three dimensions.
    """
    if isinstance(drawn, Parallel):
        return _parallel(ax or _new(1, 1).subplots(), drawn)
    if ax is not None:
        _check(ax, drawn)
        return _panel(ax, drawn.panels[0])
    figure = _new(drawn.rows, drawn.columns)
    for place, panel in enumerate(drawn.panels, 1):
        kind = {"projection": "3d"} if panel.z else {}
        axes = _panel(figure.add_subplot(drawn.rows, drawn.columns, place, **kind), panel)
    return axes if len(drawn.panels) == 1 else figure


def _new(rows: int, columns: int) -> Figure:
    import matplotlib.pyplot as plt  # not where axes are given: it chooses a window system for the process

    return plt.figure(figsize=(6.4, 4.8) if rows * columns == 1 else (4.2 * columns, 3.6 * rows), layout="constrained")


def _check(ax: Axes, picture: Picture) -> None:
    if len(picture.panels) > 1:
        raise ValueError(f"ax has room for one panel, not {len(picture.panels)}: do not give it")
    if picture.panels[0].z and ax.name != "3d":
        raise ValueError("three objectives need ax of figure.add_subplot(projection='3d')")


def _panel(ax: Axes, panel: Panel) -> Axes:
    for mark in panel.marks:
        _MARKS[type(mark)](ax, mark)
    ax.set(xlabel=panel.x.title, ylabel=panel.y.title)
    for name, axis in {"x": panel.x, "y": panel.y, "z": panel.z}.items():
        if axis is not None:
            _scale(ax, name, axis)
    if panel.z:
        ax.set(zlabel=panel.z.title)
    if panel.y_range != (None, None):
        ax.set_ylim(*panel.y_range)
    if panel.title or panel.note:
        ax.set_title("\n".join(filter(None, (panel.title, panel.note))), fontsize="small", loc="left")
    if panel.legend and any(ax.get_legend_handles_labels()[1]):
        many = sum(len(mark.labels) for mark in panel.marks if isinstance(mark, Dots | Spans)) > LEGEND_POINTS
        ax.legend(fontsize="small", loc="upper right" if many else "best")
    return ax


def _scale(ax: Axes, name: str, axis: Axis) -> None:
    if axis.log and name != "z":  # matplotlib has no logarithmic axes in three dimensions that are right
        getattr(ax, f"set_{name}scale")("log")
    if axis.names is not None:
        turned = {"rotation": 30, "ha": "right"} if name == "x" and sum(map(len, axis.names)) > 30 else {}
        getattr(ax, f"set_{name}ticks")(range(len(axis.names)), axis.names, **turned)


def _line(ax: Axes, line: Line) -> None:
    marker = "." if len(line.x) == 1 else None  # a line through one point cannot be seen
    width = 2.0 if line.is_best else None
    label = line.name or None
    ax.plot(line.x, line.y, label=label, marker=marker, drawstyle=STEPS[line.step], lw=width)


def _dots(ax: Axes, dots: Dots) -> None:
    places: list[Any] = [dots.x, dots.y] if dots.z is None else [dots.x, dots.y, dots.z]
    if dots.shade is None:
        faint: dict[str, Any] = {"color": "0.7", "zorder": 1} if dots.faint else {}
        ax.plot(*places, "o", alpha=0.5, markersize=4, label=dots.name or None, **faint)
    else:
        look: dict[str, Any] = {"c": dots.shade, "s": 16, "cmap": "viridis", "label": dots.name or None}
        drawn = ax.scatter(*places, **look)
        ax.figure.colorbar(drawn, ax=ax, label=dots.shade_name)


def _band(ax: Axes, band: Band) -> None:
    of = [line for line in ax.lines if line.get_label() == band.name]
    colour = of[-1].get_color() if of else None
    ax.fill_between(band.x, band.low, band.high, alpha=0.2, color=colour, lw=0, step="post" if band.step else None)


def _bars(ax: Axes, bars: Bars) -> None:
    places = range(len(bars.length))
    ax.barh(places, bars.length, alpha=0.7)
    ends = np.vstack([bars.length - bars.low, bars.high - bars.length])
    ax.errorbar(bars.length, places, xerr=ends, fmt="none", ecolor="0.2", capsize=3)
    ax.invert_yaxis()


def _surface(ax: Axes, surface: Surface) -> None:
    drawn = ax.contourf(surface.x, surface.y, np.ma.masked_invalid(surface.z), levels=12, cmap="viridis")
    ax.figure.colorbar(drawn, ax=ax, label=surface.name)


def _spans(ax: Axes, spans: Spans) -> None:
    colour = f"C{len(ax.get_legend_handles_labels()[1])}"
    for number, lane in enumerate(np.unique(spans.lane)):  # one shape a lane: a patch a trial takes ten times as long
        own = spans.lane == lane
        bars = np.column_stack([spans.begin, spans.end - spans.begin])[own].tolist()
        label = "" if number else spans.name
        ax.broken_barh(bars, (float(lane) - 0.4, 0.8), facecolors=colour, lw=0, label=label or None)


_MARKS: dict[type[Mark], Callable[[Axes, Any], None]] = {
    Line: _line,
    Dots: _dots,
    Band: _band,
    Bars: _bars,
    Surface: _surface,
    Spans: _spans,
}


def _parallel(ax: Axes, drawn: Parallel) -> Axes:
    """Draw each axis on a scale of its own. Where a trial does not have a parameter, its line has a gap."""
    from matplotlib import colormaps

    ends = [_ends(axis) for axis in drawn.axes]
    colours = colormaps["viridis_r" if drawn.mode == "min" else "viridis"]
    scaled = np.column_stack([_between(axis, *both) for axis, both in zip(drawn.axes, ends, strict=True)])
    for line in scaled:
        ax.plot(range(len(drawn.axes)), line, color=colours(line[-1]), alpha=0.7, marker=".")
    ax.set_xticks(range(len(drawn.axes)), [axis.name for axis in drawn.axes], rotation=30, ha="right")
    ax.set_yticks([])
    for place, (axis, both) in enumerate(zip(drawn.axes, ends, strict=True)):
        for height, value in zip((0.0, 1.0), both, strict=True):
            ax.annotate(axis.label(value), (place, height), fontsize="small")
    ax.set_title(drawn.note, fontsize="small", loc="left")
    return ax


def _between(axis: Coordinate, low: float, high: float) -> Floats:
    """Return positions between 0 and 1; in the middle where all are the same, which have no scale."""
    middle = np.where(np.isfinite(axis.scaled), 0.5, np.nan)
    return (axis.scaled - low) / (high - low) if high > low else middle


def _ends(axis: Coordinate) -> tuple[float, float]:
    there = axis.scaled[np.isfinite(axis.scaled)]
    return (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)
