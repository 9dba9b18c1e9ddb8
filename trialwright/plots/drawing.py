"""From a picture to what a backend draws, with checks at the border."""

from __future__ import annotations

import importlib.util
from typing import Any, Literal, TypeAlias

from trialwright.errors import nearest
from trialwright.plots.picture import Drawn

Backend: TypeAlias = Literal["matplotlib", "plotly"]


# Called after the numbers are made: a figure that is opened before they fail would be shown, empty, in a notebook.
def show(drawn: Drawn, ax: Any, backend: str) -> Any:  # noqa: ANN401 - the backend's, which may not be there
    """Draw a picture.

    Raises:
        ValueError: there is no such backend, or ``ax`` does not fit.
        ImportError: the backend is not installed.
    """
    if backend not in ("matplotlib", "plotly"):
        close = nearest(str(backend), ("matplotlib", "plotly"))
        raise ValueError(f"backend must be 'matplotlib' or 'plotly', not {backend!r}{close}")
    if importlib.util.find_spec(backend) is None:
        raise ImportError(f"this plot needs {backend}: pip install 'trialwright[plots]'")
    if backend == "matplotlib":
        from trialwright.plots import draw_matplotlib

        return draw_matplotlib.draw(drawn, ax)
    if ax is not None:
        raise ValueError("ax is for matplotlib only: with plotly, do not give it")
    from trialwright.plots import draw_plotly

    return draw_plotly.draw(drawn)
