"""Packing: turns as bytes, to use little memory and no time of Python's garbage collector.

The objects of a hundred thousand reports take three times the memory, and the collector looks through them again and
again: that took almost as long as the whole simulation. Pickling a message as an object takes 2 to 4 us; so those that
come by the hundred thousand are written as tuples: a number for the class, and the fields.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, TypeAlias

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
    Reported,
    Resume,
    Start,
    Started,
    Stop,
    Suggested,
    Suggestion,
)
from trialwright.storage.base import Turn

Flat: TypeAlias = tuple[Any, ...]


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
