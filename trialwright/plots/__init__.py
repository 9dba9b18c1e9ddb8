"""Plots of a result, by matplotlib or plotly: ``learning_curves(result).figure.savefig("curves.png")``.

Each function takes a ``trialwright.Result``, or what ``tune`` returns, and returns what it drew: matplotlib's ``Axes``,
or plotly's ``Figure``. Both are extras: ``pip install 'trialwright[plots]'``.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Literal, TypeAlias

from trialwright.plots import data
from trialwright.plots.backends import Matplotlib, Plotly
from trialwright.plots.data import Kept
from trialwright.results import Result

Backend: TypeAlias = Literal["matplotlib", "plotly"]


def learning_curves(
    result: Result | Kept,
    metric: str | None = None,
    *,
    x: str = "step",
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw what each trial reported, one line a trial.

    Args:
        result: of a run.
        metric: what to draw; the run's first metric if it is not given.
        x: over what: "step", "time_s" (seconds), or any metric.
        ax: where to draw, with matplotlib; a new figure if it is not given.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError: there is no metric, or no trial has reported it; or no such backend; or ``ax`` is given to plotly.
        ImportError: the backend is not installed.
    """
    result = data.read(result)
    metric = data.metric_of(result, metric)
    curves = data.curves(result, metric, x)
    return _drawing(backend, ax).learning_curves(curves, metric, x)


def optimization_history(
    result: Result | Kept,
    metric: str | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw what trials came to, in the order in which they ended, and the best so far.

    Args:
        result: of a run.
        metric: what to draw; the run's first metric if it is not given.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError, ImportError: as ``learning_curves``.
    """
    result = data.read(result)
    metric = data.metric_of(result, metric)
    history = data.history(result, metric)
    return _drawing(backend, ax).optimization_history(history, metric)


def parallel_coordinates(
    result: Result | Kept,
    metric: str | None = None,
    *,
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw each trial as a line across its parameters, coloured by its last metric. Constant parameters are left out.

    Args:
        result: of a run.
        metric: the colour; the run's first metric if it is not given.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError, ImportError: as ``learning_curves``.
    """
    result = data.read(result)
    axes = data.coordinates(result, data.metric_of(result, metric))
    return _drawing(backend, ax).parallel_coordinates(axes, result.mode)


def rung_survival(
    result: Result | Kept,
    *,
    x: str = "step",
    ax: Any = None,  # noqa: ANN401 - matplotlib's, which may not be there
    backend: Backend = "matplotlib",
) -> Any:  # noqa: ANN401 - the backend's
    """Draw how many trials came how far: a staircase that falls at each rung of ASHA or HyperBand.

    Args:
        result: of a run.
        x: how far: "step", "time_s" (seconds), or any metric that only grows.
        ax: where to draw, with matplotlib.
        backend: "matplotlib" or "plotly".

    Raises:
        ValueError, ImportError: as ``learning_curves``.
    """
    survival = data.survival(data.read(result), x)
    return _drawing(backend, ax).rung_survival(survival, x)


# Called after the numbers are made: a figure that is opened before they fail would be shown, empty, in a notebook.
def _drawing(backend: str, ax: Any) -> Matplotlib | Plotly:  # noqa: ANN401 - matplotlib's, which may not be there
    if backend not in ("matplotlib", "plotly"):
        raise ValueError(f"backend must be 'matplotlib' or 'plotly', not {backend!r}")
    if importlib.util.find_spec(backend) is None:
        raise ImportError(f"this plot needs {backend}: pip install 'trialwright[plots]'")
    if backend == "plotly" and ax is not None:
        raise ValueError("ax is for matplotlib only: with plotly, do not give it")
    return Plotly() if backend == "plotly" else Matplotlib(ax)


__all__ = ["learning_curves", "optimization_history", "parallel_coordinates", "rung_survival"]
