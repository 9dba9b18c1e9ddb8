"""Messages to plain data and back, by their own type annotations.

A frozen dataclass becomes a dict of the fields that differ from their defaults, with its class name under ``"kind"``.
NaN and infinities, which JSON lacks, become ``{"float": "nan"}``; a caller's dict with this single key becomes
``{"float": [its value]}``, so that the two cannot be confused. This is the journal's format: a new field needs a
default, and no field or default may be changed or removed without a new format version.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from functools import cache

from trialwright import messages
from trialwright.messages import Plain

Decoder = Callable[[typing.Any], typing.Any]  # the annotations decide: no static type can

_CLASSES: dict[str, type] = {
    name: item for name, item in vars(messages).items() if dataclasses.is_dataclass(item) and isinstance(item, type)
}


def to_plain(value: object) -> Plain:
    """Turn a message into JSON data.

    Raises:
        TypeError: something in it is not plain data.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        items = {key: to_plain(item) for key, item in value.items()}
        return {"float": [items["float"]]} if items.keys() == {"float"} else items
    return {name: to_plain(item) for name, item in fields(value).items()}


def fields(message: object) -> dict[str, object]:
    """Return a message's kind and its fields, except those with default values.

    Raises:
        TypeError: it is not a message.
    """
    cls: type = type(message)
    if cls.__name__ not in _CLASSES:
        raise TypeError(f"{message!r} ({cls.__name__}) is not plain data")
    written: dict[str, object] = {"kind": cls.__name__}
    for key, name, default in _defaults(cls):
        value = getattr(message, name)
        if value != default:
            written[key] = value
    return written


def from_plain(data: Plain) -> typing.Any:  # noqa: ANN401 - its kind says which message it is
    """Turn the data that ``to_plain`` made of a message into the message.

    Raises:
        ValueError: this version does not know such a message.
    """
    return message(read_plain(data))


def message(data: Plain) -> typing.Any:  # noqa: ANN401 - as above
    """Do the same for data in which ``read_plain`` has restored non-finite numbers, or that has none, as most.

    Raises:
        ValueError: this version does not know such a message.
    """
    if not isinstance(data, dict) or str(data.get("kind")) not in _CLASSES:
        raise ValueError(f"not a message: {str(data)[:200]}")
    return _message(_CLASSES[str(data["kind"])])(data)


@cache
def _keys(cls: type) -> dict[str, str]:
    """Return the key of each field: its name, except for a field ``kind``, which would hide the class's."""
    names = [field.name for field in dataclasses.fields(cls)]
    return {"kind_" if name == "kind" else name: name for name in names}


@cache
def _defaults(cls: type) -> tuple[tuple[str, str, object], ...]:
    """Return the key, the name, and the default of each field. A field without a default is always written, and so is a
    float: -0.0 equals 0.0, and would be lost."""
    found = []
    for key, field in zip(_keys(cls), dataclasses.fields(cls), strict=True):
        made = field.default_factory
        default = field.default if made is dataclasses.MISSING else made()
        found.append((key, field.name, dataclasses.MISSING if isinstance(default, float) else default))
    return tuple(found)


@cache
def _message(cls: type) -> Decoder:
    hints = typing.get_type_hints(cls)
    keys = _keys(cls)
    decoders = {key: _decoder(hints[name]) for key, name in keys.items()}

    def decode(data: dict[str, Plain]) -> object:
        return cls(**{keys[key]: decoders[key](value) for key, value in data.items() if key in keys})

    return decode


@cache
def _decoder(hint: object) -> Decoder:
    """Choose how to read a field: annotations say where a list stands for a tuple, and a dict for a message."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda data: tuple(map(item, data))
    if isinstance(hint, type) and issubclass(hint, messages.Boundary):
        return lambda data: messages.Boundary(*data)
    if isinstance(hint, type) and issubclass(hint, messages.Placement):
        return lambda data: messages.Placement(data[0], data[1], tuple(data[2]))
    if isinstance(hint, type) and hint.__name__ in _CLASSES:
        return _message(hint)
    return _union_decoder(arguments) if origin in (typing.Union, types.UnionType) else _as_it_is


def _union_decoder(options: tuple[object, ...]) -> Decoder:
    """Choose how to read a message of several kinds, a tuple, or plain data; where there may be none, None."""
    readers = [_decoder(option) for option in options if typing.get_origin(option) is tuple]
    if any(isinstance(option, type) and option.__name__ in _CLASSES for option in options):
        readers = [message]
    return (lambda data: None if data is None else readers[0](data)) if readers else _as_it_is


def _as_it_is(data: Plain) -> Plain:
    return data


def read_plain(data: Plain) -> Plain:
    """Undo what ``to_plain`` did to data that holds no message: the writing of non-finite numbers, at any depth."""
    if isinstance(data, dict):
        if data.keys() == {"float"}:
            value = data["float"]
            return {"float": read_plain(value[0])} if isinstance(value, list) else float(str(value))
        return {key: read_plain(item) for key, item in data.items()}
    if isinstance(data, list):
        return [read_plain(item) for item in data]
    return data
