"""What commands print: tables for people in a terminal, lines with tabs in a pipe, or JSON.

Names, errors and values come from users and their programs: control characters in them are escaped, since they could
move the cursor or change colours.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trialwright.progress import shown

SHORT = 32  # characters: longer values are folded in a table


def escaped(text: str) -> str:
    r"""Return a string with its control characters as escapes: an escape character is ``\x1b``."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def print_json(value: object) -> None:
    """Print JSON. Numbers that JSON lacks are strings, as in the journal's views."""
    print(json.dumps(finite(value), indent=2, default=str))


def finite(value: object) -> object:
    """Return a value with strings for the numbers that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def print_table(rows: Iterable[Sequence[object]], heads: Sequence[str], stream: TextIO | None = None) -> None:
    """Print a table, a sequence of values a row: on a terminal in columns with short numbers, else with tabs and whole
    values."""
    stream = stream or sys.stdout
    if not stream.isatty():
        for row in (heads, *rows):
            print("\t".join(whole(value) for value in row), file=stream)
        return
    lines = [[brief(value) for value in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
    for place, head in enumerate(heads):
        longest = max((len(line[place]) for line in lines), default=0)
        # The first column names the row, and is often copied: it is whole, however narrow the terminal.
        least = longest if place == 0 else None
        table.add_column(Text(head), no_wrap=longest <= SHORT, min_width=least, overflow="ellipsis")
    for line in lines:
        table.add_row(*(Text(text, overflow="ellipsis" if len(text) <= SHORT else "fold") for text in line))
    Console(file=stream).print(table)


def print_pairs(pairs: Iterable[tuple[str, object]], stream: TextIO | None = None) -> None:
    """Print labels and values, a line each."""
    stream = stream or sys.stdout
    if not stream.isatty():
        for label, value in pairs:
            print(f"{label}\t{whole(value)}", file=stream)
        return
    table = Table.grid(padding=(0, 2))
    for label, value in pairs:
        table.add_row(Text(label, style="bold"), Text(brief(value), overflow="fold"))
    Console(file=stream).print(table)


def whole(value: object) -> str:
    """Return a value for a program that reads it: all digits."""
    if value is None:
        return ""
    if isinstance(value, Mapping | list | tuple):
        text = json.dumps(finite(value), ensure_ascii=False, default=str)
        return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)  # it stays JSON
    return escaped(str(value))


def brief(value: object) -> str:
    """Return a value for a person: a float with four significant digits, a dict as ``lr=0.1 width=64``."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{escaped(str(name))}={brief(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(brief, value))
    return escaped(shown(value))
