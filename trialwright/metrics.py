"""What may be reported: from a user's values to metrics, and notes on values of other types."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from trialwright.errors import nearest
from trialwright.messages import Metric

COUNTED = frozenset({"step", "time_s"})  # a report may give its own, which then replaces ours
KEYS_MAX = 10_000
KEY_LENGTH_MAX = 256
TEXT_LENGTH_MAX = 65_536
TEXT_LENGTH_SUM_MAX = 2**20  # together in one report
DEPTH_MAX = 16
STRING_LENGTH_MAX = 1000  # of a value of another type: a longer string is left out
ITEMS_MAX = 100  # of a container: the string of a longer one is not even made
_PLAIN = (bool, int, float, str, Decimal, Fraction)


def clean(metrics: Mapping[str, object], notes: dict[str, str] | None = None) -> dict[str, Metric]:
    """Turn a report into plain values. A value of another type is kept as its string, or left out (None).

    Args:
        metrics: as reported; nested dicts are joined with ``/``.
        notes: for each value of another type, its name and a sentence on its conversion are added here.

    Raises:
        TypeError: it is not a dict, or its own ``step`` is not a number.
        ValueError: too many keys, too long a string, or a name that comes twice: ``a/b`` beside ``{"a": {"b": ...}}``.
    """
    if not isinstance(metrics, Mapping):
        raise TypeError(f"a report must be a dict of metrics, not {metrics!r}")
    row: dict[str, Metric] = {}
    _flatten(metrics, "", row, {} if notes is None else notes, 0)
    if len(row) > KEYS_MAX:
        raise ValueError(f"a report may have {KEYS_MAX} keys, not {len(row)}")
    for name in COUNTED & row.keys():
        if isinstance(row[name], bool) or not isinstance(row[name], int | float):
            raise TypeError(f"a report's own {name!r} must be a number, not {_shown(row[name])}")
    if sum(len(value) for value in row.values() if type(value) is str) > TEXT_LENGTH_SUM_MAX:
        raise ValueError(
            f"the strings of a report may have {TEXT_LENGTH_SUM_MAX} characters together; write more to a file"
        )
    return row


def require(row: dict[str, Metric], names: tuple[str, ...], notes: Mapping[str, str] = MappingProxyType({})) -> None:
    """Check that a report has all objectives.

    Args:
        row: the report.
        names: of the objectives.
        notes: those of ``clean``.

    Raises:
        ValueError: an objective is missing, or its standard error is not a number from 0 on.
        TypeError: an objective is not a number.
    """
    for name in names:
        if name not in row:
            raise ValueError(f"the report lacks the metric {name!r}{nearest(name, row)}")
        if not isinstance(row[name], int | float):
            why = f": {notes[name]}" if name in notes else ""
            raise TypeError(f"metric {name!r} must be a number, not {row[name]!r}{why}")
        error = row.get(sem(name))
        if error is not None and (not isinstance(error, int | float) or error < 0):
            raise ValueError(f"{sem(name)!r} is the standard error of {name!r}: a number from 0 on, not {error!r}")


def sem(metric: str) -> str:
    """Return the name under which a report gives the standard error of the mean of a metric."""
    return metric + "_sem"


def spelled(key: object) -> str:
    """Return the key of a dict as a part of a metric's name.

    Raises:
        TypeError: it has no usable string.
    """
    if isinstance(key, str):
        return key
    text = _string(key)
    if text is None:
        raise TypeError(f"metric names are strings; a key is a {type(key).__name__}: {_shown(key)}")
    return text


def _flatten(
    metrics: Mapping[Any, object], prefix: str, row: dict[str, Metric], notes: dict[str, str], depth: int
) -> None:
    if depth > DEPTH_MAX:
        raise ValueError(f"a report may be nested {DEPTH_MAX} deep; {prefix[:KEY_LENGTH_MAX]!r} is deeper")
    for key, value in metrics.items():
        name = prefix + (key if isinstance(key, str) else spelled(key))
        if len(name) > KEY_LENGTH_MAX:
            raise ValueError(f"metric names have at most {KEY_LENGTH_MAX} characters; {name[:40]!r}... has {len(name)}")
        if not isinstance(key, str):
            notes[name] = f"metric {name!r} was reported under {_shown(key)}, which is not a string"
        if isinstance(value, Mapping):
            _flatten(value, name + "/", row, notes, depth + 1)
        elif name in row:
            raise ValueError(f"metric {name!r} is reported twice: nested dicts are joined with '/', so rename one")
        else:
            row[name] = _metric(name, value, notes)


def _metric(name: str, value: object, notes: dict[str, str]) -> Metric:
    if value is None or type(value) is float or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if len(value) > TEXT_LENGTH_MAX:
            raise ValueError(
                f"metric {name!r} is a string of {len(value)} characters; at most {TEXT_LENGTH_MAX} are kept"
            )
        return str.__str__(value)  # a subclass may have a __str__ of its own
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else _float(name, value)
    if isinstance(value, float | Decimal | Fraction):
        return _float(name, value)
    item = _item(value)
    return _no_metric(name, value, notes) if item is None else _metric(name, item, notes)


def _item(value: object) -> object:
    """Return the value of a NumPy scalar or a tensor of one element; None for any other object."""
    with suppress(Exception):  # a user's class may have an ``item`` that does anything
        item: object = value.item()  # type: ignore[attr-defined]
        return item if isinstance(item, _PLAIN) else None
    return None


def _no_metric(name: str, value: object, notes: dict[str, str]) -> str | None:
    text = _string(value)
    fate = "left out" if text is None else "kept as its string"
    notes[name] = f"metric {name!r} is a {type(value).__name__}, not a number, string, or None: it is {fate}"
    return text


def _string(value: object) -> str | None:
    """Return the string of any object; None if it is long, only an address in memory, or raises."""
    kind = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:  # an address in memory
        return None
    try:
        if hasattr(value, "__len__") and len(value) > ITEMS_MAX:
            return None
        text = str.__str__(str(value))
    except Exception:  # a user's class may do anything here
        return None
    return text if len(text) <= STRING_LENGTH_MAX else None


def _float(name: str, value: float | Decimal | Fraction) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"metric {name!r} is too large for a float: {_shown(value)}") from error


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except Exception:  # a user's __repr__ may do anything
        return f"<{type(value).__name__}>"
