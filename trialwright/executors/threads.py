"""The threads of ``Local``: each runs one trial after another.

A short trial may wait in the thread of another, so that the thread need not wait for the loop between the two. All of
this is called by the loop's thread and by the threads themselves; what they share is changed under one lock.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeAlias

from trialwright.executors.objective import Ending
from trialwright.executors.process_state import end_copies
from trialwright.messages import Returned
from trialwright.ray_threads import spawn

Key: TypeAlias = tuple[int, int]  # trial, attempt

HAND_BACK_S = 0.1  # a trial that takes longer does not keep others waiting behind it


class Job(NamedTuple):
    """An attempt, from beginning to end; ``run`` returns None if it was given up meanwhile."""

    key: Key
    run: Callable[[], Ending | None]


@dataclass(eq=False)
class _Thread:
    name: str = ""
    grant: Key = (-1, -1)  # the first of the attempts that follow each other here
    running: Key | None = None
    began: float = 0.0  # by the monotonic clock
    waiting: deque[Job] = field(default_factory=deque)
    work: queue.SimpleQueue[Job | None] = field(default_factory=queue.SimpleQueue)


class Threads:
    """All threads of one run.

    Args:
        tell: called with each event, in any thread.
    """

    def __init__(self, tell: Callable[[Ending | Returned], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._idle: list[_Thread] = []
        self._granted: dict[Key, _Thread] = {}
        self._lost: set[Key] = set()  # grants of threads that were given up
        self._is_over = False

    def start(self, grant: Key, job: Job) -> str:
        """Run an attempt in an idle thread, or in a new one; return the thread's name."""
        with self._lock:
            thread = self._idle.pop() if self._idle else self._new()
            thread.grant, thread.running, thread.began = grant, job.key, time.monotonic()
            self._granted[grant] = thread
        # Outside the lock, but after the entries: the thread may end the job, and look for them, at once.
        thread.work.put(job)
        return thread.name

    def add(self, grant: Key, job: Job) -> bool:
        """Run an attempt after those that were granted this; False if all of them have ended."""
        with self._lock:
            thread = self._granted.get(grant)
            if thread is not None:
                thread.waiting.append(job)
            return thread is not None

    def is_lost(self, grant: Key) -> bool:
        """Tell whether the thread was given up; the driver takes back what waited in it."""
        return grant in self._lost

    def drop(self, trial: int) -> None:
        """A trial will not run; if it waits in a thread, it is taken out there."""
        with self._lock:
            for thread in self._granted.values():
                thread.waiting = deque(job for job in thread.waiting if job.key[0] != trial)

    def give_up(self, key: Key) -> None:
        """The attempt does not end: abandon its thread."""
        with self._lock:
            for grant, thread in [*self._granted.items()]:
                if thread.running == key:
                    self._lost.add(grant)
                    thread.waiting.clear()
                    # So that nothing else is put behind an attempt that does not end.
                    del self._granted[grant]

    def hand_back(self) -> None:
        """Hand back the trials that wait behind attempts that take long: other threads may run them."""
        late = time.monotonic() - HAND_BACK_S
        with self._lock:
            threads = [thread for thread in self._granted.values() if thread.began < late]
            jobs = [job for thread in threads for job in thread.waiting]
            for thread in threads:
                thread.waiting.clear()
        for job in jobs:
            # Outside the lock: telling may wake the loop, which may call us.
            self._tell(Returned(*job.key))

    def close(self) -> None:
        """End the threads that have nothing to do; the others end when they have done it."""
        with self._lock:
            self._is_over = True
            for thread in self._granted.values():
                thread.waiting.clear()
            idle, self._idle = self._idle, []
        for thread in idle:
            thread.work.put(None)

    def _new(self) -> _Thread:
        made = _Thread()
        made.name = spawn(partial(self._serve, made), "trialwright-trial").name
        return made

    def _serve(self, thread: _Thread) -> None:
        while (job := thread.work.get()) is not None:
            while job is not None:
                job = self._run(thread, job)

    def _run(self, thread: _Thread, job: Job) -> Job | None:
        """Run an attempt; return the next one."""
        ending = job.run()
        end_copies()
        if ending is None:  # it was given up, and this thread with it
            thread.work.put(None)
            return None
        with self._lock:  # before the end is reported: the loop may use the thread again at once
            following = thread.waiting.popleft() if thread.waiting else None
            if following is None:
                self._rest(thread)
            else:
                thread.running, thread.began = following.key, time.monotonic()
        self._tell(ending)
        return following

    def _rest(self, thread: _Thread) -> None:
        thread.running = None
        self._granted.pop(thread.grant, None)
        if self._is_over:
            thread.work.put(None)
        else:
            self._idle.append(thread)
