"""A thread for calls that block."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any


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
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # Ray calls sys.exit in places, and so may a user's display
                    future.set_exception(error)
