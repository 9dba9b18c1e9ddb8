"""Placement: where a searcher is asked, in a thread of the run or in a process of its own.

A thread shares Python's interpreter lock with the run, and a long call of linear algebra may keep it for tens of
milliseconds. So a searcher whose attribute ``process_from`` is a number has a process of its own once its history has
so many trials. Its answers are the same in both: a function of the history, the requests, and the streams. While the
process starts, the thread goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager

import cloudpickle

from trialwright.errors import named
from trialwright.history import History
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem, Searcher
from trialwright.searchers.process import Died, Process
from trialwright.streams import Streams

PATIENCE = 2  # with so many times as many trials, the process is waited for
DEATHS_MAX = 3  # one after another


@contextmanager
def placed(searcher: Searcher, known: int, warn: Callable[[str], None]) -> Iterator[Searcher]:
    """Ask this searcher, after its ``setup``, where it is best asked; its process ends with this.

    Args:
        searcher: which.
        known: how many trials there are already.
        warn: called with the reason if a searcher that wants a process cannot have one.
    """
    process_from: int | None = getattr(searcher, "process_from", None)
    with ExitStack() as over:
        if callable(close := getattr(searcher, "close", None)):
            over.callback(close)
        if process_from is None:
            yield searcher
            return
        asked = over.enter_context(closing(Placed(searcher, process_from, warn)))
        asked.prepare(known)
        yield asked


class Placed:
    """A searcher that is asked in the caller's thread, and with a long history in a separate process.

    Args:
        searcher: which; it has been set up.
        process_from: how many trials make a history long.
        warn: called with the reason if there is no process.
    """

    def __init__(self, searcher: Searcher, process_from: float, warn: Callable[[str], None]) -> None:
        self._searcher, self._process_from, self._warn = searcher, process_from, warn
        self._lock = threading.Lock()  # the run may end while a process is started
        self._process: Process | None = None
        self._is_closed = False
        self._pack()

    @property
    def learns(self) -> bool:
        """As the searcher does."""
        return self._searcher.learns

    def setup(self, problem: Problem) -> int:
        """Begin anew."""
        self._end()
        trials = self._searcher.setup(problem)
        self._pack()
        return trials

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Answer, here or there.

        Raises:
            RuntimeError: the process has died again and again.
            Exception: whatever the searcher raises.
        """
        self.prepare(len(history))
        if not self._has_process(len(history)):
            return self._searcher.suggest(history, requests, rng)
        deaths: list[Died] = []
        while len(deaths) < DEATHS_MAX:
            process = self._start() if deaths or self._process is None else self._process
            try:
                return process.ask(history, requests, rng)
            except Died as death:  # what a process died of is never asked in this one
                deaths.append(death)
        raise RuntimeError(f"the searcher's process died {len(deaths)} times in a row: {', '.join(map(str, deaths))}")

    def prepare(self, trials: int) -> None:
        """Begin to start the process if so many trials are enough for one."""
        if trials < self._process_from or self._process is not None:
            return
        if self._payload is None:
            self._stay(self._obstacle)
            return
        try:
            self._start()
        except OSError as error:
            self._stay(error)

    def close(self) -> None:
        """End the process, whatever it does. From any thread."""
        with self._lock:
            self._is_closed = True
        self._end()

    def _pack(self) -> None:
        """Pickle the searcher before it has seen anything; the process gets what it has seen by then."""
        self._payload: bytes | None = None
        try:
            self._payload = cloudpickle.dumps(self._searcher)
        except BaseException as error:  # pickling runs methods of users'
            self._obstacle: BaseException = error

    def _has_process(self, trials: int) -> bool:
        """Tell whether to ask the process; wait for it only if the thread would be slow."""
        process = self._process
        if process is None or not (process.ready.done() or trials >= PATIENCE * self._process_from):
            return False
        try:
            process.wait()
        except BaseException as error:  # whatever loading the searcher raised
            self._stay(error)
            return False
        return True

    def _start(self) -> Process:
        """Begin to start a process, in place of the one that there was."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the run is over")
            if self._process is not None:
                self._process.close()
            self._process = Process(self._payload or b"")
            return self._process

    def _end(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.close()
            self._process = None

    def _stay(self, error: BaseException) -> None:
        """Ask in the thread, for good."""
        if self._is_closed:
            raise RuntimeError("the run is over") from error
        self._warn(
            "the searcher runs in a thread, where it may block the run for some milliseconds at a time, because "
            f"it cannot run in a separate process: {named(error)}"
        )
        self._process_from = float("inf")
        self._end()
