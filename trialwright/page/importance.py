"""How much each parameter matters, by the run's own measure, from the index."""

from __future__ import annotations

from typing import cast

import numpy as np

from trialwright.columns import columns as as_columns
from trialwright.importance import measure
from trialwright.page import queries
from trialwright.page.charts import is_logarithmic
from trialwright.page.queries import Answer
from trialwright.page.run import ShownRun

MOST = 10_000  # trials that are looked at: more change little, and take long


def told_importance(run: ShownRun) -> Answer:
    """Return the same; of a run that has none yet, why: that is no error of who asks."""
    try:
        return importance(run)
    except ValueError as error:
        return {"metric": None, "trials": 0, "skipped": {}, "parameters": [], "problem": str(error)}


def importance(run: ShownRun) -> Answer:
    """Return the share of each parameter in what makes the last values of the first metric good, with its interval.

    Raises:
        ValueError: the run has no metric, or too few trials have ended.
    """
    goal = next(iter(run.objectives), None)
    value = next((each for each in run.index.columns if goal and each.kind == "metric" and each.name == goal[0]), None)
    if goal is None or value is None:
        raise ValueError("importance needs a metric that trials have reported")
    parameters = [column for column in run.index.columns if column.kind == "parameter"]
    every = max(1, -(-run.index.total // MOST))
    rows = run.index.rows(
        f"""SELECT {", ".join([value.sql, *(column.sql for column in parameters)])} FROM trials
            WHERE id % ? = 0 AND typeof({value.sql}) IN ('real', 'integer') AND outcome IN ('completed', 'stopped')""",
        (every,),
    )
    configs = [
        {column.name: queries.shown(cell) for column, cell in zip(parameters, row[1:], strict=True) if cell is not None}
        for row in rows
    ]
    sign = -1.0 if goal[1] == "max" else 1.0
    logarithmic = frozenset(column.name for column in parameters if is_logarithmic(run, column))
    costs = np.array([sign * float(cast(float, row[0])) for row in rows])
    measured = measure(as_columns(configs, logarithmic), costs, goal[0])
    return {
        "metric": goal[0],
        "trials": measured.trials,
        "skipped": dict(measured.skipped),
        "parameters": [
            {"name": each.parameter, "share": each.importance, "low": each.low, "high": each.high} for each in measured
        ],
    }
