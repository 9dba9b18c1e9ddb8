"""A journal in memory: for simulations, for tests, and for runs that will not be resumed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Literal

from trialwright.errors import StorageError
from trialwright.messages import Plain, Reported
from trialwright.storage import journal
from trialwright.storage.base import COMMITTED, Entry, Statistics, TrialRow, Turn
from trialwright.storage.packing import pack, unpack


class MemoryStore:
    """Keeps a run for as long as the process lives.

    Turns are hashed, and their reports sorted by trial, when that is first needed: most simulations pay for neither.

    Args:
        settings: the run's.
        keep: what stays of a turn. ``"digest"`` keeps only the journal's digest, at the price of making it turn by turn
            (5 to 10 us); ``"nothing"`` not even that. A run of millions of turns needs no memory with these.
    """

    def __init__(self, settings: dict[str, Plain], *, keep: Literal["turns", "digest", "nothing"] = "turns") -> None:
        self._settings = settings
        self._keep = keep
        self._closed = False
        self._count = 0
        self._turns: list[bytes] = []
        self._chain = journal.Chain()
        self._hashed = 0  # turns
        self._reporting: defaultdict[int, list[int]] = defaultdict(list)  # trial -> turns with reports of it
        self._sorted = 0  # turns
        self._trials: dict[int, TrialRow] = {}

    def __getstate__(self) -> dict[str, object]:
        """All but the hash, which cannot be pickled.

        Raises:
            TypeError: only the digest is kept, which is that hash.
        """
        if self._keep == "digest":
            raise TypeError("a store with keep='digest' cannot be copied")
        return {name: value for name, value in vars(self).items() if name != "_chain"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, _chain=journal.Chain(), _hashed=0)

    @property
    def is_watched(self) -> bool:
        return False

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
        for packed in self._turns[self._hashed :]:
            self._hash(unpack(packed))
        self._hashed = len(self._turns)
        return self._chain.digest

    def append(self, turn: Turn) -> Future[None]:
        if self._closed:
            return _refused()
        self._count += 1
        if self._keep == "turns":
            self._turns.append(pack(turn))
            for row in turn.trials:
                self._trials[row.id] = row
        elif self._keep == "digest":
            self._hash(turn)
        return COMMITTED

    def entries(self) -> Iterator[Entry]:
        self._check_kept()
        return journal.assemble(map(unpack, self._turns))

    def frames(self, trial: int) -> Iterator[Reported]:
        self._check_kept()
        for number in range(self._sorted, len(self._turns)):
            for reporting in {frame.trial for frame in _frames(self._turns[number])}:
                self._reporting[reporting].append(number)
        self._sorted = len(self._turns)
        turns = (self._turns[number] for number in self._reporting.get(trial, ()))
        return (frame for packed in turns for frame in _frames(packed) if frame.trial == trial)

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


def _frames(packed: bytes) -> Iterator[Reported]:
    return (event for event in unpack(packed).events if isinstance(event, Reported))


def _refused() -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(StorageError("this store was closed: nothing can be appended"))
    return future
