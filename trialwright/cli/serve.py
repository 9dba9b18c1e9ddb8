"""The command that shows runs in a browser: ``serve``."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from trialwright import runs
from trialwright.cli.command import Json, Storage, command
from trialwright.storage import place


@command(
    "serve", "trialwright serve\ntrialwright serve digits-2026 --control\ntrialwright serve /data/runs --port 8000"
)
def serve(
    where: Annotated[
        str | None,
        typer.Argument(metavar="[RUN|DIR]", help="A run, or a directory of runs.", show_default=False),
    ] = None,
    *,
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0 for any that is free.")] = 0,
    control: Annotated[bool, typer.Option("--control", help="The page may act on runs.")] = False,
    storage: Storage = None,
    json: Json = False,
) -> None:
    """Show a run, or all runs, in a browser of this machine. Ctrl-C ends the page."""
    from trialwright import page

    page.serve(shown(where, storage), port=port, control=control, tell=_told if json else typer.echo)


def _told(address: str) -> None:
    typer.echo(dumps({"address": address}))


def shown(where: str | None, storage: Path | None) -> Path:
    """Return the directory to show: of a run, or of runs.

    Raises:
        ValueError: there is none.
    """
    if where is None:
        return place.home() if storage is None else storage
    path = Path(where).expanduser()
    return path if path.is_dir() and not place.is_run(path) else runs.find(where, storage)
