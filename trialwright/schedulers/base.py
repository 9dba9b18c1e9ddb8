"""What a scheduler is, and FIFO, the simplest one.

A scheduler is called for starts, reports and ends of trials, and says how far each trial may run. It is
deterministic: it has no clock, no engine, no searcher, and no random numbers but those of the stream it is given. It
fits no model. The contract that every scheduler must keep is ``tests/contracts/scheduler.py``; subclass it to test a
new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from trialwright.html import SettingsTable
from trialwright.messages import (
    Checkpoint,
    Choice,
    Config,
    Continue,
    New,
    Outcome,
    Plain,
    Report,
    Start,
    Tags,
    Until,
    Verdict,
    Wait,
)
from trialwright.streams import Streams


class TrialView(Protocol):
    """A trial as a scheduler sees it: to read, not to change. It is not copied, because a scheduler is asked at every
    decision point: a change made here would change the run itself."""

    @property
    def id(self) -> int: ...
    @property
    def config(self) -> Config: ...
    @property
    def tags(self) -> Tags: ...
    @property
    def step(self) -> int: ...
    @property
    def until(self) -> Until: ...
    @property
    def resources(self) -> dict[str, float]: ...
    @property
    def checkpoint(self) -> Checkpoint | None: ...


RIVALS = 5  # how many of the best an explanation names


class Scheduler(Protocol):
    """Decides how far each trial may run.

    It may have more methods. ``why() -> dict[str, Plain]`` returns the facts behind its last verdict, ``Resume``,
    or ``Drop``: it is called only when a user asks, on a replay, so that it costs a run nothing.
    ``on_capacity(nodes)`` gets the machines, at the start and at each change. A scheduler that answers ``Consult`` has
    ``on_resume(trial) -> Until``: how far a paused trial runs that the searcher has chosen. If the attribute
    ``always_new`` is true, ``next`` answers only ``New`` as long as it can be carried out: it may then be asked before
    a slot is free. If the attribute ``compares`` is false, the run needs no metric.
    """

    def setup(self, rng: Streams) -> None:
        """Begin a run: forget everything that another run left. Called once, before the first trial."""

    def on_start(self, trial: TrialView) -> Start:
        """Admit a new trial and say how far its first lease goes."""

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Judge a report that met a boundary this scheduler has set; each step of a trial once, in the order of the
        journal."""

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """The trial ended, for any reason. No other call will name it again, unless a failed trial is retried on
        request: then it is admitted anew."""

    def next(self, can_ask: bool) -> Choice:
        """Say what a free slot is for. ``New`` is carried out only if ``can_ask``.

        State may change with every answer but ``Wait``, and with the first ``Wait`` after the last new trial: from then
        on ``can_ask`` is False. After ``New`` the searcher may not have answered yet: then this is called again, with
        the same state.
        """

    def state(self) -> Plain:
        """Return everything it remembers, as plain data."""

    def restore(self, state: Plain) -> None:
        """Remember what ``state()`` returned."""


@dataclass
class FIFO(SettingsTable):
    """First in, first out: starts trials in the order in which they are suggested; each runs to its own end."""

    always_new: ClassVar[bool] = True
    compares: ClassVar[bool] = False

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
