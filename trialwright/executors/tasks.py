"""``async def`` objectives of ``Local``: a thread with a loop of its own, and sessions that do not block it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from trialwright.executors.objective import Ending, conclude, concluded_by, failure, leave_if_forked
from trialwright.messages import Extend, Finished, Halt, Halted, Metric
from trialwright.ray_threads import spawn
from trialwright.reporting import Reply, Session, TrialStopped
from trialwright.storage.checkpoints import Saveable

HELD_MAX = 10_000  # reports of an ``async def`` that are kept in memory until an earlier one is answered


class TaskThread:
    """A thread with an event loop of its own for ``async def`` objectives, so that one that blocks does not stop the
    engine's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        spawn(self._serve, "trialwright-tasks")

    def submit(self, work: Coroutine[object, None, None]) -> None:
        """Run it as a task of the thread's loop."""
        self.loop.call_soon_threadsafe(self._begin, work)

    def close(self) -> None:
        """End the thread once its tasks have ended: one that was cancelled runs its ``finally`` first."""
        with suppress(RuntimeError):  # it has been closed before
            # Not loop.stop(): tasks must have their ``finally`` run.
            self.loop.call_soon_threadsafe(self._closing.set)

    def _begin(self, work: Coroutine[object, None, None]) -> None:
        task = self.loop.create_task(work)
        # asyncio keeps only weak references to tasks.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:  # it cancels tasks that objectives have left
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        await self._closing.wait()
        while self._tasks:
            await asyncio.wait(self._tasks)


class AsyncSession(Session):
    """A session whose ``report()`` must not block, because the trial shares its thread.

    Until a waiting report is answered, later ones are held back: they are sent, and tested, only after the answer.
        ``await report()`` waits for the answer itself. A Halt cancels the task.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.stopped = threading.Event()
        self.loop = asyncio.get_running_loop()  # until the task's own is known
        self._task: asyncio.Task[object] | None = None
        self._held: deque[tuple[dict[str, Metric], str | None]] = deque()
        self._waiting = False

    def serve(self) -> None:
        """Make the task that calls this the session's task."""
        self._task = asyncio.current_task()
        self._settled = asyncio.Event()
        self._settled.set()

    def report(self, metrics: Mapping[str, object], checkpoint: Saveable | None = None) -> Reply:
        self._check_process()
        row = self._cleaned(metrics)  # here, so that an invalid report raises in the call that made it
        if len(self._held) >= HELD_MAX:
            raise RuntimeError(f"{HELD_MAX} reports wait for the answer to an earlier one: write `await report(...)`")
        # Saved now and not when it is sent: the user may change or delete it right after this call.
        path = None if checkpoint is None else self._save(checkpoint, self.step + len(self._held) + 1)
        self._held.append((row, path))
        self._advance()
        return _Settled(self)

    async def settled(self) -> None:
        """Wait until nothing is held back and nothing waits for an answer."""
        await self._settled.wait()

    def deliver(self, answer: Extend | Halt) -> None:
        """Take an answer, in any thread."""
        self.loop.call_soon_threadsafe(self._take, answer)

    def _take(self, answer: Extend | Halt) -> None:
        if isinstance(answer, Halt):
            is_first = not self.stopped.is_set()
            self.stopped.set()
            if self._task is not None and is_first:  # a second cancellation would interrupt the objective's ``finally``
                self._task.cancel()
            return
        self._until, self._waiting = answer.until, False
        self._advance()

    def _advance(self) -> None:
        """Send what is held back, up to the next report that must wait."""
        while self._held and not self._waiting:
            row, path = self._held.popleft()
            self._waiting = self._send(row, path)
        if self._held or self._waiting:
            self._settled.clear()
        else:
            self._settled.set()


@dataclass(frozen=True)
class _Settled(Reply):
    session: AsyncSession

    def __await__(self) -> Generator[object, None, None]:
        return self.session.settled().__await__()


async def perform_async(objective: object, session: AsyncSession) -> Ending:
    """As ``perform``, for an ``async def``."""
    trial, attempt = session.launch.trial, session.launch.attempt
    if session.stopped.is_set():  # the Halt was faster than the task
        return Halted(trial, attempt)
    try:
        with session.exits:
            result = await cast(Callable[[dict[str, object]], Awaitable[object]], objective)(session.config)
            conclude(session, result)
        # Before the end is reported: reports that are held back belong before it.
        await session.settled()
    except (asyncio.CancelledError, TrialStopped) as error:
        leave_if_forked(session, error)
        session.flush()
        # The user's own code may raise CancelledError too: without a Halt that is a failure.
        return Halted(trial, attempt) if session.stopped.is_set() else failure(trial, attempt, error)
    except BaseException as error:
        leave_if_forked(session, error)
        return concluded_by(error, session)
    return Finished(trial, attempt)
