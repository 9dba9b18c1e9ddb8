"""What a trial may change in its process, and how that is put back before the next one runs.

On the way in: the trial's directory becomes the working directory, and what it prints, it and its children, goes to the
files ``stdout`` and ``stderr`` there. On the way out everything is put back as it was: working directory, environment,
signal handlers and timers, umask, ``sys.path``, the standard streams, warning filters, the root logger, recursion
limit, default socket timeout. What cannot be put back (threads and children left behind) spoils the process.
"""

from __future__ import annotations

import ctypes
import logging
import os
import random
import signal
import socket
import sys
import threading
import warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

STREAMS = ("stdout", "stderr")
_WATCHED = tuple(
    getattr(signal, name)
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGQUIT",
        "SIGALRM",
        "SIGVTALRM",
        "SIGPROF",
        "SIGUSR1",
        "SIGUSR2",
        "SIGCHLD",
        "SIGPIPE",
    )
    if hasattr(signal, name)
)
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class ProcessState:
    """What the process was like before any trial: every trial finds it like this.

    Made once, in the process's main thread if it is to restore signal handlers (nobody else may).
    """

    def __init__(self) -> None:
        self._files = [
            os.dup(descriptor) for descriptor in (0, 1, 2)
        ]  # not inherited by children: they must not hold them open
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._cwd = Path.cwd()
        self._variables = vars(os.environ)["_data"]  # as bytes: to compare os.environ itself costs 0.1 ms a trial
        self._environment = self._variables.copy()
        self._path = list(sys.path)
        self._signals = {number: signal.getsignal(number) for number in _WATCHED} if in_main_thread() else {}
        self._umask = _umask()
        self._recursion = sys.getrecursionlimit()
        self._logging = (logging.root.level, list(logging.root.handlers))
        self._threads = threading.active_count()
        self._fflush = ctypes.CDLL(None).fflush  # what C code printed sits in a buffer of the C library's

    def restore(self) -> None:
        """Put everything back."""
        self._restore_streams()
        os.chdir(self._cwd)
        os.umask(self._umask)
        if self._variables != self._environment:
            _restore_environment(self._environment)
        sys.path[:] = self._path
        sys.setrecursionlimit(self._recursion)
        socket.setdefaulttimeout(None)
        logging.root.level, logging.root.handlers[:] = self._logging[0], self._logging[1]
        self._restore_signals()

    def spoiled(self) -> str:
        """Say what a trial left behind that cannot be put back; nothing, if nothing."""
        if threading.active_count() > self._threads:
            names = sorted(thread.name for thread in threading.enumerate())
            return f"a thread was left running (there are {', '.join(names)})"
        if any(stream is not None and stream.closed for stream in self._streams):
            return "a standard stream was closed"
        return "a child process was left" if _has_children() else ""

    def _restore_streams(self) -> None:
        sys.stdin, sys.stdout, sys.stderr = self._streams
        for stream in self._streams[1:]:
            with suppress(Exception):  # a user may have closed or replaced what is below it
                stream.flush()
        self._fflush(None)
        for descriptor, saved in enumerate(self._files):
            os.dup2(saved, descriptor)

    def _restore_signals(self) -> None:
        if not self._signals:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._signals.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)


class _TrialFiles:
    """A trial's directory, with its files ``stdout`` and ``stderr`` open.

    The directory keeps its name and stays: others read it, and write to it, while the trial runs (log files, say).

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._opened = {directory / name: os.open(directory / name, _APPEND, 0o644) for name in STREAMS}

    def stand_in(self) -> None:
        """Have all that is printed go to these files."""
        for descriptor, file in enumerate(self._opened.values(), start=1):
            os.dup2(file, descriptor)

    def close(self) -> None:
        """Close the files; one in which nothing was printed is removed."""
        for path, opened in self._opened.items():
            with suppress(OSError):  # user code may have closed all there is, or taken the file away
                os.close(opened)
            with suppress(OSError):
                if not path.stat().st_size:
                    path.unlink()


class Isolated:
    """While one trial runs. ``spoiled`` says afterwards why the process must not run another; or is empty.

    Raises:
        OSError: on entering: the directory cannot be used.
    """

    def __init__(self, process: ProcessState, directory: Path) -> None:
        self._process, self.directory = process, directory
        self._warnings = warnings.catch_warnings()
        self.spoiled = ""

    def __enter__(self) -> Self:
        self._files = _TrialFiles(self.directory)
        self._warnings.__enter__()
        os.chdir(self.directory)
        self._files.stand_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._warnings.__exit__(kind, error, trace)
        self.spoiled = self._process.spoiled()
        try:
            self._process.restore()
        except Exception as problem:  # say, it has closed the files that everything was to be put back from
            self.spoiled = f"the process could not be put back as it was: {problem!r}"
        self._files.close()


def seed_all(seed: int) -> None:
    """Seed the generators that plain user code draws from: Python's and NumPy's."""
    random.seed(seed)
    import_module("numpy").random.seed(seed % 2**32)  # here: a fork server must not have imported it


def _restore_environment(saved: dict[bytes, bytes]) -> None:
    for name in os.environb.keys() - saved.keys():
        del os.environb[name]
    for name, value in saved.items():
        if os.environb.get(name) != value:
            os.environb[name] = value


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def in_main_thread() -> bool:
    """Tell whether signal handlers can be set here."""
    return threading.current_thread() is threading.main_thread()


def _has_children() -> bool:
    """Tell whether a child lives. The dead that nobody waited for are buried here."""
    try:
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) is not None:
            pass
    except ChildProcessError:
        return False
    return True


def sweep() -> None:
    """Kill what is left of this process's group, but not the process itself: children, and their children."""
    own, group = os.getpid(), os.getpgid(0)
    if own != group:  # the group is somebody else's, who runs it
        return
    for entry in Path("/proc").glob("[1-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or is somebody else's
            if int(entry.name) != own and os.getpgid(int(entry.name)) == group:
                os.kill(int(entry.name), signal.SIGKILL)
