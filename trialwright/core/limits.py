"""What ends a run early: its time, its failures, and metrics that no report has. Failures are counted by kind, too."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from trialwright.core.plan import Plan
from trialwright.core.trial import Trial
from trialwright.errors import nearest
from trialwright.messages import Outcome, Reported, Until
from trialwright.stopping import StopRule, metrics_of


class Limits:
    """Keeps count of a run's time and failures."""

    def __init__(self, plan: Plan) -> None:
        self.are_timed = plan.time_budget_s is not None or plan.trial_timeout_s is not None
        self._plan = plan
        self._timeouts: list[tuple[float, int, int]] = []  # when, trial, attempt: a heap
        self._failures: Counter[str] = Counter()  # by their error
        self._successes = 0

    def deadline(self, *, budget: bool) -> float | None:
        """Return when time is up next; ``budget`` tells whether the run's own still counts."""
        times = [self._timeouts[0][0]] if self._timeouts else []
        if self._plan.time_budget_s is not None and budget:
            times.append(self._plan.time_budget_s)
        return min(times, default=None)

    def started(self, now: float, trial: Trial) -> None:
        """Start the clock of a trial's attempt."""
        if self._plan.trial_timeout_s is not None:
            heapq.heappush(self._timeouts, (now + self._plan.trial_timeout_s, trial.id, trial.attempt))

    def over(self, now: float) -> str | None:
        """Return why the run's time is up, if it is."""
        budget_s = self._plan.time_budget_s
        return f"time budget of {budget_s:g} s" if budget_s is not None and now >= budget_s else None

    def overdue(self, now: float, trials: Mapping[int, Trial]) -> Iterator[tuple[Trial, Outcome]]:
        """Yield, once each, the trials whose time is up, and how they end."""
        while self._timeouts:
            due, number, attempt = self._timeouts[0]
            trial = trials[number]
            is_stale = trial.attempt != attempt or not trial.active
            # An attempt that is over leaves its entry behind: to find it in the heap would cost more. It is dropped
            # even before its time, or ``deadline`` would name a time at which nothing is due.
            if due > now and not is_stale:
                return
            heapq.heappop(self._timeouts)
            if not is_stale:
                yield trial, Outcome("stopped", f"timeout of {self._plan.trial_timeout_s:g} s")

    def ended(self, trial: Trial, outcome: Outcome) -> str | None:
        """Count a trial's end. Return why the run should stop, if its failures call for that."""
        if outcome.kind not in ("failed", "lost"):
            # A cancelled trial proves nothing: its objective was never called.
            self._successes += outcome.kind in ("completed", "stopped")
            return None
        self._failures[trial.error] += 1
        count = self._failures[trial.error]
        if self._plan.fail_fast:
            return f"trial {trial.id} failed: {trial.error}"
        # After a success the fault is in some of the configurations, and the others are worth their time.
        if not self._successes and 0 < self._plan.same_failures <= count:
            return f"{count} trials failed the same way, and none succeeded: {trial.error}"
        return None

    def forgive(self, error: str) -> None:
        """A trial with this error is tried again: count such failures from 0."""
        self._failures[error] = 0


_COUNTED = frozenset({"step", "time_s"})  # every report has them


class Missing:
    """Finds metric names in a run's arguments that its reports lack: most likely typing errors.

    A name that the first report of a trial lacks gives one warning, with the nearest name in the report: it may still
    come later. An outcome constraint is different: without its metric no trial can be the best. So the run stops when
    as many trials have ended without it as may fail in the same way.
    """

    def __init__(self, plan: Plan, rule: StopRule) -> None:
        goals = [goal.metric for goal in plan.outcome_constraints]
        self._named = dict.fromkeys(metrics_of(rule), "stop")
        self._named |= {} if plan.checkpoint_score is None else {plan.checkpoint_score[0]: "checkpoint_score"}
        self._named |= dict.fromkeys(goals, "outcome_constraints")
        self._unmet = set(goals) - _COUNTED  # that no report has had
        self._ended_most = 1 if plan.fail_fast else plan.same_failures
        self._ended = 0
        self._known: list[str] = []
        self._said = set(_COUNTED | plan.optional_metrics)

    def heard(self, event: Reported, until: Until) -> Iterator[str]:
        """Yield the warnings for a frame of a trial whose scheduler waits for ``until``."""
        self._unmet.difference_update(event.columns)
        if event.first_step != 1:
            return
        self._known = self._known or [name for name in event.columns if not name.startswith("_")]
        named = dict.fromkeys((boundary.metric for boundary in until), "the scheduler") | self._named
        for name in named.keys() - self._said - event.columns.keys():
            self._said.add(name)
            yield f"{named[name]}: the first report has no metric {name!r}{self._nearest([name])}"

    def ended(self, outcome: Outcome, *, has_reported: bool) -> str | None:
        """Count a trial's end. Return why the run should stop, if no report has an outcome constraint's metric."""
        self._ended += bool(self._unmet) and has_reported and outcome.kind in ("completed", "stopped")
        if not self._unmet or not 0 < self._ended_most <= self._ended:
            return None
        names = sorted(self._unmet)
        shown = " and ".join(map(repr, names))
        return f"{self._ended} trials ended, and no report has {shown} of outcome_constraints{self._nearest(names)}"

    def _nearest(self, names: Iterable[str]) -> str:
        return "".join(nearest(name, self._known or _COUNTED) for name in names)


# Frames of an exception group are indented with bars; the line of a SyntaxError is in no function.
_FRAME = re.compile(r'^[ |]*File "(?P<file>.+?)", line (?P<line>\d+)(?:, in (?P<function>.+))?$', re.MULTILINE)
_OURS = __file__.removesuffix("core/limits.py")
_LIBRARY = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib(?:64)?[/\\]python\d[^/\\]*[/\\]|<frozen ", re.IGNORECASE
)


@dataclass(frozen=True)
class Failure:
    """One kind of failure: the first one's error, place (empty where none is known) and trial; how many there were."""

    error: str
    where: str
    trial: int
    count: int = 1


class Failures:
    """Counts failures by kind: the type of the exception, and the line of the user's code that led to it."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], Failure] = {}

    @property
    def kinds(self) -> tuple[Failure, ...]:
        """All kinds, in the order of their first failures."""
        return tuple(self._kinds.values())

    def note(self, trial: Trial) -> None:
        """A trial has failed."""
        where = own_frame(trial.traceback)
        # Without a line, messages are compared but for their numbers: a lost worker's message names its process.
        kind = trial.error.partition(":")[0] if where else re.sub(r"\d+", "0", trial.error)
        known = self._kinds.get((kind, where), Failure(trial.error, where, trial.id, 0))
        self._kinds[kind, where] = replace(known, count=known.count + 1)


def own_frame(traceback: str) -> str:
    """Return the last frame of a traceback in the user's own code, as ``train.py:12, in train``: not in a library, nor
    in Trialwright. If there is none, return the last frame in a library; if that is missing too, an empty string."""
    frames = [found for found in _FRAME.finditer(traceback) if not found["file"].startswith(_OURS)]
    # A name in a library alone would hide which call of the user's led there; yet it is better than no line.
    own = [frame for frame in frames if not _LIBRARY.search(frame["file"])]
    last = (own or frames)[-1:]
    return "".join(f"{at['file']}:{at['line']}" + (f", in {at['function']}" if at["function"] else "") for at in last)
