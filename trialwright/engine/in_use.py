"""Which of the users' own objects a run or a study uses now: an object can serve only one at a time.

Schedulers and searchers of ours are copied instead (``catalogue.py``). There is one table for the process, because two
runs may know nothing of each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType
from weakref import WeakValueDictionary

PARTS = ("wraps", "base", "searcher")  # the attributes in which one object holds another
_PLAIN = (str, bytes, int, float, type, FunctionType, BuiltinFunctionType, MethodType, Mapping)

_lock = threading.Lock()
_users: WeakValueDictionary[int, object] = WeakValueDictionary()  # by the id of what is used


class RunInProgress:
    """A run in progress."""


def take(user: object, given: Mapping[str, object]) -> None:
    """Mark objects as used. A study that used one before gets an error at its next ask.

    Args:
        user: a run in progress, or an ``AskTell``.
        given: the objects, by the names of their arguments.

    Raises:
        ValueError: a run in progress uses one of them.
    """
    with _lock:
        found = free(given, user)
        _users.update((id(part), user) for part in found)


def free(given: Mapping[str, object], user: object = None) -> list[object]:
    """Return the objects that may have a state.

    Raises:
        ValueError: a run in progress, other than ``user``, uses one of them.
    """
    found = [(name, part) for name, value in given.items() for part in _parts(value)]
    for name, part in found:
        now = _users.get(id(part))
        if isinstance(now, RunInProgress) and now is not user:
            kind = type(part).__name__
            raise ValueError(f"{name}: this {kind} is used by a run in progress: give each run an object of its own")
    return [part for _, part in found]


def uses(user: object, given: object) -> bool:
    """Tell whether ``user`` still uses an object and those in it."""
    return all(_users.get(id(part)) is user for part in _parts(given))


@contextmanager
def in_use(given: Mapping[str, object]) -> Iterator[None]:
    """Mark objects as used during a run.

    Raises:
        ValueError: another run uses one of them.
    """
    run = RunInProgress()
    take(run, given)
    try:
        yield
    finally:
        with _lock:
            for part in [part for part, user in _users.items() if user is run]:
                del _users[part]


def _parts(value: object) -> Iterator[object]:
    """Yield an object that may have a state, and those in it."""
    if value is None or isinstance(value, _PLAIN):
        return
    if isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)
        return
    yield value
    for name in PARTS:
        yield from _parts(getattr(value, "__dict__", {}).get(name))
