"""Queues: trials that wait in the slot of a running trial, and run there after it.

A slot that runs short trials need not wait for the driver between two of them. Only the first of a queue runs and holds
resources; when it has ended, the next one takes its place and its resources.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

Grant: TypeAlias = tuple[int, int]  # the trial to which a slot was granted first, and its attempt

SHORT_S = 0.025  # longer trials do not wait in slots: they gain less there than a slot that stands free meanwhile loses
SPAN_S = 0.05  # how long a queue takes, about
LONG_S = 1.0  # the assumed length of a trial after some were handed back
ENOUGH = 8  # trials that have ended, before it is known how long they take
WEIGHT = 0.1  # of the last trial in the mean


class Queues:
    """Which trials wait behind which.

    Args:
        longest: how many trials may wait in a slot; 0 for none.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._mean_s, self._count = 0.0, 0
        self._behind: dict[int, deque[int]] = {}  # by the trial that runs
        self._of: dict[int, deque[int]] = {}  # by the trial that waits
        self._grants: dict[int, Grant] = {}  # by the trial that runs
        self._suspects: set[int] = set()  # trials that were in a slot that is lost
        self._short: dict[int, None] = {}  # trials that run, and that more could wait behind: a set in order

    def __contains__(self, trial: int) -> bool:
        return trial in self._of

    def granted(self, trial: int, attempt: int) -> None:
        """A trial was started in a slot of its own."""
        self._grants[trial] = (trial, attempt)
        self._behind[trial] = deque()
        if self._longest and trial not in self._suspects:
            self._short[trial] = None

    def grant(self, trial: int) -> Grant:
        """Return the trial and attempt by which the executor knows the slot of a running trial."""
        return self._grants[trial]

    def add(self, trial: int, after: int) -> None:
        """A trial waits behind one that runs."""
        self._of[trial] = self._behind[after]
        self._behind[after].append(trial)

    def follow(self, trial: int) -> int | None:
        """A trial has ended. Take out and return the next of its queue, which now stands for the rest."""
        queue, grant = self._behind.pop(trial, None), self._grants.pop(trial, None)
        self._short.pop(trial, None)
        if not queue or grant is None:
            return None
        successor = queue.popleft()
        del self._of[successor]
        self._behind[successor], self._grants[successor] = queue, grant
        if self._longest and 2 * len(queue) <= self.size:  # refilled when half empty: several at a time cost less
            self._short[successor] = None
        return successor

    def remove(self, trial: int) -> None:
        """Take a trial out that waits, if it does."""
        queue = self._of.pop(trial, None)
        if queue is not None:
            queue.remove(trial)

    def dissolve(self, trial: int) -> list[int]:
        """A slot is lost, and any of its trials may be the cause. Take out and return those that waited there. No trial
        waits behind one of them again, so that the next loss has one possible cause."""
        self._grants.pop(trial, None)
        self._short.pop(trial, None)
        waited = [*self._behind.pop(trial, ())]
        for each in waited:
            del self._of[each]
        if waited:
            self._suspects.update((trial, *waited))
        return waited

    # How many ------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many trials should wait in a slot, to keep it busy for ``SPAN_S`` if trials take as long as before."""
        if self._count < ENOUGH or self._mean_s > SHORT_S:
            return 0
        return min(self._longest, int(SPAN_S / max(self._mean_s, 1e-9)))

    def took(self, seconds: float) -> None:
        """A trial took this long."""
        self._count += 1
        self._mean_s += max(WEIGHT, 1 / self._count) * (seconds - self._mean_s)

    def handed_back(self) -> None:
        """A trial had to wait behind one that was not short."""
        self._mean_s = LONG_S

    @property
    def are_short(self) -> bool:
        """More trials could wait behind some that run."""
        return bool(self._short)

    def next_short(self) -> tuple[int, int] | None:
        """Take out and return a trial that runs, and how many more could wait behind it; None if there is none."""
        size = self.size
        if not (self._short and size):
            return None
        trial, _ = self._short.popitem()
        return trial, size - len(self._behind[trial])
