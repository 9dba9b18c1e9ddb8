"""The judge: asks the scheduler and the stop rules, and writes down each answer.

On replay it goes by what was written: the scheduler and the stop rules are told everything again, so that they
remember, but their answers are not used. So neither an upgrade nor a clock can change the past.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

from trialwright.errors import ReplayError
from trialwright.messages import Choice, Continue, Decision, Node, Outcome, Report, Start, Stop, Verdict, Wait
from trialwright.schedulers.base import Scheduler, TrialView
from trialwright.stopping import AnyOf, StopRule

D = TypeVar("D", bound=Decision)


class Judge:
    """One place where decisions come from, whether they are taken now or were taken before."""

    def __init__(self, scheduler: Scheduler, rule: StopRule) -> None:
        self.scheduler = scheduler
        self.rule = rule
        self._is_ruled = rule != AnyOf(())
        self._taken: list[Decision] = []
        self._written: deque[Decision] | None = None

    def take(self) -> Sequence[Decision]:
        """Return the decisions since the last call."""
        if not self._taken:
            return ()
        taken, self._taken = self._taken, []
        return taken

    def replay(self, decisions: Iterable[Decision] | None) -> None:
        """Go by these from now on; by its own again if None. What was left over is a difference."""
        if self._written:
            raise ReplayError(f"the journal holds decisions that the replay never came to: {list(self._written)}")
        self._written = None if decisions is None else deque(decisions)

    def capacity(self, nodes: tuple[Node, ...]) -> None:
        """Tell the scheduler which machines there are, if it wants to know."""
        hear = getattr(self.scheduler, "on_capacity", None)
        if hear is not None:
            hear(nodes)

    def start(self, trial: TrialView) -> Start:
        """Admit a trial."""
        start = self.scheduler.on_start(trial)
        if self._written is not None:
            start = self._read(start)
        return self.write(start)

    def report(self, trial: TrialView, report: Report) -> Verdict:
        """Judge a report. The scheduler is asked if it met a boundary of the scheduler's; a stop rule outweighs it."""
        scheduled = any(boundary.met(report.metrics) for boundary in trial.until)
        verdict = self.scheduler.on_report(trial, report) if scheduled else Continue(trial.until)
        if self._is_ruled:
            verdict = self._overrule(trial, report) or verdict
        return self.write(verdict if self._written is None else self._read(verdict))

    def _overrule(self, trial: TrialView, report: Report) -> Stop | None:
        reason, everyone = self.rule.reason(trial.id, report, trial.config), self.rule.stop_all()
        return Stop(everyone or reason or "", everyone is not None) if reason or everyone else None

    def next(self, *, can_ask: bool) -> Choice:
        """Say what a free slot is for; the caller writes it down if it acts on it.

        On replay there is nothing to do once the choices of this event are used up.
        """
        if self._written is None:
            return self.scheduler.next(can_ask)
        if not self._written or not isinstance(self._written[0], Choice):
            return Wait()
        self.scheduler.next(can_ask)
        return cast(Choice, self._written.popleft())

    def end(self, trial: TrialView, outcome: Outcome) -> None:
        """Tell the scheduler that a trial has ended."""
        self.scheduler.on_end(trial, outcome)

    def write(self, decision: D) -> D:
        """Note a decision that is being carried out."""
        self._taken.append(decision)
        return decision

    def _read(self, alternative: D) -> D:
        """The next written decision, in place of the one that would be taken today."""
        if not self._written:
            raise ReplayError(f"the journal ends before a decision that the replay comes to: {alternative}")
        return cast(D, self._written.popleft())
