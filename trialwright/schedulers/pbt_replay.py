"""PBT replay: one trial follows the schedule of configurations that a population has found.

A population's best trial has had several configurations, its own and those of the donors it came from, each for some
steps (Jaderberg et al. 2017, figure 5). ``result.lineage(trial)`` is that schedule. At each of its changes the trial
goes on from its own checkpoint with the next configuration, which ``searchers/schedule.py`` supplies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from trialwright.messages import (
    Boundary,
    Choice,
    Clone,
    Continue,
    New,
    Outcome,
    Plain,
    Report,
    Start,
    Until,
    Verdict,
    Wait,
)
from trialwright.schedulers.base import TrialView
from trialwright.streams import Streams


@dataclass
class PBTReplay:
    """Takes each trial through a schedule of configurations.

    It has its own searcher. The run should have one sample, and the configurations must be in its space.

    Args:
        policy: pairs of a step and the configuration from there on, the first at 0: ``result.lineage(trial)``.

    Raises:
        ValueError: there is no pair, or the steps do not begin at 0 and grow.
    """

    policy: Sequence[tuple[Any, ...]]

    def __post_init__(self) -> None:
        self.policy = [(step, config) for step, config, *_ in self.policy]
        steps = [step for step, _ in self.policy]
        if not steps or steps[0] != 0 or sorted(set(steps)) != steps:
            raise ValueError(f"policy must be pairs of a step and a config, with steps that grow from 0, not {steps}")

    def setup(self, rng: Streams) -> None:
        """Begin before the first change."""
        self._segments: dict[int, int] = {}  # trial -> which part of the policy it follows

    def on_start(self, trial: TrialView) -> Start:
        """Until the first change."""
        self._segments[trial.id] = 0
        return Start(self._until(0))

    def _until(self, segment: int) -> Until:
        rest = self.policy[segment + 1 :]
        return (Boundary("step", ">=", rest[0][0]),) if rest else ()

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """At a change: continue as a clone of itself, with the next configuration."""
        segment = self._segments[trial.id]
        if segment + 1 == len(self.policy) or report.step < self.policy[segment + 1][0]:
            return Continue(self._until(segment))
        self._segments[trial.id] = segment + 1
        return Clone(trial.id, self._until(segment + 1))

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Forget the trial."""
        del self._segments[trial.id]

    def next(self, can_ask: bool) -> Choice:
        """A new trial, as long as there are any."""
        return New() if can_ask else Wait()

    def why(self) -> dict[str, Plain]:
        """Nothing but the policy."""
        return {}

    def state(self) -> Plain:
        """Which part of the policy each trial follows."""
        return [[trial, segment] for trial, segment in self._segments.items()]

    def restore(self, state: Plain) -> None:
        """Restore what ``state()`` returned."""
        self._segments = dict(cast("list[tuple[int, int]]", state))
