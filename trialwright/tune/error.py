"""What ``tune.run`` raises."""

from __future__ import annotations

from trialwright.errors import TrialwrightError


class TuneError(TrialwrightError):
    """Trials failed: the message says how many, and the first error."""


class TrialError(RuntimeError):
    """What a trial raised in its worker: its last line, and the traceback as a string."""

    def __init__(self, line: str, traceback: str = "") -> None:
        super().__init__(f"{line}\n\n{traceback}" if traceback else line)
        self.line, self.traceback = line, traceback
