"""Trackers: callbacks that send the trials of a run to a tracking service, and never hold the run up.

What is to be sent waits in memory, at most ``REPORTS_MAX`` reports of it, and a thread of its own sends it, all that
waits of one trial at a time. A service that is down or slow gives one warning; what it did not get is counted, and said
when the run ends. The journal has every report in any case.
"""

from __future__ import annotations

import importlib
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar, cast

from trialwright import reporting
from trialwright.callbacks import Callback, TrialInfo
from trialwright.errors import named, said
from trialwright.messages import Metric
from trialwright.nested import flatten
from trialwright.space.plain import shown_of
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


class View:
    """How a tracker names trials and metrics: as the engine does."""

    def locate(self, directory: str | None) -> None:
        """The run begins, and is kept here."""

    def name(self, trial: TrialInfo, run: str) -> str:
        """Return what the tracker calls a trial."""
        return f"{run}-{trial.id:05d}"

    def row(self, trial: TrialInfo, result: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return a report's step, and its metrics, flat."""
        metrics = dict(result)
        return int(metrics.pop("step")), metrics


class Tracker(Callback):
    """Sends what happens to the trials of a run to a service.

    Args:
        title: the service's name, for warnings.
        service: the service.
        wait_s: how long the end of a run waits for what is still to be sent.
    """

    def __init__(self, title: str, service: Service[Any], wait_s: float) -> None:
        if not wait_s >= 0:
            raise ValueError(f"wait_s must be a number of seconds, 0 or more, not {wait_s!r}")
        self.view = View()
        self.closing_s = wait_s + 5.0  # the wait, and what comes before and after it
        self._wait_s = wait_s
        self.service = service
        self._title = title
        self._sender: Sender[Any] | None = None
        self._trials: dict[int, Tracked] = {}

    def setup(self, **info: object) -> None:
        """Start to send, in a thread."""
        directory = None if info.get("directory") is None else str(info["directory"])
        name = str(info.get("name"))
        self._run = Path(directory).name if directory else f"{name}-{secrets.token_hex(3)}"
        self.view.locate(directory)
        warn = cast("Callable[[str], None]", info.get("warn") or _warn)
        self._trials = {}
        self._sender = Sender(self._title, self.service, warn)
        self._sender.start(name, self._run, directory)

    def on_trial_start(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        self._begin(trial)

    def on_trial_restore(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        self._begin(trial)

    def on_trial_result(
        self,
        iteration: int,
        trials: Sequence[TrialInfo],
        trial: TrialInfo,
        result: dict[str, Metric],
        **info: object,
    ) -> None:
        step, metrics = self.view.row(trial, result)
        self._put(trial, Row(step, time.time(), metrics))

    def on_trial_complete(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        self._put(trial, ending=_ending(trial))

    def on_trial_error(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        self._put(trial, ending=_ending(trial))

    def on_experiment_end(self, trials: Sequence[TrialInfo], **info: object) -> None:
        """Send the rest; wait for it for a while, and say what the service did not get."""
        if self._sender is not None:
            self._sender.finish(self._wait_s)

    def _begin(self, trial: TrialInfo) -> None:
        """Only a new attempt may have another configuration: reports need not look at it."""
        name = self.view.name(trial, self._run)
        self._trials[trial.id] = Tracked(self._run, trial.id, name, _flat(shown_of(trial.config)), trial.directory)
        self._put(trial)

    def _put(self, trial: TrialInfo, row: Row | None = None, ending: Ending | None = None) -> None:
        tracked = self._trials.get(trial.id)
        if self._sender is not None and tracked is not None:  # one that was cancelled before it began is not shown
            self._sender.put(tracked, row, ending)


def _ending(trial: TrialInfo) -> Ending:
    status, _, reason = (trial.outcome or "completed").partition(" ")
    return Ending(status, trial.error or reason.removeprefix("(").removesuffix(")"))


def _flat(config: Mapping[str, Any]) -> dict[str, Metric]:
    return {
        path: value if isinstance(value, bool | int | float | str | None) else str(value)
        for path, value in flatten(config).items()
    }


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)


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


# Inside a trial -------------------------------------------------------------------------------------------------------


def this_trial(config: Mapping[str, Any] | None) -> Tracked:
    """Return the trial that this code runs in.

    Args:
        config: what becomes its parameters.

    Raises:
        RuntimeError: this is not inside a trial.
    """
    context = reporting.context()
    run, number = context.directory.parents[1].name, context.trial_id
    return Tracked(run, number, f"{run}-{number:05d}", _flat(config or {}), str(context.directory))


def at_end(do: Callable[[Ending], None]) -> None:
    """Have this called when the attempt that runs here has ended, in its thread."""

    def told(kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None or issubclass(kind, reporting.TrialStopped):
            do(Ending("completed" if kind is None else "stopped"))
        else:
            do(Ending("failed", said(error) if error is not None else ""))

    reporting.exits().push(told)


# Libraries ------------------------------------------------------------------------------------------------------------


def require(module: str, package: str) -> None:
    """Refuse a service whose client is not there, without importing it: that may take seconds.

    Raises:
        ImportError: it is not installed; the message says what to install.
    """
    if find_spec(module) is None:
        raise ImportError(f"this tracker needs {module}: pip install {package}")


def client(module: str) -> Any:  # noqa: ANN401 - most of them have no types
    """Import a service's client."""
    found: ModuleType = importlib.import_module(module)
    return found
