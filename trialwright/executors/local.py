"""Trials in this process: threads for functions, tasks for ``async def``. It starts in milliseconds.

Threads share one interpreter, one working directory, and one standard output, and a thread cannot be killed: a trial
that does not stop within ``grace_s`` is given up as lost, and its thread is abandoned. Processes that it has forked end
with it. Work outside Python (NumPy, a subprocess, a request) runs in parallel.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast

from trialwright.errors import ExecutorError
from trialwright.executors.base import Asker, Inbox, Run
from trialwright.executors.objective import Ending, failure, perform
from trialwright.executors.tasks import AsyncSession, TaskThread, perform_async
from trialwright.executors.threads import Job, Key, Threads
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
    Returned,
    Started,
)
from trialwright.reporting import FLUSH_S, Session, serving
from trialwright.resources import to_amounts
from trialwright.storage import checkpoints
from trialwright.storage.checkpoints import trial_directory

UNREAD_BYTES_MAX = 2**20  # of a trial's reports that the loop has not taken yet: beyond it the trial waits

AHEAD = 64  # short trials that may wait in a thread: more would save no more time
ENDINGS = (Finished, Failed, Halted, Lost)


@dataclass
class Local:
    """Runs trials in threads of this process.

    Args:
        cpus: how many CPUs trials may use together; by default all of this machine's.
        resources: amounts of other resources, by name.
        grace_s: how long a trial may take to stop before it is abandoned.
    """

    cpus: float | None = None
    resources: dict[str, float] = field(default_factory=dict)
    grace_s: float = 10.0
    ahead: ClassVar[int] = AHEAD
    more_hint: ClassVar[str] = "Local(cpus=8, resources={'gpu': 1})"

    def now(self) -> float:
        """Seconds of this run, rounded to the microsecond, because the journal writes them as decimals."""
        return round(self._run.began_s + time.monotonic() - self._opened, 6)

    async def open(self, run: Run) -> None:
        """Get ready; threads are started when trials are."""
        self._run, self._opened = run, time.monotonic()
        self._scratch = tempfile.TemporaryDirectory(prefix="trialwright-") if run.directory is None else None
        self._inbox = Inbox()
        self._asker = Asker(run.suggest, self._inbox)
        self._loop = asyncio.get_running_loop()
        self._turns = _Turns()
        self._work = _Work(run, self._root, self._inbox, self._turns)
        self._threads = Threads(self._inbox.put)
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
            case Cancel(trial):
                self._threads.drop(trial)

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
        """Tell all trials to stop, and wait a moment; those that go on after that are abandoned.

        Raises:
            ExecutorError: the temporary directory of a run without storage could not be removed.
        """
        self._tails.cancel()
        # First: a trial that waits for the loop to take its reports would wait for a loop that takes none any more.
        self._turns.end(is_over=True)
        self._asker.close()
        for timer in self._timers.values():
            timer.cancel()
        self._threads.close()
        # A copy: threads end attempts meanwhile.
        for key, attempt in list(self._work.attempts.items()):
            attempt.answer(Halt(*key))
        if self._tasks is not None:
            self._tasks.close()
        # Not the whole grace: a thread that ignores its Halt would hold up the end of every run.
        deadline = time.monotonic() + min(self.grace_s, 1.0)
        while self._work.attempts and time.monotonic() < deadline:  # noqa: ASYNC110 - it happens in other threads
            await asyncio.sleep(0.01)
        if self._scratch is not None:
            await asyncio.to_thread(_remove, self._scratch)

    @property
    def _root(self) -> Path:
        return self._run.directory or Path(cast("tempfile.TemporaryDirectory[str]", self._scratch).name)

    def _launch(self, launch: Launch) -> None:
        try:
            if self._tasks is None:
                self._launch_in_thread(launch)
            else:
                self._launch_task(launch, self._tasks)
        except Exception as error:  # the user's space could not make the configuration
            self._inbox.put(failure(launch.trial, launch.attempt, error))

    def _launch_in_thread(self, launch: Launch) -> None:
        key = launch.trial, launch.attempt
        grant = launch.after or key
        # Starting it here would run it twice: the driver launches it again.
        if self._threads.is_lost(grant):
            return  # the Lost is on its way to the driver, which then takes back the trials that waited there
        work = self._work
        # False if all before it have ended meanwhile: then it starts in a thread of its own.
        if launch.after is not None and self._threads.add(grant, Job(key, lambda: work.run_later(launch))):
            return
        session = work.session(launch)  # made here, so that its time begins now
        self._begin(launch, self._threads.start(grant, Job(key, lambda: work.run(session))))

    def _launch_task(self, launch: Launch, tasks: TaskThread) -> None:
        if launch.after is not None:  # tasks have no queue
            self._inbox.put(Returned(launch.trial, launch.attempt))
            return
        session = self._work.session(launch, AsyncSession)
        assert isinstance(session, AsyncSession)
        session.loop = tasks.loop
        self._begin(launch, "task")
        tasks.submit(self._work.run_task(session))

    def _begin(self, launch: Launch, worker: str) -> None:
        """Report a trial as started when it is handed over. A thread that hangs before it could say so would escape the
        trial's timeout."""
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
        reason = f"it did not stop within {self.grace_s:g} s; a thread cannot be killed, so it is abandoned"
        # Only one of two gets True: the timer here, or the thread that ends at this moment. So an attempt has one
        # ending.
        if self._work.ended(key):
            self._threads.give_up(key)
            self._inbox.put(Lost(*key, reason))

    def _stop_timers(self, events: Sequence[Event]) -> None:
        """Cancel the timers of attempts that have ended."""
        for event in events:
            if isinstance(event, ENDINGS) and (timer := self._timers.pop((event.trial, event.attempt), None)):
                timer.cancel()

    async def _flush_tails(self) -> None:
        """Send reports that have waited too long for more to share a frame."""
        while True:
            await asyncio.sleep(4 * FLUSH_S)
            for attempt in list(self._work.attempts.values()):
                attempt.session.flush_tail()
            self._threads.hand_back()


@dataclass
class _Work:
    """The attempts of one run. A thread that was given up may end during a later run, which must not hear of it."""

    of: Run
    root: Path
    inbox: Inbox
    turns: _Turns
    attempts: dict[Key, _Attempt] = field(default_factory=dict)

    def session(self, launch: Launch, make: type[Session] = Session) -> Session:
        """Begin an attempt."""
        config = self.of.space.resolve(launch.config)
        directory = trial_directory(self.root, launch.trial)
        resources = to_amounts(launch.placement.units)
        link = _Link(self.inbox, self.turns)
        session = make(launch, config, directory, link, self.of.metrics, resources=resources)
        self.attempts[launch.trial, launch.attempt] = _Attempt(session, link)
        return session

    def run(self, session: Session) -> Ending | None:
        """Run an attempt to its end, in a thread; return None if it was given up."""
        with serving(session):
            ending = perform(cast(Callable[[dict[str, object]], object], self.of.objective), session)
        # An attempt that was given up has been reported as lost: a second ending would be one of nothing.
        return ending if self.ended((ending.trial, ending.attempt)) else None

    def run_later(self, launch: Launch) -> Ending | None:
        """In a thread: an attempt that has waited there, whose time begins now."""
        try:
            session = self.session(launch)
        except Exception as error:  # else the thread would end, and the trials behind this one would never run
            return failure(launch.trial, launch.attempt, error)
        return self.run(session)

    async def run_task(self, session: AsyncSession) -> None:
        """Run an attempt of an ``async def``, in the task thread."""
        session.serve()
        with serving(session):
            ending = await perform_async(self.of.objective, session)
        if self.ended((ending.trial, ending.attempt)):
            self.inbox.put(ending)

    def ended(self, key: Key) -> bool:
        """An attempt has ended; tell whether it had not been given up."""
        return self.attempts.pop(key, None) is not None


def _remove(scratch: tempfile.TemporaryDirectory[str]) -> None:
    try:
        scratch.cleanup()
    except OSError as error:  # a thread that was given up goes on writing there
        raise ExecutorError(f"the directory {scratch.name} could not be removed: {error}") from error


class _Turns:
    """Counts the times that the loop takes the reports: a trial that has reported much since then waits for the next
    one."""

    def __init__(self) -> None:
        self.number = 0
        self._loop = threading.get_ident()
        self._is_over = False
        self._changed = threading.Condition()

    def wait(self, turn: int) -> None:
        """Wait for the end of this turn. In the loop's own thread, which flushes tails, return at once: it would wait
        for itself."""
        if threading.get_ident() != self._loop:
            with self._changed:
                self._changed.wait_for(lambda: self.number != turn or self._is_over)

    def end(self, *, is_over: bool = False) -> None:
        """The loop has taken the reports; or the run is over, and it takes no more."""
        with self._changed:
            self.number += 1
            self._is_over = self._is_over or is_over
            self._changed.notify_all()


class _Link:
    """A session's way to the loop: the inbox there, a queue back."""

    def __init__(self, inbox: Inbox, turns: _Turns) -> None:
        self._inbox, self._turns = inbox, turns
        self._turn, self._unread_bytes = 0, 0  # what it has reported in this turn
        self.halted: Halt | None = None
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
        # Before the answer is there to be taken: a trial that wakes up by it must see that it is halted.
        self.halted = answer if isinstance(answer, Halt) else self.halted
        self._answers.put(answer)


@dataclass
class _Attempt:
    session: Session
    link: _Link

    def answer(self, answer: Extend | Halt) -> None:
        # Its task cannot wait for a queue: it would block all tasks of the thread.
        if isinstance(self.session, AsyncSession):
            self.session.deliver(answer)
        else:
            self.link.deliver(answer)
