"""What a journal says, in text. Both stores share it, so the same turns give the same digest wherever they are kept.

A *line* is one event: the JSON array ``[now, event, decisions, digest]`` in UTF-8: ``now`` as a float, the event as
``codec`` writes it, the decisions that this line brings or null, the experiment's digest or null. The digest of a
journal is the SHA-256 of all its lines in order, each with a newline: what ``sha256sum`` says of them in a file. The
*mark* of a line, its checksum, is the beginning of the digest of the journal up to and including that line. So marks
are chained, and nothing before a line can change without every later mark being wrong.

Decisions are taken after their event was written, so they travel with a later line: a list, with one list for each
earlier event that has not had its own. A line of kind ``Decided`` has no event and only brings decisions: those on a
run's last events, and on events that nothing followed for a while, have nothing else to ride on.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from trialwright import codec
from trialwright.errors import StorageError
from trialwright.messages import Plain
from trialwright.storage.base import Entry, Turn

MARK_LENGTH = 16  # hexadecimal digits: 64 bits find every accident, and people can compare them by eye

_PLAIN = json.JSONEncoder(separators=(",", ":"))
_FAST = json.JSONEncoder(
    separators=(",", ":"), allow_nan=False, ensure_ascii=False, check_circular=False, default=codec.fields
)


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
    return codec.read_plain(json.loads(text))


def lines(turn: Turn) -> Iterator[str]:
    """Write a turn: a line for each event, or one for its decisions alone. A turn without either needs none."""
    now, decisions, digest = float(turn.now), turn.decisions or None, turn.digest or None
    bodies: Sequence[object] = turn.events or ([{"kind": "Decided"}] if decisions else [])
    for body in bodies:
        yield encode((now, body, decisions, digest))
        decisions = digest = None


def read(line: str) -> Turn:
    """Read a line as a turn of one event, or of none.

    Raises:
        ValueError: it holds something that this version does not know.
    """
    [now, body, lists, digest] = json.loads(line)
    decided = isinstance(body, dict) and body.get("kind") == "Decided"
    decisions = [[codec.from_plain(decision) for decision in item] for item in lists or []]
    return Turn(now, [] if decided else [codec.from_plain(body)], decisions, digest or "")


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
