"""Threads in which code of users may start Ray: Linux kills Ray's processes with the thread that started them, and Ray
then ends the whole program."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable


def spawn(work: Callable[[], object], name: str) -> threading.Thread:
    """Start a daemon thread that does this work; if a Ray was started meanwhile, the thread stays afterwards.

    It does so as long as the program runs, without doing anything. Nothing may wait for its end.
    """
    thread = threading.Thread(target=_done, args=(work,), name=name, daemon=True)
    thread.start()
    return thread


def _done(work: Callable[[], object]) -> None:
    before = _ray_runs()
    try:
        work()
    finally:
        if _ray_runs() and not before:
            threading.Event().wait()


def _ray_runs() -> bool:
    is_initialized = getattr(sys.modules.get("ray"), "is_initialized", None)  # None while it is being imported
    return is_initialized is not None and bool(is_initialized())
