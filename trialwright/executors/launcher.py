"""The processes of slots: how they are started, connected to the driver, and ended.

This does not depend on Ray: a ``Starter`` starts and kills processes. Its calls may block, so they are made in another
thread.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeAlias

from trialwright.errors import ExecutorError
from trialwright.executors.base import Deputy
from trialwright.executors.connections import GREETING_S, Caller, Listener, Polled
from trialwright.executors.process_state import descendants, kill
from trialwright.executors.slots import FAREWELL_S, Slot
from trialwright.executors.wire import Frames, Hello, greeting
from trialwright.messages import Placement

CLOSE_S = 3.0  # how long the end of all processes may take

Dial: TypeAlias = tuple[str, int, bytes, int]  # host, port, the run's token, the slot's number


class Starter(Protocol):
    """Starts and ends processes. All its methods are called in one thread, and may block."""

    @property
    def ours(self) -> bool:
        """Only this run uses the machine, and its processes can be signalled from here."""

    def start(self, placement: Placement, dial: Dial | None) -> tuple[Any, Future[None]]:
        """Begin to start a process; return a handle, and a future that is done when it has left or died. ``dial`` is
        None if it cannot connect to the driver."""

    def exchange(self, handle: object, data: bytes, wait_s: float) -> Future[bytes]:
        """Call a process that cannot connect."""

    def kill(self, handle: object) -> None:
        """Kill a process."""


class Launcher:
    """Starts, connects, and ends the processes of slots.

    Args:
        starter: starts and kills processes.
        deputy: the thread for these calls.
        look: is awaited before the death of a slot is reported, because its machine may be gone.
        expected: returns the slot of a number that connects now; None if it is not waited for.
    """

    def __init__(
        self,
        starter: Starter,
        deputy: Deputy,
        look: Callable[[], Awaitable[None]],
        expected: Callable[[int], Slot | None],
    ) -> None:
        self._starter, self._deputy, self._look, self._expected = starter, deputy, look, expected
        self.address: tuple[str, int] | None = None  # None: slots cannot dial
        self._token = secrets.token_bytes(32)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()  # of processes

    async def listen(self, host: str, port: int) -> None:
        """Let slots dial this address."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Caller(self._token, self._admit), host, port)
        self.address = (host, self._server.sockets[0].getsockname()[1])

    def start(self, slot: Slot) -> None:
        """Start a slot's process, and report its end to the slot."""
        self._begin(self._attend(slot))

    def destroy(self, slot: Slot) -> None:
        """End a slot's process; on a machine of ours also its children, unless it left by itself: then it has ended
        them."""
        if slot.handle is not None:
            # A slot ends in several ways, and some of them call this twice.
            handle, slot.handle = slot.handle, None
            pid = slot.pid if self._starter.ours and not slot.leaving else 0
            self._endings.add(task := asyncio.create_task(self._end(handle, pid)))
            task.add_done_callback(self._endings.discard)

    async def _end(self, handle: object, pid: int) -> None:
        """End a process and, if its number is given, the processes that it has started. These are found by their
        parents only while it lives: a process that has left its group is not found if others have killed its parent."""
        # Looked up before the kill: orphans get another parent, and are not found by it any more.
        family = await self._deputy.call(descendants, pid) if pid else set()
        with suppress(Exception):  # it has ended by itself
            await self._deputy.call(self._starter.kill, handle)
        if pid:
            await asyncio.sleep(FAREWELL_S)
            # Once more, because the process may have started others until it died.
            kill(family | await self._deputy.call(descendants, pid))

    def stop_listening(self) -> None:
        """Let no other slot connect."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """Wait until the processes of the slots that were ended have ended, for a few seconds at most."""
        await asyncio.sleep(2 * FAREWELL_S)  # slots call ``destroy``, which begins the endings, FAREWELL_S later
        if self._endings:
            await asyncio.wait(self._endings, timeout=CLOSE_S)
        for task in self._tasks:
            task.cancel()

    async def _attend(self, slot: Slot) -> None:
        dial = (*self.address, self._token, slot.number) if self.address else None
        try:
            slot.handle, leaving = await self._deputy.call(self._starter.start, slot.placement, dial)
        except Exception as error:  # Ray raises many types: the trial is lost, with this reason
            await self._look()
            slot.end(f"no worker can be started: {error}")
            return
        # It was given up while it was starting; its process came too late, and nothing else would end it.
        if slot.gone:
            self.destroy(slot)
            return
        if dial is None:
            self._begin(self._call(slot))
        end = asyncio.wrap_future(leaving)
        end.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # else asyncio may log it at close
        # wait() does not raise what the future has: the slot asks for that itself.
        await asyncio.wait([end])
        await self._look()
        # After the look: if the machine is gone, the slot has been ended as preempted, and this does nothing.
        slot.left(end)

    async def _call(self, slot: Slot) -> None:
        """Connect to a slot that cannot connect itself."""
        with suppress(Exception):  # ``_attend`` gets the cause
            [body] = Frames().feed(await self._exchange(slot, b"", GREETING_S))
            hello = greeting(body)
            # It may have been ended while it was called.
            if self._expected(slot.number) is slot:
                slot.connected(Polled(slot, partial(self._exchange, slot)), hello.pid, hello.worker)

    async def _exchange(self, slot: Slot, data: bytes, wait_s: float) -> bytes:
        if slot.handle is None:
            raise ExecutorError("the slot has been ended")
        answer: bytes = await asyncio.wrap_future(
            await self._deputy.call(self._starter.exchange, slot.handle, data, wait_s)
        )
        return answer

    def _admit(self, hello: Hello, caller: Caller) -> Listener | None:
        slot = self._expected(hello.slot)
        if slot is not None:
            slot.connected(caller, hello.pid, hello.worker)
        return slot

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        # asyncio keeps only weak references to tasks: one that is held nowhere may be collected in the middle.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
