"""What SIGINT and SIGTERM do during ``run()``, in whichever thread it is called."""

from __future__ import annotations

import builtins
import ctypes
import faulthandler
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from trialwright.engine.running import say
from trialwright.errors import RunInterrupted

Handler = Any  # what signal.signal takes and returns
Listener = Callable[[signal.Signals], None]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
LOOK_S = 1.0  # how often to look whether another handler was installed


class RunInterruptedExit(RunInterrupted, SystemExit):
    """At a script's top level it ends the process with its code, and without a traceback."""


def interrupted(caught: signal.Signals, text: str, result: object, path: Path | None) -> RunInterrupted:
    """Return what ``run()`` raises: a ``SystemExit`` too, unless that would end a prompt."""
    kind = RunInterrupted if at_prompt() else RunInterruptedExit
    return kind(text, result, path, 128 + caught)  # the exit code that a shell gives to a program ended by a signal


def at_prompt() -> bool:
    """Tell whether this is a Python prompt, IPython, or a notebook."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or hasattr(builtins, "get_ipython")


class Interrupts:
    """Listens for signals while a run goes on. The first one stops the run.

    In a script the second one ends the process, even inside code that does not let Python run. At a prompt it raises
    ``KeyboardInterrupt``, as usual there. Both need the main thread: for a run in another thread, the main thread's own
    handlers decide what a second signal does.

    Args:
        stop: called at the first signal, in a signal handler or from any thread.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.caught: signal.Signals | None = None
        self._stop = stop
        self._before: dict[signal.Signals, Handler] = {}
        self._process = os.getpid()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen."""
        if threading.current_thread() is not threading.main_thread():
            with _OVERHEARD.told(self._catch):
                yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self._before = {number: handler for number, handler in before.items() if handler is not None}
        foreign = set(SIGNALS) - self._before.keys()  # installed below Python, which could not put them back
        with _OVERHEARD.told(self._catch, foreign):
            try:
                self._install(self._handle)
                if not at_prompt():
                    _default_next(self._before)
                yield
            finally:
                self._put_back()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # in a child that was forked meanwhile, which has no run: as without us
            signal.signal(number, self._before[signal.Signals(number)])
            signal.raise_signal(number)
            return
        if at_prompt():
            self._put_back()
        else:
            self._install(signal.SIG_DFL)
        self._catch(signal.Signals(number))

    def _install(self, handler: Handler) -> None:
        for number in self._before:
            signal.signal(number, handler)

    def _put_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _catch(self, number: signal.Signals) -> None:
        if self.caught is None:  # a signal may be heard both ways
            self.caught = number
            say(f"{number.name}: stopping; a second signal stops at once")
            self._stop()


def _default_next(numbers: Iterable[signal.Signals]) -> None:
    """Have the system restore the default action when it delivers one of these signals, where it can. Python's handlers
    run only between two steps of Python code: a second signal must end the process even if C code does not return."""
    with suppress(AttributeError, OSError, TypeError):
        libc, python = ctypes.CDLL(None), ctypes.pythonapi
        python.PyOS_getsig.restype = ctypes.c_void_p
        libc.sysv_signal.restype = ctypes.c_void_p
        for number in numbers:
            libc.sysv_signal(int(number), ctypes.c_void_p(python.PyOS_getsig(int(number))))


class _Overheard:
    """Tells of signals without a handler in Python, which only the main thread can install.

    ``faulthandler`` may be registered from any thread. It writes a traceback to a pipe, which a thread reads, and then
    calls the handler that there was. There is one such registration for a process: runs share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[tuple[Listener, frozenset[signal.Signals]]] = []
        self._writers: dict[signal.Signals, int] = {}
        self._handlers: dict[signal.Signals, Handler] = {}  # that there were when it was registered last
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unregister)  # a signal to a child must not stop runs of its parent

    @contextmanager
    def told(self, listener: Listener, numbers: Iterable[signal.Signals] = SIGNALS) -> Iterator[None]:
        """Call this listener for these signals, from another thread; perhaps twice for the same signal."""
        wanted = listener, frozenset(numbers)
        if not wanted[1] or not hasattr(faulthandler, "register"):  # Windows has none
            yield
            return
        with self._lock:
            if not self._listeners:
                self._open()
            self._listeners.append(wanted)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(wanted)
                if not self._listeners:
                    self._close()

    def _open(self) -> None:
        readers = {}
        for number in SIGNALS:
            reader, self._writers[number] = os.pipe()
            os.set_blocking(self._writers[number], False)  # a full pipe must not block a signal handler
            readers[reader] = number
        self._register()
        threading.Thread(target=self._listen, args=[readers], name="trialwright-signals", daemon=True).start()

    def _register(self) -> None:
        """Register again for signals whose handler the main thread has changed. Ignored signals stay ignored."""
        for number, writer in self._writers.items():
            handler = signal.getsignal(number)
            if handler != self._handlers.get(number, signal.SIG_DFL) and _is_code(handler):
                faulthandler.unregister(number)
                faulthandler.register(number, file=writer, all_threads=False, chain=True)
            self._handlers[number] = handler

    def _unregister(self) -> None:
        for number in self._writers:
            if _is_code(signal.getsignal(number)):  # else the main thread has put something else there
                faulthandler.unregister(number)

    def _close(self) -> None:
        self._unregister()
        for writer in self._writers.values():
            os.close(writer)
        self._writers, self._handlers = {}, {}

    def _listen(self, readers: dict[int, signal.Signals]) -> None:
        """In a thread: until the pipes are closed."""
        is_open = True
        while is_open:
            for reader in select.select([*readers], [], [], LOOK_S)[0]:
                is_open = is_open and bool(os.read(reader, 2**20))  # nothing: the other end is closed
                if is_open:
                    self._tell(readers[reader])
            with self._lock:
                self._register()  # the main thread may have installed a handler since, in place of ours
        for reader in readers:
            os.close(reader)

    def _tell(self, number: signal.Signals) -> None:
        with self._lock:
            listeners = [listener for listener, numbers in self._listeners if number in numbers]
        for listener in listeners:
            listener(number)


def _is_code(handler: Handler) -> bool:
    """Tell whether a handler is a function, or None: one that was not installed from Python."""
    return handler is None or callable(handler)


_OVERHEARD = _Overheard()
