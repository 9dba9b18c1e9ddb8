"""Small tables for notebooks, as HTML: every string is escaped, and their size is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import Field, fields
from html import escape
from typing import Any, ClassVar

CELL_LENGTH = 200
ROWS_MAX = 50


def cell(value: object) -> str:
    """Return a value as a string that can stand in HTML: escaped, and cut where it gets long."""
    text = str(value)
    return escape(text if len(text) <= CELL_LENGTH else text[: CELL_LENGTH - 3] + "...")


def html_table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]], more: str = "") -> str:
    """Return a table. Of more than ``ROWS_MAX`` rows, the first are shown, and the others counted.

    Args:
        title: stands above it; "" for none.
        head: the names of the columns; empty for none.
        rows: their values.
        more: a line below it; "" for none.
    """
    every = list(rows)
    hidden = len(every) - ROWS_MAX
    notes = [note for note in (f"and {hidden:,} more" if hidden > 0 else "", more) if note]
    top = f"<thead><tr>{''.join(_head(name) for name in head)}</tr></thead>" if head else ""
    body = "".join(f"<tr>{''.join(_data(value) for value in row)}</tr>" for row in every[:ROWS_MAX])
    named = f"<div><b>{cell(title)}</b></div>" if title else ""
    return f"{named}<table>{top}<tbody>{body}</tbody></table>" + "".join(f"<div>{cell(note)}</div>" for note in notes)


def _head(name: str) -> str:
    return f'<th style="text-align: left">{cell(name)}</th>'


def _data(value: object) -> str:
    return f'<td style="text-align: left">{cell(value)}</td>'


class SettingsTable:
    """A dataclass that a notebook shows as a table of its settings."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def _repr_html_(self) -> str:
        shown = [each.name for each in fields(self) if each.repr and not each.name.startswith("_")]
        return html_table(type(self).__name__, (), [(name, repr(getattr(self, name))) for name in shown])
