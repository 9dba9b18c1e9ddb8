"""Where trials wait: in the line for resources, in the slot of a trial that runs, or until the user lets them continue.

In the line a trial waits for free resources. A slot that runs short trials need not wait for the driver between two of
them: the next ones are sent there ahead of time, and queue. Only the first of a queue runs and holds resources; when it
has ended, the next one takes its place and its resources.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from trialwright.resources import Request

OVERTAKES = 16
LOOKED_AT = OVERTAKES + 1  # so many in line: the head, and those that may overtake it

Fits: TypeAlias = Callable[[Request], bool]


@dataclass(slots=True)
class _Waiting:
    request: Request
    arrival: int
    overtaken: int = 0  # by how many, while it was the head


class Line:
    """Trials that wait for resources.

    They start in the order in which they came. The *head* is the first that does not fit. At most 16 later ones that
    compete with it may overtake it, and then none of these starts before it does. What shares no resource with the head
    takes nothing from it, and starts when it fits. What no machine could hold is set aside until the machines change.

    Only the first 17 in line are looked at, so that a turn costs the same however many wait.
    """

    def __init__(self) -> None:
        self._standing: OrderedDict[int, _Waiting] = OrderedDict()  # a dict would walk over all that have left
        self._aside: dict[int, _Waiting] = {}  # no machine could hold them
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._standing) + len(self._aside)

    def __contains__(self, trial: int) -> bool:
        return trial in self._standing or trial in self._aside

    @property
    def is_full(self) -> bool:
        """So many trials wait, not counting those set aside, that one more would not be looked at."""
        return len(self._standing) >= LOOKED_AT

    def add(self, trial: int, request: Request) -> None:
        """Put a trial at the end of the line."""
        self._arrivals += 1
        self._standing[trial] = _Waiting(request, self._arrivals)

    def add_first(self, trial: int, request: Request) -> None:
        """Put a trial at the head of the line: it had reached the head before."""
        self._standing[trial] = _Waiting(request, -1)  # before all arrivals, for ``look_again`` too
        self._standing.move_to_end(trial, last=False)

    def remove(self, trial: int) -> None:
        """Take a trial out of the line; do nothing if it is not in it."""
        self._standing.pop(trial, None)
        self._aside.pop(trial, None)

    def look_again(self) -> None:
        """The machines have changed: put the trials that were set aside back in line, in their old places."""
        if self._aside:
            everyone = [*self._standing.items(), *self._aside.items()]
            self._standing = OrderedDict(sorted(everyone, key=lambda item: item[1].arrival))
            self._aside.clear()

    @property
    def first(self) -> int | None:
        """The trial that has waited longest, whether a machine could hold it or not."""
        everyone = {**self._standing, **self._aside}
        return min(everyone, key=lambda trial: everyone[trial].arrival, default=None)

    def head(self, could_hold: Fits) -> int | None:
        """Return the first in line that a machine could hold."""
        return next((trial for trial, waiting in self._standing.items() if could_hold(waiting.request)), None)

    def pick(self, fits: Fits, could_hold: Fits) -> int | None:
        """Take out and return the trial that starts next; ``None`` if none can.

        Args:
            fits: tells whether a request could be granted now.
            could_hold: tells whether one could be granted if nothing else were held.
        """
        if not self._standing:
            return None
        picked, impossible = self._look(fits, could_hold)
        for trial in impossible:
            self._aside[trial] = self._standing.pop(trial)
        if picked is not None:
            del self._standing[picked]
        return picked

    def _look(self, fits: Fits, could_hold: Fits) -> tuple[int | None, list[int]]:
        """Return the trial that starts next, and the trials before it that no machine could hold."""
        head: _Waiting | None = None
        passed: list[Request] = []  # requests that cannot start now: so each is asked about once
        hopeless: list[Request] = []
        impossible: list[int] = []
        places = LOOKED_AT
        for trial, waiting in self._standing.items():
            request = waiting.request
            if request not in passed and request not in hopeless:
                if fits(request):
                    if head is None or _may_overtake(waiting, head):
                        return trial, impossible
                    passed.append(request)
                else:
                    (passed if could_hold(request) else hopeless).append(request)
            if request in hopeless:
                impossible.append(trial)
                continue  # it takes no place: 17 of these would close the line to all others
            head = head or waiting
            places -= 1
            if not places:
                break
        return None, impossible


def _may_overtake(later: _Waiting, head: _Waiting) -> bool:
    """Tell whether a trial may start before the head, and count it if it takes something from the head."""
    wanted = {name for bundle in head.request for name in bundle}
    if all(wanted.isdisjoint(bundle) for bundle in later.request):
        return True
    if head.overtaken == OVERTAKES:
        return False
    head.overtaken += 1
    return True


class Holds:
    """Trials that the user has paused: they keep their state, and do not join the line before they are let go.

    ``everything`` holds the whole run: what runs continues, and nothing is started.
    """

    def __init__(self) -> None:
        self.everything = False
        self._due: dict[int, bool] = {}  # by the trial: it would stand in the line by now

    @property
    def numbers(self) -> list[int]:
        """The trials that are held, in the order of the requests."""
        return [*self._due]

    def has(self, trial: int) -> bool:
        """Tell whether a trial is held."""
        return trial in self._due

    def is_due(self, trial: int) -> bool:
        """Tell whether a trial is held that would stand in the line otherwise."""
        return self._due.get(trial, False)

    def add(self, trial: int, *, is_due: bool) -> None:
        """Hold a trial; ``is_due`` tells whether it stands in the line."""
        self._due[trial] = is_due or self.is_due(trial)

    def keeps(self, trial: int) -> bool:
        """Keep a trial that is to join the line, if it is held; tell whether it is."""
        if trial in self._due:
            self._due[trial] = True
        return trial in self._due

    def remove(self, trial: int) -> bool:
        """Hold a trial no more. Tell whether it is to join the line now."""
        return self._due.pop(trial, False)


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
        if self._longest and trial not in self._suspects:  # see ``dissolve``
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
        if not queue or grant is None:  # nothing waits, or the slot was dissolved
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
        # At first the plain mean, in which the first trial does not weigh more than the others.
        self._mean_s += max(WEIGHT, 1 / self._count) * (seconds - self._mean_s)

    def handed_back(self) -> None:
        """A trial had to wait behind one that was not short."""
        self._mean_s = LONG_S  # no more are sent ahead until short trials have brought the mean down again

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
