"""How a run's coroutine is run: on which loop, in which thread, and what a signal does to it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

from trialwright.errors import RunInterrupted

T = TypeVar("T")
Handler = Any  # what signal.signal takes and returns

SWITCH_S = 0.001
COLLECT_AFTER = 50_000  # objects more than were freed
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def run_loop(main: Coroutine[object, None, T]) -> T:
    """Run on uvloop, or on asyncio's own loop where uvloop does not exist."""
    results: list[T] = []

    async def keep() -> None:  # asyncio makes a text of its task at the end, and with it of what the task returns
        results.append(await main)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(keep())
    return results[0]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def inside_loop() -> bool:
    """Tell whether an event loop runs in this thread."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return True
    return False


def in_thread(work: Callable[[], T]) -> T:
    """Do it in a thread of its own, and wait: for those who are in a loop already and cannot await."""
    with ThreadPoolExecutor(1, thread_name_prefix="trialwright-run") as pool:
        return pool.submit(work).result()


class Shared(Generic[T]):
    """A setting of the whole process: changed when the first run begins, and put back when the last has ended.

    Args:
        read: returns the setting.
        write: makes it what it is given.
        improve: makes of what it was what runs want.
    """

    def __init__(self, read: Callable[[], T], write: Callable[[T], object], improve: Callable[[T], T]) -> None:
        self._read, self._write, self._improve = read, write, improve
        self._lock = threading.Lock()  # runs may overlap, in threads
        self._before: list[T] = []  # what it was, once for each run that goes on

    @contextmanager
    def changed(self) -> Iterator[None]:
        """Have it changed for a run."""
        with self._lock:
            if not self._before:
                self._write(self._improve(before := self._read()))
            self._before.append(self._before[0] if self._before else before)
        try:
            yield
        finally:
            with self._lock:
                before = self._before.pop()
                if not self._before:
                    self._write(before)


# Threads take turns every millisecond instead of every five: the loop must not wait for the journal's writer. With two
# slots of trials that do nothing it makes half as many trials a second more.
QUICK_SWITCHING = Shared(sys.getswitchinterval, sys.setswitchinterval, lambda before: min(before, SWITCH_S))

# The garbage collector looks for cycles less often: the engine makes none, and most of what it makes lives on. Of a
# simulation of 60,000 trials the collector took a sixth.
RARE_COLLECTIONS = Shared(
    gc.get_threshold,
    lambda threshold: gc.set_threshold(*threshold),
    lambda before: (max(before[0], COLLECT_AFTER), *before[1:]),
)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a clean end of this task: ``RunInterrupted``. The second signal ends the
    process at once.

    Only the main thread can be told of signals; elsewhere whoever has that thread decides.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    caught: list[signal.Signals] = []

    def interrupt(number: signal.Signals) -> None:
        if caught:
            os._exit(EXIT_CODES[number])
        caught.append(number)
        say(f"{number.name}: stopping; once more stops at once")
        if task is not None:
            task.cancel()

    before = _listen(loop, interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if not caught:
            raise
        raise RunInterrupted(EXIT_CODES[caught[0]]) from None
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            if handler is not None:  # it was installed below Python, which cannot put it back
                signal.signal(number, handler)


def _listen(
    loop: asyncio.AbstractEventLoop, interrupt: Callable[[signal.Signals], None]
) -> dict[signal.Signals, Handler]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {}
    with suppress(NotImplementedError):  # a loop of Windows
        for number in EXIT_CODES:
            before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, interrupt, number)
    return before


def say(*lines: str) -> None:
    """Tell the user something, if anybody reads it: on stderr, because stdout is theirs."""
    with suppress(OSError, ValueError, AttributeError):  # its reader is gone, it is closed, or there is none
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
