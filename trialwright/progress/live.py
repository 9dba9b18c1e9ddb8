"""The display of a run as a table that is redrawn in place, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from trialwright.progress.in_place import InPlace
from trialwright.progress.lines import Drawn
from trialwright.progress.rendering import GAP, LINE_A_TRIAL, Grid, ended_grid, ended_since, line, rows, running_grid
from trialwright.progress.snapshot import RUNNING_KEPT, Snapshot

ENDED_SHOWN = 3
AROUND = 4  # lines of a table of trials besides its rows: an empty one, title, head, note
OUTCOME_STYLES = {"failed": "red", "lost": "red"}
LABEL_STYLES = {"warning": "bold yellow", "error": "bold red"}


class PipeConsole(Console):
    """A console that raises on a broken pipe; rich would redirect stdout to /dev/null and exit."""

    def on_broken_pipe(self) -> None:
        """Raise in the drawing thread, which then stops drawing."""
        raise BrokenPipeError


class LiveProgress(Drawn):
    """A table that is redrawn in place. ``NO_COLOR`` is respected (by rich). At the end of the run it is erased, since
    the summary tells the same; if trials have not ended, as after an error, one line stays.

    Args:
        stream: the terminal.
        verbose: how much the user wants to see.
    """

    def __init__(self, stream: TextIO, verbose: int = 1) -> None:
        self._place: InPlace | None = None
        self._console = PipeConsole(file=stream, highlight=False)
        self._verbose = verbose
        self._ends = 0  # how many ended trials have their lines

    def draw(self, snapshot: Snapshot) -> None:
        """Redraw the table; print lines above it for the trials that have ended, if they are wanted."""
        place = self._place = self._place or self._begun()
        self._print_ended(snapshot)
        place.draw(table(snapshot, self._console, self._verbose))

    def end(self, snapshot: Snapshot) -> None:
        """Erase the table. If trials have not ended, one line stays: an error may come instead of the summary."""
        if self._place is not None:
            self._place.end()
        self._print_ended(snapshot)
        if sum(snapshot.states.values()) > snapshot.states.get("ended", 0):
            self._console.print(Text(line(snapshot, self._verbose)))

    def _begun(self) -> InPlace:
        place = InPlace(self._console)
        place.begin()
        return place

    def _print_ended(self, snapshot: Snapshot) -> None:
        if self._verbose >= LINE_A_TRIAL:
            for text in ended_since(snapshot, self._ends):
                self._console.print(Text(text))
            self._ends = snapshot.ends


def table(snapshot: Snapshot, console: Console, verbose: int = 1) -> RenderableType:
    """Return all that the display shows, as much as the console has room for."""
    told = facts(snapshot, verbose)
    # Not the whole height: there is an empty line above, and what else is printed must not move that out of reach.
    height = max(console.height - 2, 1)
    room = height - len(console.render_lines(told, pad=False))
    ended = ended_grid(snapshot, ENDED_SHOWN) if room > ENDED_SHOWN + AROUND + AROUND else None
    room -= len(ended.rows) + AROUND if ended else 0
    running = running_grid(snapshot, min(RUNNING_KEPT, room - AROUND)) if room > AROUND else None
    grids = [part for grid in (running, ended) if grid for part in _trials(grid, console.width)]
    return Group(Text(""), Cropped(Group(told, *grids), height))


class Cropped:
    """The first lines of what is shown.

    Args:
        content: what is shown.
        height: how many lines.
    """

    def __init__(self, content: RenderableType, height: int) -> None:
        self._content, self._height = content, height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for each in console.render_lines(self._content, options, pad=False)[: self._height]:
            yield from each
            yield Segment.line()


def facts(snapshot: Snapshot, verbose: int) -> Table:
    """Return the rows of facts, without trials."""
    grid = Table.grid(padding=(0, GAP))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in rows(snapshot, verbose):
        grid.add_row(Text(label, style=LABEL_STYLES.get(label, "bold")), Text(text))
    return grid


def _trials(grid: Grid, width: int) -> Iterator[RenderableType]:
    fitted = grid.fitted(width)
    drawn = Table.grid(padding=(0, GAP))
    drawn.add_row(*(Text(name, style="dim") for name in fitted.head))
    for row in fitted.rows:
        drawn.add_row(*(Text(cell, style=OUTCOME_STYLES.get(cell, ""), no_wrap=True) for cell in row))
    yield Text("")
    yield Text(grid.title, style="bold")
    yield drawn
    if grid.more:
        yield Text(grid.more, style="dim")
