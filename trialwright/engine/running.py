"""Runs a run's coroutine: its loop, its thread, the process settings for it, and the steps in which it ends."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager, suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

from trialwright.errors import said
from trialwright.progress import in_notebook

T = TypeVar("T")

SWITCH_S = 0.001
COLLECT_AFTER = 50_000  # objects more than were freed
WAKE_S = 0.5  # some systems let a signal through only between two waits


def run_loop(main: Coroutine[object, None, T]) -> T:
    """Run on uvloop, or on asyncio's own loop where uvloop does not exist."""
    results: list[T] = []

    async def keep() -> None:  # asyncio builds the repr of its task at the end, and with it that of a returned result
        results.append(await main)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(keep())
    return results[0]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # faster; it does not exist for Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


class LoopThread(Generic[T]):
    """A coroutine on a loop of its own, in a thread of its own. So signals always reach the thread that waits for it,
    whatever the loop is doing, and a coroutine that hangs can be abandoned.

    Args:
        main: makes the coroutine.
    """

    def __init__(self, main: Callable[[], Coroutine[object, None, T]]) -> None:
        self._main = main
        self._outcome: Future[T] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[T] | None = None
        self._is_cancelled = self._is_left = False

    def wait(self) -> T:
        """Run it to its end, and return its result or raise its error. It is cancelled if the wait is interrupted."""
        context = contextvars.copy_context()  # the run sees what the caller's context variables are set to
        thread = threading.Thread(target=context.run, args=(self._run,), name="trialwright-run", daemon=True)
        thread.start()
        try:
            while not self._outcome.done():
                wait([self._outcome], WAKE_S)
        except BaseException:
            self.cancel()
            raise
        if not self._is_left:  # a thread that was abandoned may never end
            thread.join()
        return self._outcome.result()

    def cancel(self) -> None:
        """Cancel its task. A second call changes nothing, so that its cleaning up is not cancelled. May be called from
        any thread, and from signal handlers."""
        self._is_cancelled = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended
                self._loop.call_soon_threadsafe(self._cancel_once)

    def leave(self, error: BaseException) -> None:
        """Have ``wait`` raise this error, and abandon the thread. May be called from any thread."""
        self._is_left = True
        self._settle(lambda: self._outcome.set_exception(error))

    def _run(self) -> None:
        try:
            result = run_loop(self._work())
        except BaseException as error:  # raised again in ``wait``
            raised = error
            self._settle(lambda: self._outcome.set_exception(raised))
        else:
            self._settle(lambda: self._outcome.set_result(result))

    async def _work(self) -> T:
        # The loop last: ``cancel`` takes it as the sign that there is a task.
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        if self._is_cancelled:  # before there was a loop
            self._cancel_once()
        return await self._main()

    def _cancel_once(self) -> None:
        """On the loop."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def _settle(self, settle: Callable[[], None]) -> None:
        with suppress(InvalidStateError):  # it was abandoned
            settle()


class Ending:
    """A context with steps that are taken when it is left, the last one first.

    A step that raises becomes a warning, and the next is taken. The error that ended the run stays the one that is
    raised. A cancellation during a step, as by Ctrl-C, is raised after the last step if the run itself had no error.

    Args:
        warn: called with a sentence on each step that failed.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._steps = AsyncExitStack()

    def step(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """Have this done at the end; ``what`` names it in a warning."""
        self._steps.push_async_callback(self._take, what, work)

    def enter(self, what: str, context: AbstractContextManager[T]) -> T:
        """Enter a context, and leave it as a step."""

        async def leave() -> None:
            context.__exit__(None, None, None)  # not the run's error: the context cannot swallow it

        entered = context.__enter__()
        self.step(what, leave)
        return entered

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._steps.aclose()
        except BaseException:  # a cancellation; whatever else a step raises has become a warning
            if error is None:
                raise

    async def _take(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Exception as error:
            self._warn(f"{what} failed at the end: {said(error)}")


class Shared(Generic[T]):
    """A setting of the whole process: changed when the first run begins, and put back when the last has ended.

    Args:
        read: returns the setting.
        write: makes it what it is given.
        improve: returns the setting for runs, given the current one.
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


def say(*lines: str) -> None:
    """Print lines for the user on stderr: stdout is for the user's own output. A notebook shows both below the cell,
    and stderr as if it were errors."""
    stream = sys.stdout if in_notebook() else sys.stderr
    with suppress(OSError, ValueError, AttributeError):  # its reader is gone, it is closed, or there is none
        stream.write("".join(f"{line}\n" for line in lines))
        stream.flush()
