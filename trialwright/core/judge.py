"""The judge: asks the scheduler and the stop rules, and records each answer.

On replay it uses the written decisions: the scheduler and the stop rules get everything again, to restore their
state, but their answers are not used. So neither an upgrade nor a clock can change a past decision.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

from trialwright.errors import ReplayError
from trialwright.messages import (
    Asked,
    Choice,
    Continue,
    Decision,
    Granted,
    Node,
    Outcome,
    Queued,
    Report,
    Start,
    Stop,
    TooLarge,
    Until,
    Verdict,
)
from trialwright.schedulers.base import Scheduler, TrialView
from trialwright.stopping import AnyOf, StopRule

D = TypeVar("D", bound=Decision)


class Judge:
    """The one source of decisions, whether they are taken now or replayed."""

    def __init__(self, scheduler: Scheduler, rule: StopRule) -> None:
        self.scheduler = scheduler
        self.rule = rule
        self.is_ruled = rule != AnyOf(())
        self.always_new = bool(getattr(scheduler, "always_new", False))
        self._taken: list[Decision] = []
        self._written: deque[Decision] | None = None
        self.is_replaying = False  # written decisions count

    def take(self) -> Sequence[Decision]:
        """Return the decisions since the last call."""
        if not self._taken:
            return ()
        taken, self._taken = self._taken, []
        return taken

    def replay(self, decisions: Iterable[Decision]) -> None:
        """Use these decisions from now on."""
        self._written, self.is_replaying = deque(decisions), True

    def end_replay(self) -> None:
        """Decide again.

        Raises:
            ReplayError: written decisions are left over.
        """
        left, self._written, self.is_replaying = self._written, None, False
        self._taken.clear()
        if left:
            raise ReplayError(f"the journal holds decisions that the replay did not reach: {list(left)}")

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
        """Judge a report. The scheduler is asked if the report met one of its boundaries; a stop rule overrules it."""
        scheduled = any(boundary.met(report.metrics) for boundary in trial.until)
        verdict = self.scheduler.on_report(trial, report) if scheduled else Continue(trial.until)
        if self.is_ruled:
            verdict = self._overrule(trial, report) or verdict
        return self.write(verdict if self._written is None else self._read(verdict))

    def _overrule(self, trial: TrialView, report: Report) -> Stop | None:
        reason, everyone = self.rule.reason(trial.id, report, trial.config), self.rule.stop_all()
        return Stop(everyone or reason or "", everyone is not None) if reason or everyone else None

    def next(self, *, can_ask: bool) -> Choice:
        """Return the scheduler's use for a free slot; the caller writes it down if it acts on it."""
        return self.scheduler.next(can_ask)

    def resume(self, trial: TrialView) -> Until:
        """Return how far a paused trial runs that the searcher has chosen."""
        verdict = Continue(self.scheduler.on_resume(trial))  # type: ignore[attr-defined]  # who consults has it
        return self.write(verdict if self._written is None else self._read(verdict)).until

    def next_step(self, *, can_ask: bool) -> Choice | Granted | Queued | Asked | None:
        """On replay: the next step of filling free room that was written for this event; None if there is no more."""
        if not self._written or not isinstance(self._written[0], Choice | Granted | Queued | Asked):
            return None
        step = cast("Choice | Granted | Queued | Asked", self._written.popleft())
        if isinstance(step, Choice):
            self.scheduler.next(can_ask)  # it was asked at this point of the run, and its answer changed its state
        return step

    def finds(self, finding: TooLarge, holds: Callable[[], bool]) -> bool:
        """Tell whether ``finding`` holds, and write it if so; on replay, tell whether it was written."""
        if self._written is None:
            found = holds()
        else:
            found = bool(self._written) and self._written[0] == finding
            if found:
                self._written.popleft()
        if found:
            self.write(finding)
        return found

    def end(self, trial: TrialView, outcome: Outcome) -> None:
        """Tell the scheduler that a trial has ended."""
        self.scheduler.on_end(trial, outcome)

    def write(self, decision: D) -> D:
        """Write down a decision that is being carried out."""
        self._taken.append(decision)
        return decision

    def _read(self, alternative: D) -> D:
        """The next written decision, in place of the one that would be taken today."""
        if not self._written:
            raise ReplayError(f"the journal lacks a decision that the replay reaches: {alternative}")
        return cast(D, self._written.popleft())
