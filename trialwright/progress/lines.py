"""The display of a run as lines: for log files, pipes, and terminals that cannot redraw. Also the one that is empty."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TextIO

from trialwright.progress.rendering import LINE_A_TRIAL, ended_since, line, trouble
from trialwright.progress.snapshot import Snapshot


class NoProgress:
    """Shows nothing."""

    def update(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def close(self, snapshot: Snapshot) -> None:
        """Show nothing."""


class Drawn(ABC):
    """Draws on a stream until the stream is closed or its reader has ended."""

    is_seen = True

    def update(self, snapshot: Snapshot) -> None:
        """Draw this."""
        self.attempt(lambda: self.draw(snapshot))

    def close(self, snapshot: Snapshot) -> None:
        """Draw this as the last."""
        self.attempt(lambda: self.end(snapshot))

    def attempt(self, draw: Callable[[], None]) -> None:
        """Draw, unless the reader has ended."""
        try:
            if self.is_seen:
                draw()
        except (OSError, ValueError):
            self.is_seen = False

    @abstractmethod
    def draw(self, snapshot: Snapshot) -> None:
        """Put a snapshot on the stream."""

    @abstractmethod
    def end(self, snapshot: Snapshot) -> None:
        """Put the last snapshot on the stream, and release the stream."""


class LineProgress(Drawn):
    """Prints a line every few seconds. From ``verbose=2`` on it prints a line for each trial that has ended, too.

    Args:
        stream: where to print.
        period_s: seconds between two lines on the run.
        clock: returns seconds.
        verbose: how much the user wants to see.
    """

    def __init__(
        self,
        stream: TextIO,
        period_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        *,
        verbose: int = 1,
    ) -> None:
        self._stream, self._period_s, self._clock, self._verbose = stream, period_s, clock, verbose
        self._due = clock() + period_s
        self._starting = ""  # what was said to be starting
        self._said: set[str] = set()
        self._ends = 0  # how many ended trials have their lines

    def update(self, snapshot: Snapshot) -> None:
        """Print a line if the last one is old enough, or if something is starting. Print errors, warnings, and the
        lines of trials at once."""
        self.attempt(lambda: self._say(snapshot))
        if self._clock() >= self._due or snapshot.starting not in ("", self._starting):
            self._starting = snapshot.starting
            self._due = self._clock() + self._period_s
            super().update(snapshot)

    def _say(self, snapshot: Snapshot) -> None:
        for text in dict.fromkeys(trouble(snapshot)):
            if text not in self._said:
                self._said.add(text)
                self._print(text)
        if self._verbose >= LINE_A_TRIAL:
            self._print(*ended_since(snapshot, self._ends))
            self._ends = snapshot.ends

    def draw(self, snapshot: Snapshot) -> None:
        """Print a line."""
        self._print(line(snapshot, self._verbose))

    def end(self, snapshot: Snapshot) -> None:
        """Print what is new, and the last line. The stream belongs to the caller."""
        self._say(snapshot)
        self.draw(snapshot)

    def _print(self, *lines: str) -> None:
        for each in lines:
            print(each, file=self._stream, flush=True)
