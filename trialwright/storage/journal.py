"""The lines of a journal. Both stores share this, so the same turns give the same digest in either.

A *line* is one event: the JSON array ``[now, event, decisions, digest]`` in UTF-8: ``now`` as a float, the event as
``codec`` writes it, the decisions that were taken on it or null, the experiment's digest after them or null. The digest
of a journal is the SHA-256 of all its lines in order, each with a newline: what ``sha256sum`` says of them in a file.
The *mark* of a line, its checksum, is the beginning of the digest of the journal up to and including that line. So
marks are chained, and nothing before a line can change without every later mark being wrong.

An event has no decisions if handling it, or an earlier event of the same turn, failed. A resumed run decides on these
again, and writes its decisions as a line of kind ``Decided``: it has no event, and a list of decisions for each of the
first events that have none.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any, cast

from trialwright import codec
from trialwright.errors import StorageError
from trialwright.messages import Decision, Plain
from trialwright.storage.base import Entry, Turn

MARK_LENGTH = 16  # hexadecimal digits: 64 bits detect any accident, and people can compare them by eye

_DECIDED: dict[str, Plain] = {"kind": "Decided"}
_PLAIN = json.JSONEncoder(separators=(",", ":"))
_FAST = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False, default=codec.fields)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BEYOND_ASCII = re.compile(r"[^\x00-\x7e]+")
_NON_FINITE = {text: _PLAIN.encode(codec.to_plain(value)) for text, value in
               (("-Infinity", -math.inf), ("Infinity", math.inf), ("NaN", math.nan))}  # fmt: skip


class Chain:
    """The running checksum of a journal."""

    def __init__(self) -> None:
        self.length = 0  # lines
        self._hash = sha256()

    def add(self, line: str) -> None:
        """Take in the next line."""
        self._hash.update(f"{line}\n".encode())
        self.length += 1

    @property
    def mark(self) -> str:
        """The checksum of the line that was added last."""
        return self._hash.hexdigest()[:MARK_LENGTH]

    @property
    def digest(self) -> str:
        """The digest of all lines so far."""
        return self._hash.hexdigest()


def encode(value: object) -> str:
    """Write plain data with messages in it as JSON text, as ``codec.to_plain`` has it.

    Raises:
        TypeError: something in it is not plain data.
    """
    return _fast(value) or _PLAIN.encode(codec.to_plain(value))


def decode(text: str) -> Plain:
    """Read plain data that ``encode`` wrote."""
    data: Plain = json.loads(text)
    return codec.read_plain(data) if '{"float":' in text else data  # few have numbers that JSON lacks


def lines(turn: Turn) -> Iterator[str]:
    """Write a turn: a line for its late decisions, and one for each event; the last has the digest."""
    now, digest = float(turn.now), turn.digest or None
    if turn.late:
        yield encode((now, _DECIDED, turn.late, None if turn.events else digest))
    last = len(turn.events) - 1
    for place, (event, decisions) in enumerate(zip(turn.events, turn.decisions, strict=True)):
        yield encode((now, event, decisions, digest if place == last and decisions is not None else None))


def read(line: str) -> Turn:
    """Read a line as a turn of one event, or of late decisions.

    Raises:
        ValueError: it holds something that this version does not know.
    """
    [now, body, decisions, digest] = cast("list[Any]", decode(line))
    # A line without an event. Equal, not only of this kind: format 1 had other fields in it.
    if isinstance(body, dict) and body == _DECIDED:
        return Turn(now, [], digest=digest or "", late=[_decisions(each) for each in decisions])
    return Turn(now, [codec.message(body)], [None if decisions is None else _decisions(decisions)], digest or "")


def _decisions(items: list[Plain]) -> list[Decision]:
    return [codec.message(item) for item in items]


def assemble(turns: Iterable[Turn]) -> Iterator[Entry]:
    """Give every event the decisions on it, whether they were made at once or later.

    Raises:
        StorageError: there are late decisions for more events than lack any.
    """
    waiting: deque[Entry] = deque()  # events without decisions, until these come
    for turn in turns:
        yield from _completed(waiting, turn)
        last = len(turn.events) - 1
        for place, (event, decisions) in enumerate(zip(turn.events, turn.decisions, strict=True)):
            digest = turn.digest if turn.digest and place == last and decisions is not None else None
            entry = Entry(turn.now, event, decisions, digest)
            # Also one that has decisions waits behind one that has none: entries come in the order of the events.
            if decisions is None or waiting:
                waiting.append(entry)
            else:
                yield entry
    # The run ended, or was killed, before it decided on these.
    yield from waiting


def _completed(waiting: deque[Entry], turn: Turn) -> Iterator[Entry]:
    """Take out the events that the turn's late decisions are for."""
    if len(turn.late) > len(waiting):
        raise StorageError(f"the journal has decisions at {turn.now} s for an event that it does not hold")
    for place, decisions in enumerate(turn.late, start=1):
        digest = turn.digest if turn.digest and not turn.events and place == len(turn.late) else None
        yield replace(waiting.popleft(), decisions=decisions, digest=digest)


def read_format_1(line: str) -> Turn:
    """Read a line of a journal of format 1, without decisions: it had these in later lines.

    Raises:
        ValueError: it holds something that this version does not know.
    """
    [now, body, _, _] = cast("list[Any]", decode(line))
    decided = isinstance(body, dict) and body.get("kind") == _DECIDED["kind"]
    return Turn(now, [] if decided else [codec.message(body)], () if decided else [None])


def _fast(value: object) -> str | None:
    """Write it in one pass of the C encoder; None if the result could be wrong.

    It could with data that looks like ``codec``'s non-finite numbers, with strings that contain the encoder's names for
    these, and with lone surrogates, which undecodable file names bring. All are rare, so they may cost more.
    """
    try:
        text = _FAST.encode(value)
        # Raises for lone surrogates, which UTF-8 does not have.
        text.encode()
    except ValueError:
        return None
    if '{"float":' in text:
        return None
    return _with_non_finite(text) if any(name in text for name in ("NaN", "Infinity")) else text


def _with_non_finite(text: str) -> str | None:
    """Write non-finite numbers, which JSON lacks, as ``codec`` does; None if a string may hold one of their names.

    The result is the same as the slow way's, in ASCII: digests must not depend on the way.
    """
    strings = "".join(_STRING.findall(text))
    if any(name in strings for name in _NON_FINITE):
        return None
    for name, written in _NON_FINITE.items():
        text = text.replace(name, written)
    return _BEYOND_ASCII.sub(lambda found: _PLAIN.encode(found[0])[1:-1], text)
