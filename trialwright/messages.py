"""The messages between the parts of Trialwright. Read this file first.

The experiment (``core/experiment.py``) is a state machine: *events* go in, *commands* come out. Events are past tense:
an executor saw them happen. Commands are imperatives: an executor carries them out and answers with events, never with
an exception. *Verdicts* and *choices* are a scheduler's answers to the experiment.

All are frozen values of plain data, so each can be journalled, printed, compared, and sent to another process.

A trial's worker holds a *lease*: it works on its own until a report meets one of the lease's boundaries; there
``report()`` waits for one answer, ``Extend`` or ``Halt``. Reports in between are sent without an answer, many in a
frame.

``attempt`` counts the launches of a trial. A message about an attempt that is not the current one is an echo, and is
dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, TypeAlias

Plain: TypeAlias = "None | bool | int | float | str | list[Plain] | dict[str, Plain]"
Config: TypeAlias = dict[str, Plain]  # a config in its plain form: see Space.plain
Metric: TypeAlias = float | int | str | bool | None
Tags: TypeAlias = dict[str, Plain]


class Message:
    """Base class of messages. It is pickled as its class and its fields in order, which is small and fast."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), tuple([getattr(self, name) for name in self.__match_args__])


# Values
# ----------------------------------------------------------------------------------------------------------------


class Boundary(NamedTuple):
    """Ends a lease at a report whose ``metric`` is at or past ``value``.

    The worker counts ``step`` (reports) and ``time_s`` (running seconds) itself; a report may give its own instead.
    """

    metric: str
    op: Literal[">=", "<="]
    value: float

    def met(self, metrics: dict[str, Metric]) -> bool:
        """Tell whether a report meets this boundary; one where the metric is missing, NaN, or a string does not."""
        value = metrics.get(self.metric)
        if not isinstance(value, int | float):
            return False
        return value >= self.value if self.op == ">=" else value <= self.value


Until: TypeAlias = tuple[Boundary, ...]  # any one of them ends the lease; the empty tuple never does
EVERY_REPORT: Until = (Boundary("step", ">=", 0),)


def at_step(step: float) -> Until:
    """Return the lease that ends at a trial's report number ``step``."""
    return (Boundary("step", ">=", step),)


@dataclass(frozen=True, slots=True)
class Node(Message):
    """One machine: how much it has of each resource, in the user's units (``{"cpu": 8, "gpu": 2, "memory":
    3.2e10}``), and how much of that other programs hold: it cannot be granted now, but may become free."""

    name: str
    resources: dict[str, float]
    others: dict[str, float] = field(default_factory=dict)


class Placement(NamedTuple):
    """Where one bundle of a trial's request was granted. ``units`` are 1/10,000 of the user's units; ``gpus`` are
    device indices on the node."""

    node: str
    units: dict[str, int]
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Checkpoint(Message):
    """A saved state: its place (a path, or a name that only the executor understands), its step, and the running time
    until then. A trial that loads it counts both on from there."""

    path: str
    step: int
    time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Request(Message):
    """One request to a searcher: for a new configuration; or (``explore``) for a variation of ``donor``, for a trial
    that clones it; or (``next``) for the best of a new configuration and the paused trials.

    ``sample`` numbers the requests for new configurations, from 0 without gaps; if it is negative, a new one is not
    allowed.
    """

    trial: int
    sample: int = 0
    kind: Literal["new", "explore", "next"] = "new"
    tags: Tags = field(default_factory=dict)
    donor: Config | None = None
    attempt: int = 0  # how often the trial has been launched


@dataclass(frozen=True, slots=True)
class Suggestion(Message):
    """A searcher's answer to one request. The searcher's own data about the trial goes into ``tags``."""

    config: Config
    tags: Tags = field(default_factory=dict)
    resources: dict[str, float] | None = None  # where they depend on the config: added to the searcher's answer
    resume: int | None = None  # to ``next``: this paused trial, whose config it is, goes on


@dataclass(frozen=True, slots=True)
class Report(Message):
    """A report as schedulers see it. ``values`` are the objectives, sign-flipped so that smaller is always better."""

    step: int
    values: tuple[float, ...]
    metrics: dict[str, Metric]  # as reported, with ``step`` and ``time_s``


@dataclass(frozen=True, slots=True)
class Outcome(Message):
    """How a trial ended, and why, in a sentence."""

    kind: Literal["completed", "stopped", "failed", "lost", "cancelled"]
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.kind} ({self.reason})" if self.reason else self.kind


# A scheduler's answers
# -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start(Message):
    """Answer to on_start: run until there. The tags stay on the trial and are shown to the searcher."""

    until: Until = ()
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Continue(Message):
    """Verdict: continue until there."""

    until: Until


@dataclass(frozen=True, slots=True)
class Pause(Message):
    """Verdict: give the resources back; a later ``Resume`` continues from the checkpoint."""


@dataclass(frozen=True, slots=True)
class Stop(Message):
    """Verdict: end the trial: as ``completed`` if it has reached its last step. ``everyone``: end the whole run."""

    reason: str
    everyone: bool = False
    outcome: Literal["stopped", "completed"] = "stopped"


@dataclass(frozen=True, slots=True)
class Clone(Message):
    """Verdict: start again from the donor's checkpoint, with a variation of its configuration (PBT's exploit and
    explore)."""

    donor: int
    until: Until


@dataclass(frozen=True, slots=True)
class Resize(Message):
    """Verdict: start again from the trial's own checkpoint with other resources, in the user's units."""

    resources: dict[str, float]
    until: Until


Verdict: TypeAlias = Continue | Pause | Stop | Clone | Resize


@dataclass(frozen=True, slots=True)
class Resume(Message):
    """Choice: resume a paused trial until there: as it was, or as a ``Clone`` of a donor."""

    trial: int
    until: Until
    donor: int | None = None


@dataclass(frozen=True, slots=True)
class New(Message):
    """Choice: a new trial. The tags are shown to the searcher that is asked for it."""

    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drop(Message):
    """Choice: a paused trial will never be resumed."""

    trial: int
    reason: str


@dataclass(frozen=True, slots=True)
class Wait(Message):
    """Choice: leave the slot empty for now. With nothing running and nothing asked for, all paused trials are
    dropped."""


@dataclass(frozen=True, slots=True)
class Consult(Message):
    """Choice: what the searcher finds best, a new trial or a paused one; for a paused one, ``on_resume`` returns how
    far it runs. The tags are shown to the searcher."""

    tags: Tags = field(default_factory=dict)


Choice: TypeAlias = Resume | New | Drop | Wait | Consult


# The experiment's own decisions: journalled, so that a replay uses them and not the rules of its own version
# ---------------------------------------------------


@dataclass(frozen=True, slots=True)
class Granted(Message):
    """A trial was launched, on these resources: a place for each bundle of its request."""

    trial: int
    placements: tuple[Placement, ...]


@dataclass(frozen=True, slots=True)
class Queued(Message):
    """A trial was sent to the slot of one that runs, to be run there after it."""

    trial: int
    after: int


@dataclass(frozen=True, slots=True)
class Asked(Message):
    """The searcher was asked for so many new trials."""

    count: int
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TooLarge(Message):
    """A trial's request is more than any machine has."""

    trial: int


Decision: TypeAlias = Start | Verdict | Choice | Granted | Queued | Asked | TooLarge


# Events
# ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CapacityChanged(Message):
    """These are the machines now. The first event of every session of a run.

    ``to_come`` are machines that may still be added, one of each type: trials that fit on these wait for them."""

    nodes: tuple[Node, ...]
    to_come: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggested(Message):
    """The searcher answered ask ``ask``. Fewer suggestions than requests: it has no more. None in place of one: not
    yet, ask again after more results."""

    ask: int
    suggestions: tuple[Suggestion | None, ...]


@dataclass(frozen=True, slots=True)
class Enqueued(Message):
    """The user requests a trial of this configuration, in addition to the planned samples."""

    config: Config
    checkpoint: Checkpoint | None = None
    letter: int = 0  # the request's number in the run's inbox; 0 if it came another way
    resources: dict[str, float] | None = None  # as in Suggestion


@dataclass(frozen=True, slots=True)
class StopRequested(Message):
    """The user requests the end of a trial, or (None) of the whole run."""

    trial: int | None
    letter: int = 0  # as in Enqueued


@dataclass(frozen=True, slots=True)
class PauseRequested(Message):
    """The user requests that a trial stops and keeps its place, or (None) that the run starts no more trials."""

    trial: int | None
    letter: int = 0  # as in Enqueued


@dataclass(frozen=True, slots=True)
class ContinueRequested(Message):
    """The user requests that a trial continues that was paused by request, or (None) the run and all such trials."""

    trial: int | None
    letter: int = 0  # as in Enqueued


@dataclass(frozen=True, slots=True)
class SamplesAdded(Message):
    """The user requests this many more new trials than planned."""

    count: int
    letter: int = 0  # as in Enqueued


@dataclass(frozen=True, slots=True)
class RetryRequested(Message):
    """The user requests a retry of a trial that has ended without being completed: from its last checkpoint or from the
    beginning."""

    trial: int
    from_checkpoint: bool = True


@dataclass(frozen=True, slots=True)
class Started(Message):
    """The worker began to run user code. Not sent for a trial that follows another in its slot: that begins when the
    other has ended."""

    trial: int
    attempt: int
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Reported(Message):
    """A frame of consecutive reports, in columns. ``waiting``: the last one meets a boundary or has a checkpoint, and
    its ``report()`` waits for an answer."""

    trial: int
    attempt: int
    first_step: int
    time_s: tuple[float, ...]  # running time so far, by the worker's monotonic clock; one entry a report
    columns: dict[str, list[Metric]]  # metric -> one entry a report, None where it was not reported
    waiting: bool = False
    checkpoint: str | None = None  # saved by the last report of the frame

    @property
    def last_step(self) -> int:
        return self.first_step + len(self.time_s) - 1

    @property
    def size(self) -> int:
        """Its approximate size in memory, in bytes."""
        columns = self.columns.values()
        long = sum(
            len(value) for column in columns if str in map(type, column) for value in column if type(value) is str
        )
        return long + 32 * len(self.time_s) * (1 + len(columns))

    def row(self, index: int) -> dict[str, Metric]:
        """One report of the frame, as a scheduler sees it: with ``step`` and ``time_s``, unless it brings its own."""
        place = range(len(self.time_s))[index]
        row: dict[str, Metric] = {"step": self.first_step + place, "time_s": self.time_s[place]}
        for name, column in self.columns.items():
            if column[place] is not None:
                row[name] = column[place]
        return row


@dataclass(frozen=True, slots=True)
class Noted(Message):
    """Metrics of the following reports are not kept as reported; ``notes`` has a sentence on each, by its name."""

    trial: int
    attempt: int
    notes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Finished(Message):
    """User code returned."""

    trial: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Failed(Message):
    """User code raised, or broke the rules of reporting. ``error`` is one line."""

    trial: int
    attempt: int
    error: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Halted(Message):
    """User code has stopped: a Halt was carried out, or it raised ``TrialStopped`` itself."""

    trial: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Lost(Message):
    """The worker has died or cannot be reached. If it was preempted, this does not count against ``max_failures``."""

    trial: int
    attempt: int
    reason: str
    preempted: bool = False


@dataclass(frozen=True, slots=True)
class Returned(Message):
    """A trial that waited in a slot was handed back: it has not begun there, and this does not count as an attempt."""

    trial: int
    attempt: int  # the attempt that it would have been


@dataclass(frozen=True, slots=True)
class Ticked(Message):
    """The experiment's deadline has passed."""


Event: TypeAlias = (
    CapacityChanged
    | Suggested
    | Enqueued
    | StopRequested
    | PauseRequested
    | ContinueRequested
    | SamplesAdded
    | RetryRequested
    | Started
    | Reported
    | Noted
    | Finished
    | Failed
    | Halted
    | Lost
    | Returned
    | Ticked
)
TrialEvent: TypeAlias = Started | Reported | Noted | Finished | Failed | Halted | Lost


# Commands
# --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask(Message):
    """Ask the searcher for suggestions. ``seen`` is how much of the history it may see: what had arrived at this
    moment."""

    ask: int
    requests: tuple[Request, ...]
    seen: int


@dataclass(frozen=True, slots=True)
class Launch(Message):
    """Run user code on the granted resources until the lease ends. ``after``: it waits in the slot that was granted to
    this trial, in this attempt, until those before it have ended there; only to executors that have ``ahead``."""

    trial: int
    attempt: int
    config: Config
    placements: tuple[Placement, ...]  # one for each bundle of its request
    until: Until
    seed: int
    checkpoint: Checkpoint | None = None
    after: tuple[int, int] | None = None

    @property
    def placement(self) -> Placement:
        """Where user code runs: the place of the first bundle."""
        return self.placements[0]


@dataclass(frozen=True, slots=True)
class Extend(Message):
    """Answer to a waiting report: continue. ``durable``: sent only once the report's checkpoint is committed, because
    it acknowledges it."""

    trial: int
    attempt: int
    until: Until
    durable: bool = False


@dataclass(frozen=True, slots=True)
class Halt(Message):
    """End the user code, politely first. Answered by Halted, or by Finished, Failed, or Lost where these come first.

    ``durable``: sent only once the decision is committed, because the trial will continue from what it has reached. One
    that ends the trial is sent at once: a crash before the commit repeats the steps since the last checkpoint.
    """

    trial: int
    attempt: int
    durable: bool = False


@dataclass(frozen=True, slots=True)
class Cancel(Message):
    """A trial without a worker will not run; it may wait in a slot. There is no answer."""

    trial: int


@dataclass(frozen=True, slots=True)
class Discard(Message):
    """Delete a checkpoint that is no longer needed."""

    path: str


Command: TypeAlias = Ask | Launch | Extend | Halt | Cancel | Discard
