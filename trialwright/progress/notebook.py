"""The display of a run in a notebook: a table that is updated in place, without a library of widgets."""

from __future__ import annotations

import secrets
import sys
from typing import Any

from trialwright.html import html_table
from trialwright.progress.rendering import LINE_A_TRIAL, ended_grid, ended_since, line, rows, running_grid
from trialwright.progress.snapshot import Snapshot

RUNNING_SHOWN, ENDED_SHOWN = 10, 3

Bundle = dict[str, str]


def in_notebook() -> bool:
    """Tell whether this is a kernel of Jupyter: not a terminal with IPython."""
    ipython = sys.modules.get("IPython")
    shell: Any = getattr(ipython, "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class NotebookProgress:
    """Shows a run below its cell, as HTML; a front end without HTML shows a line.

    Args:
        verbose: how much the user wants to see.
    """

    def __init__(self, verbose: int = 1) -> None:
        self._verbose = verbose
        self._id = secrets.token_hex(8)
        self._is_shown = False
        self._ends = 0  # how many ended trials have their lines

    def update(self, snapshot: Snapshot) -> None:
        """Update what is shown; print lines for the trials that have ended, if they are wanted."""
        self._show(bundle(snapshot, self._verbose))
        self._print_ended(snapshot)

    def close(self, snapshot: Snapshot) -> None:
        """Show the last state: it is the summary of the run."""
        self._show(bundle(snapshot, self._verbose))
        self._print_ended(snapshot)

    def _show(self, shown: Bundle) -> None:
        from IPython import display as untyped  # it is there: this is a kernel

        display: Any = untyped
        show = display.update_display if self._is_shown else display.display
        self._is_shown = True
        show(shown, raw=True, display_id=self._id)

    def _print_ended(self, snapshot: Snapshot) -> None:
        if self._verbose >= LINE_A_TRIAL:
            for text in ended_since(snapshot, self._ends):
                print(text, flush=True)  # noqa: T201 - in a notebook stderr would look like errors
            self._ends = snapshot.ends


def bundle(snapshot: Snapshot, verbose: int = 1) -> Bundle:
    """Return a snapshot as HTML, and as a line of text."""
    told = html_table("", (), rows(snapshot, verbose))
    grids = [running_grid(snapshot, RUNNING_SHOWN), ended_grid(snapshot, ENDED_SHOWN)]
    tables = [html_table(grid.title, grid.head, grid.rows, grid.more) for grid in grids if grid]
    return {"text/html": "".join([told, *tables]), "text/plain": line(snapshot, verbose)}
