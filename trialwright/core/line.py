"""The line of waiting trials: which one starts next."""

from __future__ import annotations

from collections import OrderedDict
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
        self._standing[trial] = _Waiting(request, -1)
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
                continue
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
