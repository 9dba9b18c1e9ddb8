"""A journal in memory: for simulations, for tests, and for runs that nobody will resume."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Literal

from trialist.errors import StorageError
from trialist.messages import Plain, Reported
from trialist.storage import journal
from trialist.storage.base import Entry, Statistics, TrialRow, Turn


class MemoryStore:
    """Keeps a run for as long as the process lives.

    Turns are kept as they came. They are hashed, and their reports sorted by trial, once somebody asks: a simulation
    that nobody looks into pays for neither.

    Args:
        settings: what the run was told.
        keep: what stays of a turn. ``"digest"`` keeps only the journal's digest, at the price of making it turn by turn
            (5 to 10 us); ``"nothing"`` not even that. A run of millions of turns needs no memory with these.
    """

    def __init__(self, settings: dict[str, Plain], *, keep: Literal["turns", "digest", "nothing"] = "turns") -> None:
        self._settings = settings
        self._keep = keep
        self._closed = False
        self._count = 0
        self._turns: list[Turn] = []
        self._chain = journal.Chain()
        self._hashed = 0  # turns
        self._frames: defaultdict[int, list[Reported]] = defaultdict(list)
        self._sorted = 0  # turns
        self._trials: dict[int, TrialRow] = {}
        self._done: Future[None] = Future()  # one for all: making one costs more than all the rest
        self._done.set_result(None)

    @property
    def settings(self) -> dict[str, Plain]:
        return self._settings

    @property
    def pending(self) -> int:
        return 0

    @property
    def digest(self) -> str:
        if self._keep == "nothing":
            raise StorageError("this store was made with keep='nothing': it has no digest")
        for turn in self._turns[self._hashed :]:
            self._hash(turn)
        self._hashed = len(self._turns)
        return self._chain.digest

    def append(self, turn: Turn) -> Future[None]:
        if self._closed:
            return _refused()
        self._count += 1
        if self._keep == "turns":
            self._turns.append(turn)
            for row in turn.trials:
                self._trials[row.id] = row
        elif self._keep == "digest":
            self._hash(turn)
        return self._done

    def entries(self) -> Iterator[Entry]:
        self._check_kept()
        return journal.assemble(self._turns)

    def frames(self, trial: int) -> Iterator[Reported]:
        self._check_kept()
        for turn in self._turns[self._sorted :]:
            for event in turn.events:
                if isinstance(event, Reported):
                    self._frames[event.trial].append(event)
        self._sorted = len(self._turns)
        return iter(self._frames.get(trial, ()))

    def trials(self) -> Iterator[TrialRow]:
        self._check_kept()
        return (self._trials[number] for number in sorted(self._trials))

    def statistics(self) -> Statistics:
        return Statistics(turns=self._count, commits=self._count)

    def close(self) -> None:
        self._closed = True

    def _hash(self, turn: Turn) -> None:
        for line in journal.lines(turn):
            self._chain.add(line)

    def _check_kept(self) -> None:
        if self._keep != "turns":
            raise StorageError(f"this store was made with keep={self._keep!r}: there is nothing to read")


def _refused() -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(StorageError("this store was closed: a turn cannot be appended any more"))
    return future
