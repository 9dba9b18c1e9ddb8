"""The one function that measures: it leaves out what cannot be judged, asks a method, and makes shares of its scores.

n: trials. d: parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from trialwright.columns import Column
from trialwright.errors import nearest
from trialwright.importance import fanova, ped_anova
from trialwright.importance.measured import Importance, ParameterImportance
from trialwright.space.values import Floats
from trialwright.streams import Streams

Method = Literal["ped-anova", "fanova"]
METHODS: tuple[Method, ...] = get_args(Method)
TRIALS_MIN = 10
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How importance is measured.

    ``method`` is "ped-anova" or "fanova". ``quantile`` is the best part of the trials that PED-ANOVA calls good, and
    ``region`` the best part that it compares them with (1: all). The intervals come from ``resamples`` of the trials,
    drawn with ``seed``.

    Raises:
        ValueError: one of them is wrong; with the nearest method.
    """

    method: Method = "ped-anova"
    quantile: float = 0.1
    region: float = 1.0
    resamples: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"there is no method {self.method!r}{nearest(self.method, METHODS)}")
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile must be between 0 and 1, not {self.quantile!r}")
        if not self.quantile < self.region <= 1:
            raise ValueError(
                f"region must be above the quantile, {self.quantile!r}, and at most 1, not {self.region!r}"
            )
        if self.resamples < 20:
            raise ValueError(f"resamples must be 20 or more, not {self.resamples!r}: a 95 % interval comes from them")


def measure(
    columns: list[Column],
    costs: Floats,
    metric: str,
    settings: Settings = Settings(),
    left_out: Mapping[str, int] | None = None,
) -> Importance:
    """Return how much each parameter matters.

    Args:
        columns: the parameters in n trials.
        costs: shape (n,), finite; smaller is better.
        metric: what the costs are called.
        settings: how it is measured.
        left_out: how many trials were left out before, by reason.

    Raises:
        ValueError: there are too few trials, all costs are equal, or no parameter varies.
    """
    if len(costs) < TRIALS_MIN:
        why = "".join(f"; {count} left out: {reason}" for reason, count in (left_out or {}).items())
        raise ValueError(f"importance needs {TRIALS_MIN} trials with a finite {metric!r}, not {len(costs)}{why}")
    if costs.min() == costs.max():
        raise ValueError(f"all {len(costs)} trials have the same {metric!r}: no parameter matters for it")
    skipped = {column.name: reason for column in columns if (reason := _why_skipped(column, costs))}
    judged = [column for column in columns if column.name not in skipped]
    if not judged:
        raise ValueError(f"no parameter can be judged: {', '.join(f'{n} ({r})' for n, r in skipped.items()) or 'none'}")
    own, drawn = _scores(judged, costs, settings)
    return Importance(metric, settings.method, _rows(judged, own, drawn), len(costs), dict(left_out or {}), skipped)


def _scores(columns: list[Column], costs: Floats, settings: Settings) -> tuple[Floats, Floats]:
    rng = Streams(settings.seed)("importance")
    if settings.method == "fanova":
        return fanova.scores(columns, costs, settings.resamples, rng)
    good = ped_anova.Good(settings.quantile, settings.region)
    return ped_anova.scores(columns, costs, good, settings.resamples, rng)


def _why_skipped(column: Column, costs: Floats) -> str | None:
    there = costs[column.active]
    if column.is_constant:
        return "the same in all trials that have it"
    if len(there) < TRIALS_MIN:
        return f"only {len(there)} trials have it"
    return "all trials that have it have the same value" if there.min() == there.max() else None


def _rows(columns: list[Column], own: Floats, drawn: Floats) -> tuple[ParameterImportance, ...]:
    """Return the parameters, the most important first; of equal ones, in the order of the configuration."""
    shares = _shares(own[None])[0]
    # A percentile of resamples need not enclose what all trials say.
    low = np.minimum(np.quantile(_shares(drawn), INTERVAL[0], axis=0), shares)
    high = np.maximum(np.quantile(_shares(drawn), INTERVAL[1], axis=0), shares)
    rows = [
        ParameterImportance(column.name, share, least, most, score, int(column.active.sum()))
        for column, (share, least, most, score) in zip(
            columns, np.column_stack([shares, low, high, own]).tolist(), strict=True
        )
    ]
    return tuple(sorted(rows, key=lambda row: -row.importance))


def _shares(scores: Floats) -> Floats:
    """Return each row divided by its sum, shape (n, d); zeros where all are."""
    sums = scores.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(scores, sums, out=np.zeros_like(scores), where=sums > 0))
