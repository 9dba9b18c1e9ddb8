"""Metric names in a run's arguments that its reports lack: most likely typing errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trialwright.core.plan import Plan
from trialwright.errors import nearest
from trialwright.messages import Outcome, Reported, Until
from trialwright.stopping import StopRule, metrics_of

_COUNTED = frozenset({"step", "time_s"})  # every report has them


class Missing:
    """Compares the names with what is reported.

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
