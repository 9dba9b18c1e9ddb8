"""A real pseudo-terminal, with an emulator that knows what a person would see on it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte

DEADLINE_S = 60.0
QUIET_S = 0.1  # without output, what is on the screen is complete; a run redraws it every 0.25 s


class Terminal:
    """A program on a terminal.

    Args:
        leader: the terminal's file descriptor.
        columns: its width.
        lines: its height.
    """

    def __init__(self, leader: int, columns: int, lines: int) -> None:
        self._leader, self._columns = leader, columns
        self._screen = pyte.HistoryScreen(columns, lines, history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b""

    def lines(self) -> list[str]:
        """All lines: those that were scrolled away, too."""
        past = ["".join(line[column].data for column in range(self._columns)) for line in self._screen.history.top]
        return "\n".join(line.rstrip() for line in [*past, *self._screen.display]).rstrip().split("\n")

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size; the system sends SIGWINCH to the program. What is too long is cut off."""
        self._columns = columns
        self._screen.resize(lines, columns)
        fcntl.ioctl(self._leader, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        os.write(self._leader, keys)

    def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        """Wait until the lines are such and, once they are, nothing is written for a moment; return them."""
        deadline, size = time.monotonic() + DEADLINE_S, -1
        while not holds(self.lines()) or len(self.written) > size:
            assert time.monotonic() < deadline, "\n".join(self.lines())
            size = len(self.written)
            self._take()
        return self.lines()

    def to_the_end(self, process: subprocess.Popen) -> list[str]:
        while process.poll() is None or select.select([self._leader], [], [], 0)[0]:
            if not self._take():
                break
        process.wait(DEADLINE_S)
        return self.lines()

    def _take(self) -> bool:
        if select.select([self._leader], [], [], QUIET_S)[0]:
            try:
                data = os.read(self._leader, 65536)
            except OSError:  # the program has ended
                return False
            self.written += data
            self._stream.feed(data)
        return True


@contextmanager
def on_terminal(code: str, columns: int, lines: int, **environment: str) -> Iterator[tuple[Terminal, subprocess.Popen]]:
    """Run a program of Python on a terminal of this size."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    others = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")  # a process of pytest-xdist has the last two
    env = {name: value for name, value in os.environ.items() if name not in others}
    env |= {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=follower, stdout=follower, stderr=follower, env=env, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - Ctrl-C needs this terminal
    )  # fmt: skip
    os.close(follower)
    try:
        yield Terminal(leader, columns, lines), process
    finally:
        process.kill()
        process.wait()
        os.close(leader)
