"""The plan: a run's settings as plain data. They come first in the journal, and a resumed run must have the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from trialwright.messages import Boundary

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Plan:
    """The settings of a run that its decisions depend on."""

    metrics: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ()
    outcome_constraints: tuple[Boundary, ...] = ()  # a trial that violates one cannot be the best
    samples: int | None = 1  # how many new trials to ask for, including the grid; None for unlimited
    resources: dict[str, float] | None = field(default_factory=lambda: {"cpu": 1.0})  # of a trial; None: each its own
    max_concurrent_trials: int | None = None
    time_budget_s: float | None = None
    trial_timeout_s: float | None = None
    max_failures: int = 0  # how often a trial may fail and be tried again; -1 for unlimited
    fail_fast: bool = False
    same_failures: int = 5  # a run whose first trials all failed in the same way stops after so many; 0 for never
    prefetch: int = 0  # suggestions asked for ahead of free slots
    keep_checkpoints: int | None = None  # of one trial, besides its best; None keeps all
    checkpoint_score: tuple[str, Mode] | None = None  # which are kept: the best by this; None: the latest
    optional_metrics: frozenset[str] = frozenset()  # may be missing in all reports, though a stop rule names them
    seed: int = 0

    @cached_property
    def signs(self) -> tuple[float, ...]:
        """What each metric is multiplied by, so that smaller is better."""
        return tuple(-1.0 if mode == "max" else 1.0 for mode in self.modes)
