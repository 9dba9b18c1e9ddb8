"""``result.json``: one JSON object in one line for each report. The configuration is in ``params.json``, not in every
line."""

from __future__ import annotations

import json
from collections.abc import Sequence

from trialwright.loggers.rows import Logged, Row

NAME = "result.json"


class JSONFormat:
    """NaN and infinities are written as Python's ``json`` does, and as it reads them."""

    def __init__(self) -> None:
        self._begun: set[int] = set()

    def start(self, trial: Logged) -> None:
        """Nothing: the first row makes the file."""

    def keep(self, trial: Logged) -> None:
        """Write behind the lines that are there."""
        self._begun.add(trial.id)

    def write(self, trial: Logged, rows: Sequence[Row]) -> None:
        """Add rows."""
        mode = "a" if trial.id in self._begun else "w"
        self._begun.add(trial.id)
        with (trial.directory / NAME).open(mode, encoding="utf-8") as file:
            file.writelines(f"{json.dumps(row.nested, default=str)}\n" for row in rows)

    def end(self, trial: Logged) -> None:
        """Nothing is open."""
