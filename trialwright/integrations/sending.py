"""How a tracker sends: what a service must be able to do, and the thread that tells it of trials.

What is to be sent waits in memory, at most ``REPORTS_MAX`` reports of it, and the thread sends all that waits of one
trial at a time. A service that is down or slow gives one warning; what it did not get is counted, and said when the run
ends. The journal has every report in any case.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from trialwright.errors import named
from trialwright.messages import Metric
from trialwright.storage.place import name_of

REPORTS_MAX = 20_000  # that wait to be sent
INTERRUPTED = "interrupted"

Handle = TypeVar("Handle")


@dataclass(frozen=True, slots=True)
class Tracked:
    """A trial as trackers see it.

    Args:
        run: the name of the run's directory, which no other run has.
        number: the trial's.
        name: the one that the tracker shows.
        params: its configuration, flat, with numbers, strings and None as they are and anything else as a string.
        directory: of its files; None if nothing is kept.
    """

    run: str
    number: int
    name: str
    params: dict[str, Metric]
    directory: str | None = None

    @property
    def run_name(self) -> str:
        """The name that the run was given; several runs may have it."""
        return name_of(Path(self.run))

    @property
    def key(self) -> str:
        """What no other trial of any run is called: a resumed run finds its trials by it."""
        return f"{self.run}/{self.number}"


@dataclass(frozen=True, slots=True)
class Row:
    """A report: its step, when it came (seconds since 1970), and its metrics, flat."""

    step: int
    time: float
    metrics: dict[str, Metric]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a trial ended: ``completed``, ``stopped``, ``failed``, ``lost``, ``cancelled``; or ``interrupted``: it has
    not, and a resumed run continues it. The message is its error, or why it was stopped."""

    status: str
    message: str = ""

    @property
    def is_failure(self) -> bool:
        return self.status in ("failed", "lost")


class Service(Protocol[Handle]):
    """A tracking service. Its methods are called one at a time, in one thread; they may take long, and may raise."""

    def connect(self, name: str, run: str, directory: str | None) -> None:
        """Get ready. It is called again if it raised.

        Args:
            name: the run's, under which the service shows its trials.
            run: the name of its directory.
            directory: the path; None if nothing is kept.
        """

    def begin(self, trial: Tracked) -> Handle:
        """Begin a trial, or continue the one of this key that an interrupted run has begun."""

    def change(self, handle: Handle, trial: Tracked) -> None:
        """The trial has another configuration from now on."""

    def log(self, handle: Handle, rows: Sequence[Row]) -> None:
        """The trial reported."""

    def end(self, handle: Handle, trial: Tracked, ending: Ending) -> None:
        """The trial ended."""

    def close(self) -> None:
        """The run is over."""


# The thread that sends ------------------------------------------------------------------------------------------------


@dataclass
class Unsent:
    """What waits to be sent of one trial: it may have begun, it may have reported, it may have ended."""

    trial: Tracked
    rows: list[Row] = field(default_factory=list)
    ending: Ending | None = None


@dataclass
class _Open(Generic[Handle]):
    """A trial that the service has begun."""

    trial: Tracked
    handle: Handle


class Sender(Generic[Handle]):
    """Sends what is put in, in a thread. ``put`` never waits for the service.

    Args:
        title: the service's name, for warnings.
        service: the service.
        warn: called with a sentence, from any thread.
    """

    def __init__(self, title: str, service: Service[Handle], warn: Callable[[str], None]) -> None:
        self._title, self._service, self._warn = title, service, warn
        self._changed = threading.Condition()  # guards what follows, up to the blank line
        self._unsent: dict[int, Unsent] = {}  # in the order in which they wait
        self._waiting = self._total = self._lost = 0  # reports
        self._is_closing = False

        self._connect: Callable[[], None] | None = None  # until it has been done
        self._open: dict[int, _Open[Handle]] = {}
        self._unended: list[Unsent] = []  # whose ends the service did not get
        self._has_warned = False

    def start(self, name: str, run: str, directory: str | None) -> None:
        """Start the thread; it connects first, with these arguments."""
        self._connect = partial(self._service.connect, name, run, directory)
        self._thread = threading.Thread(target=self._work, name=f"trialwright-{self._title}", daemon=True)
        self._thread.start()

    def put(self, trial: Tracked, row: Row | None = None, ending: Ending | None = None) -> None:
        """Have a trial's beginning, a report of it, or its end sent. If too many reports wait, a new one is lost."""
        with self._changed:
            unsent = self._unsent.setdefault(trial.number, Unsent(trial))
            unsent.trial, unsent.ending = trial, ending or unsent.ending
            self._total += row is not None
            if row is not None and self._waiting >= REPORTS_MAX:
                self._lost += 1
            elif row is not None:
                unsent.rows.append(row)
                self._waiting += 1
            self._changed.notify()

    def finish(self, timeout_s: float) -> None:
        """Let the thread end after what waits, and say what the service did not get. Blocks."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            missing = self._lost + self._waiting
        if self._thread.is_alive():
            self._warn(
                f"{self._title} is slow: {missing:,} of {self._total:,} reports are not sent {timeout_s:g} s after the "
                "run's end. What waits is still sent while this process lives; the callback's wait_s is how long a run "
                "waits"
            )
        elif missing or self._unended:
            self._warn(
                f"{self._title} did not get {missing:,} of {self._total:,} reports, and the ends of "
                f"{len(self._unended):,} trials. The run's own journal has all of them"
            )

    def _work(self) -> None:
        self._attempt(self._connected)
        while (unsent := self._next()) is not None:
            self._send(unsent)
        again, self._unended = self._unended, []
        for unsent in again:
            self._send(unsent)
        for entry in self._open.values():
            self._attempt(partial(self._service.end, entry.handle, entry.trial, Ending(INTERRUPTED)))
        self._attempt(self._service.close)

    def _next(self) -> Unsent | None:
        """Return what waits of one trial; None if the run is over and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._unsent or self._is_closing)
            return self._unsent.pop(next(iter(self._unsent))) if self._unsent else None

    def _send(self, unsent: Unsent) -> None:
        is_sent = self._attempt(partial(self._tell, unsent))
        if not is_sent and unsent.ending is not None:
            self._unended.append(replace(unsent, rows=[]))
        with self._changed:
            self._waiting -= len(unsent.rows)
            self._lost += 0 if is_sent else len(unsent.rows)

    def _tell(self, unsent: Unsent) -> None:
        trial = unsent.trial
        self._connected()
        entry = self._open.get(trial.number)
        if entry is None:
            entry = self._open[trial.number] = _Open(trial, self._service.begin(trial))
        elif entry.trial.params != trial.params:
            entry.trial = trial
            self._service.change(entry.handle, trial)
        if unsent.rows:
            self._service.log(entry.handle, unsent.rows)
        if unsent.ending is not None:
            self._service.end(entry.handle, trial, unsent.ending)
            del self._open[trial.number]

    def _connected(self) -> None:
        if self._connect is not None:
            self._connect()
            self._connect = None

    def _attempt(self, do: Callable[[], None]) -> bool:
        """Do something with the service; tell whether it went well. What it raises is said once."""
        try:
            do()
        except BaseException as error:  # SystemExit too: a service's client must not end the thread
            if not self._has_warned:
                self._has_warned = True
                self._warn(f"{self._title} does not take what is sent to it: {named(error)[:500]}")
            return False
        return True
