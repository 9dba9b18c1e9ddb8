"""ASHA under Ray Tune's names."""

from __future__ import annotations

from trialwright.schedulers import ASHA, Scheduler
from trialwright.tune import names
from trialwright.tune.schedulers.built_in import BuiltInScheduler
from trialwright.tune.trial import RunFacts


class AsyncHyperBandScheduler(BuiltInScheduler):
    """Ends at each rung the trials that are not among the best. ``trialwright.schedulers.ASHA`` also promotes.

    Args:
        time_attr: the metric that rungs are measured in; it only grows.
        metric: what to compare trials by; the run's metric if it is not given.
        mode: "min" or "max"; the run's if it is not given.
        max_t: no trial goes further than this, in units of ``time_attr``.
        grace_period: the first rung.
        reduction_factor: one of so many goes on, more than 1.
        brackets: how many brackets share the trials.
        stop_last_trials: end trials at ``max_t``.
        reward_attr: the old name of a metric to be maximised.

    Raises:
        ValueError: the levels make no sense, or both names of the metric are given.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        time_attr: str = "training_iteration",
        metric: str | None = None,
        mode: str | None = None,
        max_t: float = 100,
        grace_period: float = 1,
        reduction_factor: float = 4,
        brackets: int = 1,
        stop_last_trials: bool = True,  # noqa: FBT002 - Ray Tune's order
        *,
        reward_attr: str | None = None,
    ) -> None:
        self._metric, self._mode = metric_and_mode(metric, mode, reward_attr)
        self._asha = ASHA(
            max_t=max_t,
            grace_period=grace_period,
            reduction_factor=reduction_factor,
            brackets=brackets,
            time_attr=names.to_engine(time_attr),
            stop_last_trials=stop_last_trials,
        )

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler."""
        return self._asha


ASHAScheduler = AsyncHyperBandScheduler


def metric_and_mode(
    metric: str | None, mode: str | None, reward_attr: str | None = None
) -> tuple[str | None, str | None]:
    """Check the metric and mode that a scheduler was given.

    Raises:
        ValueError: a mode that is none, or two metrics.
    """
    if reward_attr is not None and (metric is not None or mode is not None):
        raise ValueError(
            f"reward_attr={reward_attr!r} is the old name of metric={reward_attr!r}, mode='max': give these instead"
        )
    if mode not in (None, "min", "max"):
        raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
    return (metric, mode) if reward_attr is None else (reward_attr, "max")
