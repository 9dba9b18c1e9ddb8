"""The program ``trialwright``: all its commands."""

from __future__ import annotations

from trialwright.cli import act, compare, draw, export, follow, launch, look, why
from trialwright.cli.command import app

COMMANDS = (look, why, draw, compare, export, follow, act, launch)  # each module registers its own when it is imported


def main() -> None:
    """Run the program with the arguments of this process."""
    app(prog_name="trialwright")


__all__ = ["COMMANDS", "app", "main"]
