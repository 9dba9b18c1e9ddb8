"""The process that serves the page: it ends on a signal, or when its ``until`` returns."""

from __future__ import annotations

import threading
from collections.abc import Callable

import uvicorn


class Server(uvicorn.Server):
    """A server that also ends when a function returns.

    Args:
        config: of uvicorn.
        until: when this returns, the server ends; None for only a signal.
    """

    def __init__(self, config: uvicorn.Config, until: Callable[[], object] | None = None) -> None:
        super().__init__(config)
        if until is not None:
            threading.Thread(target=self._wait, args=(until,), name="trialwright-page-end", daemon=True).start()

    def _wait(self, until: Callable[[], object]) -> None:
        until()
        self.should_exit = True
