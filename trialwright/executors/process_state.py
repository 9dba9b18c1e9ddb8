"""What a trial may change in its process, and how it is restored before the next trial.

Before a trial: its directory becomes the working directory, and the output of the trial and its children goes to the
files ``stdout`` and ``stderr`` there; the middle of a long output is left out. After it everything is restored: working
directory, environment, signal handlers and timers, umask, ``sys.path``, the standard streams, warning filters, the root
logger, recursion limit, default socket timeout. Remaining children are ended, also those that have left the process's
group. A process that cannot be restored (threads or children are left) runs no other trial.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal.getsignal makes enums: a tenth of a short trial's time
import ctypes
import logging
import os
import random
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

STREAMS = ("stdout", "stderr")
WIRE_THREAD = "trialwright-wire"
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
_APPEND = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
OUTPUT_BYTES_MAX = 8 * 2**20  # of each of a trial's streams: of a longer one, the first and the last part are kept
OUTPUT_BYTES_KEPT = 2 * 2**20  # the length of each part
_CUT = b"\n... the middle of this output was left out ...\n"
_SET_CHILD_SUBREAPER = 36  # Linux: children of a dead child become ours
SWEEPS_MAX = 10  # rounds: a process may fork before it is killed


class ProcessState:
    """The state of the process before any trial, which is restored for every trial.

    Made once, in the main thread if signal handlers are to be restored (Python allows that only there).
    """

    def __init__(self) -> None:
        self._files = [os.dup(number) for number in (0, 1, 2)]  # children do not inherit these, and hold them open
        # The objects, and the descriptors above: user code may replace either.
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._cwd = Path.cwd()
        self._variables = vars(os.environ)["_data"]  # as bytes: to compare os.environ itself costs 0.1 ms a trial
        self._environment = self._variables.copy()
        self._path = list(sys.path)
        self._signals = {number: _signal.getsignal(number) for number in _WATCHED} if in_main_thread() else {}
        self._umask = _umask()
        self._recursion = sys.getrecursionlimit()
        self._logging = (logging.root.level, list(logging.root.handlers))
        # Threads cannot be ended: those that come with a trial make the process unusable for others.
        self._threads = set(threading.enumerate())
        self._trial_files: _TrialFiles | None = None
        self._bare: _TrialFiles | None = None  # of a trial that wrote nothing, for the next trial
        self._fflush = ctypes.CDLL(None).fflush  # the C library buffers what C code prints

    def open_files(self, directory: Path) -> _TrialFiles:
        """Open the files for a trial's output, whose length is limited from now on.

        Raises:
            OSError: they cannot be made.
        """
        bare, self._bare = self._bare, None
        if bare is None or not bare.move(directory):
            bare = _TrialFiles(directory)
        self._trial_files = bare
        return bare

    def close_files(self, *, reuse: bool) -> None:
        """Close them; if the trial has written nothing and ``reuse`` allows it, the next trial gets its directory:
        making one with two files takes longer than a short trial."""
        files, self._trial_files = self._trial_files, None
        if files is not None and reuse and files.is_bare:
            self._bare = files
        elif files is not None:
            files.close()

    def leave(self) -> None:
        """Close the files that were kept for a next trial."""
        if self._bare is not None:
            self._bare.close()

    def restore(self) -> None:
        """Put everything back."""
        self._restore_streams()
        # After the streams: from here on an error is printed where it belongs.
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
        """Return what a trial has left that cannot be restored; an empty string if nothing."""
        left = [thread for thread in threading.enumerate() if thread not in self._threads and not _is_harmless(thread)]
        if _has_children():
            sweep()
            return "a child process was left running"
        if left:
            return f"a thread was left running ({', '.join(sorted(thread.name for thread in left))})"
        if any(stream is not None and stream.closed for stream in self._streams):
            return "a standard stream was closed"
        return ""

    def limit_output(self) -> None:
        """Cut the trial's output to its limit. Called by another thread, now and then."""
        if self._trial_files is not None:
            self._trial_files.limit()

    def _restore_streams(self) -> None:
        sys.stdin, sys.stdout, sys.stderr = self._streams
        for stream in self._streams[1:]:
            with suppress(Exception):  # user code may have closed or replaced the file below it
                stream.flush()
        # Before the descriptors change: C's buffers would be written to the next trial's files.
        self._fflush(None)
        for descriptor, saved in enumerate(self._files):
            os.dup2(saved, descriptor)

    def _restore_signals(self) -> None:
        if not self._signals:
            return
        # An alarm of this trial would interrupt the next one.
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._signals.items():
            # None: the handler was not set from Python (by Ray, for example), and Python cannot set it again.
            if _signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)


class _TrialFiles:
    """A trial's directory, with its files ``stdout`` and ``stderr`` open.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        # O_APPEND, so that children and C code that write to the same file do not overwrite each other, and a file that
        # is cut is continued at its end.
        self._opened = {name: os.open(directory / name, _APPEND, 0o644) for name in STREAMS}
        # To tell our file from another one that user code has opened under the same number, or put in its place.
        self._inodes = [os.fstat(opened).st_ino for opened in self._opened.values()]
        self._lock = threading.Lock()  # the listener must not cut a file after its descriptor is closed and reused

    @property
    def is_bare(self) -> bool:
        """Nothing was printed, and nothing is in the directory but these two files."""
        try:
            found = [os.fstat(opened) for opened in self._opened.values()]
            is_silent = [(0, inode) for inode in self._inodes] == [(file.st_size, file.st_ino) for file in found]
            return is_silent and {*os.listdir(self._directory)} == {*STREAMS}  # noqa: PTH208 - a path costs more than this
        except OSError:  # user code has closed all descriptors, or removed the directory
            return False

    def move(self, directory: Path) -> bool:
        """Become the files of another trial, and return True. If its directory exists and is not empty, close these,
        and return False."""
        try:
            os.rename(self._directory, directory)  # noqa: PTH104 - the same
        except OSError:
            self.close()
            return False
        self._directory = directory
        return True

    def stand_in(self) -> None:
        """Redirect the standard streams to these files."""
        for descriptor, file in enumerate(self._opened.values(), start=1):
            os.dup2(file, descriptor)

    def limit(self) -> None:
        """Cut the middle of a stream that is too long. Processes that append to it can go on."""
        with self._lock:
            for name, inode in zip(self._opened, self._inodes, strict=False):
                with suppress(OSError):  # user code has removed the file, or the disk is full
                    # By its path: what is written through the open descriptor is appended (O_APPEND).
                    _cut_middle(self._directory / name, inode)

    def close(self) -> None:
        """Close the files; one in which nothing was printed is removed."""
        with self._lock:
            files, self._opened = self._opened, {}
        for name, opened in files.items():
            with suppress(OSError):  # user code may have closed all descriptors, or removed the file
                os.close(opened)
            with suppress(OSError):
                path = self._directory / name
                if not path.stat().st_size:
                    path.unlink()


class Isolated:
    """A context for one trial. Afterwards ``spoiled`` is the reason why the process must not run another, or empty.

    Args:
        process: the state before any trial.
        directory: the trial's.
        shared: others may write to the directory while the trial runs: then it is not renamed for the next trial.

    Raises:
        OSError: on entering: the directory cannot be used.
    """

    def __init__(self, process: ProcessState, directory: Path, *, shared: bool) -> None:
        self._process, self.directory, self._shared = process, directory, shared
        self._warnings = warnings.catch_warnings()
        self.spoiled = ""

    def __enter__(self) -> Self:
        files = self._process.open_files(self.directory)
        self._warnings.__enter__()
        os.chdir(self.directory)
        files.stand_in()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # First: whatever fails below, the filters of this trial must not silence the next one's warnings.
        self._warnings.__exit__(kind, error, trace)
        self.spoiled = self._process.spoiled()
        try:
            self._process.restore()
            self._process.limit_output()
        except Exception as problem:  # for example, it has closed the saved descriptors
            self.spoiled = f"the process could not be restored: {problem!r}"
        self._process.close_files(reuse=not (self._shared or self.spoiled))


def seed_all(seed: int) -> None:
    """Seed the global generators of Python and NumPy."""
    random.seed(seed)
    import_module("numpy").random.seed(seed % 2**32)  # imported here, because the fork server must not import it


def _restore_environment(saved: dict[bytes, bytes]) -> None:
    # Through os.environb, not by replacing its dict: C code reads the environment of the process itself.
    for name in os.environb.keys() - saved.keys():
        del os.environb[name]
    for name, value in saved.items():
        if os.environb.get(name) != value:
            os.environb[name] = value


def _umask() -> int:
    # The system has no call that only reads it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def in_main_thread() -> bool:
    """Tell whether signal handlers can be set here."""
    return threading.current_thread() is threading.main_thread()


def adopt_orphans() -> None:
    """Become the parent of children's orphans, so that a process that was forked twice is found. Only Linux can do
    that."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _is_harmless(thread: threading.Thread) -> bool:
    """Tell whether a thread belongs to a library and does no work of a trial: tqdm's monitor, fsspec's event loop, and
    the thread in which Ray calls us."""
    return type(thread).__module__.partition(".")[0] == "tqdm" or thread.name in ("fsspecIO", WIRE_THREAD)


def _cut_middle(path: Path, inode: int) -> None:
    with path.open("r+b", buffering=0) as file:
        status = os.fstat(file.fileno())
        if status.st_size <= OUTPUT_BYTES_MAX or status.st_ino != inode:
            return
        start, end = status.st_size - OUTPUT_BYTES_KEPT, OUTPUT_BYTES_KEPT
        end += os.pwrite(file.fileno(), _CUT, end)
        # Moved in place, and the file is shortened last: what is printed meanwhile is at its end, and is moved as well.
        # If it were shortened first, that would come before the kept part. The limit is for one who prints faster.
        while end < OUTPUT_BYTES_MAX and (part := os.pread(file.fileno(), OUTPUT_BYTES_KEPT, start)):
            start += len(part)
            end += os.pwrite(file.fileno(), part, end)
        # What is printed between the last read and this is lost: no call does both.
        file.truncate(end)


def _has_children() -> bool:
    """Tell whether a child lives. Dead children that were not waited for are reaped."""
    try:
        # Adopted orphans as well: without a wait they stay as zombies, and count as processes.
        while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) is not None:
            pass
    except ChildProcessError:
        return False
    return bool(descendants(os.getpid()) - _trackers())


def sweep() -> None:
    """Kill the living processes that were started here, except trackers of shared memory, which end by themselves."""
    killed = _trackers()
    # A process that was found may fork before it is killed: so it is looked again until nothing is found.
    for _ in range(SWEEPS_MAX):
        found = descendants(os.getpid()) - killed
        if not found:
            return
        kill(found)
        killed |= found


def kill(pids: Iterable[int]) -> None:
    """Kill processes; those that have ended, or belong to other users, are skipped."""
    for pid in pids:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


_forked: set[int] = set()  # the threads that have forked since their copies were ended last
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=lambda: _forked.add(threading.get_ident()))


def end_copies() -> None:
    """Kill the children that this thread has forked and that are still copies of this process. Children that run
    another program (``subprocess``) are kept: other trials may use them."""
    if threading.get_ident() not in _forked:  # asking the system after each trial would halve the speed of short ones
        return
    _forked.discard(threading.get_ident())
    with suppress(OSError):  # only Linux lists them
        with open(f"/proc/self/task/{threading.get_native_id()}/children", encoding="ascii") as listed:  # noqa: PTH123
            children = listed.read().split()
        copies = [int(pid) for pid in children if _command(pid) == _command("self")]
        kill(copies)
        for pid in copies:
            # Reaped here: no other code waits for it, and its number must not be used again meanwhile.
            os.waitpid(pid, 0)


def _command(pid: str) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def descendants(root: int) -> set[int]:
    """Return the living processes below this one, and those in the group that it leads."""
    living = dict(_living())
    found = {root}
    while grown := {pid for pid, (parent, group) in living.items() if parent in found or group == root} - found:
        found |= grown
    return found - {root}


def _living() -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the processes of this machine, each with its parent and its group."""
    for entry in Path("/proc").glob("[1-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            # From the last bracket on: the name before it may hold spaces and brackets.
            state, parent, group, *_ = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if state not in ("Z", "X"):
                yield int(entry.name), (int(parent), int(group))


def _trackers() -> set[int]:
    """Return the resource trackers of ``multiprocessing`` and joblib, which clean up shared memory. They serve the
    whole process, and end with it by themselves."""
    modules = [module for name, module in list(sys.modules.items()) if name.endswith(".resource_tracker")]
    return {getattr(getattr(module, "_resource_tracker", None), "_pid", None) or 0 for module in modules}
