"""Plots as plotly draws them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trialwright.plots.data import Axis, Curve, History, Survival

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def _figure(traces: list[Any], x: str = "", y: str = "") -> Figure:
    import plotly.graph_objects as go

    return go.Figure(traces, layout={"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}})


def learning_curves(curves: list[Curve], metric: str, x: str) -> Figure:
    """One line a trial."""
    import plotly.graph_objects as go

    return _figure([go.Scatter(x=curve.x, y=curve.y, name=f"trial {curve.trial}") for curve in curves], x, metric)


def optimization_history(history: History, metric: str) -> Figure:
    """A dot a trial, and a staircase for the best."""
    import plotly.graph_objects as go

    order, names = list(range(1, len(history.trials) + 1)), [f"trial {trial}" for trial in history.trials]
    dots = go.Scatter(x=order, y=history.values, mode="markers", name="trials", text=names)
    best = go.Scatter(x=order, y=history.best, line={"shape": "hv"}, name="best so far")
    return _figure([dots, best] if history.best else [dots], "trials ended", metric)


def parallel_coordinates(axes: list[Axis], mode: str) -> Figure:
    """A line a trial across all axes; the colour is the metric."""
    import plotly.graph_objects as go

    line = {"color": axes[-1].positions, "colorscale": "Viridis", "reversescale": mode == "min", "showscale": True}
    return _figure([go.Parcoords(line=line, dimensions=[_dimension(axis) for axis in axes])])


def rung_survival(survival: Survival, x: str) -> Figure:
    """A staircase down."""
    import plotly.graph_objects as go

    return _figure([go.Scatter(x=survival.x, y=survival.count, line={"shape": "vh"})], x, "trials that came so far")


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
