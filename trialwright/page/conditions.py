"""Conditions on trials: ``lr < 0.01 and outcome = stopped`` becomes SQL and bindings: no word is in the SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trialwright.errors import nearest
from trialwright.page.columns import Column

LONGEST = 2_000  # characters
_TOKEN = re.compile(r"""\s*(?:(<=|>=|!=|<>|=|<|>|~)|"([^"]*)"|'([^']*)'|([^\s<>=!~"']+))""")
_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "=": "IS", "!=": "IS NOT", "<>": "IS NOT", "~": "contains"}


def where(text: str, columns: Sequence[Column]) -> tuple[str, list[float | str | None]]:
    """Return an SQL expression, and its bindings, for conditions that are joined by "and".

    A condition is a column, an operator (``= != < <= > >=``, and ``~`` for "contains") and a number, a string, or
    ``null``. Names and strings with spaces are in quotes.

    Raises:
        ValueError: it is not such a list, or there is no such column; the message has the nearest one.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a filter has at most {LONGEST} characters, not {len(text)}")
    words, known = _words(text), {column.name: column for column in columns}
    parts, bindings = list[str](), list[float | str | None]()
    while words:
        name, operator, value = _condition(words, text)
        if name not in known:
            raise ValueError(f"there is no column {name!r}{nearest(name, known)}")
        parts.append(_sql(known[name], operator))
        bindings.append(value)
    return " AND ".join(parts) or "1", bindings


def _words(text: str) -> list[tuple[str, str]]:
    """Split it into pairs of a kind ("operator", "quoted", "bare") and a word."""
    words, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"the filter cannot be read from {text[place:].strip()[:40]!r} on")
        operator, double, single, bare = match.groups()
        kind, word = (
            ("operator", operator) if operator else ("bare", bare) if bare else ("quoted", double or single or "")
        )
        words.append((kind, word))
        place = match.end()
    return words


def _condition(words: list[tuple[str, str]], text: str) -> tuple[str, str, float | str | None]:
    """Take the next condition off the words, with the "and" behind it."""
    if len(words) < 3 or words[0][0] == "operator" or words[1][0] != "operator" or words[2][0] == "operator":
        raise ValueError(f"a condition is like lr < 0.01, joined by and; not {text!r}")
    (_, name), (_, operator), (kind, word) = words[:3]
    del words[:3]
    if (words and words.pop(0) != ("bare", "and")) or (words == [] and text.rstrip().endswith(" and")):
        raise ValueError(f"conditions are joined by and; in {text!r}")
    return name, operator, word if kind == "quoted" else _value(word)


def _value(word: str) -> float | str | None:
    if word in ("null", "none", "None"):
        return None
    try:
        return float(word)
    except ValueError:
        return word


def _sql(column: Column, operator: str) -> str:
    if _OPERATORS[operator] == "contains":
        return f"instr(lower({column.sql}), lower(?)) > 0"
    return f"{column.sql} {_OPERATORS[operator]} ?"
