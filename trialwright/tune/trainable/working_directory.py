"""In which directory a trial runs, and how it finds that of the program."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WorkingDirectory:
    """Where the program runs, which a trial finds in ``TUNE_ORIG_WORKING_DIR``; and whether trials run elsewhere.

    Args:
        origin: the program's working directory.
        is_own: a trial's is its own, where it has a process.
    """

    origin: str = field(default_factory=os.getcwd)
    is_own: bool = True

    def enter(self) -> None:
        """Do so for a trial that begins; a trial's process is restored when the trial has ended."""
        os.environ["TUNE_ORIG_WORKING_DIR"] = self.origin
        if not self.is_own:
            os.chdir(self.origin)
