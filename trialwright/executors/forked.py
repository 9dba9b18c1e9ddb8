"""What the fork server of ``Processes`` imports: the beginning of a slot's process.

Nothing that this file imports may start threads or be the user's code: see ``processes.py``.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trialwright.executors import worker


@dataclass(frozen=True)
class ForkedSlot:
    """What a new process is sent and runs.

    Args:
        environment: variables to set before any of the user's code is imported.
        dial: how to connect to the driver: see ``worker.dial``.
        payload: see ``worker.serve``.
        root: the run's directory.
        shared: others may write to a trial's directory while it runs.
    """

    environment: dict[str, str]
    dial: tuple[str, int, bytes, int]
    payload: bytes
    root: str
    shared: bool

    def _bootstrap(self, _parent: int) -> int:
        """Be what ``multiprocessing`` runs in the new process: return its exit code."""
        os.setpgid(0, 0)  # so that its children can be found by their group, and Ctrl-C goes to the driver only
        os.environ.update(self.environment)
        try:
            wire = worker.dial(*self.dial)
        except OSError:  # usually the run is over; if not, the driver gets the exit code
            return 1
        try:
            worker.serve(wire, self.payload, Path(self.root), shared=self.shared)
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):  # a user may have closed or replaced them
                    stream.flush()
        return 0
