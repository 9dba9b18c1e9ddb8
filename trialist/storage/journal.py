"""What a journal says, in text. Both stores share it, so the same turns give the same digest wherever they are kept.

A row is one event. Its *line* is the JSON array ``[now, event, decisions, digest]`` and a newline, in UTF-8: ``now`` as
a float, the event as ``codec`` writes it, the decisions that this row brings or null, the experiment's digest or null.
The digest of a journal is the SHA-256 of all its lines in order: what ``sha256sum`` would say of them in a file. The
*mark* of a row, its checksum, is the beginning of the digest of the journal up to and including that row. So marks are
chained, and nothing before a row can change without every later mark being wrong.

Decisions are taken after their event was written, so they travel with a later row: a list, with one list for each
earlier event that has not had its own. A row of kind ``Decided`` has no event and only brings decisions: the last ones
of a run have nothing else to ride on.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple, TypeAlias

from trialist import codec
from trialist.errors import StorageError
from trialist.messages import Decision, Plain
from trialist.storage.base import Entry, Turn

MARK_LENGTH = 16  # hexadecimal digits: 64 bits find every accident, and people can compare them by eye

_Decisions: TypeAlias = Sequence[Sequence[Decision]]

_PLAIN = json.JSONEncoder(separators=(",", ":"))
_FAST = json.JSONEncoder(
    separators=(",", ":"), allow_nan=False, ensure_ascii=False, check_circular=False, default=codec.fields
)


class Row(NamedTuple):
    """One row of the journal, as text."""

    now: float
    body: str
    decisions: str | None
    digest: str | None

    @property
    def line(self) -> bytes:
        """What is hashed of this row."""
        digest = "null" if self.digest is None else encode(self.digest)
        return f"[{self.now!r},{self.body},{self.decisions or 'null'},{digest}]\n".encode()


class Chain:
    """The running checksum of a journal."""

    def __init__(self) -> None:
        self.length = 0  # rows
        self._hash = sha256()

    def add(self, line: bytes) -> None:
        """Take in the next row."""
        self._hash.update(line)
        self.length += 1

    @property
    def mark(self) -> str:
        """The checksum of the row that was added last."""
        return self._hash.hexdigest()[:MARK_LENGTH]

    @property
    def digest(self) -> str:
        """The digest of all rows so far."""
        return self._hash.hexdigest()


def encode(value: object) -> str:
    """Write plain data with messages in it as JSON text, as ``codec.to_plain`` has it.

    Raises:
        TypeError: something in it is not plain data.
    """
    return _fast(value) or _PLAIN.encode(codec.to_plain(value))


def decode(text: str) -> Plain:
    """Read plain data that ``encode`` wrote."""
    return codec.read_plain(json.loads(text))


def rows(turn: Turn) -> Iterator[Row]:
    """Write a turn as rows: one for each event, or one for its decisions alone. A turn without either needs none."""
    for now, body, decisions, digest in _parts(turn):
        yield _row(now, body, decisions, digest)


def lines(turn: Turn) -> Iterator[bytes]:
    """Write a turn as the lines of its rows, in half the time."""
    for now, body, decisions, digest in _parts(turn):
        # Where a part cannot be written fast, the others still are in a row, and may look different from that.
        text = _fast((now, body, decisions, digest))
        yield (text + "\n").encode() if text else _row(now, body, decisions, digest).line


def read(row: Row) -> Turn:
    """Read a row as a turn of one event, or of none.

    Raises:
        ValueError: it holds something that this version does not know.
    """
    body: Plain = json.loads(row.body)
    decided = isinstance(body, dict) and body.get("kind") == "Decided"
    lists = json.loads(row.decisions) if row.decisions else []
    decisions = [[codec.from_plain(decision) for decision in item] for item in lists]
    return Turn(row.now, [] if decided else [codec.from_plain(body)], decisions, row.digest or "")


def assemble(turns: Iterable[Turn]) -> Iterator[Entry]:
    """Give every event the decisions that were taken on it.

    Raises:
        StorageError: there are decisions for more events than there are.
    """
    waiting: deque[Entry] = deque()  # events whose decisions have not come yet
    for turn in turns:
        if len(turn.decisions) > len(waiting):
            raise StorageError(f"the journal has decisions at {turn.now} s for an event that it does not hold")
        for decisions in turn.decisions:
            yield replace(waiting.popleft(), decisions=list(decisions))
        digest: str | None = turn.digest or None
        for event in turn.events:
            waiting.append(Entry(turn.now, event, None, digest))
            digest = None
    yield from waiting


def _parts(turn: Turn) -> Iterator[tuple[float, object, _Decisions | None, str | None]]:
    """Split a turn into what its rows say: the first one brings the decisions and the digest."""
    decisions, digest = turn.decisions or None, turn.digest or None
    bodies: Sequence[object] = turn.events or ([{"kind": "Decided"}] if decisions else [])
    for body in bodies:
        yield float(turn.now), body, decisions, digest
        decisions = digest = None


def _row(now: float, body: object, decisions: _Decisions | None, digest: str | None) -> Row:
    return Row(now, encode(body), encode(decisions) if decisions else None, digest)


def _fast(value: object) -> str | None:
    """Write it in one pass of the C encoder, if it has nothing that JSON or UTF-8 lacks.

    That is: non-finite numbers, what looks like ``codec``'s way to write these, and the lone surrogates that
    undecodable file names bring. All are rare, so these may cost more.
    """
    try:
        text = _FAST.encode(value)
        return text if '{"float":' not in text and text.encode() else None
    except ValueError:
        return None
