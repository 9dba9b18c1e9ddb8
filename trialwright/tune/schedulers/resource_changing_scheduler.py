"""Resource changing under Ray Tune's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trialwright.schedulers import EvenShare, ResourceChanging, Scheduler, TopJob
from trialwright.tune import resources
from trialwright.tune.schedulers.adapter import to_engine
from trialwright.tune.schedulers.built_in import BuiltInScheduler
from trialwright.tune.schedulers.trial_scheduler import FIFOScheduler, TrialScheduler
from trialwright.tune.trial import RunFacts


class DistributeResources:
    """Every running trial gets the same. See ``trialwright.schedulers.EvenShare``.

    Args:
        add_bundles: means nothing: what a trial has is booked as one sum.
        increase_by: how much more a trial gets at a time; by default as much again as it asked for at first.
        increase_by_times: how many times at most; less than 1 for no limit.
        reserve_resources: what is left to others.
    """

    _policy: type[EvenShare | TopJob] = EvenShare

    def __init__(
        self,
        add_bundles: bool = False,  # noqa: FBT002 - Ray Tune's order
        increase_by: Mapping[str, float] | None = None,
        increase_by_times: int = -1,
        reserve_resources: Mapping[str, float] | None = None,
    ) -> None:
        self._step = resources.to_engine(increase_by) if increase_by else None
        self._times = increase_by_times if increase_by_times >= 1 else None
        self._reserve = resources.to_engine(reserve_resources or {})

    def to_engine(self) -> EvenShare | TopJob:
        """Return the engine's policy."""
        return self._policy(self._step, self._times, self._reserve)


class DistributeResourcesToTopJob(DistributeResources):
    """The best running trial gets all that is free. See ``trialwright.schedulers.TopJob``.

    Args:
        add_bundles: means nothing: what a trial has is booked as one sum.
        increase_by: how much more a trial gets at a time; by default as much again as it asked for at first.
        increase_by_times: how many times at most; less than 1 for no limit.
        reserve_resources: what is left to others.
        metric: refused: the run's metric says which trial is best.
        mode: refused, for the same reason.

    Raises:
        ValueError: metric or mode is given.
    """

    _policy = TopJob

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        add_bundles: bool = False,  # noqa: FBT002 - Ray Tune's order
        increase_by: Mapping[str, float] | None = None,
        increase_by_times: int = -1,
        reserve_resources: Mapping[str, float] | None = None,
        metric: str | None = None,
        mode: str | None = None,
    ) -> None:
        for name, value in (("metric", metric), ("mode", mode)):
            if value is not None:
                raise ValueError(
                    f"{name}={value!r}: the best trial is the best by the run's metric; do not give this {name}"
                )
        super().__init__(add_bundles, increase_by, increase_by_times, reserve_resources)


class ResourceChangingScheduler(BuiltInScheduler):
    """Resizes the trials that another scheduler lets go on. See ``trialwright.schedulers.ResourceChanging``.

    Args:
        base_scheduler: how far trials may go; FIFO if it is not given.
        resources_allocation_function: a ``DistributeResources`` or ``DistributeResourcesToTopJob``; functions are
            refused, because they would ask Ray Tune's controller.

    Raises:
        ValueError: a function.
    """

    def __init__(
        self,
        base_scheduler: TrialScheduler | None = None,
        resources_allocation_function: DistributeResources | Callable[..., object] = DistributeResources(),  # noqa: B008 - a value
    ) -> None:
        given = resources_allocation_function
        if not isinstance(given, DistributeResources) or callable(given):  # a subclass may have a rule of its own
            raise ValueError(  # noqa: TRY004 - it is refused, as other values are that cannot be honoured
                f"resources_allocation_function={given!r} is none of DistributeResources and "
                "DistributeResourcesToTopJob: a policy of your own goes into trialwright.ResourceChanging"
            )
        self._base = base_scheduler or FIFOScheduler()
        self._policy = given.to_engine()

    @property
    def metric(self) -> str | None:
        """That of the base scheduler."""
        return self._base.metric

    @property
    def mode(self) -> str | None:
        """That of the base scheduler."""
        return self._base.mode

    @property
    def searcher(self) -> Any:  # noqa: ANN401 - of the base, if it has one
        """What makes the variations that the base asks for."""
        return getattr(self._base, "searcher", None)

    @property
    def complete(self) -> Any:  # noqa: ANN401 - of the base, if it has one
        """What completes the space by what the base varies."""
        return getattr(self._base, "complete", None)

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler."""
        return ResourceChanging(to_engine(self._base, facts), self._policy)
