"""TensorBoard's event files, byte by byte: records of protocol buffers.

A record is its length, a checksum of that, an event, and a checksum of the event. It is written here because that is
little, and because the packages that can write it load a framework, or start a thread for each file.

A message of protocol buffers is a sequence of fields; each begins with its number and how it is written: as a varint
(0), as eight bytes (1), as bytes with their length before them (2), or as four bytes (5).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

VERSION = "brain.Event:2"  # what the first event of a file says
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, bits reversed


_SUCCESS, _FAILURE = 1, 2  # of the plugin's enum Status


@dataclass(frozen=True)
class Session:
    """One trial as the plugin for hyper-parameters sees it, in seconds since 1970."""

    started: float
    ended: float
    has_failed: bool


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_entry, range(256)))


# Events ---------------------------------------------------------------------------------------------------------------


def opening(time: float) -> bytes:
    """Return the record that an event file begins with."""
    return record(_double(1, time) + _text(3, VERSION))


def scalars(time: float, step: int, values: Mapping[str, float]) -> bytes:
    """Return the record of some numbers at one step."""
    summary = b"".join(_message(1, _text(1, name) + _single(2, value)) for name, value in values.items())
    return record(_double(1, time) + _whole(2, step) + _message(5, summary))


def hyper_parameters(session: Session, settings: Mapping[str, object], metrics: Iterable[str]) -> bytes:
    """Return the records that say which settings a run had, by which metrics it is to be judged, from when to when it
    went on, and whether it failed."""
    infos = b"".join(_message(4, _text(1, name) + _whole(4, _kind(value))) for name, value in settings.items())
    judged = b"".join(_message(5, _message(1, _text(2, name))) for name in metrics)
    start = b"".join(_message(1, _text(1, name) + _message(2, _value(value))) for name, value in settings.items())
    status = _FAILURE if session.has_failed else _SUCCESS
    parts = {
        "_hparams_/experiment": _message(2, infos + judged),
        "_hparams_/session_start_info": _message(3, start + _double(5, session.started)),
        "_hparams_/session_end_info": _message(4, _whole(1, status) + _double(2, session.ended)),
    }
    time = session.ended
    return b"".join(record(_double(1, time) + _message(5, _plugin(tag, content))) for tag, content in parts.items())


def _plugin(tag: str, content: bytes) -> bytes:
    plugin = _text(1, "hparams") + _message(2, content)
    return _message(1, _text(1, tag) + _message(9, _message(1, plugin)))


def _kind(value: object) -> int:
    if isinstance(value, bool):
        return 2
    return 3 if isinstance(value, int | float) else 1


def _value(value: object) -> bytes:
    if isinstance(value, bool):
        return _whole(4, value)
    return _double(2, value) if isinstance(value, int | float) else _text(3, str(value))


# Records and fields ---------------------------------------------------------------------------------------------------


def record(data: bytes) -> bytes:
    """Frame one record."""
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    """CRC-32C, turned and shifted as these files want it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    if value < 0:
        value += 1 << 64
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _whole(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _single(number: int, value: float) -> bytes:
    try:
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    except OverflowError:  # too large for four bytes
        return _varint(number << 3 | 5) + struct.pack("<f", float("inf") if value > 0 else float("-inf"))


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode("utf-8", "replace"))
