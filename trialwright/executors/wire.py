"""The wire between the driver and its slots: length-prefixed msgpack frames.

A frame is four bytes of length (big-endian) and one message: a msgpack array of a kind and its fields. Several frames
may travel in one write. The driver trusts no worker: the length of each frame is checked before it is decoded, and the
type of every field after that; anything but a message of the right kind raises ``WireError`` and ends the connection.
Nothing is ever unpickled, and msgpack's extension types are refused.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import starmap
from typing import Any, TypeAlias, cast

import msgpack

from trialwright.errors import TrialwrightError
from trialwright.executors.objective import TRACEBACK_LENGTH_MAX
from trialwright.messages import (
    Boundary,
    Checkpoint,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Noted,
    Placement,
    Reported,
    Returned,
)
from trialwright.metrics import KEY_LENGTH_MAX, KEYS_MAX, TEXT_LENGTH_MAX
from trialwright.reporting import ERROR_LENGTH_MAX, FLUSH_REPORTS

FRAME_BYTES_MAX = 16 * 2**20
COLUMNS_MAX = KEYS_MAX
NOTES_MAX = 100
NAME_LENGTH_MAX = 4096  # of a path, a process, a reason
_PREFIX = 4
_INT_MAX = 2**63 - 1
_METRIC_TYPES = frozenset({float, int, str, bool, type(None)})


class WireError(TrialwrightError):
    """Bytes from the wire are not a valid message. The connection is closed."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Worker to driver, as the first message: the number of the slot, and the run's token."""

    token: bytes
    slot: int
    pid: int
    worker: str = ""  # the name of its process, for people


@dataclass(frozen=True, slots=True)
class Beat:
    """A request for a sign of life, and the answer to it."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Driver to worker: the trial was halted and has not stopped; interrupt it."""

    trial: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Bye:
    """Driver to an idle worker: end ``serve``."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Worker to driver, ahead of a trial's ending or of its own: this process must not run another trial, and
    ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unwritable:
    """Worker to driver: the disk of the run's directory is full or fails. The run must stop."""

    reason: str


ToWorker: TypeAlias = Launch | Extend | Halt | Interrupt | Beat | Bye
Ending: TypeAlias = Finished | Failed | Halted
ToDriver: TypeAlias = Reported | Noted | Ending | Returned | Spent | Unwritable | Beat


# Messages to frames --------------------------------------------------------------------------------------------------

_BEAT, _HELLO, _LAUNCH, _EXTEND, _HALT, _INTERRUPT, _BYE = range(7)
_REPORTED, _FINISHED, _FAILED, _HALTED, _SPENT, _UNWRITABLE, _NOTED, _RETURNED = range(11, 19)


def _launch(launch: Launch) -> tuple[object, ...]:
    saved, where = launch.checkpoint, [(each.node, each.units, each.gpus) for each in launch.placements]
    checkpoint = None if saved is None else (saved.path, saved.step, saved.time_s)
    return (_LAUNCH, launch.trial, launch.attempt, launch.config, where, launch.until, launch.seed, checkpoint)


def _report(frame: Reported) -> tuple[object, ...]:
    head = (_REPORTED, frame.trial, frame.attempt, frame.first_step)
    return (*head, frame.time_s, frame.columns, frame.waiting, frame.checkpoint)


_FIELDS: dict[type, Callable[[Any], tuple[object, ...]]] = {
    Beat: lambda _: (_BEAT,),
    Hello: lambda m: (_HELLO, m.token, m.slot, m.pid, m.worker),
    Launch: _launch,
    Extend: lambda m: (_EXTEND, m.trial, m.attempt, m.until),
    Halt: lambda m: (_HALT, m.trial, m.attempt, m.durable),
    Interrupt: lambda m: (_INTERRUPT, m.trial, m.attempt),
    Bye: lambda _: (_BYE,),
    Reported: _report,
    Finished: lambda m: (_FINISHED, m.trial, m.attempt),
    Failed: lambda m: (_FAILED, m.trial, m.attempt, m.error, m.traceback),
    Halted: lambda m: (_HALTED, m.trial, m.attempt),
    Spent: lambda m: (_SPENT, m.reason),
    Unwritable: lambda m: (_UNWRITABLE, m.reason),
    Noted: lambda m: (_NOTED, m.trial, m.attempt, m.notes),
    Returned: lambda m: (_RETURNED, m.trial, m.attempt),
}


def encode(message: ToWorker | ToDriver | Hello) -> bytes:
    """Return the frame of a message.

    Raises:
        WireError: it holds something that is not plain data, or is larger than a frame may be.
    """
    # A config goes out as it is, lone surrogates and all. What comes back ends in a journal, which wants proper text.
    surrogates = "surrogatepass" if isinstance(message, Launch) else "replace"
    try:
        body: bytes = msgpack.packb(_FIELDS[type(message)](message), unicode_errors=surrogates)
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(f"a {type(message).__name__} holds what is not plain data: {error}") from error
    # Here, where the sender can be told: the other end could only close the connection.
    if len(body) > FRAME_BYTES_MAX:
        raise WireError(f"a {type(message).__name__} of {len(body)} bytes; a frame has at most {FRAME_BYTES_MAX}")
    return len(body).to_bytes(_PREFIX, "big") + body


def encode_reported(frame: Reported) -> bytes:
    """Return the frame of these reports, or several where one would be too large; the last keeps the waiting and the
    checkpoint.

    Raises:
        WireError: one report alone is too large.
    """
    count = len(frame.time_s)
    try:
        if len(frame.columns) <= COLUMNS_MAX or count == 1:
            return encode(frame)
    except WireError:
        if count == 1:
            raise
    # By halves, because the size of a report is known only once it is encoded.
    half = count // 2
    return encode_reported(_part(frame, 0, half)) + encode_reported(_part(frame, half, count))


def _part(frame: Reported, start: int, stop: int) -> Reported:
    pieces = {name: column[start:stop] for name, column in frame.columns.items()}
    columns = {name: piece for name, piece in pieces.items() if any(value is not None for value in piece)}
    head = (frame.trial, frame.attempt, frame.first_step + start, frame.time_s[start:stop], columns)
    return Reported(*head, frame.waiting, frame.checkpoint) if stop == len(frame.time_s) else Reported(*head)


# Frames to messages --------------------------------------------------------------------------------------------------


class Frames:
    """Cuts a stream of bytes into the bodies of its frames. ``limit`` may be raised between two of them."""

    def __init__(self, limit: int = FRAME_BYTES_MAX) -> None:
        self.limit = limit
        self._rest = bytearray()
        self._wanted = 0  # how much the rest must grow to before there is a point in looking at it

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bodies that are complete now; take all of them before feeding more.

        Raises:
            WireError: a frame announces more than the limit.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data = bytes(self._rest)
        start, self._wanted = 0, _PREFIX
        while len(data) - start >= _PREFIX:
            length = int.from_bytes(data[start : start + _PREFIX], "big")
            # Before anything of it is kept: four bytes must not make us wait for 4 GiB.
            if length > self.limit:
                raise WireError(f"a frame of {length} bytes; at most {self.limit} are read here")
            if len(data) - start - _PREFIX < length:
                # A large frame comes in many pieces: joining and looking at each would take quadratic time.
                self._wanted = _PREFIX + length
                break
            start += _PREFIX + length
            yield data[start - length : start]
        self._rest = bytearray(data[start:])


def from_driver(body: bytes) -> ToWorker:
    """Read what a driver sent.

    Raises:
        WireError: this is not a message to a worker.
    """
    return cast("ToWorker", _decode(body, _TO_WORKER, "surrogatepass"))


def from_worker(body: bytes) -> ToDriver:
    """Read what a worker sent, and check the type and size of every field.

    Raises:
        WireError: this is not a message to a driver.
    """
    return cast("ToDriver", _decode(body, _TO_DRIVER, "strict"))


def greeting(body: bytes) -> Hello:
    """Read the first frame of a connection.

    Raises:
        WireError: it is something else.
    """
    return cast("Hello", _decode(body, {_HELLO: _read_hello}, "strict"))


def _decode(body: bytes, readers: dict[int, Callable[..., object]], surrogates: str) -> object:
    try:
        kind, *fields = msgpack.unpackb(body, ext_hook=_refuse_extension, unicode_errors=surrogates)
        return readers[kind](*fields)
    except WireError:
        raise
    except (
        Exception
    ) as error:  # msgpack has half a dozen errors of its own; a wrong number of fields is a TypeError, and so on
        raise WireError(f"not a message: {str(error)[:200]}") from error


def _refuse_extension(code: int, data: bytes) -> object:
    raise WireError(f"msgpack extension type {code} ({len(data)} bytes) is not used here")


def _number(value: object) -> int:
    # type(), not isinstance: True is an int, and would be trial 1.
    if type(value) is int and 0 <= value <= _INT_MAX:
        return value
    raise WireError(f"not a number: {str(value)[:80]}")


def _string(value: object, length: int = NAME_LENGTH_MAX) -> str:
    if type(value) is str and len(value) <= length:
        return value
    raise WireError(f"not a string of at most {length} characters: {str(value)[:80]}")


def _story(error: object, trace: object) -> tuple[str, str]:
    return _string(error, ERROR_LENGTH_MAX), _string(trace, TRACEBACK_LENGTH_MAX)


def _flag(value: object) -> bool:
    if type(value) is bool:
        return value
    raise WireError(f"not a flag: {str(value)[:80]}")


def _read_hello(token: object, slot: object, pid: object, worker: object) -> Hello:
    if type(token) is not bytes:
        raise WireError("the token is not bytes")
    return Hello(token, _number(slot), _number(pid), _string(worker))


def _read_reported(  # noqa: PLR0917 - they come as one array
    trial: object,
    attempt: object,
    first_step: object,
    times: object,
    columns: object,
    waiting: object,
    checkpoint: object,
) -> Reported:
    head = (_number(trial), _number(attempt), _number(first_step), _times(times))
    _number(head[2] + len(head[3]))  # the step after the last: what is counted and kept by steps has 63 bits for each
    saved = None if checkpoint is None else _string(checkpoint)
    return Reported(*head, _columns(columns, len(head[3])), _flag(waiting), saved)


def _notes(notes: object) -> dict[str, str]:
    if type(notes) is not dict or len(notes) > NOTES_MAX:
        raise WireError(f"not at most {NOTES_MAX} notes: {str(notes)[:80]}")
    return {_string(name): _string(note) for name, note in notes.items()}


def _times(times: object) -> tuple[float, ...]:
    # A sum is finite only if all its terms are: one call in place of one a report.
    listed = type(times) is list and 0 < len(times) <= FLUSH_REPORTS and set(map(type, times)) == {float}
    if listed and math.isfinite(sum(cast("list[float]", times))):
        return tuple(cast("list[float]", times))
    raise WireError(f"not a list of times: {str(times)[:80]}")


def _columns(columns: object, count: int) -> dict[str, list[Any]]:
    if type(columns) is not dict or len(columns) > COLUMNS_MAX:
        raise WireError(f"not at most {COLUMNS_MAX} columns: {str(columns)[:80]}")
    for name, column in columns.items():
        if type(name) is not str or len(name) > KEY_LENGTH_MAX or type(column) is not list or len(column) != count:
            raise WireError(f"column {str(name)[:80]!r} has not a name and one entry a report")
        _check(column)
    return {sys.intern(name): column for name, column in columns.items()}  # trials keep them: one string for all


def _check(column: list[object]) -> None:
    # One pass in C for a whole column: frames of 64 reports come by the thousand.
    types = set(map(type, column))
    if not types <= _METRIC_TYPES:
        raise WireError(f"a column holds {', '.join(sorted(kind.__name__ for kind in types - _METRIC_TYPES))}")
    if str in types:
        for value in column:
            if type(value) is str:
                _string(value, TEXT_LENGTH_MAX)
    if int in types and max(value for value in column if type(value) is int) > _INT_MAX:
        raise WireError("a column holds an integer of more than 63 bits")


def _read_launch(  # noqa: PLR0917 - as above
    trial: int,
    attempt: int,
    config: dict[str, Any],
    where: list[list[Any]],
    until: list[Any],
    seed: int,
    saved: list[Any] | None,
) -> Launch:
    placements = tuple(Placement(node, units, tuple(gpus)) for node, units, gpus in where)
    checkpoint = None if saved is None else Checkpoint(*saved)
    return Launch(trial, attempt, config, placements, tuple(starmap(Boundary, until)), seed, checkpoint)


_TO_WORKER: dict[int, Callable[..., object]] = {
    _BEAT: Beat,
    _LAUNCH: _read_launch,
    _EXTEND: lambda trial, attempt, until: Extend(trial, attempt, tuple(starmap(Boundary, until))),
    _HALT: Halt,
    _INTERRUPT: Interrupt,
    _BYE: Bye,
}
_TO_DRIVER: dict[int, Callable[..., object]] = {
    _BEAT: Beat,
    _REPORTED: _read_reported,
    _FINISHED: lambda trial, attempt: Finished(_number(trial), _number(attempt)),
    _FAILED: lambda trial, attempt, *story: Failed(_number(trial), _number(attempt), *_story(*story)),
    _HALTED: lambda trial, attempt: Halted(_number(trial), _number(attempt)),
    _SPENT: lambda reason: Spent(_string(reason)),
    _UNWRITABLE: lambda reason: Unwritable(_string(reason)),
    _RETURNED: lambda trial, attempt: Returned(_number(trial), _number(attempt)),
    _NOTED: lambda trial, attempt, notes: Noted(_number(trial), _number(attempt), _notes(notes)),
}
