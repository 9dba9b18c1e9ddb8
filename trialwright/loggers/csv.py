"""``progress.csv``: a row for each report, a column for each metric, for VisKit and ``pandas.read_csv``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from trialwright.loggers.rows import Logged, Row

NAME = "progress.csv"


class CSVFormat:
    """A metric that comes later than the first row gets its column then: the file is written anew, which is rare."""

    def __init__(self) -> None:
        self._columns: dict[int, list[str]] = {}

    def start(self, trial: Logged) -> None:
        """Nothing: the first row makes the file."""

    def keep(self, trial: Logged) -> None:
        """Read the columns that are there."""
        path = trial.directory / NAME
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self._columns[trial.id] = next(csv.reader(file), [])

    def write(self, trial: Logged, rows: Sequence[Row]) -> None:
        """Add rows."""
        path = trial.directory / NAME
        known = self._columns.get(trial.id, [])
        columns = list(dict.fromkeys([*known, *(name for row in rows for name in row.flat)]))
        earlier = _read(path) if known and columns != known else []
        self._columns[trial.id] = columns
        with path.open("a" if columns == known else "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            if columns != known:
                writer.writeheader()
            writer.writerows(earlier)
            writer.writerows(row.flat for row in rows)

    def end(self, trial: Logged) -> None:
        """Forget the columns: a trial that has ended reports no more."""
        self._columns.pop(trial.id, None)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
