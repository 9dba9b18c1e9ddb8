"""A trial's life: its states, the one table of what may happen in each, and the log of what has happened.

A trial waits, runs, and ends. Between running and anything else stands *stopping*: the decision is made, the work is
not yet known to have ended, and the resources stay booked. Where a stopping trial goes is ``then``: it ends, pauses, or
waits to be launched again with another configuration or other resources. A later decision may only raise ``then``, and
ENDED is highest.

    WAITING ──Launch──▶ RUNNING ──Finished, Halted──▶ ENDED
       ▲ ▲                │ │ ╲
       │ └─Failed, Lost───┘ │  Halt(then)
       │   (attempts left)  │    ╲
       │                    ▼     ▼
       └────── then ── STOPPING ◀─┘ ── then ──▶ PAUSED ──Launch──▶ RUNNING

A trial that ended without being completed waits again if the user requests it (``RetryRequested``).

Everything that moves a trial is a row of ``TABLE``; a pair that has no row raises ``InvalidTransition`` with the
trial's story. Messages of an earlier attempt never get here: the experiment drops them first.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple, Protocol

from trialwright.messages import (
    Cancel,
    Checkpoint,
    Config,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Metric,
    Outcome,
    Reported,
    RetryRequested,
    Started,
    Tags,
    Until,
)
from trialwright.resources import Request, to_amounts, total


class State(StrEnum):
    """Where a trial is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"
    PAUSED = "paused"
    ENDED = "ended"


class Fork(StrEnum):
    """A target that depends on the trial."""

    RETRY = "waiting while attempts remain, else ended"
    THEN = "where the Halt said"
    COMPLETE = "ended, unless the trial is about to be cloned: then waiting"


TABLE: dict[State, dict[type, State | Fork]] = {
    State.WAITING: {Launch: State.RUNNING, Cancel: State.ENDED},
    State.RUNNING: {
        Started: State.RUNNING,
        Reported: State.RUNNING,
        Extend: State.RUNNING,
        Halt: State.STOPPING,
        Finished: State.ENDED,
        Halted: State.ENDED,  # by itself: the objective raised what report() raises
        Failed: Fork.RETRY,
        Lost: Fork.RETRY,
    },
    State.STOPPING: {
        Started: State.STOPPING,
        Reported: State.STOPPING,
        Halt: State.STOPPING,
        Halted: Fork.THEN,
        Failed: Fork.THEN,
        Lost: Fork.THEN,
        Finished: Fork.COMPLETE,
    },
    State.PAUSED: {Launch: State.RUNNING, Cancel: State.ENDED},
    State.ENDED: {RetryRequested: State.WAITING},
}

RANK = {State.WAITING: 0, State.PAUSED: 1, State.ENDED: 2}  # a later Halt may only raise where a stopping trial goes


class Descent(NamedTuple):
    """A trial went on as a variation of another, or of itself."""

    step: int  # where the trial stood
    donor: int
    donor_step: int  # where it went on from
    donor_descents: int  # how many of these the donor had had before
    before: Config  # what the trial's configuration was


class Period(NamedTuple):
    """When an attempt of a trial ran, in seconds of the run."""

    attempt: int
    worker: str
    started: float
    ended: float | None  # None while it runs
    how: str  # it ended: an outcome, or "paused" if the trial was to continue; while it runs, the trial's state


@dataclass(slots=True)
class Trial:
    """One configuration's life. Only ``Experiment`` changes it."""

    id: int
    config: Config
    request: Request
    seed: int
    tags: Tags = field(default_factory=dict)
    admitted: bool = False  # the scheduler knows of it
    state: State = State.WAITING
    attempt: int = 0
    step: int = 0
    until: Until = ()  # the scheduler's share of the lease
    judged_step: int = 0  # the scheduler has judged every decision report up to here
    failures: int = 0
    then: State = State.ENDED
    outcome: Outcome | None = None
    latest: Reported | dict[str, Metric] = field(default_factory=dict)  # reports as they came, or the last one's row
    best: tuple[float, int] | None = None  # smallest finite first objective, and its step
    best_metrics: dict[str, Metric] = field(default_factory=dict)  # of the report with that value
    checkpoint: Checkpoint | None = None
    best_checkpoint: Checkpoint | None = None
    error: str = ""
    traceback: str = ""
    worker: str = ""  # that began its latest attempt
    reported: float | None = None  # when its last report came
    started: float | None = None
    ended: float | None = None
    begun: float | None = None  # when its latest attempt started; None if that has not
    before: tuple[Period, ...] = ()  # its attempts that ended, but for the one with which it ended
    descents: tuple[Descent, ...] = ()

    @property
    def metrics(self) -> dict[str, Metric]:
        """The metrics of the last report. Most are never asked for: so the row is made from the frame at first use."""
        if isinstance(self.latest, Reported):
            self.latest = self.latest.row(-1)
        return self.latest

    @property
    def resources(self) -> dict[str, float]:
        """All resources that it needs, in the user's units."""
        return to_amounts(total(self.request))

    @property
    def ran_s(self) -> float:
        """How long it ran: by the worker's clock up to its last report, if it made one."""
        told = self.metrics.get("time_s")
        return float(told) if isinstance(told, int | float) else (self.ended or 0.0) - (self.started or 0.0)

    @property
    def periods(self) -> tuple[Period, ...]:
        """When it ran: one for each attempt that has started."""
        if self.begun is None:
            return self.before
        how = self.outcome.kind if self.outcome and self.ended is not None else self.state.value
        return (*self.before, Period(self.attempt, self.worker, self.begun, self.ended, how))

    def rest(self, now: float, how: str) -> None:
        """Its attempt has ended, and another may follow."""
        if self.begun is not None:
            self.before = (*self.before, Period(self.attempt, self.worker, self.begun, now, how))
            self.begun = None

    @property
    def active(self) -> bool:
        """It holds a worker, as far as is known."""
        return self.state is State.RUNNING or self.state is State.STOPPING


NO_TAGS: Tags = {}  # tags are never changed: a million trials without any share these


def joined(tags: Tags, more: Tags) -> Tags:
    """Return both. Tags are never changed, so trials may share them: mostly there are none."""
    return {**tags, **more} if tags and more else tags or more


class Lived(Protocol):
    """A trial, in the run or in its result."""

    @property
    def state(self) -> str:
        """Its state's name."""

    @property
    def started(self) -> float | None:
        """When user code began to run first."""

    @property
    def error(self) -> str:
        """Of its last failure."""


def has_begun(trial: Lived) -> bool:
    """Tell whether a trial began, or has an error that says why it could not. Other trials only waited, and results
    leave them out."""
    return trial.started is not None or bool(trial.error) or trial.state in (State.RUNNING, State.STOPPING)


def target(trial: Trial, message: type, *, retry: bool) -> State | None:
    """Look up where ``message`` takes the trial; ``None`` if the table has no such row.

    ``retry`` tells whether the trial has attempts left.
    """
    goal = TABLE[trial.state].get(message)
    if goal is Fork.RETRY:
        return State.WAITING if retry else State.ENDED
    if goal is Fork.THEN:
        return trial.then
    if goal is Fork.COMPLETE:
        # A trial whose objective has returned cannot be resumed from a pause: it is over. A clone starts anew anyway.
        return State.WAITING if trial.then is State.WAITING else State.ENDED
    return goal


STORY_LENGTH = 10_000  # how many of the last transitions, of all trials, are kept for an error's story

_STEP = struct.Struct("<qiqbbb")
_LATER = (RetryRequested,)  # came after the first journals: the digests of these know the codes of the others
_FIRST = {message for row in TABLE.values() for message in row}.difference(_LATER)
_MESSAGES = [*sorted(_FIRST, key=lambda message: message.__name__), *_LATER]
_CODES: dict[object, int] = {item: code for code, item in enumerate([*State, *_MESSAGES])}


class TransitionLog:
    """The transitions so far: the last ones for people to read, and a digest of them all."""

    def __init__(self) -> None:
        self._story: deque[tuple[float, int, int, type, State, State | None]] = deque(maxlen=STORY_LENGTH)
        self._digest = sha256()

    def note(self, now: float, trial: Trial, message: type, after: State | None) -> None:
        """Write down a transition from the trial's state; ``after`` is None if the table has no such row."""
        before = trial.state
        self._story.append((now, trial.id, trial.attempt, message, before, after))
        if after is not None:  # else it is refused, and a replay does not meet it
            # The trial's step too: a replay that takes the same transitions, but elsewhere, went another way.
            step = _STEP.pack(trial.id, trial.attempt, trial.step, _CODES[message], _CODES[before], _CODES[after])
            self._digest.update(step)

    def story(self, trial: int) -> str:
        """Return the last transitions of a trial, a line each."""
        lines = (
            f"  {now:.3f}s attempt {attempt}: {before} --{message.__name__}--> {after or 'nowhere'}"
            for now, number, attempt, message, before, after in self._story
            if number == trial
        )
        return "\n".join([f"the story of trial {trial}:", *lines])

    @property
    def digest(self) -> str:
        """A fingerprint of every transition: equal for a replay that went the same way."""
        return self._digest.hexdigest()[:16]
