"""Requests of other processes: reads a run's inbox now and then, and checks them against the space."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from trialwright.errors import StorageError, said
from trialwright.executors.base import Run
from trialwright.messages import Config, Enqueued, StopRequested
from trialwright.storage import inbox
from trialwright.streams import Streams


class InboxReader:
    """Reads the inbox of a run, each request once. A request that is invalid is rejected with a warning.

    Args:
        run: the run.
        needed: returns the resources for a config in its plain form; None where all trials need the same.
        warn: called with a sentence on each request that is rejected.
        last: the number of the last request that was carried out.
    """

    def __init__(
        self,
        run: Run,
        needed: Callable[[Config], dict[str, float] | None],
        warn: Callable[[str], None],
        last: int,
    ) -> None:
        self._run, self._needed, self._warn, self._last = run, needed, warn, last
        self._lock = asyncio.Lock()  # the watcher may be reading when the run wants to read a last time

    async def read(self) -> list[Enqueued | StopRequested]:
        """Return what has come since the last time, as events of this run; nothing if the inbox cannot be read now."""
        if self._run.directory is None:
            return []
        async with self._lock:
            try:
                requests = await asyncio.to_thread(inbox.requests, self._run.directory, self._last)
            except StorageError as error:
                self._warn(f"the inbox could not be read; it will be tried again: {error}")
                return []
            self._last = requests[-1].letter if requests else self._last
        return [event for request in requests if (event := self._checked(request)) is not None]

    def _checked(self, request: inbox.InboxRequest) -> Enqueued | StopRequested | None:
        if isinstance(request, StopRequested):
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
        whole = space.complete(dict(request.config), Streams(request.letter)("enqueue"))
        config = cast(Config, space.plain(whole))
        return replace(request, config=config, resources=self._needed(config))
