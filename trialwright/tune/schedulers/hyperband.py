"""HyperBand under Ray Tune's names."""

from __future__ import annotations

from trialwright.schedulers import HyperBand, Scheduler
from trialwright.tune import names
from trialwright.tune.schedulers.async_hyperband import metric_and_mode
from trialwright.tune.schedulers.built_in import BuiltInScheduler
from trialwright.tune.trial import RunFacts


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
        self._hyperband = HyperBand(
            max_t=max_t,
            reduction_factor=reduction_factor,
            time_attr=names.to_engine(time_attr),
            stop_last_trials=stop_last_trials,
        )

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler."""
        return self._hyperband


class HyperBandForBOHB(HyperBandScheduler):
    """The same: its first bracket is the largest, and trials pause before theirs is full, as BOHB wants it. With
    ``TuneBOHB``, or any other searcher."""
