"""The history of a run: what its trials came to, in the order in which they ended, and the best so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

from trialwright.plots.source import scored
from trialwright.result_protocol import AnyResult, AnyTrial
from trialwright.space.values import is_finite


@dataclass(frozen=True)
class History:
    """Trials in the order in which they ended: what each came to, and the best until then: NaN before one that may be
    the best, and nothing at all for a metric that is no objective, because it has no direction."""

    trials: list[int]
    values: list[float]
    best: list[float]


def history(result: AnyResult, metric: str) -> History:
    """Return what trials came to, in the order in which they ended: the best value of an objective, by its own
    direction and among the reports that meet the outcome constraints; else the last value."""
    mode = dict(result.objectives).get(metric)
    ended = sorted(scored(result, metric).trials, key=lambda trial: (trial.ended or 0.0, trial.id))
    last = [float(trial.metrics[metric]) for trial in ended]
    if mode is None:
        return History([trial.id for trial in ended], last, [])
    bests = [_best(result, trial, metric, mode) for trial in ended]
    values = [own if math.isnan(best) else best for own, best in zip(last, bests, strict=True)]
    choose = min if mode == "min" else max
    so_far = accumulate(bests, lambda old, new: choose(filter(math.isfinite, (old, new)), default=math.nan))
    return History([trial.id for trial in ended], values, list(so_far))


def _best(result: AnyResult, trial: AnyTrial, metric: str, mode: str) -> float:
    """Return the best value that may be the best of a run; NaN if there is none."""
    if metric == result.metric:
        return trial.best[0] if trial.best and math.isfinite(trial.best[0]) else math.nan
    rows = [row for row in trial.history if all(goal.met(row) for goal in result.constraints)]
    values = [float(row[metric]) for row in rows if is_finite(row.get(metric))]
    return (min if mode == "min" else max)(values, default=math.nan)
