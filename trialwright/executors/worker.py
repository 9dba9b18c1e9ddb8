"""What runs in a slot's process: one trial after another, in the process's main thread.

The thread that waits for the driver reads from it: the main thread between two trials, and the thread in ``report()``.
So no thread has to wake another, which would take most of the time of a round trip. While user code runs, a second
thread checks now and then whether the driver has sent something (a Halt), whether it has ended (then this process
ends), and whether something has waited too long to be sent. Reports are sent by the thread that reports; a sender
thread would wait for the interpreter lock, 5 ms if user code is busy.

Ray is not imported here: any process that calls ``serve`` is a slot.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol, TypeAlias

import cloudpickle

from trialwright.executors import carriers
from trialwright.executors.carriers import LINGER_S, Outbox, Wire
from trialwright.executors.objective import failure, perform
from trialwright.executors.process_state import (
    Isolated,
    ProcessState,
    adopt_orphans,
    in_main_thread,
    seed_all,
    sweep,
)
from trialwright.executors.wire import (
    Beat,
    Bye,
    Ending,
    Frames,
    Interrupt,
    Spent,
    ToWorker,
    Unwritable,
    WireError,
    encode,
    encode_reported,
    from_driver,
)
from trialwright.messages import Config, Extend, Halt, Halted, Launch, Noted, Reported, Returned
from trialwright.reporting import Session, TrialStopped, serving
from trialwright.resources import to_amounts
from trialwright.storage.checkpoints import trial_directory
from trialwright.storage.files import is_of_disk

Objective: TypeAlias = Callable[[dict[str, object]], object]

TICK_S = 0.025  # how often the second thread looks up while a trial runs
IDLE_TICK_S = 0.1
INTERRUPT_SIGNAL = signal.SIGUSR2
HAND_BACK_S = 0.1  # a trial that takes longer does not keep others waiting behind it


# A trial's own way to the driver -------------------------------------------------------------------------------------


class _Lease:
    """One launch in this process: the session's ``Link``, and the driver's messages about it."""

    def __init__(self, launch: Launch, outbox: Outbox, listen: Callable[[Callable[[], bool]], None]) -> None:
        self.launch = launch
        self.began = 0.0  # by the monotonic clock, once it runs
        self.session: Session | None = None  # while user code runs
        self.answers: deque[Extend | Halt] = deque()
        self.halted: Halt | None = None
        self.interrupt = False  # the driver wants the code interrupted
        self.interrupted = False  # it has been
        self._outbox, self._listen = outbox, listen

    def hear(self, message: Extend | Halt | Interrupt) -> None:
        """Take a message of the driver about it."""
        if isinstance(message, Interrupt):
            self.interrupt = True
            return
        self.halted = message if isinstance(message, Halt) else None
        self.answers.append(message)

    def send(self, message: Reported | Noted) -> None:
        """Part of ``Link``."""
        if isinstance(message, Noted):
            self._outbox.post(encode(message))  # it is sent with the report that it is about
            return
        ending = self.session is not None and self.session.returned and not message.waiting
        carry = self._outbox.post if ending else self._outbox.send  # the last reports travel with the ending
        carry(encode_reported(message))

    def answer(self) -> Extend | Halt:
        """Part of ``Link``."""
        self._listen(lambda: bool(self.answers))
        return self.answers.popleft()

    def fail(self, reason: str) -> None:
        """Part of ``Link``."""
        self._outbox.send(encode(Unwritable(reason)))


# The slot ------------------------------------------------------------------------------------------------------------


class _Space(Protocol):
    def resolve(self, plain: Config) -> dict[str, object]: ...


_Payload: TypeAlias = tuple[Objective, _Space, tuple[str, ...]]


def serve(wire: Wire, payload: bytes, root: Path, *, shared: bool) -> None:
    """Run the trials that the driver launches, one after another, until it says goodbye. To be called in the main
    thread.

    Args:
        wire: the way to the driver.
        payload: ``(objective, space, metrics)`` in cloudpickle's form; read when the first trial comes, and what that
            raises is the trial's failure.
        root: the run's directory.
        shared: others may write to a trial's directory while it runs.
    """
    _Slot(wire, payload, root, shared=shared).serve()


class _Slot:
    def __init__(self, wire: Wire, payload: bytes, root: Path, *, shared: bool) -> None:
        self._wire, self._payload, self._root, self._shared = wire, payload, root, shared
        self._outbox = Outbox(wire)
        self._frames = Frames()
        self._ears = threading.Lock()  # held by the thread that reads from the driver
        self._process: ProcessState
        self._waiting: deque[_Lease] = deque()  # launches that have come, in order
        self._lease: _Lease | None = None  # of the trial that runs
        self._leaving = False
        self._loaded: _Payload | None = None
        self._thread = threading.get_ident()

    def serve(self) -> None:
        # Before any trial: only then a process that is forked twice has us as its parent.
        adopt_orphans()
        # A child that keeps the connection open hides the slot's death from the driver.
        os.register_at_fork(after_in_child=self._wire.disown)
        if in_main_thread():
            # Not SIGINT: Ctrl-C and users' own handlers use that.
            signal.signal(INTERRUPT_SIGNAL, self._interrupt)
            if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:  # Ray's handler would raise SystemExit in user code
                signal.signal(signal.SIGTERM, self._terminate)
        threading.Thread(target=self._look_after, name="trialwright-listener", daemon=True).start()
        # After our own thread and handlers: what it sees now counts as ours, and is kept.
        process = self._process = ProcessState()
        while (lease := self._next()) is not None and self._host(lease, process):
            pass
        process.leave()
        sweep()
        self._wire.drain()

    def _next(self) -> _Lease | None:
        while True:
            with suppress(IndexError):  # the other thread may have handed the last one back
                self._lease = self._waiting.popleft()
                return self._lease
            if self._leaving:
                return None
            self._listen(lambda: self._leaving or bool(self._waiting))

    def _host(self, lease: _Lease, process: ProcessState) -> bool:
        """Run one trial; tell whether the process may run another."""
        trial, attempt = lease.launch.trial, lease.launch.attempt
        lease.began = time.monotonic()
        isolated = Isolated(process, trial_directory(self._root, trial), shared=self._shared)
        ending: Ending
        try:
            with isolated:
                # In a copy: context variables that a trial sets are gone after it.
                ending = copy_context().run(self._attempt, lease, isolated.directory)
        except TrialStopped:  # the interrupt came between the user's code and ours
            ending = Halted(trial, attempt)
        except OSError as error:  # the trial's directory cannot be used
            ending = failure(trial, attempt, error)
            if is_of_disk(error):
                lease.fail(f"the directory of trial {trial} cannot be made: {ending.error}")
        self._lease = None
        spoiled = "a trial had to be interrupted" if lease.interrupted else isolated.spoiled
        if spoiled:
            # Ahead of the ending: the driver must know it when it looks for a slot for the next trial.
            self._outbox.post(encode(Spent(spoiled)))
        self._outbox.end(encode(ending), is_last=bool(spoiled) or not self._waiting)
        return not spoiled

    def _attempt(self, lease: _Lease, directory: Path) -> Ending:
        launch = lease.launch
        try:
            objective, space, metrics = self._load()
            config = space.resolve(launch.config)
        except BaseException as error:  # these are the user's imports and the user's classes
            return failure(launch.trial, launch.attempt, error)
        # The Halt was faster than loading: user code has not run, and must not begin.
        if lease.halted:
            return Halted(launch.trial, launch.attempt)
        # After loading: imports of the user may seed or draw.
        seed_all(launch.seed)
        session = Session(launch, config, directory, lease, metrics, resources=to_amounts(launch.placement.units))
        try:
            lease.session = session
            with serving(session, whole_process=True):
                return perform(objective, session)
        finally:
            # From here on no interrupt is raised: what follows is our own code.
            lease.session = None

    def _load(self) -> _Payload:
        if self._loaded is None:
            self._loaded = cloudpickle.loads(self._payload)
        return self._loaded

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal in the main thread, whatever user code does. At most once for each trial: its cleaning up
        must not be interrupted."""
        lease = self._lease
        if lease is None or lease.session is None or not lease.interrupt or lease.interrupted:
            return
        if self._outbox.writer != self._thread:  # else half a frame may be out: the listener will signal again
            lease.interrupted = True
            raise TrialStopped(continues=lease.halted is not None and lease.halted.durable)

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGTERM: tell the driver, and end this process and its children."""
        session = self._lease.session if self._lease is not None else None
        if session is not None and self._outbox.writer is None:  # else something is half sent
            session.flush_tail(older_than_s=-1.0)
        self._outbox.say_last(encode(Spent("was ended by SIGTERM")))
        sweep()
        # Not sys.exit: user code could catch it, and go on without a driver.
        os._exit(128 + number)

    # Listening -------------------------------------------------------------------------------------------------------

    def _listen(self, enough: Callable[[], bool]) -> None:
        """Read from the driver until ``enough`` is true."""
        with self._ears:
            while not enough():
                self._receive(wait=True)

    def _look_after(self) -> None:
        """In the second thread: handle the driver's messages, and send what has waited too long."""
        while not self._leaving:
            time.sleep(TICK_S if self._lease else IDLE_TICK_S)
            # If the main thread reads, there is nothing to look for.
            if self._ears.acquire(blocking=False):
                self._receive(wait=False)
                self._ears.release()
            self._tend()

    def _receive(self, *, wait: bool) -> None:
        """Handle what has come from the driver. If the driver has ended, or sends invalid messages, the process ends: a
        slot without a driver is of no use."""
        try:
            data = self._wire.receive(wait=wait)
            for body in self._frames.feed(data or b""):
                self._hear(from_driver(body))
            if data != b"":
                return
        except WireError:
            traceback.print_exc()
        sweep()
        time.sleep(LINGER_S)
        sweep()  # meanwhile user code went on
        os._exit(1)

    def _hear(self, message: ToWorker) -> None:
        match message:
            case Launch():
                self._waiting.append(_Lease(message, self._outbox, self._listen))
            case Beat():
                self._outbox.send(encode(message))
            case Bye():
                self._leaving = True
            case Interrupt() | Halt() | Extend():
                for lease in (self._lease, *self._waiting):  # a copy: the main thread takes the next one meanwhile
                    if lease is not None and _is_of(message, lease):  # else it has ended meanwhile
                        lease.hear(message)
                        break

    def _hand_back(self) -> None:
        """Hand back the trials that wait behind one that takes long: other slots may be free."""
        with suppress(IndexError):
            while True:
                launch = self._waiting.popleft().launch
                self._outbox.post(encode(Returned(launch.trial, launch.attempt)))

    def _tend(self) -> None:
        lease = self._lease
        if lease is not None and self._waiting and time.monotonic() - lease.began > HAND_BACK_S:
            self._hand_back()
        if lease is not None and lease.session is not None:
            lease.session.flush_tail()
            self._process.limit_output()
            if lease.interrupt and not lease.interrupted and self._thread == threading.main_thread().ident:
                # Again at each tick, until it is taken: it may come while half a frame is out, or before user code
                # runs.
                signal.pthread_kill(self._thread, INTERRUPT_SIGNAL)
        self._outbox.tend()


def _is_of(message: Extend | Halt | Interrupt, lease: _Lease) -> bool:
    return (message.trial, message.attempt) == (lease.launch.trial, lease.launch.attempt)


# Where the fork server begins -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ForkedSlot:
    """What a new process is sent and runs.

    Args:
        environment: variables to set before any of the user's code is imported.
        dial: how to connect to the driver: see ``carriers.dial``.
        payload: see ``serve``.
        root: the run's directory.
        shared: others may write to a trial's directory while it runs.
    """

    environment: dict[str, str]
    dial: tuple[str, int, bytes, int]
    payload: bytes
    root: str
    shared: bool

    def _bootstrap(self, _parent: int) -> int:
        """Be what ``multiprocessing`` runs in the new process: return its exit code."""
        os.setpgid(0, 0)  # so that its children can be found by their group, and Ctrl-C goes to the driver only
        os.environ.update(self.environment)
        try:
            wire = carriers.dial(*self.dial)
        except OSError:  # usually the run is over; if not, the driver gets the exit code
            return 1
        try:
            serve(wire, self.payload, Path(self.root), shared=self.shared)
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):  # a user may have closed or replaced them
                    stream.flush()
        return 0
