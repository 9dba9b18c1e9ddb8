"""Plots of a result, by matplotlib or plotly: ``result.plot.learning_curves().figure.savefig("curves.png")``.

Each is a function of this package, which takes a ``trialwright.Result`` (of a run, or loaded) or what ``tune`` returns,
and a method of ``result.plot``. It returns what it drew: matplotlib's ``Axes``, its ``Figure`` if there are several
panels, or plotly's ``Figure``. Both are extras: ``pip install 'trialwright[plots]'``.
"""

from __future__ import annotations

from trialwright.plots.model import model
from trialwright.plots.outcomes import comparison, edf, pareto_front
from trialwright.plots.over_time import (
    hypervolume_history,
    learning_curves,
    optimization_history,
    rung_survival,
    timeline,
)
from trialwright.plots.parameters import contour, importances, parallel_coordinates, rank, slices
from trialwright.result_protocol import AnyResult


class Plot:
    """The plots of one result, as methods: ``result.plot``. They are the functions of ``trialwright.plots``, without
    their first argument."""

    def __init__(self, result: AnyResult) -> None:
        self._result = result

    def as_result(self) -> AnyResult:
        """Return the result."""
        return self._result

    comparison = comparison
    contour = contour
    edf = edf
    hypervolume_history = hypervolume_history
    importances = importances
    learning_curves = learning_curves
    model = model
    optimization_history = optimization_history
    parallel_coordinates = parallel_coordinates
    pareto_front = pareto_front
    rank = rank
    rung_survival = rung_survival
    slices = slices
    timeline = timeline


__all__ = [
    "Plot",
    "comparison",
    "contour",
    "edf",
    "hypervolume_history",
    "importances",
    "learning_curves",
    "model",
    "optimization_history",
    "parallel_coordinates",
    "pareto_front",
    "rank",
    "rung_survival",
    "slices",
    "timeline",
]
