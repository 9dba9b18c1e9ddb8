"""The slot's end of its connection to the driver: over TCP, or in calls, and the outbox for what it sends there.

The driver's end is in ``connections.py``. Worker processes import this file, and not that one.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from contextlib import suppress
from typing import Protocol

from trialwright.executors.process_state import WIRE_THREAD
from trialwright.executors.wire import FRAME_BYTES_MAX, Hello, encode

CONNECT_S = 3.0
DRAIN_S = 5.0
LINGER_S = 0.3  # how long a process that is being ended waits: for a frame that is half sent, and for Ray to end it
TOGETHER = 16  # endings that leave together, where more trials wait
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}  # seconds, seconds, probes


class Wire(Protocol):
    """The way to the driver, used by several threads."""

    def send(self, data: bytes) -> None:
        """Send frames, whole and in order; may block while the driver is behind.

        Raises:
            OSError: the driver is gone.
        """

    def receive(self, *, wait: bool) -> bytes | None:
        """Return bytes: empty when the driver is gone, ``None`` if there are none and they are not waited for."""

    def drain(self) -> None:
        """Wait until everything is sent, for a few seconds at most."""

    def disown(self) -> None:
        """Called in a process that the trial has forked: it must not use the connection, nor keep it open."""


class Socket:
    """A TCP connection that the slot opens."""

    def __init__(self, address: tuple[str, int], hello: Hello) -> None:
        self._socket = socket.create_connection(address, CONNECT_S)
        # The time limit is for connecting only: between two trials a slot waits for as long as it takes.
        self._socket.settimeout(None)
        keep_alive(self._socket)
        self._socket.sendall(encode(hello))

    def send(self, data: bytes) -> None:
        """Part of ``Wire``. The callers take turns: see ``Outbox``."""
        self._socket.sendall(data)

    def receive(self, *, wait: bool) -> bytes | None:
        """Part of ``Wire``."""
        try:
            # MSG_DONTWAIT for this call alone: a socket that does not block would not block in ``sendall`` either, and
            # half a frame would be sent.
            return self._socket.recv(262_144, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        # A reset is the same as an orderly end: the driver is gone.
        except OSError:
            return b""

    def drain(self) -> None:
        """Part of ``Wire``. The kernel sees to it."""

    def disown(self) -> None:
        """Part of ``Wire``."""
        # Only this copy. While any process has it open the driver does not see that the slot has died.
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
            # Without this a trial that reports faster than it is called would fill the memory.
            self._changed.wait_for(lambda: sum(map(len, self._outgoing)) < FRAME_BYTES_MAX)
            self._outgoing.append(data)
            self._changed.notify_all()

    def receive(self, *, wait: bool) -> bytes | None:
        """Part of ``Wire``. When the driver is gone, Ray ends the process."""
        try:
            return self._incoming.get(block=wait)
        except queue.Empty:
            return None

    def drain(self) -> None:
        """Part of ``Wire``."""
        with self._changed:
            # Not without limit: a driver that was killed will fetch nothing.
            self._changed.wait_for(lambda: not self._outgoing, DRAIN_S)

    def disown(self) -> None:
        """Part of ``Wire``. A copy of this is never called."""


def keep_alive(connection: socket.socket) -> None:
    """Send small frames at once, and have the kernel detect within half a minute that the other machine cannot be
    reached.

    The other kernel answers for its processes, even if they are stopped or in a long call that holds the interpreter
    lock: such a process is not lost.
    """
    # Nagle's algorithm would hold a small frame back until the last one is acknowledged, which takes up to 40 ms.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        # macOS has other names for some of these; its own defaults then hold.
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Outbox:
    """Outgoing frames. ``post`` queues a frame; ``send`` sends a frame with all queued ones, in one write."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._posted: list[bytes] = []
        self._endings = 0  # among these
        # Reentrant: a signal handler runs in a thread that may hold it already, and must not wait for itself.
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
            # Set before the first byte and cleared after the last one: a handler that finds it set raises nothing,
            # because a frame that is cut in two ends the connection.
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
        # The lock is not released: after its last words the process must send nothing more.
        if self.writer is None and self._lock.acquire(timeout=LINGER_S):
            with suppress(OSError):
                self._wire.send(b"".join([*self._posted, data]))
