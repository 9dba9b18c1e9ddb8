"""Trials in slots: processes that take one trial after another. What ``OnRay`` and ``Processes`` share.

They differ only in their ``Starter``, which starts the processes. The messages between driver and slots are the same.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections import ChainMap
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import ClassVar, assert_never

import cloudpickle

from trialwright.errors import ExecutorError, named
from trialwright.executors.base import Asker, Deputy, Inbox, Run
from trialwright.executors.launcher import Starter
from trialwright.executors.pool import Pool
from trialwright.executors.slots import BEAT_S, Rules
from trialwright.messages import Ask, Cancel, CapacityChanged, Command, Discard, Event, Extend, Halt, Launch, Node
from trialwright.storage import checkpoints

SHUTDOWN_S = 8.0
PAYLOAD_BYTES_MAX = 256 * 2**20
AHEAD = 64  # short trials that may wait in a slot: more would save no more time
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class InSlots(ABC):
    """An executor whose trials run in slots. ``options`` has the arguments of its constructor.

    Args:
        starter: starts the slots' processes.
        rules: time limits for slots.
    """

    options: Mapping[str, object]
    ahead: ClassVar[int] = AHEAD

    def __init__(self, starter: Starter, rules: Rules) -> None:
        self._starter, self._rules = starter, rules
        self._nodes: tuple[tuple[Node, ...], ...] = ()  # the machines, and those to come
        self._tasks: list[asyncio.Task[None]] = []
        self._temporary: str | None = None
        self._is_open = False

    @abstractmethod
    async def _begin(self, payload: bytes) -> None:
        """Open the place where slots run, listen for them, and set the machines."""

    @abstractmethod
    async def _end(self) -> None:
        """Close the place where slots run; all slots have been ended."""

    @abstractmethod
    def _describe(self, error: Exception) -> str:
        """Return why the place is not available, and what may help."""

    def now(self) -> float:
        """Part of ``Executor``; rounded to the microsecond, because the journal writes them as decimals."""
        return round(self._began_s + time.monotonic() - self._opened, 6)

    async def open(self, run: Run) -> None:
        """Part of ``Executor``.

        Raises:
            ExecutorError: the place where slots run is not available.
            TypeError, ValueError: the objective cannot be sent to other processes.
        """
        payload = self._pack(run)  # first: if it cannot be sent, nothing must have been started
        self._warn = run.warn
        self._began_s, self._opened = run.began_s, time.monotonic()
        # Workers need a directory for each trial even if the run keeps nothing.
        self._temporary = None if run.directory else tempfile.mkdtemp(prefix="trialwright-")
        self._root = _absolute(self._temporary or run.directory or "")
        self._shared = run.shared
        self._nodes = ()
        self._inbox = Inbox()
        self._asker = Asker(run.suggest, self._inbox)
        self._deputy, self._cleaner = Deputy("trialwright-slots"), Deputy("trialwright-discard")
        self._pool = Pool(self._starter, self._deputy, self._inbox, self._rules, warn=run.warn, look=self._look)
        self._is_open = True
        try:
            await self._begin(payload)
        except Exception as error:  # Ray and the system raise many types
            # What was started so far (a Ray, a fork server, threads) must not outlive a failed opening.
            await self.close()
            raise ExecutorError(self._describe(error)) from error
        self._tasks.append(asyncio.create_task(self._beat()))

    def do(self, command: Command) -> None:
        """Part of ``Executor``."""
        match command:
            case Launch():
                self._pool.launch(command)
            case Extend():
                if slot := self._pool.running(command.trial, command.attempt):
                    slot.extend(command)
            case Halt():
                if slot := self._pool.running(command.trial, command.attempt):
                    slot.halt(command)
            case Ask():
                self._asker.ask(command)
            case Discard():
                self._cleaner.tell(checkpoints.discard, Path(command.path), self._root)
            case Cancel():
                self._pool.cancel(command.trial)
            case _:
                assert_never(command)

    def tell(self, event: Event) -> None:
        """Part of ``Executor``."""
        self._inbox.put(event)

    async def events(self, until: float | None) -> list[Event]:
        """Part of ``Executor``."""
        events = await self._inbox.take(None if until is None else max(0.0, until - self.now()))
        # After the events were taken, not before: only then there is room for more.
        self._pool.taken()
        return events

    async def close(self) -> None:
        """Part of ``Executor``. Takes a few seconds at most, even if slots hang."""
        if not self._is_open:
            return
        self._is_open = False
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        # Slots first: what they need (Ray, the fork server) is closed when they have ended.
        await self._pool.close()
        with suppress(Exception):  # a call that does nothing: when it returns, the pending deletions are done
            await asyncio.wait_for(self._cleaner.call(int), SHUTDOWN_S)
        with suppress(Exception):  # what does not shut down in time ends with this process
            await asyncio.wait_for(self._end(), SHUTDOWN_S)
        for thread in (self._deputy, self._cleaner, self._asker):
            thread.close()
        if self._temporary:
            await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)

    async def _look(self) -> None:
        """Look which machines are present, if they may leave. Called before a slot's death is reported, because its
        machine may have left."""
        return

    def _take_note(self, nodes: tuple[Node, ...], to_come: tuple[Node, ...] = ()) -> None:
        if (nodes, to_come) != self._nodes:
            self._nodes = (nodes, to_come)
            self._inbox.put(CapacityChanged(nodes, to_come))
            self._pool.set_nodes(nodes)

    def _pack(self, run: Run) -> bytes:
        """Pickle what every slot needs."""
        try:
            payload = self._pickled((run.objective, run.space, run.metrics))
        except Exception as error:  # pickling runs the user's methods
            raise TypeError(f"the objective cannot be sent to other processes: {named(error)}") from error
        if len(payload) > PAYLOAD_BYTES_MAX:
            size = f"{len(payload) / 2**20:.0f} MiB"
            raise ValueError(f"the objective and what it refers to take {size}; {self._advice}")
        return payload

    def _pickled(self, value: object) -> bytes:
        file = io.BytesIO()
        _Pickler(file).dump(value)
        return file.getvalue()

    @property
    def _advice(self) -> str:
        """How trials can get large data."""
        return "let it load its data from a file"

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self._pool.beat()


def _absolute(path: str | Path) -> Path:
    """Return the absolute path: a worker has another working directory."""
    return Path(path).resolve()


def environment(cpus: float, gpus: str | None) -> dict[str, str]:
    """Return what a fresh slot's environment needs, before anything heavy is imported there.

    Args:
        cpus: how many CPUs the slot has: numeric libraries get as many threads, and at least one, unless variables of
            this process set another number.
        gpus: ``CUDA_VISIBLE_DEVICES``; empty hides all devices; ``None`` leaves the variable to the starter.
    """
    # By default each library starts as many threads as there are cores, in every process: 64 trials on 64 cores would
    # run 4096 of them.
    threads = {name: os.environ.get(name, str(max(1, int(cpus)))) for name in _THREAD_VARIABLES}
    return threads if gpus is None else {**threads, "CUDA_VISIBLE_DEVICES": gpus}


def _reduce_code(code: CodeType) -> tuple[object, ...]:
    """Reduce code like cloudpickle, but keep the name of its file, so that tracebacks show it."""
    # cloudpickle blanks the names of files, without which a traceback shows no lines.
    make, arguments, *rest = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return make, tuple(code.co_filename if each == "<dynamic-code>" else each for each in arguments), *rest


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    dispatch_table: ClassVar = ChainMap({CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table)
