"""Draws pictures with plotly, which is imported when the first one is drawn: it takes up to a second."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

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
    Spans,
    Surface,
)
from trialwright.space.values import Floats

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

STEPS = {"after": "hv", "before": "vh", "": "linear"}
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")

Trace: TypeAlias = dict[str, Any]  # as plotly's JSON has it


def draw(drawn: Drawn) -> Figure:
    """Draw a new figure."""
    import plotly.graph_objects as go

    if isinstance(drawn, Parallel):
        return go.Figure([_parallel(drawn)], layout={"title": _small(drawn.note)})
    figure = go.Figure()
    if len(drawn.panels) > 1:
        from plotly.subplots import make_subplots

        titles = ["<br>".join(filter(None, (panel.title, panel.note))) for panel in drawn.panels]
        figure = make_subplots(drawn.rows, drawn.columns, subplot_titles=titles)
        figure.update_annotations(font_size=12)
        figure.update_layout(height=120 + 280 * drawn.rows)
    for place, panel in enumerate(drawn.panels):
        _panel(figure, panel, place, drawn.columns if len(drawn.panels) > 1 else 0)
    return figure


def _panel(figure: Figure, panel: Panel, place: int, columns: int) -> None:
    where = {"row": place // columns + 1, "col": place % columns + 1} if columns else {}
    for number, mark in enumerate(panel.marks):
        for trace in _MARKS[type(mark)](mark, COLOURS[number % len(COLOURS)]):
            figure.add_trace(trace, **where)
    _place_colour_bars(figure, where, place)
    if panel.z:
        axes = {"xaxis": panel.x, "yaxis": panel.y, "zaxis": panel.z}
        figure.update_layout(scene={name: _axis(axis) for name, axis in axes.items()})
    else:
        upside_down = any(isinstance(mark, Bars) for mark in panel.marks)
        figure.update_xaxes(_axis(panel.x), **where)
        figure.update_yaxes(_axis(panel.y) | ({"autorange": "reversed"} if upside_down else {}), **where)
    if panel.y_range != (None, None):
        figure.update_yaxes(range=[*panel.y_range], **where)
    if not columns:
        title = "<br>".join(filter(None, (panel.title, panel.note)))
        figure.update_layout(showlegend=panel.legend, barmode="overlay", title=_small(title))
    else:
        figure.update_layout(showlegend=False)


def _place_colour_bars(figure: Figure, where: dict[str, int], place: int) -> None:
    """Show the colours once: in several panels, the bars would lie on one another."""
    if where and place:
        figure.update_traces(selector={"type": "scatter"}, marker_showscale=False, **where)
        figure.update_traces(selector={"type": "contour"}, showscale=False, **where)


def _axis(axis: Axis) -> dict[str, Any]:
    shown: dict[str, Any] = {"title": {"text": axis.title}, "type": "log" if axis.log else "linear"}
    if axis.names is not None:
        shown |= {"tickvals": [*range(len(axis.names))], "ticktext": [*axis.names]}
    return shown


def _small(title: str) -> dict[str, Any]:
    return {"text": title, "font": {"size": 12}}


def _line(line: Line, colour: str) -> Iterator[Trace]:
    yield {
        "type": "scatter",
        "x": line.x,
        "y": line.y,
        "name": line.name,
        "showlegend": bool(line.name),
        "mode": "lines" if len(line.x) > 1 else "markers",
        "line": {"shape": STEPS[line.step], "width": 3 if line.is_best else 1.5, "color": colour},
    }


def _dots(dots: Dots, colour: str) -> Iterator[Trace]:
    marker: dict[str, Any] = {
        "size": 6 if dots.z is None else 3,
        "color": "#bbbbbb" if dots.faint else colour,
        "opacity": 0.7,
    }
    if dots.shade is not None:
        bar = {"title": {"text": dots.shade_name}}
        marker |= {"color": dots.shade, "colorscale": "Viridis", "showscale": True, "colorbar": bar}
    place = {"type": "scatter"} if dots.z is None else {"type": "scatter3d", "z": dots.z}
    named = {"showlegend": bool(dots.name)}
    yield {
        **place,
        "x": dots.x,
        "y": dots.y,
        "mode": "markers",
        "marker": marker,
        "name": dots.name,
        **named,
        **_text(dots),
    }


def _text(mark: Dots | Spans) -> Trace:
    return {"hovertext": [*mark.labels]} if mark.labels else {}


def _band(band: Band, _: str) -> Iterator[Trace]:
    line = {"width": 0, "shape": "hv" if band.step else "linear"}
    shared = {"type": "scatter", "x": band.x, "mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip"}
    yield {**shared, "y": band.low, "name": f"{band.name}, low"}
    yield {**shared, "y": band.high, "name": f"{band.name}, high", "fill": "tonexty", "fillcolor": "rgba(90,90,90,0.2)"}


def _bars(bars: Bars, colour: str) -> Iterator[Trace]:
    above, below = bars.high - bars.length, bars.length - bars.low
    error = {"type": "data", "symmetric": False, "array": above, "arrayminus": below}
    shared = {"type": "bar", "orientation": "h", "marker": {"color": colour}}
    yield {**shared, "x": bars.length, "y": np.arange(len(bars.length)), "error_x": error}


def _surface(surface: Surface, _: str) -> Iterator[Trace]:
    bar = {"title": {"text": surface.name}}
    places = {"x": surface.x, "y": surface.y, "z": surface.z}
    yield {"type": "contour", **places, "colorscale": "Viridis", "colorbar": bar, "name": surface.name}


def _spans(spans: Spans, colour: str) -> Iterator[Trace]:
    long = spans.end - spans.begin
    shared = {"type": "bar", "orientation": "h", "marker": {"color": colour}, "name": spans.name}
    yield {**shared, "x": long, "base": spans.begin, "y": spans.lane} | _text(spans)


_MARKS: dict[type[Mark], Callable[[Any, str], Iterator[Trace]]] = {
    Line: _line,
    Dots: _dots,
    Band: _band,
    Bars: _bars,
    Surface: _surface,
    Spans: _spans,
}


def _parallel(drawn: Parallel) -> Trace:
    line = {
        "color": drawn.axes[-1].positions,
        "colorscale": "Viridis",
        "reversescale": drawn.mode == "min",
        "showscale": True,
    }
    return {"type": "parcoords", "line": line, "dimensions": [_dimension(axis) for axis in drawn.axes]}


def _dimension(axis: Coordinate) -> dict[str, Any]:
    """Return an axis of parallel coordinates. Each value has to be a finite number there: what a trial does not have
    is below the others, at ``none``."""
    values: Floats = axis.scaled
    there = np.unique(values[np.isfinite(values)])
    is_whole = bool(np.isfinite(values).all())
    if is_whole and axis.names is None and not axis.log:
        return {"label": axis.name, "values": values}
    ticks = _ticks(axis, there)
    if not is_whole:
        below = float(there[0] - ((there[-1] - there[0]) or 1.0) / 10)
        values = np.where(np.isfinite(values), values, below)
        ticks = {below: "none", **ticks}
    return {"label": axis.name, "values": values, "tickvals": list(ticks), "ticktext": list(ticks.values())}


def _ticks(axis: Coordinate, there: Floats) -> dict[float, str]:
    """Return places on an axis, and what they are called: names, powers of ten, or five numbers."""
    if axis.names is not None:
        return {float(place): name for place, name in enumerate(axis.names)}
    low, high = float(there[0]), float(there[-1])
    powers = [float(power) for power in range(math.ceil(low), math.floor(high) + 1)]
    if not axis.log or len(powers) < 2:
        powers = [low + (high - low) * part / 4 for part in range(5)]
    return {place: axis.label(place) for place in powers}
