"""The supply of new trials: how many may still be asked for, what has been asked, and what waits to be started."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from trialwright.messages import Ask, Request, Suggested, Suggestion, Tags


class Supply:
    """Asks to the searcher, and the suggested trials that have not been started.

    Args:
        samples: how many new trials to ask for in all; None for unlimited.
        prefetch: how many to ask for ahead of free slots.
    """

    def __init__(self, samples: int | None, prefetch: int) -> None:
        self._samples = math.inf if samples is None else samples
        self._prefetch = prefetch
        self._numbers = 0  # of trials
        self._asks = 0
        self._open: dict[int, Ask] = {}
        self._asked = 0  # new trials
        self._coming = 0  # of these, not yet suggested
        self._enqueued: deque[int] = deque()  # trials that were enqueued, or are tried again: they come first
        self._fresh: deque[int] = deque()  # trials that the searcher has suggested
        self._later: deque[Request] = deque()  # what the searcher would not answer yet
        self._unused: deque[Request] = deque()  # for a new trial, where a paused one was chosen instead
        self._refused = False  # the searcher would not say which paused trial is to go on
        self._exhausted = False  # the searcher has no more
        self._ended = False
        self.news = False  # more is known than when the searcher was asked last

    def __len__(self) -> int:
        return len(self._enqueued) + len(self._fresh)

    @property
    def samples(self) -> int | None:
        """How many new trials to ask for in all; None for unlimited."""
        return None if self._samples == math.inf else int(self._samples)

    @property
    def asking(self) -> bool:
        """The searcher has an ask that it has not answered."""
        return bool(self._open)

    @property
    def may_ask(self) -> bool:
        """There are samples left, and the searcher has more."""
        given_back = len(self._later) + len(self._unused)
        return not (self._exhausted or self._ended) and self._asked < self._samples + given_back

    @property
    def waiting(self) -> bool:
        """The searcher would not answer yet, and nothing new is known."""
        return (bool(self._later) or self._refused) and not self.news

    def number(self) -> int:
        """Return a new trial's number."""
        self._numbers += 1
        return self._numbers - 1

    def wanted(self, free: float, tags: Tags) -> int:
        """Return how many more to ask for now: as many as there are free slots, and as the plan wants ahead.

        With tags it is one at a time, because they are meant for one slot. What is wanted ahead is asked for once half
        of it is used up, so that not every start costs an ask.
        """
        coming = len(self) + self._coming
        target = free + self._prefetch
        left = self._samples - self._asked + len(self._later)
        wanted = min(target - coming, left, 1 if tags else math.inf)
        if not self.may_ask or wanted <= 0 or (coming >= free and coming * 2 > target):
            return 0
        return 0 if self.waiting else int(wanted)

    def ask_new(self, count: int, tags: Tags, seen: int) -> Ask:
        """Ask for so many new trials."""
        # Requests that were put off keep their trial and sample numbers, from which the searcher draws.
        again = [self._later.popleft() for _ in range(min(count, len(self._later)))]
        first, self._asked = self._asked, self._asked + count - len(again)
        self._coming += count
        new = [Request(self.number(), sample, tags=tags) for sample in range(first, self._asked)]
        return self.ask([*again, *new], seen)

    def consult(self, tags: Tags, seen: int) -> Ask:
        """Ask for the best of a new trial, if there may be one, and those that are paused."""
        if not self.may_ask:  # a sample below 0: the answer can only be a paused trial
            return self.ask([Request(-1, -1, "next", tags)], seen)
        if not (self._unused or self._later):
            self._unused.append(Request(self.number(), self._asked))
            self._asked += 1
        request = (self._unused or self._later).popleft()
        self._coming += 1
        return self.ask([replace(request, kind="next", tags=tags)], seen)

    def ask(self, requests: Sequence[Request], seen: int) -> Ask:
        """Open an ask; ``seen`` is how much of the history it may see."""
        self._asks, self.news = self._asks + 1, False
        self._open[self._asks] = Ask(self._asks, tuple(requests), seen)
        return self._open[self._asks]

    def answered(self, event: Suggested) -> Iterator[tuple[Request, Suggestion | None]]:
        """Close an ask: yield each request with its suggestion, None where the searcher had none."""
        # An answer that comes after ``end`` has no open ask: its requests are among those to be asked again.
        requests = ask.requests if (ask := self._open.pop(event.ask, None)) else ()
        self._coming -= sum(map(_may_be_new, requests))
        # Asked only which paused trial goes on, it named none: that is not the end of its new trials.
        self._refused = [each.sample for each in requests] == [-1] and event.suggestions in ((), (None,))
        rest = requests[len(event.suggestions) :]
        self._exhausted = self._exhausted or any(map(_may_be_new, rest))  # fewer answers than requests: no more
        answers = list(zip(requests, event.suggestions, strict=False))
        self._later.extend(request for request, answer in answers if _may_be_new(request) and answer is None)
        resumed = (request for request, answer in answers if answer is not None and answer.resume is not None)
        self._unused.extend(filter(_may_be_new, resumed))
        yield from answers
        yield from ((request, None) for request in rest)

    def give_up(self) -> None:
        """The searcher waits for results, and none will come: it has no more."""
        self._exhausted = self._exhausted or bool(self._later)  # without these it has only refused to name a paused one
        self._later.clear()
        self._unused.clear()

    def outstanding(self) -> list[Ask]:
        """Return the open asks as they were, for a run that is resumed."""
        return list(self._open.values())

    def add(self, samples: int) -> None:
        """Ask for this many more new trials."""
        self._samples += samples
        self._refused = False  # there is something else to choose now

    def remove(self, trial: int) -> None:
        """Take out a trial that will not be started, if it waits here."""
        for waiting in (self._enqueued, self._fresh):
            if trial in waiting:
                waiting.remove(trial)

    def put(self, trial: int, *, first: bool = False) -> None:
        """A new trial waits to be started."""
        (self._enqueued if first else self._fresh).append(trial)

    def take(self) -> int:
        """Take out the trial that is to be started next."""
        return (self._enqueued or self._fresh).popleft()

    def end(self) -> None:
        """Ask for no more, and forget what was asked for."""
        self._ended = True
        # Kept for a run that is resumed and continues: else these samples would be missing in a grid.
        self._later.extend(r for ask in self._open.values() for r in ask.requests if _may_be_new(r))
        self._open.clear()
        self._coming = 0
        self._enqueued.clear()
        self._fresh.clear()

    def reopen(self) -> None:
        """Continue after ``end``: what had not been suggested is asked for again."""
        self._ended, self.news = False, True  # news: the searcher may answer now what it had put off


def _may_be_new(request: Request) -> bool:
    """Tell whether the answer may be a new trial."""
    return request.kind != "explore" and request.sample >= 0
