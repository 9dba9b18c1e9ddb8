"""From a result to what is measured: the columns and values of the trials that can be judged."""

from __future__ import annotations

from collections import Counter

import numpy as np

from trialwright.columns import columns
from trialwright.importance.measure import Settings, measure
from trialwright.importance.measured import Importance
from trialwright.result_protocol import AnyResult, AnyTrial, Mode, check_reported, metric_of
from trialwright.space.values import is_finite


def importance(result: AnyResult, metric: str | None, mode: Mode | None, settings: Settings) -> Importance:
    """Return how much each parameter matters for the last values of a metric, see ``Result.importance``.

    Raises:
        ValueError: as there.
    """
    metric = metric_of(result, metric)
    sign = _sign(result, metric, mode, settings.method)
    reasons = [_why_left_out(trial, metric) for trial in result]
    judged = [trial for trial, reason in zip(result, reasons, strict=True) if reason is None]
    if not judged:
        check_reported(result, metric)
    costs = np.array([sign * float(trial.metrics[metric]) for trial in judged])
    found = columns([trial.config for trial in judged], result.logarithmic)
    return measure(found, costs, metric, settings, Counter(filter(None, reasons)))


def _why_left_out(trial: AnyTrial, metric: str) -> str | None:
    if trial.outcome in ("failed", "lost"):
        return "failed or lost"
    return None if is_finite(trial.metrics.get(metric)) else f"no finite {metric}"


def _sign(result: AnyResult, metric: str, mode: Mode | None, method: str) -> float:
    mode = mode or dict(result.objectives).get(metric)
    if mode is None and method == "fanova":
        return 1.0  # a variance has no direction
    if mode not in ("min", "max"):
        given = f", not {mode!r}" if mode else f": {metric!r} is no objective of the run"
        raise ValueError(f"mode must be 'min' or 'max'{given}")
    return -1.0 if mode == "max" else 1.0
