"""Plots as matplotlib draws them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trialwright.plots.data import Axis, Curve, History, Survival

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _new(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def learning_curves(curves: list[Curve], metric: str, x: str, ax: Axes | None) -> Axes:
    """One line a trial."""
    ax = _new(ax)
    for curve in curves:
        ax.plot(curve.x, curve.y, label=f"trial {curve.trial}", marker="." if len(curve.x) == 1 else None)
    ax.set(xlabel=x, ylabel=metric)
    return ax


def optimization_history(history: History, metric: str, ax: Axes | None) -> Axes:
    """A dot a trial, and a staircase for the best."""
    ax = _new(ax)
    order = range(1, len(history.trials) + 1)
    ax.plot(order, history.values, "o", alpha=0.5, label="trials")
    if history.best:
        ax.step(order, history.best, where="post", label="best so far")
    ax.set(xlabel="trials ended", ylabel=metric)
    ax.legend()
    return ax


def parallel_coordinates(axes: list[Axis], mode: str, ax: Axes | None) -> Axes:
    """A line a trial across all axes, each of its own scale; the colour is the metric. Where a trial does not have a
    parameter, its line has a gap."""
    from matplotlib import colormaps

    ax = _new(ax)
    scaled = [_scaled(axis) for axis in axes]
    colours = colormaps["viridis_r" if mode == "min" else "viridis"]
    for line in zip(*scaled, strict=True):
        ax.plot(range(len(axes)), line, color=colours(line[-1]), alpha=0.7, marker=".")
    ax.set_xticks(range(len(axes)), [axis.name for axis in axes], rotation=30, ha="right")
    ax.set_yticks([])
    for place, axis in enumerate(axes):
        for height, value in zip((0.0, 1.0), _ends(axis), strict=True):
            ax.annotate(axis.label(value), (place, height), fontsize="small")
    return ax


def rung_survival(survival: Survival, x: str, ax: Axes | None) -> Axes:
    """A staircase down."""
    ax = _new(ax)
    ax.step(survival.x, survival.count, where="pre")
    ax.set(xlabel=x, ylabel="trials that came so far", ylim=(0, None))
    return ax


def _scaled(axis: Axis) -> list[float]:
    low, high = _ends(axis)
    return [(value - low) / (high - low) if high > low else 0.5 for value in axis.scaled]


def _ends(axis: Axis) -> tuple[float, float]:
    there = list(filter(math.isfinite, axis.scaled))
    return min(there, default=0.0), max(there, default=0.0)
