"""Trials in this process: threads for functions, tasks for ``async def``. It starts in milliseconds.

Threads share one interpreter, one working directory, and one standard output, and a thread cannot be killed: a trial
that does not stop within ``grace_s`` is given up, LOST, and its thread left to itself. What trials do outside Python
(NumPy, a subprocess, a request) runs side by side.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import queue
import tempfile
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from trialwright.executors.base import Asker, Inbox, Run
from trialwright.executors.objective import Ending, conclude, failure, perform
from trialwright.messages import (
    Ask,
    Cancel,
    CapacityChanged,
    Command,
    Discard,
    Event,
    Extend,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Metric,
    Node,
    Reported,
    Started,
)
from trialwright.reporting import FLUSH_S, Reply, Session, TrialStopped, clean, require, serving
from trialwright.resources import to_amounts
from trialwright.storage import checkpoints
from trialwright.storage.checkpoints import Saveable

Key = tuple[int, int]  # trial, attempt


@dataclass
class Local:
    """Runs trials in threads of this process.

    Args:
        cpus: how many CPUs trials may be granted; all of this machine's by default.
        resources: what else there is to be granted, by name.
        grace_s: how long a trial that is to stop may take before it is given up.
    """

    cpus: float | None = None
    resources: dict[str, float] = field(default_factory=dict)
    grace_s: float = 10.0

    def now(self) -> float:
        """Seconds of this run."""
        return self._run.began_s + time.monotonic() - self._opened

    async def open(self, run: Run) -> None:
        """Take note of the run; threads are started as trials are."""
        self._run, self._opened = run, time.monotonic()
        self._scratch = tempfile.TemporaryDirectory(prefix="trialwright-") if run.directory is None else None
        self._inbox = Inbox()
        self._asker = Asker(run.suggest, self._inbox)
        self._loop = asyncio.get_running_loop()
        self._trials: dict[Key, _Attempt] = {}
        self._idle: list[_Thread] = []
        self._tasks = _TaskThread() if inspect.iscoroutinefunction(run.objective) else None
        self._tails = self._loop.create_task(self._flush_tails())
        cpus = float(self.cpus or os.cpu_count() or 1)
        self._inbox.put(CapacityChanged((Node("local", {"cpu": cpus, **self.resources}),)))

    def do(self, command: Command) -> None:
        """Carry out a command."""
        match command:
            case Launch():
                self._launch(command)
            case Extend(trial, attempt):
                self._answer((trial, attempt), command)
            case Halt(trial, attempt):
                self._answer((trial, attempt), command)
                self._loop.call_later(self.grace_s, self._give_up, (trial, attempt))
            case Ask():
                self._asker.ask(command)
            case Discard(path):
                self._loop.run_in_executor(None, checkpoints.discard, Path(path), self._root)
            case Cancel():
                pass

    def tell(self, event: Event) -> None:
        """Pass it on."""
        self._inbox.put(event)

    async def events(self, until: float | None) -> list[Event]:
        """Wait for events."""
        return await self._inbox.take(None if until is None else max(until - self.now(), 0.0))

    async def close(self) -> None:
        """Tell all trials to stop, and give them a moment; what goes on after that is left to itself."""
        self._tails.cancel()
        self._asker.close()
        for key, attempt in list(self._trials.items()):
            attempt.answer(Halt(*key))
        for thread in self._idle:
            thread.submit(None)
        if self._tasks is not None:
            self._tasks.close()
        deadline = time.monotonic() + min(self.grace_s, 1.0)
        while self._trials and time.monotonic() < deadline:  # noqa: ASYNC110 - it happens in other threads
            await asyncio.sleep(0.01)
        if self._scratch is not None:
            self._scratch.cleanup()

    @property
    def _root(self) -> Path:
        return self._run.directory or Path(cast("tempfile.TemporaryDirectory[str]", self._scratch).name)

    def _launch(self, launch: Launch) -> None:
        config = self._run.space.resolve(launch.config)
        directory = self._root / "trials" / f"{launch.trial:06d}"
        resources = to_amounts(launch.placement.units)
        link = _Link(self._inbox.put)
        make = _AsyncSession if self._tasks is not None else Session
        session = make(launch, config, directory, link, self._run.metrics, resources=resources)
        attempt = _Attempt(session, link)
        self._trials[launch.trial, launch.attempt] = attempt
        if isinstance(session, _AsyncSession) and self._tasks is not None:
            session.loop = self._tasks.loop
            self._tasks.submit(self._run_task(session))
        else:
            thread = self._idle.pop() if self._idle else _Thread()
            thread.submit(lambda: self._run_function(session, thread))

    def _run_function(self, session: Session, thread: _Thread) -> None:
        """In a thread: one attempt from beginning to end."""
        key = (session.launch.trial, session.launch.attempt)
        self._inbox.put(Started(*key, threading.current_thread().name))
        with serving(session):
            ending = perform(cast(Callable[[dict[str, object]], object], self._run.objective), session)
        if self._trials.pop(key, None) is not None:  # else it was given up, and this thread with it
            self._idle.append(thread)
            self._inbox.put(ending)
        else:
            thread.submit(None)

    async def _run_task(self, session: _AsyncSession) -> None:
        """In the task thread: one attempt of an ``async def``."""
        key = (session.launch.trial, session.launch.attempt)
        session.serve()
        self._inbox.put(Started(*key, "task"))
        with serving(session):
            ending = await _perform_async(self._run.objective, session)
        if self._trials.pop(key, None) is not None:
            self._inbox.put(ending)

    def _answer(self, key: Key, answer: Extend | Halt) -> None:
        attempt = self._trials.get(key)
        if attempt is not None:
            attempt.answer(answer)

    def _give_up(self, key: Key) -> None:
        if self._trials.pop(key, None) is not None:
            reason = f"it did not stop within {self.grace_s:g} s; a thread cannot be killed, so it goes on by itself"
            self._inbox.put(Lost(*key, reason))

    async def _flush_tails(self) -> None:
        """Send reports that wait for company that does not come."""
        while True:
            await asyncio.sleep(4 * FLUSH_S)
            for attempt in list(self._trials.values()):
                attempt.session.flush_tail()


class _Link:
    """A session's way to the loop: the inbox there, a queue back."""

    def __init__(self, send: Callable[[Reported], None]) -> None:
        self.send = send
        self.halted = False
        self._answers: queue.SimpleQueue[Extend | Halt] = queue.SimpleQueue()

    def answer(self) -> Extend | Halt:
        return self._answers.get()

    def deliver(self, answer: Extend | Halt) -> None:
        self.halted = self.halted or isinstance(answer, Halt)
        self._answers.put(answer)


@dataclass
class _Attempt:
    session: Session
    link: _Link

    def answer(self, answer: Extend | Halt) -> None:
        if isinstance(self.session, _AsyncSession):
            self.session.deliver(answer)
        else:
            self.link.deliver(answer)


class _Thread:
    """A thread that runs what it is given, one thing after another, until it is given None."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="trialwright-trial", daemon=True).start()

    def submit(self, work: Callable[[], None] | None) -> None:
        self._work.put(work)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()


class _TaskThread:
    """A thread with an event loop of its own for ``async def`` objectives, so that one that blocks does not stop the
    engine's."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._kept: set[Future[None]] = set()
        threading.Thread(target=self._serve, name="trialwright-tasks", daemon=True).start()

    def submit(self, work: Coroutine[object, None, None]) -> None:
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        self._kept.add(future)
        future.add_done_callback(self._kept.discard)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)

    def _serve(self) -> None:
        self.loop.run_forever()
        self.loop.close()


class _AsyncSession(Session):
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
        """Belong to the task that calls this."""
        self._task = asyncio.current_task()
        self._settled = asyncio.Event()
        self._settled.set()

    def report(self, metrics: Mapping[str, object], checkpoint: Saveable | None = None) -> Reply:
        row = clean(metrics)  # here, so that a bad report is raised where it was made
        require(row, self.metrics)
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
            self.stopped.set()
            if self._task is not None:
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
    session: _AsyncSession

    def __await__(self) -> Generator[object, None, None]:
        return self.session.settled().__await__()


async def _perform_async(objective: object, session: _AsyncSession) -> Ending:
    """As ``perform``, for an ``async def``."""
    trial, attempt = session.launch.trial, session.launch.attempt
    if session.stopped.is_set():  # the Halt was faster than the task
        return Halted(trial, attempt)
    try:
        result = await cast(Callable[[dict[str, object]], Awaitable[object]], objective)(session.config)
        conclude(session, result)
        await session.settled()
    except (asyncio.CancelledError, TrialStopped) as error:
        session.flush()
        return Halted(trial, attempt) if session.stopped.is_set() else failure(trial, attempt, error)
    except BaseException as error:
        session.flush()
        return failure(trial, attempt, error)
    return Finished(trial, attempt)
