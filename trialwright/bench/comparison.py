"""Comparison: what a benchmark found, as tables, a picture, and data."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trialwright.bench import tables
from trialwright.bench.statistics import MOMENTS, Line, at, lines, matrix
from trialwright.space.values import Floats

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Comparison:
    """Regrets of methods on tasks, 0 for the best and 1 for what is usual; how they are made is told by
    ``compare_schedulers`` and ``compare_searchers``.

    Args:
        regrets: of shape (tasks, seeds, points), by number of workers and by method; infinite before the first result.
        tasks: their names.
        against: the method that the others are compared with.
        evaluations: what the points are, from 1; None if they are equal shares of a budget of virtual time.
    """

    regrets: Mapping[int, Mapping[str, Floats]]
    tasks: tuple[str, ...]
    against: str
    evaluations: int | None = None

    def lines(self) -> list[Line]:
        """Return mean regrets and ranks of each method, with 95 % bootstrap intervals over tasks, and how it does
        against ``against``: tasks won and lost, and the p value of Wilcoxon's signed-rank test, corrected for the
        number of methods (Holm 1979). Each when a quarter, a half and all of the budget is spent."""
        return [line for workers, of in self.regrets.items() for line in lines(workers, of, self.against)]

    def table(self) -> str:
        """Return the same as tables in Markdown, one for each number of workers, the best at the end first."""
        return tables.table(self.lines(), self.against)

    def pairwise(self, moment: float = 1.0) -> str:
        """Return, as tables in Markdown, on how many tasks each method (row) has less regret than each other one.

        Args:
            moment: a share of the budget.
        """
        return "\n\n".join(tables.pairwise(matrix(workers, moment, of)) for workers, of in self.regrets.items())

    def dataframe(self) -> pd.DataFrame:
        """Return the regret of each run when a quarter, a half and all of the budget was spent, a row each. It needs
        pandas."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"workers": workers, "task": task, "method": method, "seed": seed, "moment": moment, "regret": regret}
                for workers, of in self.regrets.items()
                for method, regrets in of.items()
                for moment in MOMENTS
                for task, row in zip(self.tasks, at(regrets, moment), strict=True)
                for seed, regret in enumerate(row.tolist())
            ]
        )

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the mean regret of each method with its 95 % interval, a panel for each number of workers. It needs
        matplotlib.

        Args:
            path: where to save the picture; the ending says in which format.
        """
        count = next(iter(next(iter(self.regrets.values())).values())).shape[2]
        label, end = ("share of the budget", 1.0) if self.evaluations is None else ("evaluations", self.evaluations)
        figure = tables.figure(self.regrets, label, np.arange(1.0, count + 1) * end / count)
        if path is not None:
            figure.savefig(path, dpi=100)
        return figure

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write ``table.md``, ``comparison.json`` (the lines) and ``regret.png`` into a directory; return the paths."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        said = f"Measured on {tables.machine()}; {len(self.tasks)} tasks: {', '.join(self.tasks)}."
        text, told = folder / "table.md", folder / "comparison.json"
        text.write_text(f"{said}\n\n{self.table()}\n\n{self.pairwise()}\n", encoding="utf-8")
        found = {"measured": tables.machine(), "tasks": self.tasks, "lines": [line.plain() for line in self.lines()]}
        told.write_text(json.dumps(found, indent=1), encoding="utf-8")
        self.plot(folder / "regret.png")
        return [text, told, folder / "regret.png"]

    def __str__(self) -> str:
        return self.table()

    def _repr_markdown_(self) -> str:
        """For notebooks."""
        return self.table()
