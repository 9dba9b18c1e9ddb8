"""First in, first out: every trial runs to its own end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trialwright.messages import Choice, Continue, New, Outcome, Plain, Report, Start, Verdict, Wait
from trialwright.schedulers.base import TrialView
from trialwright.streams import Streams


@dataclass
class FIFO:
    """Starts trials in the order in which they are suggested and stops none."""

    always_new: ClassVar[bool] = True

    def setup(self, rng: Streams) -> None:
        """Nothing to forget."""

    def on_start(self, trial: TrialView) -> Start:
        """No boundary: the first lease is the only one."""
        return Start()

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Go on; asked only if something else set a boundary in this scheduler's name."""
        return Continue(())

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Nothing to remember."""

    def next(self, can_ask: bool) -> Choice:
        """A new trial, as long as there are any."""
        return New() if can_ask else Wait()

    def state(self) -> Plain:
        """Nothing."""
        return None

    def restore(self, state: Plain) -> None:
        """Nothing."""
