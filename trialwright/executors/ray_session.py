"""This process's connection to Ray, which all engines in it share; and how Ray is kept from changing this process.

Ray is not imported here: the caller passes a function that opens the connection.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trialwright.executors.deputy import Deputy

KNOCK_S = 5.0


class Session:
    """This process's connection to Ray. A process has one, so all engines in it share it: the first opens it, and the
    last one closes it. One that the user has opened stays open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._keeper: Deputy | None = None  # Ray's processes end with the thread that has started them
        self.started = False  # it is a Ray of ours; else we have joined one

    def join(self, connect: Callable[[], bool]) -> bool:
        """Share the connection; ``connect`` opens it, and returns whether it has started a Ray. Return whether
        ``leave``
        must be called: not if the connection is the user's own."""
        with self._lock:
            if not is_running():
                self._open(connect)
            elif not self._users:
                self.started = False
                return False
            self._users += 1
            return True

    def leave(self) -> None:
        """Leave it; the last one closes it."""
        with self._lock:
            self._users -= 1
            if not self._users and self._keeper is not None:
                self._keeper.tell(sys.modules["ray"].shutdown).result()
                self._close(self._keeper)

    def _open(self, connect: Callable[[], bool]) -> None:
        keeper = self._keeper = self._keeper or Deputy("trialwright-ray")
        try:
            self.started = keeper.tell(connect).result()
        except BaseException:
            self._close(keeper)
            raise

    def _close(self, keeper: Deputy) -> None:
        keeper.close()
        self._keeper = None


SESSION = Session()  # as global to the process as Ray's own state


def knock(address: str) -> None:
    """Raise an OSError at once where Ray would try for a minute."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.rpartition("/")[2], int(port)), KNOCK_S).close()


def settings_of_ours() -> dict[str, str]:
    """Return the variables for a Ray that we start. Ray reads the authentication mode when it is imported: after that,
    setting it has no effect."""
    settings = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    return settings if "ray" in sys.modules else {**settings, "RAY_AUTH_MODE": "token"}


def is_running() -> bool:
    """Tell whether this process is connected to a Ray."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


@contextmanager
def quiet(logger: logging.Logger) -> Iterator[None]:
    """Suppress Ray's warning that it cannot handle SIGTERM in this thread, which is what we want."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for Ray and the processes that it starts meanwhile. Variables that are set already are kept."""
    before = os.environ.copy()
    os.environ.update({name: value for name, value in variables.items() if name not in before})
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            if name.startswith("RAY_") or name == "PYTHONBREAKPOINT":  # ours, and those that Ray itself has set
                del os.environ[name]


@contextmanager
def signals_kept() -> Iterator[None]:
    """Restore the handlers of SIGINT and SIGTERM: Ray replaces the latter, below Python, where any thread may restore
    it."""
    python = ctypes.pythonapi
    python.PyOS_getsig.restype = python.PyOS_setsig.restype = ctypes.c_void_p
    handlers = {int(number): python.PyOS_getsig(int(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if python.PyOS_getsig(number) != handler:
                python.PyOS_setsig(number, ctypes.c_void_p(handler))
