"""What a store is: the journal of a run, and the tables that people query.

The journal holds every event, in order, with the decisions on it. Everything else can be made from it. *Acknowledged*
means that the commit of the turn that holds a report is done. The contract is ``tests/contracts/store.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from trialwright.core.trial import Period
from trialwright.errors import StorageError
from trialwright.messages import Config, Decision, Event, Metric, Plain, Reported, Tags


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial as the ``trials`` table shows it."""

    id: int
    state: str
    outcome: str | None
    reason: str
    attempt: int
    step: int
    config: Config
    tags: Tags
    metrics: dict[str, Metric]
    checkpoint: str | None
    error: str
    traceback: str
    started: float | None
    ended: float | None
    worker: str = ""  # that began its latest attempt
    best: tuple[float, int] | None = None  # the best value of the first metric, as reported, and its step
    best_checkpoint: str | None = None
    best_metrics: dict[str, Metric] = field(default_factory=dict)  # of the best report, unless that is the last
    periods: tuple[Period, ...] = ()  # when its attempts ran; empty if it had at most one


class Turn(NamedTuple):
    """One turn of the loop: the events that arrived, and the decisions on them.

    ``decisions`` has an item for each event: the decisions on it, or None if handling it, or an event before it,
    failed. ``late`` has the decisions that a resumed run made on the first events without any. ``digest`` is the
    experiment's after all of that. ``is_awaited``: something waits for the commit, which is then not
    delayed to share it with later turns. ``is_last``: the run is over, nothing is left to be done. ``is_paused``: it is
    asked to start no more trials. ``samples``: how many new trials are planned, -1 for unlimited, None if not known.
    """

    now: float
    events: Sequence[Event]
    decisions: Sequence[Sequence[Decision] | None] = ()
    digest: str = ""
    trials: Iterable[TrialRow] = ()  # read once
    late: Sequence[Sequence[Decision]] = ()
    is_awaited: bool = True
    is_last: bool = False
    is_paused: bool = False
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the journal. ``decisions`` is None if handling it failed; ``digest``, where there is one, is what
    the driver's experiment had after this event and its decisions."""

    now: float
    event: Event
    decisions: Sequence[Decision] | None
    digest: str | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Where a store's time went, for the summary of a run."""

    turns: int = 0  # committed
    commits: int = 0
    commit_s: float = 0.0
    longest_commit_s: float = 0.0
    deepest_queue: int = 0  # turns


COMMITTED: Future[None] = Future()  # a store that needs no commit may return this
COMMITTED.set_result(None)


def failed(error: StorageError) -> Future[None]:
    """Return a future that has failed already."""
    future: Future[None] = Future()
    future.set_exception(error)
    return future


class Store(Protocol):
    """Keeps a run. A turn that was appended belongs to the store: its lists must not be changed afterwards."""

    @property
    def is_watched(self) -> bool:
        """Others may look at the trials while the run goes on. If not, the last turn brings all their rows."""

    @property
    def settings(self) -> dict[str, Plain]:
        """The run's settings from its creation."""

    @property
    def pending(self) -> int:
        """How many turns were appended and are not committed."""

    @property
    def digest(self) -> str:
        """A fingerprint of the journal, as far as it is committed: see ``storage/journal.py`` for what is hashed."""

    def append(self, turn: Turn) -> Future[None]:
        """Write a turn; the future is done when it is committed. Commits are in the order of the calls.

        The future fails with ``StorageError`` if it could not be committed, and so does every later one.
        """

    def entries(self) -> Iterator[Entry]:
        """Read the journal from its beginning, checking its checksums.

        Raises:
            StorageError: the journal is damaged; the message says from which event on.
        """

    def frames(self, trial: int) -> Iterator[Reported]:
        """Read the reports of one trial, in the order in which they arrived, all attempts."""

    def trials(self) -> Iterator[TrialRow]:
        """Read the latest rows of the trials, in the order of their numbers."""

    def statistics(self) -> Statistics:
        """Return how much was committed, and how long that took, since the store was opened."""

    def close(self) -> None:
        """Commit what was appended, and close the store. It can still be read; a later append fails."""
