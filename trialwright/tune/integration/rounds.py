"""What Ray's callbacks for XGBoost and LightGBM share: results may be changed before they are reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from trialwright.integrations.reports import Reports, Save

Change: TypeAlias = "Callable[[dict[str, object]], dict[str, object]] | None"


@dataclass
class RoundReports(Reports):
    """Makes the reports of one callback, and the checkpoint at the end.

    Args:
        change: makes another row of each that is to be reported; None: it is reported as it is.
    """

    change: Change = None
    _unsaved: Mapping[str, object] | None = field(default=None, init=False)  # the last values, if without checkpoint

    def __call__(self, values: Mapping[str, object], save: Save, *, now: bool = False) -> None:
        self._unsaved = values
        super().__call__(values, save, now=now)

    def row(self, values: Mapping[str, object]) -> dict[str, object]:
        row = super().row(values)
        return self.change(row) if self.change else row

    def with_files(self, row: Mapping[str, object], save: Save) -> None:
        self._unsaved = None
        super().with_files(row, save)

    def finish(self, save: Save) -> None:
        """Report the last values once more, with a checkpoint, unless they had one: Ray's callback does so."""
        if self._unsaved is not None:
            self.with_files(self.row(self._unsaved), save)
