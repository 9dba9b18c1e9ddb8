"""Chooses the display: a table on a terminal, a table in a notebook, or lines."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from trialwright.progress.lines import LineProgress, NoProgress
from trialwright.progress.notebook import NotebookProgress, in_notebook
from trialwright.progress.snapshot import Progress


def choose_progress(verbose: int, stream: TextIO | None = None) -> Progress:
    """Return the default display: none for ``verbose=0``, a live table on a terminal or in a notebook, else lines.

    Args:
        verbose: how much the user wants to see: 1 the run, 2 a line for each trial that has ended too, 3 numbers about
            the engine too.
        stream: where to write; ``sys.stderr`` unless given.
    """
    if verbose <= 0:
        return NoProgress()
    if stream is None and in_notebook():
        return NotebookProgress(verbose)
    stream = stream or sys.stderr
    if not _can_redraw(stream):
        return LineProgress(stream, verbose=verbose)
    from trialwright.progress.live import LiveProgress  # here: rich takes a while to import

    return LiveProgress(stream, verbose)


def _can_redraw(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
