"""``pretty_print``: a result as a readable string."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[\w./][\w./@=,+ -]*")
_NUMBER = re.compile(r"[-+]?(?:0[xob])?[\d_.]+(?:e[-+]?\d+)?")  # what YAML would read as one
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "none"})


def pretty_print(result: Mapping[str, Any], exclude: Sequence[str] | None = None, indent: int = 0) -> str:
    """Return a result in the manner of YAML, without ``config``.

    Args:
        result: what a trial reported.
        exclude: more names to leave out.
        indent: blanks before each line.
    """
    left_out = {"config", *(exclude or ())}
    shown = {name: value for name, value in result.items() if name not in left_out and value is not None}
    return "\n".join(_lines(shown, indent)) + "\n"


def _lines(result: Mapping[str, Any], indent: int) -> Iterator[str]:
    for name in sorted(result):
        value, start = result[name], " " * indent + f"{name}:"
        if isinstance(value, Mapping) and value:
            yield start
            yield from _lines(value, indent + 2)
        else:
            yield f"{start} {_shown(value)}"


def _shown(value: object) -> str:
    if not isinstance(value, str):
        return json.dumps(value, default=str)
    is_plain = _PLAIN.fullmatch(value) and not _NUMBER.fullmatch(value) and value.lower() not in _WORDS
    return value if is_plain else "'" + value.replace("'", "''") + "'"
