"""The driver's ends of its connections to slots: a TCP connection that the slot opens, or calls if it cannot.

Both carry the same frames, and pass them to a ``Listener``. A violation of the wire's rules ends the connection and
nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, cast

from trialwright.executors.carriers import keep_alive
from trialwright.executors.wire import (
    FRAME_BYTES_MAX,
    Frames,
    Hello,
    ToDriver,
    WireError,
    from_worker,
    greeting,
)

GREETING_BYTES_MAX = 1024  # before the token is shown
GREETING_S = 5.0
POLL_S = 1.0


class Listener(Protocol):
    """Receives what comes over a connection, in the loop's thread."""

    def heard(self, message: ToDriver, size: int) -> None:
        """A message came, in a frame of this many bytes."""

    def hung_up(self, reason: str) -> None:
        """The connection has ended. Called once."""


class Peer(Protocol):
    """The driver's end of a slot's connection: a ``Caller``, or a ``Polled``."""

    def write(self, data: bytes) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def close(self) -> None: ...


class Caller(asyncio.Protocol):
    """The driver's end of one TCP connection: unknown until it has sent the run's token, then a slot.

    ``admit`` returns the listener for the slot of this number; with ``None`` the connection is closed.
    """

    def __init__(self, token: bytes, admit: Callable[[Hello, Caller], Listener | None]) -> None:
        self._token, self._admit = token, admit
        # A stranger may not make the driver keep 16 MiB before it has shown the token.
        self._frames = Frames(GREETING_BYTES_MAX)
        self._listener: Listener | None = None
        self._reason = "the connection ended"
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []  # frames that leave together, at the end of this turn of the loop
        self._paused = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol: a connection is open; its greeting must come within some seconds."""
        self._transport = cast("asyncio.Transport", transport)
        keep_alive(transport.get_extra_info("socket"))
        # Else any number of connections could be kept open without a word.
        self._patience = asyncio.get_running_loop().call_later(GREETING_S, self.close)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol: split into frames, decode, and pass on. A violation of the rules ends this
        connection and nothing else."""
        try:
            for body in self._frames.feed(data):
                if self._listener is None:
                    self._greet(body)
                else:
                    self._listener.heard(from_worker(body), len(body))
        except WireError as error:
            # Noted before closing: ``connection_lost`` comes later, and knows no cause.
            self._reason = f"it violated the protocol: {error}"
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        if self._patience is not None:
            self._patience.cancel()
        if self._listener is not None:
            # Taken out first: it must hear of the end once, also if closing it closes us.
            listener, self._listener = self._listener, None
            listener.hung_up(f"{self._reason}: {exc}" if exc else self._reason)

    def write(self, data: bytes) -> None:
        """Send frames; do nothing if the connection has ended. Frames of one turn of the loop leave in one system call:
        for short trials these calls took a fifth of the time."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._send)
        self._outgoing.append(data)

    def _send(self) -> None:
        data, self._outgoing = b"".join(self._outgoing), []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause(self) -> None:
        """Stop reading for now, which makes the sender wait."""
        if self._transport is not None and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """Close at once."""
        if self._transport is not None:
            # Not close(): that would first send what is left, to a process that may not read any more.
            self._transport.abort()

    def _greet(self, body: bytes) -> None:
        hello = greeting(body)
        # In constant time: a comparison that stops at the first wrong byte tells how many were right.
        if not hmac.compare_digest(hello.token, self._token):
            raise WireError("its token is not this run's")
        self._listener = self._admit(hello, self)
        if self._listener is None:
            raise WireError(f"there is no slot {hello.slot} to connect")
        self._frames.limit = FRAME_BYTES_MAX
        if self._patience is not None:
            self._patience.cancel()


class Polled:
    """The driver's end for a slot that cannot connect: it is called repeatedly, with the same frames."""

    def __init__(self, listener: Listener, exchange: Callable[[bytes, float], Coroutine[Any, Any, bytes]]) -> None:
        self._listener, self._exchange = listener, exchange
        self._frames = Frames()
        self._outgoing: list[bytes] = []
        self._written, self._reading = asyncio.Event(), asyncio.Event()
        self._reading.set()
        # Two calls at once: one waits in the process for frames, and the other must not wait behind it.
        self._tasks = [asyncio.create_task(self._pull()), asyncio.create_task(self._push())]

    def write(self, data: bytes) -> None:
        """Part of ``Peer``."""
        self._outgoing.append(data)
        self._written.set()

    def pause(self) -> None:
        """Part of ``Peer``."""
        self._reading.clear()

    def resume(self) -> None:
        """Part of ``Peer``."""
        self._reading.set()

    def close(self) -> None:
        """Part of ``Peer``."""
        for task in self._tasks:
            task.cancel()

    async def _pull(self) -> None:
        reason = "it does not answer"
        try:
            while await self._reading.wait():
                for body in self._frames.feed(await self._exchange(b"", POLL_S)):
                    self._listener.heard(from_worker(body), len(body))
        except WireError as error:
            reason = f"it violated the protocol: {error}"
        except Exception as error:  # the process is dead; its starter reports the cause
            reason = f"{reason}: {error!r}"
        self._listener.hung_up(reason)

    async def _push(self) -> None:
        while await self._written.wait():
            # Before the frames are taken: what is written after that sets it again.
            self._written.clear()
            data, self._outgoing = b"".join(self._outgoing), []
            with suppress(Exception):  # ``_pull`` gets the same error
                await self._exchange(data, 0.0)
