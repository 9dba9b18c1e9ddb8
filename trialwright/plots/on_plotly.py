"""Plots as plotly draws them."""

from __future__ import annotations

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
    return _figure([dots, best], "trials ended", metric)


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
    named = {} if axis.names is None else {"tickvals": list(range(len(axis.names))), "ticktext": axis.names}
    return {"label": axis.name, "values": axis.positions, **named}
