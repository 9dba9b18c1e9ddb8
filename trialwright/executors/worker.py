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
import queue
import signal
import socket
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from types import FrameType
from typing import Protocol, TypeAlias

import cloudpickle

from trialwright.executors.objective import failure, perform
from trialwright.executors.process_state import (
    WIRE_THREAD,
    Isolated,
    ProcessState,
    adopt_orphans,
    in_main_thread,
    seed_all,
    sweep,
)
from trialwright.executors.wire import (
    FRAME_BYTES_MAX,
    Beat,
    Bye,
    Ending,
    Frames,
    Hello,
    Interrupt,
    Spent,
    ToWorker,
    Unwritable,
    WireError,
    encode,
    encode_reported,
    from_driver,
    keep_alive,
)
from trialwright.messages import Config, Extend, Halt, Halted, Launch, Noted, Reported, Returned
from trialwright.reporting import Session, TrialStopped, serving
from trialwright.resources import to_amounts
from trialwright.storage.checkpoints import trial_directory
from trialwright.storage.files import is_of_disk

CONNECT_S = 3.0
Objective: TypeAlias = Callable[[dict[str, object]], object]

TICK_S = 0.025  # how often the second thread looks up while a trial runs
IDLE_TICK_S = 0.1
INTERRUPT_SIGNAL = signal.SIGUSR2
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
HAND_BACK_S = 0.1  # a trial that takes longer does not keep others waiting behind it
TOGETHER = 16  # endings that leave together, where more trials wait
DRAIN_S = 5.0
LINGER_S = 0.3  # after the driver has hung up, for Ray to end the process without making a noise about it


def environment(cpus: float, gpus: str | None) -> dict[str, str]:
    """Return what a fresh slot's environment needs, before anything heavy is imported there.

    Args:
        cpus: how many CPUs the slot has: numeric libraries get as many threads, and at least one, unless variables of
            this process set another number.
        gpus: ``CUDA_VISIBLE_DEVICES``; empty hides all devices; ``None`` leaves the variable to the starter.
    """
    threads = {name: os.environ.get(name, str(max(1, int(cpus)))) for name in _THREAD_VARIABLES}
    return threads if gpus is None else {**threads, "CUDA_VISIBLE_DEVICES": gpus}


# Two carriers of the same bytes --------------------------------------------------------------------------------------


class Wire(Protocol):
    """The way to the driver, used by several threads."""

    def send(self, data: bytes) -> None:
        """Send frames, whole and in order; may block while the driver is behind.

        Raises:
            OSError: the connection to the driver has ended.
        """

    def receive(self, *, wait: bool) -> bytes | None:
        """Return bytes: empty when the driver has ended, ``None`` if there are none and they are not waited for."""

    def drain(self) -> None:
        """Wait until everything is sent, for a few seconds at most."""

    def disown(self) -> None:
        """Called in a process that the trial has forked: it must not use the connection, nor keep it open."""


class Socket:
    """A TCP connection that the slot opens."""

    def __init__(self, address: tuple[str, int], hello: Hello) -> None:
        self._socket = socket.create_connection(address, CONNECT_S)
        self._socket.settimeout(None)
        keep_alive(self._socket)
        self._socket.sendall(encode(hello))

    def send(self, data: bytes) -> None:
        """Part of ``Wire``. The callers take turns: see ``_Outbox``."""
        self._socket.sendall(data)

    def receive(self, *, wait: bool) -> bytes | None:
        """Part of ``Wire``."""
        try:
            return self._socket.recv(262_144, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def drain(self) -> None:
        """Part of ``Wire``. The kernel sees to it."""

    def disown(self) -> None:
        """Part of ``Wire``."""
        self._socket.close()


def dial(host: str, port: int, token: bytes, slot: int) -> Socket:
    """Connect to the driver.

    Raises:
        OSError: there is no answer within three seconds.
    """
    return Socket((host, port), Hello(token, slot, os.getpid(), _name()))


def _name() -> str:
    """Return a name for this process, for people."""
    return f"{socket.gethostname()}/{os.getpid()}"


class Exchange:
    """The same for a driver to which slots cannot connect: it calls ``exchange`` repeatedly."""

    def __init__(self) -> None:
        self._incoming: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._outgoing = [encode(Hello(b"", 0, os.getpid(), _name()))]  # Ray vouches for it
        self._changed = threading.Condition()

    def exchange(self, data: bytes, wait_s: float) -> bytes:
        """Take what the driver sends; return what is to be sent, after waiting for it. With ``wait_s`` = 0 return
        nothing, at once."""
        threading.current_thread().name = WIRE_THREAD  # else Ray's thread would count as left by a trial
        if data:
            self._incoming.put(data)
        if not wait_s:
            return b""
        with self._changed:
            self._changed.wait_for(lambda: self._outgoing, wait_s)
            answer, self._outgoing = b"".join(self._outgoing), []
            self._changed.notify_all()
        return answer

    def send(self, data: bytes) -> None:
        """Part of ``Wire``: blocks while the driver has a whole frame to fetch."""
        with self._changed:
            self._changed.wait_for(lambda: sum(map(len, self._outgoing)) < FRAME_BYTES_MAX)
            self._outgoing.append(data)
            self._changed.notify_all()

    def receive(self, *, wait: bool) -> bytes | None:
        """Part of ``Wire``. When the driver has ended, Ray ends the process."""
        try:
            return self._incoming.get(block=wait)
        except queue.Empty:
            return None

    def drain(self) -> None:
        """Part of ``Wire``."""
        with self._changed:
            self._changed.wait_for(lambda: not self._outgoing, DRAIN_S)

    def disown(self) -> None:
        """Part of ``Wire``. A copy of this is never called."""


# A trial's own way to the driver -------------------------------------------------------------------------------------


class _Outbox:
    """Outgoing frames. ``post`` queues a frame; ``send`` sends a frame with all queued ones, in one write."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._posted: list[bytes] = []
        self._endings = 0  # among these
        self._lock = threading.RLock()
        self.writer: int | None = None  # the thread that must not be interrupted, because half a frame may be out

    def post(self, data: bytes) -> None:
        with self._lock:
            self._posted.append(data)

    def end(self, data: bytes, *, is_last: bool) -> None:
        """A trial has ended. If others wait in this slot, this is queued, to be sent with their ends: at the next check
        by the second thread at the latest."""
        self._endings += 1
        if is_last or self._endings >= TOGETHER:
            self.send(data)
        else:
            self.post(data)

    def send(self, data: bytes = b"") -> None:
        with self._lock:
            self.writer = threading.get_ident()
            try:
                frames, self._posted, self._endings = [*self._posted, data], [], 0
                self._wire.send(b"".join(frames))
            finally:
                self.writer = None

    def tend(self) -> None:
        """Send queued frames."""
        if self._posted:
            self.send()

    def say_last(self, data: bytes) -> None:
        """Send this, with queued frames, from a signal handler, unless another frame is half sent; wait only
        briefly."""
        if self.writer is None and self._lock.acquire(timeout=LINGER_S):
            with suppress(OSError):
                self._wire.send(b"".join([*self._posted, data]))


class _Lease:
    """One launch in this process: the session's ``Link``, and the driver's messages about it."""

    def __init__(self, launch: Launch, outbox: _Outbox, listen: Callable[[Callable[[], bool]], None]) -> None:
        self.launch = launch
        self.began = 0.0  # by the monotonic clock, once it runs
        self.session: Session | None = None  # while user code runs
        self.answers: deque[Extend | Halt] = deque()
        self.halted = False
        self.interrupt = False  # the driver wants the code interrupted
        self.interrupted = False  # it has been
        self._outbox, self._listen = outbox, listen

    def hear(self, message: Extend | Halt | Interrupt) -> None:
        """Take a message of the driver about it."""
        if isinstance(message, Interrupt):
            self.interrupt = True
            return
        self.halted = isinstance(message, Halt)
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
        self._outbox = _Outbox(wire)
        self._frames = Frames()
        self._ears = threading.Lock()  # held by the thread that reads from the driver
        self._process: ProcessState
        self._waiting: deque[_Lease] = deque()  # launches that have come, in order
        self._lease: _Lease | None = None  # of the trial that runs
        self._leaving = False
        self._loaded: _Payload | None = None
        self._thread = threading.get_ident()

    def serve(self) -> None:
        adopt_orphans()
        os.register_at_fork(after_in_child=self._wire.disown)
        if in_main_thread():
            signal.signal(INTERRUPT_SIGNAL, self._interrupt)
            if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:  # Ray's handler would raise SystemExit in user code
                signal.signal(signal.SIGTERM, self._terminate)
        threading.Thread(target=self._look_after, name="trialwright-listener", daemon=True).start()
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
        if lease.halted:
            return Halted(launch.trial, launch.attempt)
        seed_all(launch.seed)
        session = Session(launch, config, directory, lease, metrics, resources=to_amounts(launch.placement.units))
        try:
            lease.session = session
            with serving(session, whole_process=True):
                return perform(objective, session)
        finally:
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
            raise TrialStopped

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGTERM: tell the driver, and end this process and its children."""
        session = self._lease.session if self._lease is not None else None
        if session is not None and self._outbox.writer is None:  # else something is half sent
            session.flush_tail(older_than_s=-1.0)
        self._outbox.say_last(encode(Spent("was ended by SIGTERM")))
        sweep()
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
                signal.pthread_kill(self._thread, INTERRUPT_SIGNAL)
        self._outbox.tend()


def _is_of(message: Extend | Halt | Interrupt, lease: _Lease) -> bool:
    return (message.trial, message.attempt) == (lease.launch.trial, lease.launch.attempt)
