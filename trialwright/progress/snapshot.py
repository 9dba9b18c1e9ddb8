"""What a display gets: a run at one moment, where the time of a run went, and the protocol of displays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from trialwright.core.limits import Failure

RUNNING_KEPT = 20  # trials that run, of which a snapshot tells more than their number


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial so far. ``value`` is as reported, not sign-flipped; so are the others."""

    trial: int
    metric: str
    value: float
    config: Mapping[str, object]
    values: Mapping[str, object] = field(default_factory=dict)  # all objectives, in the report with this value
    found_s: float | None = None  # when, in seconds of the run
    before: float | None = None  # the best value before it; None if there was none
    before_trial: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A trial that holds resources. Times are in seconds."""

    trial: int
    state: str = "running"  # or "stopping"
    step: int = 0
    values: Mapping[str, object] = field(default_factory=dict)  # the objectives in its last report
    resources: Mapping[str, float] = field(default_factory=dict)
    runs_s: float | None = None  # since it began; None if it has not begun
    silent_s: float | None = None  # since its last report, or since it began; None if it has not begun


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial that has ended. ``number`` counts the ends of a run, from 1."""

    number: int
    trial: int
    outcome: str
    reason: str = ""
    step: int = 0
    values: Mapping[str, object] = field(default_factory=dict)  # the objectives in its last report
    config: Mapping[str, object] = field(default_factory=dict)
    ran_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment."""

    name: str
    directory: str | None = None  # None: nothing is kept
    elapsed_s: float = 0.0
    states: Mapping[str, int] = field(default_factory=dict)  # trials by state
    outcomes: Mapping[str, int] = field(default_factory=dict)  # ended trials by outcome
    wanted: int | None = None  # how many trials are planned; None for unlimited
    best: Best | None = None
    resources: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # name -> (used, total)
    reports: int = 0
    reports_per_s: float = 0.0
    stopped: str | None = None  # why the whole run ends early
    warnings: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()  # one of each kind
    starting: str = ""  # what has to start before the first trial can
    waits: str = ""  # what keeps the run waiting
    time_budget_s: float | None = None
    front: int | None = None  # how many of the ended trials no other one dominates; None with one objective
    running: tuple[Running, ...] = ()  # those that reported last come first; at most ``RUNNING_KEPT``
    ended: tuple[Ended, ...] = ()  # the last ones, in the order of their ends
    ends: int = 0  # how many trials have ended; one that is tried again counts each time
    busy_s: float = 0.0  # for how long trials have held resources, summed over the trials
    longest_s: float = 0.0  # the longest time for which a trial has run
    youngest_s: float | None = None  # for how long that trial runs which began last; None if none runs
    max_t: float | None = None  # after how many steps the scheduler ends a trial at the latest; None if it does not
    busy_resource_s: Mapping[str, float] = field(default_factory=dict)  # the same, by resource; empty if not known
    handle_s: float = 0.0  # see ``Statistics`` for these
    searcher_s: float = 0.0
    idle_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Where the time of a run went."""

    wall_s: float = 0.0
    handle_s: float = 0.0  # deciding: the experiment with its scheduler
    loop_lag_p99_s: float = 0.0
    loop_lag_max_s: float = 0.0
    queue_max: int = 0  # events that waited for one turn of the loop
    commits: int = 0
    commit_s: float = 0.0
    commit_max_s: float = 0.0
    searcher_s: float = 0.0
    launch_mean_s: float = 0.0  # from Launch to Started
    idle_s: Mapping[str, float] = field(default_factory=dict)  # cause -> slot-seconds without work
    open_s: float = 0.0  # until trials could start
    open_hint: str = ""  # how they could start sooner


class Progress(Protocol):
    """Shows a run. It is called in a thread of its own, one call at a time, so it may block."""

    def update(self, snapshot: Snapshot) -> None:
        """Show the newest state of the run: called about four times a second, unless the last call is still running. If
        it raises, it is not called again."""

    def close(self, snapshot: Snapshot) -> None:
        """Show the last state, and restore the terminal. If it has not returned after ten seconds, the run ends without
        it."""
