"""The median rule under Ray Tune's names."""

from __future__ import annotations

from trialwright.schedulers import MedianStopping, Scheduler
from trialwright.tune import names
from trialwright.tune.schedulers.async_hyperband import metric_and_mode
from trialwright.tune.schedulers.built_in import BuiltInScheduler
from trialwright.tune.trial import RunFacts


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
        self._rule = MedianStopping(
            grace_period=grace_period,
            min_samples_required=min_samples_required,
            interval=1 if time_attr == "training_iteration" else grace_period or 1,
            time_attr=names.to_engine(time_attr),
            pause=not hard_stop,
        )

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler."""
        return self._rule
