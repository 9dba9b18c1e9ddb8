"""The program ``trialwright``: all its commands."""

from __future__ import annotations

import sys
import warnings
from io import TextIOWrapper

from trialwright.cli import act, bench, check, comment, compare, draw, export, follow, launch, look, serve, why
from trialwright.cli.command import app
from trialwright.cli.printing import escaped

COMMANDS = (
    look,
    why,
    draw,
    compare,
    comment,
    export,
    follow,
    act,
    launch,
    bench,
    check,
    serve,
)  # each module registers its own when it is imported


def _note(message: object, *_: object, **__: object) -> str:
    return f"note: {escaped(str(message))}\n"


def main() -> None:
    """Run the program with the arguments of this process."""
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal that lacks a character shows another one
        sys.stdout.reconfigure(errors="replace")
    warnings.formatwarning = _note  # of a warning, only the first argument is shown
    app(prog_name="trialwright")


__all__ = ["COMMANDS", "app", "main"]
