"""What the fork server of ``Processes`` has imported: a slot's process from its first moment on.

Nothing that this file imports may start threads or be the user's: see ``processes.py``.
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
    """What a new process is sent, and does.

    Args:
        environment: variables to set before anything of the user's is imported.
        dial: how to call the driver: see ``worker.dial``.
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
        os.setpgid(0, 0)  # what is left in the group when the process ends are children; and Ctrl-C is for the driver
        os.environ.update(self.environment)
        try:
            wire = worker.dial(*self.dial)
        except OSError:  # the run is over, and listens no more; if it is not, it is told the exit code
            return 1
        try:
            worker.serve(wire, self.payload, Path(self.root), shared=self.shared)
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):  # a user may have closed or replaced them
                    stream.flush()
        return 0
