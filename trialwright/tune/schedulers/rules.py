"""The rules that end or pause trials early, under Ray Tune's names: ASHA, HyperBand, and the median rule."""

from __future__ import annotations

from trialwright.schedulers import ASHA, HyperBand, MedianStopping
from trialwright.tune import names
from trialwright.tune.schedulers.trial_scheduler import BuiltInScheduler, metric_and_mode


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
        self._engine = ASHA(
            max_t=max_t,
            grace_period=grace_period,
            reduction_factor=reduction_factor,
            brackets=brackets,
            time_attr=names.to_engine(time_attr),
            stop_last_trials=stop_last_trials,
        )


ASHAScheduler = AsyncHyperBandScheduler


class HyperBandScheduler(BuiltInScheduler):
    """Halves brackets of trials until one of each is left. See ``trialwright.schedulers.HyperBand``.

    Args:
        time_attr: the metric that levels are measured in; it only grows.
        metric: what to compare trials by; the run's metric if it is not given.
        mode: "min" or "max"; the run's if it is not given.
        max_t: no trial goes further than this, in units of ``time_attr``.
        reduction_factor: one of so many goes on, more than 1.
        stop_last_trials: end trials at ``max_t``.

    Raises:
        ValueError: the levels make no sense.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        time_attr: str = "training_iteration",
        metric: str | None = None,
        mode: str | None = None,
        max_t: float = 81,
        reduction_factor: float = 3,
        stop_last_trials: bool = True,  # noqa: FBT002 - Ray Tune's order
    ) -> None:
        self._metric, self._mode = metric_and_mode(metric, mode)
        self._engine = HyperBand(
            max_t=max_t,
            reduction_factor=reduction_factor,
            time_attr=names.to_engine(time_attr),
            stop_last_trials=stop_last_trials,
        )


class HyperBandForBOHB(HyperBandScheduler):
    """The same: its first bracket is the largest, and trials pause before theirs is full, as BOHB wants it. With
    ``TuneBOHB``, or any other searcher."""


class MedianStoppingRule(BuiltInScheduler):
    """Ends trials that are worse than the median of the others. See ``trialwright.schedulers.MedianStopping``.

    Trials are compared at every iteration; by any other time, at every multiple of the grace period.

    Args:
        time_attr: what the grace period is measured in; it only grows.
        metric: what to compare trials by; the run's metric if it is not given.
        mode: "min" or "max"; the run's if it is not given.
        grace_period: no trial is stopped earlier.
        min_samples_required: no trial is stopped before so many others have come as far.
        min_time_slice: has no effect: no trial is paused for lack of others to compare with.
        hard_stop: False pauses in place of stopping: who was paused goes on when nothing else is left to do.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        time_attr: str = "time_total_s",
        metric: str | None = None,
        mode: str | None = None,
        grace_period: float = 60.0,
        min_samples_required: int = 3,
        min_time_slice: int = 0,
        hard_stop: bool = True,  # noqa: FBT002 - Ray Tune's order
    ) -> None:
        self._metric, self._mode = metric_and_mode(metric, mode)
        self._engine = MedianStopping(
            grace_period=grace_period,
            min_samples_required=min_samples_required,
            interval=1 if time_attr == "training_iteration" else grace_period or 1,
            time_attr=names.to_engine(time_attr),
            pause=not hard_stop,
        )
