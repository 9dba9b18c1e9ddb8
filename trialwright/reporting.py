"""The functions for user code in a trial: ``report``, ``get_checkpoint``, ``context``; and the session behind them.

A session is one attempt of one trial, in its worker. It counts steps, tests each report against the boundaries of the
lease, and sends reports in frames. At a boundary, and with a checkpoint, ``report()`` waits for one answer; otherwise
it returns at once.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from trialwright.errors import said
from trialwright.messages import Extend, Halt, Launch, Metric, Noted, Reported, Until
from trialwright.metrics import clean, require
from trialwright.storage import checkpoints
from trialwright.storage.checkpoints import Saveable
from trialwright.storage.files import is_of_disk

FLUSH_S = 0.005  # a report that comes later than this after the last frame is sent at once
FLUSH_REPORTS = 64
NOTES_MAX = 100  # names of metrics in one attempt that get a note
ERROR_LENGTH_MAX = 500
_FORKED = (
    "report() was called in a process that the trial has forked: only the trial's own process can report; send the "
    "metrics to that process, by a pipe or a queue"
)


class TrialStopped(BaseException):
    """Raised by ``report()`` when the trial must end. Not an ``Exception``, so that ``except Exception`` does not catch
    it.

    Args:
        continues: the trial will continue later from what it has reported: it was paused, cloned or resized.
    """

    def __init__(self, *, continues: bool = False) -> None:
        super().__init__()
        self.continues = continues


@dataclass(frozen=True)
class Context:
    """A trial's number, attempt, config, resources, directory and seed, from ``context()``."""

    trial_id: int
    attempt: int
    config: dict[str, object]
    resources: dict[str, float]
    directory: Path
    seed: int


class Reply:
    """What ``report()`` returns. In an ``async def`` it can be awaited, until the report is answered."""

    def __await__(self) -> Generator[object, None, None]:
        return
        yield  # never reached: it makes this a generator, as ``await`` needs


class Link(Protocol):
    """A session's way to the driver."""

    def send(self, message: Reported | Noted) -> None:
        """Send a frame, or notes on the following one; may block while the driver is behind."""

    def answer(self) -> Extend | Halt:
        """Wait for the answer to a waiting report."""

    def fail(self, reason: str) -> None:
        """The disk of the run's directory is full or fails: the run must stop, and this attempt does not count."""

    @property
    def halted(self) -> Halt | None:
        """The Halt, if one has come."""


@dataclass
class Session:
    """One attempt of one trial, in its worker."""

    launch: Launch
    config: dict[str, object]
    directory: Path
    link: Link
    metrics: tuple[str, ...] = ()
    clock: Callable[[], float] = time.monotonic
    step: int = 0
    resources: dict[str, float] = field(default_factory=dict)
    returned: bool = False  # user code has returned: only the end of the attempt follows
    exits: ExitStack = field(default_factory=ExitStack)  # what is to be closed with the attempt, as a tracker's run

    def __post_init__(self) -> None:
        self._until: Until = self.launch.until
        self._began = self.clock()
        self._before_s = 0.0  # running time before this attempt, up to the checkpoint it goes on from
        self._times: list[float] = []
        self._columns: dict[str, list[Metric]] = {}
        self._flushed = self._began
        self._noted: set[str] = set()  # names of metrics that got a note
        self._lock = threading.Lock()  # the tail of the reports is flushed by another thread
        self._pid = os.getpid()

    @property
    def is_forked(self) -> bool:
        """This is a copy in a process that the trial has forked: it must not send messages for the trial."""
        return os.getpid() != self._pid

    @property
    def context(self) -> Context:
        """What ``context()`` returns."""
        self.directory.mkdir(parents=True, exist_ok=True)
        launch = self.launch
        return Context(launch.trial, launch.attempt, self.config, self.resources, self.directory, launch.seed)

    def get_checkpoint(self) -> Path | dict[str, object] | None:
        """Return the last checkpoint that was reported, if this attempt continues from one; steps are then counted from
        there."""
        checkpoint = self.launch.checkpoint
        if checkpoint is None:
            return None
        if self.step == 0:  # only before the first report: a later call must not set the count back
            self.step, self._before_s = checkpoint.step, checkpoint.time_s
        return checkpoints.load(Path(checkpoint.path))

    def report(self, metrics: Mapping[str, object], checkpoint: Saveable | None = None) -> Reply:
        """Send a report; raise ``TrialStopped`` if the trial must end."""
        self._check_process()
        row = self._cleaned(metrics)
        path = None if checkpoint is None else self._save(checkpoint, self.step + 1)
        if self._send(row, path):
            self._obey(self.link.answer())
        if self.link.halted:
            self.flush()
            raise TrialStopped(continues=self.link.halted.durable)
        return Reply()

    def decides(self, metrics: Mapping[str, object]) -> bool:
        """Tell whether a report of these metrics, made now, would wait for a decision: a good time to save a
        checkpoint."""
        row = {"step": self.step + 1, "time_s": self._before_s + self.clock() - self._began, **clean(metrics)}
        return any(boundary.met(row) for boundary in self._until)

    def flush(self) -> None:
        """Send what has been reported and not sent. Other threads may call it."""
        with self._lock:
            if self._times:
                self._send_frame()

    def flush_tail(self, *, older_than_s: float = FLUSH_S) -> None:
        """Send reports that have waited too long for more to share a frame. Called by another thread, now and then, or
        by
        a signal handler: these must not wait for a thread that is sending."""
        if self._times and self.clock() - self._flushed > older_than_s and self._lock.acquire(blocking=False):
            try:
                if self._times:
                    self._send_frame()
            finally:
                self._lock.release()

    def _check_process(self) -> None:
        if self.is_forked:
            raise RuntimeError(_FORKED)

    def _cleaned(self, metrics: Mapping[str, object]) -> dict[str, Metric]:
        """Return a report as plain values; send notes on values of other types, once for each name."""
        notes: dict[str, str] = {}
        row = clean(metrics, notes)
        new = [name for name in notes if name not in self._noted][: NOTES_MAX - len(self._noted)]
        if new:
            self._noted.update(new)
            self.link.send(Noted(self.launch.trial, self.launch.attempt, {name: notes[name] for name in new}))
        require(row, self.metrics, notes)
        return row

    def _obey(self, answer: Extend | Halt) -> None:
        if isinstance(answer, Halt):
            raise TrialStopped(continues=answer.durable)
        self._until = answer.until

    def _send(self, row: dict[str, Metric], checkpoint: str | None) -> bool:
        """Add a report to the frame, and send the frame if it is time to; tell whether the report waits for an
        answer."""
        time_s = round(self._before_s + self.clock() - self._began, 6)
        with self._lock:  # until it is sent: the other thread must not send a waiting report without its flag
            self.step += 1
            self._add(row, time_s)
            row = {"step": self.step, "time_s": time_s, **row}
            waiting = checkpoint is not None or any(boundary.met(row) for boundary in self._until)
            if waiting or self._due():
                self._send_frame(waiting=waiting, checkpoint=checkpoint)
        return waiting

    def _add(self, row: dict[str, Metric], time_s: float) -> None:
        count = len(self._times)
        self._times.append(time_s)
        for name, value in row.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = [None] * count
            column.append(value)
        if len(row) < len(self._columns):
            for column in self._columns.values():
                column.extend([None] * (count + 1 - len(column)))

    def _save(self, checkpoint: Saveable, step: int) -> str:
        path = self.directory / "checkpoints" / f"{self.launch.attempt:03d}-{step:08d}"
        try:
            checkpoints.save(checkpoint, path)
        except OSError as error:
            if not is_of_disk(error):
                raise
            self.fail(error)  # at once: user code may catch what is raised here
            raise TrialStopped(continues=True) from error
        return str(path)

    def fail(self, error: BaseException) -> None:
        """Stop the run, because the disk is full or fails."""
        self.flush()
        met = f"trial {self.launch.trial} could not write to {self.directory}: the disk is full or fails"
        self.link.fail(f"{met}: {said(error)[:ERROR_LENGTH_MAX]}")

    def _due(self) -> bool:
        return len(self._times) >= FLUSH_REPORTS or self.clock() - self._flushed > FLUSH_S

    def _send_frame(self, *, waiting: bool = False, checkpoint: str | None = None) -> None:
        first = self.step - len(self._times) + 1
        times, columns = tuple(self._times), self._columns
        self._times, self._columns = [], {}
        self._flushed = self.clock()
        trial, attempt = self.launch.trial, self.launch.attempt
        self.link.send(Reported(trial, attempt, first, times, columns, waiting, checkpoint))


# The session of the code that is running
# ---------------------------------------------------------------------------------

_current: ContextVar[Session] = ContextVar("trialwright-session")
_process: list[Session] = []  # a worker process has one trial at a time; threads that user code starts are its own


@contextmanager
def serving(session: Session, *, whole_process: bool = False) -> Generator[None, None, None]:
    """Make ``report()`` and the others use this session, in this context or in the whole process."""
    token = _current.set(session)
    if whole_process:
        _process.append(session)
    try:
        yield
    finally:
        _current.reset(token)
        if whole_process:
            _process.clear()


def _session(caller: str) -> Session:
    session = _current.get(None) or (_process[-1] if _process else None)
    if session is None:
        raise RuntimeError(f"{caller}() works only inside a trial: in an objective that an Engine runs")
    return session


def report(
    metrics: Mapping[str, object] | None = None, /, *, checkpoint: Saveable | None = None, **named: object
) -> Reply:
    """Report metrics of the trial: ``report(loss=0.3)`` or ``report({"loss": 0.3}, checkpoint=directory)``.

    Args:
        metrics: names and values: numbers, strings, None, NumPy scalars, tensors of one element; nested dicts are
            joined with ``/``. Other values are kept as their strings, or left out, with one warning for each name.
        checkpoint: a directory or file, which is copied, or a dict of plain data; it is stored when this returns.
        named: more metrics.

    Raises:
        TrialStopped: the trial must end. Do not catch it; clean up in ``finally``.
        TypeError, ValueError: the report is invalid; the message names the key.
        RuntimeError: this is not a trial's process.
    """
    return _session("report").report({**(metrics or {}), **named}, checkpoint)


def get_checkpoint() -> Any:  # noqa: ANN401 - the caller knows in which form it was reported
    """Return the checkpoint to continue from, as it was reported: the path of a directory or file, or a dict; None if
    the trial starts from the beginning."""
    return _session("get_checkpoint").get_checkpoint()


def decides(metrics: Mapping[str, object]) -> bool:
    """Tell whether a report of these metrics would wait for a decision, which may pause or clone the trial."""
    return _session("decides").decides(metrics)


def exits() -> ExitStack:
    """Return what is closed when this attempt ends, in its thread; it is told of the error that ended it."""
    return _session("exits").exits


def context() -> Context:
    """Return this trial's ``trial_id, attempt, config, resources, directory, seed``."""
    return _session("context").context
