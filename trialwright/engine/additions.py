"""Requests that users make in this process, from any thread: before a run, during it, and until it is declared over."""

from __future__ import annotations

import threading
from collections.abc import Callable

from trialwright.messages import Event


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
            self._is_over = self._is_over or not self._waiting
            return not self._waiting

    def close(self) -> None:
        """Refuse all events from now on."""
        with self._lock:
            self._is_over = True
