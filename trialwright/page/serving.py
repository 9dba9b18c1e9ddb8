"""The process that serves the page: it ends on a signal, or when its ``until`` returns."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

LAST_LOOK_S = 1.5  # open pages see the end of the run before the server ends


class Quiet(logging.Filter):
    """Answers that nothing waits for any more are cancelled when the server ends: that is no error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is shown."""
        kind = record.exc_info[0] if record.exc_info else None
        is_cut = kind is not None and issubclass(kind, asyncio.CancelledError)
        return not (is_cut or str(record.msg).startswith("Cancel "))


class Server(uvicorn.Server):
    """A server that tells its streams to end before it does: else it would wait for them, and then cut them off.

    Args:
        config: of uvicorn.
        ending: is set when the server is about to end.
        until: when this returns, the server ends; None for only a signal.
    """

    def __init__(
        self, config: uvicorn.Config, ending: threading.Event, until: Callable[[], object] | None = None
    ) -> None:
        super().__init__(config)
        logging.getLogger("uvicorn.error").addFilter(Quiet())
        self._ending = ending
        if until is not None:
            threading.Thread(target=self._wait, args=(until,), name="trialwright-page-end", daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End on a signal."""
        self._ending.set()
        super().handle_exit(sig, frame)

    def _wait(self, until: Callable[[], object]) -> None:
        until()
        time.sleep(LAST_LOOK_S)
        self._ending.set()
        self.should_exit = True
