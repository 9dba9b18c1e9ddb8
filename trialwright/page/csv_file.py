"""The table of trials as CSV, in parts: a run of a million trials is never in memory as a whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from trialwright.page.conditions import where
from trialwright.page.index import Row, Value
from trialwright.page.queries import shown
from trialwright.page.run import ShownRun

PART = 5_000  # rows


def csv_parts(run: ShownRun, filter_: str = "") -> Iterator[str]:
    """Return the lines of all trials that meet a filter, by number; the first line has the names of the columns.

    Raises:
        ValueError: the filter cannot be read.
    """
    while not run.index.is_filled:  # else trials would be missing in the file
        run.index.update()
    which, bindings = where(filter_, run.index.columns)  # here, and not in the generator: the answer has not begun yet
    return _parts(run, which, tuple(bindings))


def _parts(run: ShownRun, which: str, bindings: tuple[Value, ...]) -> Iterator[str]:
    columns, last = run.index.columns, -1
    yield _lines([tuple(column.name for column in columns)])
    names = ", ".join(column.sql for column in columns)
    statement = f"SELECT {names} FROM trials WHERE ({which}) AND id > ? ORDER BY id LIMIT {PART}"
    while rows := run.index.rows(statement, (*bindings, last)):
        yield _lines(rows)
        last = cast(int, rows[-1][0])


def _lines(rows: Iterable[Row | Sequence[Value]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([[shown(value) for value in row] for row in rows])
    return stream.getvalue()
