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
from typing import Any, TypeVar

from trialwright.errors import RunInterrupted

T = TypeVar("T")
Handler = Any  # what signal.signal takes and returns

SWITCH_S = 0.001
COLLECT_AFTER = 50_000  # objects more than were freed
EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}


def run_loop(main: Coroutine[object, None, T]) -> T:
    """Run on uvloop, or on asyncio's own loop where uvloop does not exist."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


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


@contextmanager
def quick_switching() -> Iterator[None]:
    """Let threads take turns every millisecond instead of every five: the loop must not wait for the journal's writer.

    With two slots of trials that do nothing it makes half as many trials a second more.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SWITCH_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the garbage collector look for cycles less often: the engine makes none, and most of what it makes lives on.

    Of a simulation of 60,000 trials the collector took a sixth.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], COLLECT_AFTER), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


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
