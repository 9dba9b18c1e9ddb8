"""What an executor is: it carries out commands, yields events, and owns the clock. Nothing else touches the outside.

Below the contract are the parts that executors share: an inbox for events, a thread for the searcher, and threads for
calls that block.

The tests of the contract are in ``tests/contracts/executor.py``.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from trialwright.errors import StorageError, of_searcher
from trialwright.messages import Ask, Command, Discard, Enqueued, Event, Launch, Reported, Suggested, Ticked
from trialwright.space import Space
from trialwright.storage import checkpoints


def _log(text: str) -> None:
    logging.getLogger("trialwright").warning("%s", text)


@dataclass(frozen=True)
class Run:
    """What an executor needs to know of its run."""

    objective: object
    space: Space
    suggest: Callable[[Ask], Suggested]
    metrics: tuple[str, ...] = ()  # what every report must have
    directory: Path | None = None  # trials get <directory>/trials/<number>; None: nothing is kept
    shared: bool = True  # others (such as callbacks) may write to a trial's directory while the trial runs
    began_s: float = 0.0  # seconds of this run in earlier sessions
    warn: Callable[[str], None] = _log  # called with a sentence for the user, in the loop's thread

    def trial_directory(self, trial: int) -> Path | None:
        """Return the directory for a trial's files. Its name is the trial's number, never text from a user."""
        return checkpoints.trial_directory(self.directory, trial) if self.directory else None

    def as_kept(self, event: Event) -> Event:
        """Return an event for the journal: with paths relative to the run's directory, which may be moved later."""
        if self.directory is None or not isinstance(event, (Reported, Enqueued)) or event.checkpoint is None:
            return event
        if isinstance(event, Reported):
            return replace(event, checkpoint=checkpoints.from_run(event.checkpoint, self.directory))
        path = checkpoints.from_run(event.checkpoint.path, self.directory)
        return replace(event, checkpoint=replace(event.checkpoint, path=path))

    def as_done(self, command: Command) -> Command:
        """Return a command for an executor: with full paths."""
        if isinstance(command, Discard):
            return Discard(self.located(command.path))
        if isinstance(command, Launch) and command.checkpoint is not None:
            path = self.located(command.checkpoint.path)
            return replace(command, checkpoint=replace(command.checkpoint, path=path))
        return command

    def located(self, path: str) -> str:
        """Return the full path of a checkpoint from its path in the journal."""
        return checkpoints.located(path, self.directory)


class Executor(Protocol):
    """Carries out commands, in threads, processes, or a simulation.

    The objective may change its config: it gets what ``run.space.resolve`` returns, a copy for this trial, and never
    the config of the ``Launch``, which stays as suggested.

    Optional attributes: ``is_virtual``: true if time is computed, and all work ends with this process; then commands do
    not wait for commits, and the searcher is asked in the loop. ``starting``: what has to start when it is opened.
    ``open_hint``: how trials could start sooner. ``more_hint``: an example of how a user says what resources there are.
    ``ahead``: how many launches it takes ahead of time for each slot: see ``Launch.after``.
    """

    def now(self) -> float:
        """Seconds of this run: never less than before, with no wall clock in it."""

    async def open(self, run: Run) -> None:
        """Get ready. The first event after this is ``CapacityChanged``.

        Raises:
            ExecutorError: the place where trials should run is not available.
        """

    def do(self, command: Command) -> None:
        """Carry out a command, or begin to. Never blocks and never raises: problems come back as events."""

    def tell(self, event: Event) -> None:
        """Take an event that happened elsewhere, to be returned with the next ones. Called in the loop's thread."""

    async def events(self, until: float | None) -> list[Event]:
        """Wait for events; return all that have arrived, at least one: ``Ticked`` if none had come at time ``until``.

        Raises:
            ExecutorError: the place where trials run is no longer available.
            StorageError: a trial could not write to the run's directory.
            PolicyError: the searcher raised.
        """

    async def close(self) -> None:
        """End all work and release everything."""


BESIDE_S = 0.02  # how long a Started waits for another event to come with


class Inbox:
    """Events from any thread, taken out in batches by one loop."""

    def __init__(self) -> None:
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._events: list[Event] = []
        self._waiting: list[Event] = []  # events that wait for others to come with
        self._timer: asyncio.TimerHandle | None = None
        self._is_ripe = False  # ``_waiting`` has waited long enough
        self._error: Exception | None = None
        self._arrived = asyncio.Event()
        self._lock = threading.Lock()
        self._called = False  # the loop has been woken, and has not looked yet

    def put(self, event: Event) -> None:
        """Add an event, from any thread. The loop is woken once a batch."""
        with self._lock:
            self._events.append(event)
            # One wake-up a batch: each costs a system call, and a short trial puts several events.
            called, self._called = self._called, True
        if not called:
            self._call()

    def put_beside(self, event: Event) -> None:
        """Add an event that changes nothing at once, from the loop's thread: it comes before the next one, or after
        ``BESIDE_S``. A turn of its own for each start would cost short trials half of their speed."""
        self._waiting.append(event)
        if self._timer is None:
            self._timer = self._loop.call_later(BESIDE_S, self._ripen)

    def _ripen(self) -> None:
        self._is_ripe = True
        self._arrived.set()

    def fail(self, error: Exception) -> None:
        """Make the next ``take`` raise this, from any thread: events put in afterwards are lost. The first error
        counts."""
        with self._lock:
            self._error = self._error or error
        self._call()

    def fail_to_store(self, reason: str) -> None:
        """A trial cannot write to the run's directory."""
        self.fail(StorageError(f"{reason}; make room on that disk, or repair it, then resume the run"))

    def _call(self) -> None:
        if threading.get_ident() == self._thread:
            self._arrived.set()
            return
        with suppress(RuntimeError):  # the loop is closed: nothing waits for events
            self._loop.call_soon_threadsafe(self._arrived.set)

    @property
    def _is_there(self) -> bool:
        return bool(self._events or self._is_ripe or self._error)

    async def take(self, timeout_s: float | None) -> list[Event]:
        """Wait for events and return them all; ``[Ticked()]`` if none came in time."""
        try:
            while not self._is_there:
                # Cleared before the next look, so that an event that comes in between sets it again and is not missed.
                self._arrived.clear()  # it may still be set for events that the last ``take`` returned
                async with nullcontext() if timeout_s is None else asyncio.timeout(timeout_s):
                    await self._arrived.wait()
        except TimeoutError:
            # Time is up, and what waited to come with another event comes alone.
            if not self._waiting:
                return [Ticked()]
        with self._lock:
            # The run ends with it: events that came with it would not be handled.
            if self._error is not None:
                raise self._error
            events, self._events, self._called = [*self._waiting, *self._events], [], False
        self._waiting.clear()
        if self._timer is not None:
            # Else it would ring for starts that have been taken, and wake the loop for nothing.
            self._timer.cancel()
            self._timer, self._is_ripe = None, False
        return events


class Asker:
    """A thread of its own for the searcher: it may be slow, and the loop must not wait for it."""

    def __init__(self, suggest: Callable[[Ask], Suggested], inbox: Inbox) -> None:
        self._suggest, self._inbox = suggest, inbox
        self._asks: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="trialwright-searcher", daemon=True).start()

    def ask(self, ask: Ask) -> None:
        """Pass on an ask; ``Suggested`` comes to the inbox."""
        self._asks.put(ask)

    def close(self) -> None:
        """End the thread after its last answer, without waiting for it."""
        self._asks.put(None)

    def _serve(self) -> None:
        while (ask := self._asks.get()) is not None:
            try:
                self._inbox.put(self._suggest(ask))
            except BaseException as error:  # any error ends the run, with its own traceback as the cause
                self._inbox.fail(of_searcher(error))


class Deputy:
    """One daemon thread for calls that block, one after another. It lives until it is closed: Ray's processes die with
    the thread that started them."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[..., Any], *arguments: object) -> asyncio.Future[Any]:
        """Call this in the thread, after all earlier calls; return a future of the result."""
        return asyncio.wrap_future(self.tell(function, *arguments))

    def tell(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        """The same with a plain future, whose result may be ignored."""
        future: Future[Any] = Future()
        self._calls.put((future, partial(function, *arguments)))
        return future

    def close(self) -> None:
        """End the thread after the calls so far."""
        self._calls.put(None)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, function = item
            # False for a call that was cancelled while it waited: setting its result would raise, and end the thread.
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # Ray calls sys.exit in places, and so may a user's display
                    future.set_exception(error)
