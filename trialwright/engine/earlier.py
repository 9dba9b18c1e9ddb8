"""Earlier results: what is known of configurations before a run begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trialwright.history import Values
from trialwright.messages import Config, Metric
from trialwright.results import Result


@dataclass(frozen=True)
class Earlier:
    """A configuration, and its values as in the history."""

    config: Config
    values: Values


def as_pairs(given: object) -> list[tuple[dict[str, object], dict[str, Metric]]]:
    """Return pairs of a configuration and its metrics, as a user has given them: as such pairs, or as a result.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(given, Result):
        return [(trial.config, trial.metrics) for trial in given if trial.outcome in ("completed", "stopped")]
    wrong = f"earlier must be a Result, or a list of (config, metrics) pairs, not {given!r}"
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise TypeError(wrong)
    if not all(isinstance(pair, Sequence) and [isinstance(x, Mapping) for x in pair] == [True, True] for pair in given):
        raise TypeError(wrong)
    return [(dict(config), dict(metrics)) for config, metrics in given]
