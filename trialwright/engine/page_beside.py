"""The live page beside a run: in a process of its own, so that it takes no time from the run, and ends with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

END_S = 10.0  # how long the page may take to show the end of the run


class PageBeside:
    """Starts the page of a run, and says its address. Whatever goes wrong with it is said too, and the run goes on.

    Args:
        directory: the run's.
        tell: called with a line, in a thread.
    """

    def __init__(self, directory: Path, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = _start(directory)
        except OSError as error:  # no memory, no more processes
            tell(f"the page could not be started: {error}")
        else:
            self._do(self._read_address)

    async def close(self) -> None:
        """Have the page end, without waiting for it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._do(self._wait)

    def _do(self, work: Callable[[], object]) -> None:
        threading.Thread(target=work, name="trialwright-page", daemon=True).start()

    def _read_address(self) -> None:
        process = self._process
        assert process is not None and process.stdout is not None, "started"  # noqa: PT018 - one fact
        line = process.stdout.readline().strip()
        self._tell(f"the page of this run: {line}" if line.startswith("http") else f"there is no page: {line}")

    def _wait(self) -> None:
        process = self._process
        assert process is not None, "closed once"
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _start(directory: Path) -> subprocess.Popen[str]:
    # In a session of its own: Ctrl-C is for the run, whose end the page shows. Without the run it ends too, because its
    # standard input does.
    return subprocess.Popen(  # noqa: S603 - this program
        [sys.executable, "-m", "trialwright.page", str(directory), "--until-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # it finds what this process found
    )
