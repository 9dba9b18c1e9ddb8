"""Lines at the end of a terminal that are drawn again in place, below all that is printed meanwhile.

Between two drawings the cursor rests on the first of them. So they are erased by one sequence, "to the end of the
screen", however many there are by then: a terminal that is made narrower may break them into more.
"""

from __future__ import annotations

import sys
from typing import TextIO, cast

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.control import Control
from rich.file_proxy import FileProxy
from rich.segment import ControlType, Segment

# Codes of ECMA-48 and of the VT100, which all terminals that people use know. Without "wrap", what is wider than the
# terminal is cut off: it may become narrower while this is on its way to it.
ERASE, WRAP, NO_WRAP, UP = "\r\x1b[J", "\x1b[?7h", "\x1b[?7l", "\x1b[{}A"


class InPlace(RenderHook):
    """Draws in place, from ``begin`` to ``end``; what other code prints to the same terminal goes above it.

    Args:
        console: of the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: RenderableType | None = None
        self._streams: tuple[TextIO, TextIO] | None = None

    def begin(self) -> None:
        """Take over the terminal. A stream that is a file stays one."""
        self._streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = map(self._above, self._streams)
        self._console.push_render_hook(self)

    def draw(self, shown: RenderableType) -> None:
        """Draw this in place of what was drawn before. Its first line is empty: there a terminal echoes ``^C``."""
        self._shown = shown
        self._console.print(Control())

    def end(self) -> None:
        """Erase what was drawn, and give the terminal back."""
        self._shown = None
        try:
            self._console.print(Control())
        finally:
            self._console.pop_render_hook()
            if self._streams is not None:
                sys.stdout, sys.stderr = self._streams

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put what is printed in place of what was drawn, and draw that again below it."""
        below = [] if self._shown is None else [_Resting(self._shown)]
        return [_Codes(ERASE), *renderables, *below]

    def _above(self, stream: TextIO) -> TextIO:
        is_ours = stream.isatty() and not isinstance(stream, FileProxy)
        return cast(TextIO, FileProxy(self._console, stream)) if is_ours else stream


class _Codes:
    """Codes that take no room on the screen."""

    def __init__(self, codes: str) -> None:
        self._codes = codes

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _codes(self._codes)


class _Resting:
    """Lines, after which the cursor returns to the first of them."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._content, options, pad=False)[: options.size.height - 1]
        yield _codes(NO_WRAP)
        for line in lines:
            yield from _stripped(line)
            yield Segment.line()
        # On a line of their own: rich cuts a line, with its codes, if the terminal has become narrower meanwhile.
        yield _codes(WRAP + UP.format(len(lines)))


def _stripped(line: list[Segment]) -> list[Segment]:
    """Return a line without spaces at its end: a terminal that is made narrower would break it for these, too."""
    kept = [*line]
    while kept and not kept[-1].text.strip():
        kept.pop()
    return [*kept[:-1], Segment(kept[-1].text.rstrip(), kept[-1].style)] if kept else []


def _codes(codes: str) -> Segment:
    return Segment(codes, None, [(ControlType.CARRIAGE_RETURN,)])  # of any type: it only must not count as text
