"""What runs in a slot's process: one trial after another, in the process's main thread.

The main thread runs user code; a second thread listens to the driver. Reports leave from the thread that reports, because a sender
thread would wait for the interpreter lock (5 ms, where user code is busy). The listener also sends what has waited for too long: the
last reports of a burst, and a ``Started`` that nothing followed. When the driver is gone, the process is gone.

Ray is not imported here: a slot is whatever calls ``serve``.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import socket
import threading
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Protocol

import cloudpickle

from trialist.engine.ledger import to_amounts
from trialist.executors.base import trial_directory
from trialist.executors.isolation import House, Room, seed_all, sweep
from trialist.executors.objective import failure, perform
from trialist.executors.wire import (
    FRAME_BYTES_MAX,
    Beat,
    Bye,
    Ending,
    Frames,
    Hello,
    Interrupt,
    Spent,
    ToWorker,
    encode,
    encode_reported,
    from_driver,
)
from trialist.messages import Extend, Halt, Halted, Launch, Reported, Started
from trialist.reporting import Session, TrialStopped, serving

CONNECT_S = 3.0
TICK_S = 0.025  # how often the listener looks after what has not been sent, while a trial runs
INTERRUPT_SIGNAL = signal.SIGUSR2
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}  # seconds, seconds, probes


def prepare(cpus: float, gpus: str | None) -> None:
    """Set the environment of a fresh process, before anything heavy is imported.

    Args:
        cpus: how many CPUs the slot has: numeric libraries get as many threads, and at least one.
        gpus: ``CUDA_VISIBLE_DEVICES``; empty hides all devices; ``None`` leaves what whoever started the process has set.
    """
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, str(max(1, int(cpus))))


# Two carriers of the same bytes ------------------------------------------------------------------------------------------


class Wire(Protocol):
    """The way to the driver, used by several threads."""

    def send(self, data: bytes) -> None:
        """Send frames, whole and in order; may block while the driver is behind.

        Raises:
            OSError: the driver is gone.
        """

    def receive(self, timeout_s: float | None) -> bytes | None:
        """Wait for bytes: ``None`` if none came in time, empty when the driver is gone."""


class Socket:
    """A TCP connection that the slot dials.

    Raises:
        OSError: nobody answers within three seconds.
    """

    def __init__(self, address: tuple[str, int], hello: Hello) -> None:
        self._socket = socket.create_connection(address, CONNECT_S)
        self._socket.settimeout(None)
        keep_alive(self._socket)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._socket.sendall(encode(hello))

    def send(self, data: bytes) -> None:
        """Part of ``Wire``. The callers take turns: see ``_Outbox``."""
        self._socket.sendall(data)

    def receive(self, timeout_s: float | None) -> bytes | None:
        """Part of ``Wire``."""
        try:
            if timeout_s is not None and not self._poll.poll(timeout_s * 1000):
                return None
            return self._socket.recv(262_144)
        except OSError:
            return b""


def keep_alive(connection: socket.socket) -> None:
    """Send small frames at once, and let the kernel find out within half a minute when the other machine is out of reach.

    The kernel answers for its processes, be they stopped or in a long call that keeps the interpreter lock: such a one is not lost.
    """
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Exchange:
    """The same for a driver that cannot be dialled: it calls ``exchange`` again and again."""

    def __init__(self) -> None:
        self._incoming: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._outgoing: list[bytes] = []
        self._changed = threading.Condition()

    def exchange(self, data: bytes, wait_s: float) -> bytes:
        """Take what the driver says; wait for something to answer, but not with ``wait_s`` = 0: then nothing is answered."""
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

    def receive(self, timeout_s: float | None) -> bytes | None:
        """Part of ``Wire``. When the driver is gone, Ray ends the process."""
        try:
            return self._incoming.get(timeout=timeout_s)
        except queue.Empty:
            return None


# A trial's own way to the driver -----------------------------------------------------------------------------------------


class _Outbox:
    """Frames on their way out. What is posted waits for company; what is sent takes all that was posted along, in one write."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._posted: list[bytes] = []
        self._lock = threading.RLock()
        self.writer: int | None = None  # the thread that must not be interrupted, because half a frame may be out

    def post(self, data: bytes) -> None:
        with self._lock:
            self._posted.append(data)

    def send(self, data: bytes = b"") -> None:
        with self._lock:
            self.writer = threading.get_ident()
            try:
                frames, self._posted = [*self._posted, data], []
                self._wire.send(b"".join(frames))
            finally:
                self.writer = None

    def tend(self) -> None:
        """Send what was posted and has found no company."""
        if self._posted:
            self.send()


class _Lease:
    """One launch in this process: the session's ``Link``, and what the listener does to it."""

    def __init__(self, launch: Launch, outbox: _Outbox) -> None:
        self.launch, self.halted, self.interrupted = launch, False, False
        self.session: Session | None = None
        self._outbox = outbox
        self._answers: queue.SimpleQueue[Extend | Halt] = queue.SimpleQueue()

    def send(self, frame: Reported) -> None:
        """Part of ``Link``."""
        self._outbox.send(encode_reported(frame))

    def answer(self) -> Extend | Halt:
        """Part of ``Link``."""
        return self._answers.get()

    def hear(self, message: Extend | Halt) -> None:
        self.halted = self.halted or isinstance(message, Halt)
        self._answers.put(message)

    def tend(self) -> None:
        if self.session is not None:
            self.session.flush_tail()
        self._outbox.tend()


# The slot ------------------------------------------------------------------------------------------------------------------


def serve(wire: Wire, payload: bytes, root: Path) -> None:
    """Run the trials that the driver launches, one after another, until it says goodbye.

    Args:
        wire: the way to the driver.
        payload: the objective, the space, and the names of the metrics, in cloudpickle's form.
        root: the run's directory.
    """
    _Slot(wire, payload, root).serve()


class _Slot:
    def __init__(self, wire: Wire, payload: bytes, root: Path) -> None:
        self._wire, self._payload, self._root = wire, payload, root
        self._outbox = _Outbox(wire)
        self._leases: queue.SimpleQueue[_Lease | None] = queue.SimpleQueue()
        self._lease: _Lease | None = None
        self._loaded: tuple[Callable[[dict[str, object]], object], object, tuple[str, ...]] | None = None
        self._main = threading.get_ident() if threading.current_thread() is threading.main_thread() else None

    def serve(self) -> None:
        if self._main is not None:
            signal.signal(INTERRUPT_SIGNAL, self._interrupted)
        threading.Thread(target=self._listen, name="trialist-listener", daemon=True).start()
        house = House()
        while (lease := self._leases.get()) is not None:
            if not self._host(lease, house):
                break
        sweep()

    def _host(self, lease: _Lease, house: House) -> bool:
        """Run one trial; tell whether the process may run another."""
        launch = lease.launch
        room = Room(house, trial_directory(self._root, launch.trial))
        self._outbox.post(encode(Started(launch.trial, launch.attempt, f"{socket.gethostname()}/{os.getpid()}")))
        try:
            with room:
                ending = copy_context().run(self._attempt, lease, room)
        except TrialStopped:  # the interrupt came between the user's code and ours
            ending = Halted(launch.trial, launch.attempt)
        self._lease = None
        spoiled = "it was interrupted" if lease.interrupted else room.spoiled
        if spoiled:
            self._outbox.post(encode(Spent(spoiled)))
        self._outbox.send(encode(ending))
        return not spoiled

    def _attempt(self, lease: _Lease, room: Room) -> Ending:
        launch = lease.launch
        if lease.halted:
            return Halted(launch.trial, launch.attempt)
        try:
            objective, space, metrics = self._load()
            config = space.resolve(launch.config)
        except BaseException as error:  # it runs the user's imports, and the user's own classes
            return failure(launch.trial, launch.attempt, error)
        resources = to_amounts(launch.placement.units)
        session = Session(launch, config, room.directory, lease, metrics, resources=resources)
        seed_all(launch.seed)
        lease.session = session
        with serving(session, whole_process=True):
            return perform(objective, session)

    def _load(self):
        if self._loaded is None:
            self._loaded = cloudpickle.loads(self._payload)
        return self._loaded

    # The listener's side --------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        frames = Frames()
        while data := self._wire.receive(TICK_S if self._lease else None):
            for body in frames.feed(data):
                self._hear(from_driver(body))
