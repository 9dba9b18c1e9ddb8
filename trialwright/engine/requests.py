"""Requests while a run is active: from this process, by its Additions; from other processes, by the run's inbox."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from trialwright.errors import StorageError, said
from trialwright.executors.base import Run
from trialwright.messages import Config, Enqueued, Event, PauseRequested, StopRequested
from trialwright.storage import inbox
from trialwright.streams import Streams


class Additions:
    """Events that wait to be taken into the run. An event that was accepted is taken; one that comes too late is
    refused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._wake: Callable[[], object] | None = None
        self._is_over = False

    def put(self, event: Event) -> None:
        """Hand in an event, from any thread.

        Raises:
            ValueError: the run is over.
        """
        with self._lock:
            if self._is_over:
                raise ValueError("the run is over: resume it to add a configuration")
            self._waiting.append(event)
            if self._wake is not None:
                self._wake()

    def take(self) -> list[Event]:
        """Return what has been put in since the last time."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            return taken

    def open(self, wake: Callable[[], object] | None = None) -> None:
        """A run begins; ``wake`` is called with each event from now on, in the thread that puts it in."""
        with self._lock:
            self._is_over, self._wake = False, wake

    def end(self) -> bool:
        """Declare the run over, unless an event waits to be taken; tell whether it is over. Both happen under the lock:
        so ``put`` never accepts an event that is not taken."""
        with self._lock:
            # Once refused, always refused: ``close`` may have come before.
            self._is_over = self._is_over or not self._waiting
            return not self._waiting

    def close(self) -> None:
        """Refuse all events from now on."""
        with self._lock:
            self._is_over = True


class InboxReader:
    """Reads the inbox of a run, each request once. A request that is invalid is rejected with a warning.

    Args:
        run: the run.
        needed: returns the resources for a config in its plain form; None where all trials need the same.
        warn: called with a sentence on each request that is rejected.
        last: the number of the last request that was carried out.
        is_resumed: the run is resumed: then requests to stop or pause the whole run, from before, are void.
    """

    def __init__(
        self,
        run: Run,
        needed: Callable[[Config], dict[str, float] | None],
        warn: Callable[[str], None],
        last: int,
        *,
        is_resumed: bool = False,
    ) -> None:
        self._run, self._needed, self._warn, self._last = run, needed, warn, last
        self._void = inbox.newest(run.directory) if is_resumed and run.directory else 0  # void up to this number
        self._lock = asyncio.Lock()  # the watcher may be reading when the run wants to read a last time

    async def read(self) -> list[inbox.Requested]:
        """Return what has come since the last time, as events of this run; nothing if the inbox cannot be read now."""
        if self._run.directory is None:  # a run in memory: no other process can reach it
            return []
        async with self._lock:
            try:
                requests = await asyncio.to_thread(inbox.requests, self._run.directory, self._last)
            except StorageError as error:
                self._warn(f"the inbox could not be read; it will be tried again: {error}")
                return []
            # Also past those that are rejected below: each is warned of once.
            self._last = requests[-1].letter if requests else self._last
        return [event for request in requests if (event := self._checked(request)) is not None]

    def _checked(self, request: inbox.InboxRequest) -> inbox.Requested | None:
        if (
            isinstance(request, StopRequested | PauseRequested)
            and request.trial is None
            and request.letter <= self._void
        ):
            # A resume is the later wish. Else a run would stop at once that is given more trials.
            self._warn(f"request {request.letter} in the inbox, to stop or pause the run, is older than this resume")
            return None
        if not isinstance(request, Enqueued | inbox.Unreadable):
            return request
        if isinstance(request, Enqueued):
            try:
                return self._completed(request)
            except BaseException as error:  # constraints and ``resources`` are the user's functions
                request = inbox.Unreadable(request.letter, said(error))
        self._warn(f"request {request.letter} in the inbox was rejected: {request.problem}")
        return None

    def _completed(self, request: Enqueued) -> Enqueued:
        space = self._run.space
        # Drawn from the request's number: read again after a crash, it is completed in the same way.
        whole = space.complete(dict(request.config), Streams(request.letter)("enqueue"))
        config = cast(Config, space.plain(whole))
        return replace(request, config=config, resources=self._needed(config))
