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
import shutil
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
        self._trial_files: _TrialFiles | None = None
        self._fflush = ctypes.CDLL(None).fflush  # what C code printed sits in a buffer of the C library's

    def files_for(self, directory: Path) -> _TrialFiles:
        """Return the open files of a trial: the last trial's, renamed, if it left nothing in them. That is ten times as
        fast as to remove them and make others."""
        if self._trial_files is None or not (self._trial_files.is_bare() and self._trial_files.move(directory)):
            self.leave()
            self._trial_files = _TrialFiles(directory)
        return self._trial_files

    def leave(self) -> None:
        """Close the last trial's files."""
        if self._trial_files is not None:
            self._trial_files.close()
            self._trial_files = None

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

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.files = [os.open(path / name, _APPEND, 0o644) for name in STREAMS]
        self._bare = {name: (os.fstat(opened).st_ino, 0) for name, opened in zip(STREAMS, self.files, strict=True)}

    def move(self, path: Path) -> bool:
        """Make it another trial's; tell whether that was possible: that trial may have been here before, and left
        something."""
        try:
            self.path.rename(path)
        except OSError:
            self.close()
            return False
        self.path = path
        return True

    def is_bare(self) -> bool:
        """Tell whether nothing was printed and nothing else is here."""
        try:
            found = {entry.name: (entry.inode(), entry.stat().st_size) for entry in os.scandir(self.path)}
        except OSError:  # somebody has taken it away
            return False
        return found == self._bare

    def close(self) -> None:
        """Close the files; of a trial that left nothing, nothing is kept."""
        bare = self.is_bare()
        for opened in self.files:
            with suppress(OSError):  # closed by user code that closes all there is
                os.close(opened)
        if bare:
            shutil.rmtree(self.path, ignore_errors=True)


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
        opened = self._process.files_for(self.directory)
        self._warnings.__enter__()
        os.chdir(self.directory)
        for descriptor, file in enumerate(opened.files, start=1):
            os.dup2(file, descriptor)
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
