"""A journal in memory: for simulations, for tests, and for runs that nobody will resume."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future

from trialist.errors import StorageError
from trialist.messages import Plain, Reported
from trialist.storage import journal
from trialist.storage.base import Entry, Statistics, TrialRow, Turn


class MemoryStore:
    """Keeps a run for as long as the process lives.

    Turns are kept as they came. They are hashed, and their reports sorted by trial, once somebody asks: a simulation that nobody
    looks into pays for neither.

    Args:
        settings: what the run was told.
        keep: False keeps nothing but the digest, so that a run of millions of turns needs no memory; there is nothing to read then.
    """

    def __init__(self, settings: dict[str, Plain], *, keep: bool = True) -> None:
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
        for turn in self._turns[self._hashed :]:
            self._hash(turn)
        self._hashed = len(self._turns)
        return self._chain.digest

    def append(self, turn: Turn) -> Future[None]:
        if self._closed:
            return _refused()
        self._count += 1
        if self._keep:
            self._turns.append(turn)
            for row in turn.trials:
                self._trials[row.id] = row
        else:
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
        for row in journal.rows(turn):
            self._chain.add(row)

    def _check_kept(self) -> None:
        if not self._keep:
            raise StorageError("this store was made with keep=False: it has a digest, and nothing to read")


def _refused() -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(StorageError("this store was closed: a turn cannot be appended any more"))
    return future
