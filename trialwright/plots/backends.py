"""How plots are drawn: a class for each backend, matplotlib and plotly, with the same four methods.

Either package is imported when the first plot is drawn: both are extras, and take up to a second.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trialwright.plots.data import Axis, Curve, History, Survival

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from plotly.graph_objects import Figure

STANDING = "trials that came so far"


class Matplotlib:
    """Draws into these axes; by default into those of a new figure."""

    def __init__(self, ax: Axes | None = None) -> None:
        if ax is None:
            import matplotlib.pyplot as plt  # not where axes are given: it chooses a window system for the process

            ax = plt.subplots()[1]
        self._ax = ax

    def learning_curves(self, curves: list[Curve], metric: str, x: str) -> Axes:
        """One line a trial."""
        for curve in curves:
            marker = "." if len(curve.x) == 1 else None  # a line through one point cannot be seen
            self._ax.plot(curve.x, curve.y, label=f"trial {curve.trial}", marker=marker)
        self._ax.set(xlabel=x, ylabel=metric)
        return self._ax

    def optimization_history(self, history: History, metric: str) -> Axes:
        """A dot a trial, and a staircase for the best."""
        order = range(1, len(history.trials) + 1)
        self._ax.plot(order, history.values, "o", alpha=0.5, label="trials")
        if history.best:
            self._ax.step(order, history.best, where="post", label="best so far")
        self._ax.set(xlabel="trials ended", ylabel=metric)
        self._ax.legend()
        return self._ax

    def parallel_coordinates(self, axes: list[Axis], mode: str) -> Axes:
        """A line a trial across all axes, each of its own scale; the colour is the metric. Where a trial does not have
        a parameter, its line has a gap."""
        from matplotlib import colormaps

        ends = [_ends(axis) for axis in axes]
        colours = colormaps["viridis_r" if mode == "min" else "viridis"]
        for line in zip(*[_scaled(axis, *both) for axis, both in zip(axes, ends, strict=True)], strict=True):
            self._ax.plot(range(len(axes)), line, color=colours(line[-1]), alpha=0.7, marker=".")
        self._ax.set_xticks(range(len(axes)), [axis.name for axis in axes], rotation=30, ha="right")
        self._ax.set_yticks([])
        for place, (axis, both) in enumerate(zip(axes, ends, strict=True)):
            for height, value in zip((0.0, 1.0), both, strict=True):
                self._ax.annotate(axis.label(value), (place, height), fontsize="small")
        return self._ax

    def rung_survival(self, survival: Survival, x: str) -> Axes:
        """A staircase down."""
        self._ax.step(survival.x, survival.count, where="pre")
        self._ax.set(xlabel=x, ylabel=STANDING, ylim=(0, None))
        return self._ax


def _scaled(axis: Axis, low: float, high: float) -> list[float]:
    """Return positions between 0 and 1; in the middle where all are the same, which have no scale."""
    return [(value - low) / (high - low) if high > low else 0.5 for value in axis.scaled]


def _ends(axis: Axis) -> tuple[float, float]:
    there = list(filter(math.isfinite, axis.scaled))
    return min(there, default=0.0), max(there, default=0.0)


class Plotly:
    """Draws figures of plotly's."""

    def __init__(self) -> None:
        import plotly.graph_objects as go

        self._go = go

    def learning_curves(self, curves: list[Curve], metric: str, x: str) -> Figure:
        """One line a trial."""
        return self._figure(
            [self._go.Scatter(x=curve.x, y=curve.y, name=f"trial {curve.trial}") for curve in curves], x, metric
        )

    def optimization_history(self, history: History, metric: str) -> Figure:
        """A dot a trial, and a staircase for the best."""
        order, names = list(range(1, len(history.trials) + 1)), [f"trial {trial}" for trial in history.trials]
        dots = self._go.Scatter(x=order, y=history.values, mode="markers", name="trials", text=names)
        best = self._go.Scatter(x=order, y=history.best, line={"shape": "hv"}, name="best so far")
        return self._figure([dots, best] if history.best else [dots], "trials ended", metric)

    def parallel_coordinates(self, axes: list[Axis], mode: str) -> Figure:
        """A line a trial across all axes; the colour is the metric."""
        line = {"color": axes[-1].positions, "colorscale": "Viridis", "reversescale": mode == "min", "showscale": True}
        return self._figure([self._go.Parcoords(line=line, dimensions=[_dimension(axis) for axis in axes])])

    def rung_survival(self, survival: Survival, x: str) -> Figure:
        """A staircase down."""
        return self._figure([self._go.Scatter(x=survival.x, y=survival.count, line={"shape": "vh"})], x, STANDING)

    def _figure(self, traces: list[Any], x: str = "", y: str = "") -> Figure:
        return self._go.Figure(traces, layout={"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}})


def _dimension(axis: Axis) -> dict[str, Any]:
    """Return an axis of parallel coordinates. Each value has to be a finite number there: what a trial does not have
    stands below the others, at ``none``."""
    values = axis.scaled
    there = sorted(set(filter(math.isfinite, values)))
    is_whole = len(there) == len(set(values))
    if is_whole and axis.names is None and not axis.log:
        return {"label": axis.name, "values": values}
    ticks = _ticks(axis, there)
    if not is_whole:
        below = there[0] - ((there[-1] - there[0]) or 1.0) / 10
        values = [value if math.isfinite(value) else below for value in values]
        ticks = {below: "none", **ticks}
    return {"label": axis.name, "values": values, "tickvals": list(ticks), "ticktext": list(ticks.values())}


def _ticks(axis: Axis, there: list[float]) -> dict[float, str]:
    """Return places on an axis, and what they are called: names, powers of ten, or five numbers."""
    if axis.names is not None:
        return {float(place): name for place, name in enumerate(axis.names)}
    low, high = there[0], there[-1]
    powers = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
    if not axis.log or len(powers) < 2:
        powers = [low + (high - low) * part / 4 for part in range(5)]
    return {place: axis.label(place) for place in powers}
