"""A journal in memory: for simulations, for tests, and for runs that will not be resumed.

Turns are packed: as bytes they take a third of the memory of their objects, and Python's garbage collector does not
look at them. It looks through objects again and again: with a hundred thousand reports that took almost as long as the
whole simulation. Pickling a message as an object takes 2 to 4 us; so those that come by the hundred thousand are
written as tuples: a number for the class, and the fields.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from operator import attrgetter
from typing import Any, Literal, TypeAlias

from trialwright.errors import StorageError
from trialwright.messages import (
    Asked,
    Boundary,
    Continue,
    Finished,
    Granted,
    Halted,
    Lost,
    Message,
    New,
    Pause,
    Placement,
    Plain,
    Reported,
    Resume,
    Start,
    Started,
    Stop,
    Suggested,
    Suggestion,
)
from trialwright.storage import journal
from trialwright.storage.base import COMMITTED, Entry, Statistics, TrialRow, Turn, failed

Flat: TypeAlias = tuple[Any, ...]


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
            return failed(StorageError("this store was closed: nothing can be appended"))
        self._count += 1
        if self._keep == "turns":
            self._turns.append(pack(turn))
            # ``trials`` can be read only once, and reading it makes the rows: other ways to keep a turn leave it alone.
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


# Turns as bytes -------------------------------------------------------------------------------------------------------


def pack(turn: Turn) -> bytes:
    """Return a turn as bytes, without its rows."""
    events = [_flat(event) for event in turn.events]
    decisions = [None if taken is None else [_flat(decision) for decision in taken] for taken in turn.decisions]
    late = [[_flat(decision) for decision in taken] for taken in turn.late]
    return pickle.dumps((turn.now, events, decisions, turn.digest, late), pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> Turn:
    """Return the turn, without rows."""
    now, events, decisions, digest, late = pickle.loads(packed)  # noqa: S301 - this process has written it
    taken = [None if each is None else _whole(each) for each in decisions]
    return Turn(now, _whole(events), taken, digest, late=[_whole(each) for each in late])


def _flat(message: Message) -> Flat | Message:
    code = _CODES.get(type(message))
    return message if code is None else (code, *_WRITE[code](message))


def _whole(items: Sequence[Any]) -> list[Any]:
    return [_READ[item[0]](*item[1:]) if type(item) is tuple else item for item in items]


def _fields(cls: type[Message]) -> Callable[[Message], Flat]:
    names = cls.__match_args__
    # attrgetter with one name returns the value, not a tuple.
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple([getattr(message, name) for name in names])


def _leased(cls: type[Message]) -> tuple[Callable[[Any], Flat], Callable[..., Message]]:
    """Return how to write and read a decision with an ``until``: as plain tuples, which are pickled faster than
    boundaries."""
    make: Callable[..., Message] = cls
    place, fields = cls.__match_args__.index("until"), _fields(cls)

    def write(message: Any) -> Flat:  # noqa: ANN401 - of this class
        values = fields(message)
        return (*values[:place], [tuple(boundary) for boundary in values[place]], *values[place + 1 :])

    def read(*values: Any) -> Message:  # noqa: ANN401 - the fields of this class
        until = tuple(Boundary(*boundary) for boundary in values[place])
        return make(*values[:place], until, *values[place + 1 :])

    return write, read


def _write_suggested(event: Suggested) -> Flat:
    return event.ask, [None if each is None else _suggestion(each) for each in event.suggestions]


_suggestion = _fields(Suggestion)


def _read_suggested(ask: int, suggestions: list[Flat | None]) -> Suggested:
    return Suggested(ask, tuple(None if each is None else Suggestion(*each) for each in suggestions))


def _write_granted(decision: Granted) -> Flat:
    return decision.trial, [tuple(each) for each in decision.placements]


def _read_granted(trial: int, placements: list[Flat]) -> Granted:
    return Granted(trial, tuple(Placement(*each) for each in placements))


_FORMS: dict[type[Message], tuple[Callable[[Any], Flat], Callable[..., Message]]] = {
    **{cls: (_fields(cls), cls) for cls in (Reported, Started, Finished, Halted, Lost, New, Pause, Stop, Asked)},
    **{cls: _leased(cls) for cls in (Start, Continue, Resume)},
    Suggested: (_write_suggested, _read_suggested),
    Granted: (_write_granted, _read_granted),
}
_CODES = {cls: code for code, cls in enumerate(_FORMS)}
_WRITE = [write for write, _ in _FORMS.values()]
_READ = [read for _, read in _FORMS.values()]
