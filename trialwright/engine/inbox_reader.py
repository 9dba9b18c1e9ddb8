"""What other processes want of a run: its inbox, read now and then, and checked against the space."""

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
    """Reads the inbox of a run, each letter once. A letter that makes no sense is warned of, and left.

    Args:
        run: whose.
        needed: what a trial of a config, in its plain form, needs; None where that is the same for all.
        warn: told in a sentence what is left, and why.
        last: the number of the last letter that was carried out.
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
                letters = await asyncio.to_thread(inbox.letters, self._run.directory, self._last)
            except StorageError as error:
                self._warn(f"the inbox could not be read, which is tried again: {error}")
                return []
            self._last = letters[-1].letter if letters else self._last
        return [event for letter in letters if (event := self._checked(letter)) is not None]

    def _checked(self, letter: inbox.Letter) -> Enqueued | StopRequested | None:
        if isinstance(letter, StopRequested):
            return letter
        if isinstance(letter, Enqueued):
            try:
                return self._completed(letter)
            except BaseException as error:  # constraints and ``resources`` are functions of users'
                letter = inbox.Unreadable(letter.letter, said(error))
        self._warn(f"letter {letter.letter} of the inbox is left: {letter.problem}")
        return None

    def _completed(self, letter: Enqueued) -> Enqueued:
        space = self._run.space
        whole = space.complete(dict(letter.config), Streams(letter.letter)("enqueue"))
        config = cast(Config, space.plain(whole))
        return replace(letter, config=config, resources=self._needed(config))
