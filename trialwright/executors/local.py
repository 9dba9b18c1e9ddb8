"""Trials in this process: threads for functions, tasks for ``async def``. It starts in milliseconds.

Threads share one interpreter, one working directory, and one standard output, and a thread cannot be killed: a trial
that does not stop within ``grace_s`` is given up, LOST, and its thread left to itself. What it has forked ends with it.
What trials do outside Python (NumPy, a subprocess, a request) runs side by side.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from trialwright.errors import ExecutorError
from trialwright.executors.base import Asker, Inbox, Run
from trialwright.executors.objective import Ending, perform
from trialwright.executors.process_state import end_copies
from trialwright.executors.tasks import AsyncSession, TaskThread, perform_async
from trialwright.messages import (
    Ask,
    Cancel,
    CapacityChanged,
    Command,
    Discard,
    Event,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Node,
    Noted,
    Reported,
    Started,
)
from trialwright.reporting import FLUSH_S, Session, serving
from trialwright.resources import to_amounts
from trialwright.storage import checkpoints
from trialwright.storage.checkpoints import trial_directory

UNREAD_BYTES_MAX = 2**20  # of a trial's reports that the loop has not taken yet: beyond it the trial is made to wait

Key = tuple[int, int]  # trial, attempt
ENDINGS = (Finished, Failed, Halted, Lost)


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
        self._turns = _Turns()
        self._work = _Work(self._inbox)
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._tasks = TaskThread() if inspect.iscoroutinefunction(run.objective) else None
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
                self._halt((trial, attempt), command)
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
        events = await self._inbox.take(None if until is None else max(until - self.now(), 0.0))
        self._turns.end()
        if self._timers:
            self._stop_timers(events)
        return events

    async def close(self) -> None:
        """Tell all trials to stop, and give them a moment; what goes on after that is left to itself.

        Raises:
            ExecutorError: the directory of a run that keeps nothing could not be removed.
        """
        self._tails.cancel()
        self._turns.end(is_over=True)
        self._asker.close()
        for timer in self._timers.values():
            timer.cancel()
        for key, attempt in list(self._work.attempts.items()):
            attempt.answer(Halt(*key))
        if self._tasks is not None:
            self._tasks.close()
        deadline = time.monotonic() + min(self.grace_s, 1.0)
        while self._work.attempts and time.monotonic() < deadline:  # noqa: ASYNC110 - it happens in other threads
            await asyncio.sleep(0.01)
        self._work.close()
        if self._scratch is not None:
            await asyncio.to_thread(_remove, self._scratch)

    @property
    def _root(self) -> Path:
        return self._run.directory or Path(cast("tempfile.TemporaryDirectory[str]", self._scratch).name)

    def _launch(self, launch: Launch) -> None:
        config = self._run.space.resolve(launch.config)
        directory = trial_directory(self._root, launch.trial)
        resources = to_amounts(launch.placement.units)
        link = _Link(self._inbox, self._turns)
        make = AsyncSession if self._tasks is not None else Session
        session = make(launch, config, directory, link, self._run.metrics, resources=resources)
        work, objective = self._work, self._run.objective
        work.attempts[launch.trial, launch.attempt] = _Attempt(session, link)
        if isinstance(session, AsyncSession) and self._tasks is not None:
            session.loop = self._tasks.loop
            self._begin(launch, "task")
            self._tasks.submit(_run_task(work, objective, session))
        else:
            thread = work.idle.pop() if work.idle else _Thread()
            self._begin(launch, thread.name)
            thread.submit(lambda: _run_function(work, objective, session, thread))

    def _begin(self, launch: Launch, worker: str) -> None:
        """A trial's time begins when it is handed over: a thread that cannot say that it has begun must not have
        more."""
        self._inbox.put_beside(Started(launch.trial, launch.attempt, worker))

    def _answer(self, key: Key, answer: Extend | Halt) -> None:
        attempt = self._work.attempts.get(key)
        if attempt is not None:
            attempt.answer(answer)

    def _halt(self, key: Key, halt: Halt) -> None:
        self._answer(key, halt)
        if key in self._work.attempts:
            self._timers[key] = self._loop.call_later(self.grace_s, self._give_up, key)

    def _give_up(self, key: Key) -> None:
        reason = f"it did not stop within {self.grace_s:g} s; a thread cannot be killed, so it goes on by itself"
        self._work.ended(Lost(*key, reason))

    def _stop_timers(self, events: Sequence[Event]) -> None:
        """Give no attempt up that has ended."""
        for event in events:
            if isinstance(event, ENDINGS) and (timer := self._timers.pop((event.trial, event.attempt), None)):
                timer.cancel()

    async def _flush_tails(self) -> None:
        """Send reports that wait for company that does not come."""
        while True:
            await asyncio.sleep(4 * FLUSH_S)
            for attempt in list(self._work.attempts.values()):
                attempt.session.flush_tail()


@dataclass
class _Work:
    """What one run has at work. A thread that was given up may end during a later run, which must not hear of it."""

    inbox: Inbox
    attempts: dict[Key, _Attempt] = field(default_factory=dict)
    idle: list[_Thread] = field(default_factory=list)
    is_over: bool = False

    def ended(self, ending: Ending | Lost, thread: _Thread | None = None) -> bool:
        """Tell what came of an attempt, from any thread; tell whether it was still waited for."""
        if self.attempts.pop((ending.trial, ending.attempt), None) is None:
            return False
        if thread is not None:
            self._rest(thread)
        self.inbox.put(ending)
        return True

    def close(self) -> None:
        """End the threads that have nothing to do; the others end when they have done it."""
        self.is_over = True
        with suppress(IndexError):
            while True:
                self.idle.pop().submit(None)

    def _rest(self, thread: _Thread) -> None:
        self.idle.append(thread)
        if self.is_over:  # looked at after the thread is in the list, so that either this or ``close`` ends it
            self.close()


def _run_function(work: _Work, objective: object, session: Session, thread: _Thread) -> None:
    """In a thread: one attempt from beginning to end."""
    with serving(session):
        ending = perform(cast(Callable[[dict[str, object]], object], objective), session)
    end_copies()
    if not work.ended(ending, thread):  # it was given up, and this thread with it
        thread.submit(None)


async def _run_task(work: _Work, objective: object, session: AsyncSession) -> None:
    """In the task thread: one attempt of an ``async def``."""
    session.serve()
    with serving(session):
        ending = await perform_async(objective, session)
    work.ended(ending)


def _remove(scratch: tempfile.TemporaryDirectory[str]) -> None:
    try:
        scratch.cleanup()
    except OSError as error:  # a thread that was given up goes on writing there
        raise ExecutorError(f"the directory {scratch.name} could not be removed: {error}") from error


class _Turns:
    """The loop takes all that has been reported, again and again: who has reported much since it last did waits for
    that."""

    def __init__(self) -> None:
        self.number = 0
        self._loop = threading.get_ident()
        self._is_over = False
        self._changed = threading.Condition()

    def wait(self, turn: int) -> None:
        """Wait for the end of this turn. The loop itself, which flushes tails, does not."""
        if threading.get_ident() != self._loop:
            with self._changed:
                self._changed.wait_for(lambda: self.number != turn or self._is_over)

    def end(self, *, is_over: bool = False) -> None:
        """The loop has taken all; or the run is over, and it takes nothing any more."""
        with self._changed:
            self.number += 1
            self._is_over = self._is_over or is_over
            self._changed.notify_all()


class _Link:
    """A session's way to the loop: the inbox there, a queue back."""

    def __init__(self, inbox: Inbox, turns: _Turns) -> None:
        self._inbox, self._turns = inbox, turns
        self._turn, self._unread_bytes = 0, 0  # what it has reported in this turn
        self.halted = False
        self._answers: queue.SimpleQueue[Extend | Halt] = queue.SimpleQueue()

    def send(self, message: Reported | Noted) -> None:
        if isinstance(message, Noted):
            self._inbox.put(message)
        else:
            self._send_frame(message)

    def fail(self, reason: str) -> None:
        self._inbox.fail_to_store(reason)

    def _send_frame(self, frame: Reported) -> None:
        turn = self._turns.number
        self._unread_bytes = frame.size + (self._unread_bytes if turn == self._turn else 0)
        self._turn = turn
        self._inbox.put(frame)
        if self._unread_bytes > UNREAD_BYTES_MAX and not frame.waiting:  # else it waits for its answer
            self._turns.wait(turn)

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
        if isinstance(self.session, AsyncSession):
            self.session.deliver(answer)
        else:
            self.link.deliver(answer)


class _Thread:
    """A thread that runs what it is given, one thing after another, until it is given None."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        thread = threading.Thread(target=self._serve, name="trialwright-trial", daemon=True)
        self.name = thread.name
        thread.start()

    def submit(self, work: Callable[[], None] | None) -> None:
        self._work.put(work)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
