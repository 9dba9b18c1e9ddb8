"""Resource changing under Ray Tune's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trialwright.messages import Continue, Node, Resize, Verdict
from trialwright.schedulers import EvenShare, ResourceChanging, Scheduler, TopJob
from trialwright.tune import resources
from trialwright.tune.resources import PlacementGroupFactory
from trialwright.tune.schedulers.adapter import to_engine
from trialwright.tune.schedulers.trial_scheduler import BuiltInScheduler, Controller, FIFOScheduler, TrialScheduler
from trialwright.tune.trial import RunFacts, Trial


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

    A function is asked at every result of a trial that goes on: ``function(controller, trial, result, scheduler)``
    returns a ``PlacementGroupFactory``, or a dict, of what the trial is to have, or None for no change. The controller
    has ``get_live_trials()`` and ``_resource_updater``, whose ``get_num_cpus()`` and ``get_num_gpus()`` say how many
    there are on all machines.

    Args:
        base_scheduler: how far trials may go; FIFO if it is not given.
        resources_allocation_function: a ``DistributeResources``, a ``DistributeResourcesToTopJob``, or such a function;
            None: no resources are changed.

    Raises:
        TypeError: it is none of these.
    """

    def __init__(
        self,
        base_scheduler: TrialScheduler | None = None,
        resources_allocation_function: DistributeResources | Allocation | None = DistributeResources(),  # noqa: B008 - a value
    ) -> None:
        given = resources_allocation_function
        if not (given is None or callable(given) or isinstance(given, DistributeResources)):
            raise TypeError(
                f"resources_allocation_function={given!r} is none of DistributeResources, DistributeResourcesToTopJob, "
                "and a function of the controller, the trial, its result, and the scheduler"
            )
        self._base = base_scheduler or FIFOScheduler()
        self._allocate = given if callable(given) else None  # a subclass may have a rule of its own
        self._policy = given.to_engine() if isinstance(given, DistributeResources) and not callable(given) else None
        self._nodes: tuple[Node, ...] = ()
        self._first: PlacementGroupFactory | None = None

    @property
    def metric(self) -> str | None:
        """That of the base scheduler."""
        return self._base.metric

    @property
    def mode(self) -> str | None:
        """That of the base scheduler."""
        return self._base.mode

    @property
    def base_trial_resources(self) -> PlacementGroupFactory | None:
        """What the first trial asked for; None before its first result."""
        return self._first

    @property
    def _base_trial_resources(self) -> PlacementGroupFactory | None:
        """The same: Ray's own example reads this name."""
        return self._first

    @property
    def searcher(self) -> Any:  # noqa: ANN401 - of the base, if it has one
        """What makes the variations that the base asks for."""
        return getattr(self._base, "searcher", None)

    @property
    def complete(self) -> Any:  # noqa: ANN401 - of the base, if it has one
        """What completes the space by what the base varies."""
        return getattr(self._base, "complete", None)

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler. A function is not among its policies: it sees what users see."""
        base = to_engine(self._base, facts)
        return base if self._policy is None else ResourceChanging(base, self._policy)

    def engine_scheduler(self, facts: RunFacts) -> Scheduler | None:
        """Return what ``make`` makes, unless a function or the hooks of a subclass are to be called."""
        return None if self._allocate is not None else super().engine_scheduler(facts)

    def on_capacity(self, nodes: tuple[Node, ...]) -> None:
        """Hear which machines there are."""
        self._nodes = nodes
        super().on_capacity(nodes)

    def revised(self, tune_controller: Controller, trial: Trial, result: dict[str, Any], verdict: Verdict) -> Verdict:
        """Ask the function what a trial is to have that goes on."""
        self._first = self._first or trial.placement_group_factory
        if self._allocate is None or not isinstance(verdict, Continue) or trial.view is None:
            return verdict
        wanted = self._allocate(Machines(tune_controller, self._nodes), trial, result, self)
        if wanted is None or (amounts := resources.to_engine(wanted)) == trial.view.resources:
            return verdict
        trial.resized = wanted if isinstance(wanted, PlacementGroupFactory) else resources.from_engine(amounts)
        return Resize(amounts, verdict.until)


class Machines:
    """The controller, as functions that allocate resources ask it.

    Args:
        controller: of the run.
        nodes: the machines.
    """

    def __init__(self, controller: Controller, nodes: tuple[Node, ...]) -> None:
        self._controller, self._nodes = controller, nodes

    @property
    def _resource_updater(self) -> Machines:
        """Ray Tune's name of what knows the machines, which the functions of its examples read."""
        return self

    def get_num_cpus(self) -> int:
        """How many CPUs there are."""
        return int(self._total("cpu"))

    def get_num_gpus(self) -> int:
        """How many GPUs there are."""
        return int(self._total("gpu"))

    def get_trials(self) -> list[Trial]:
        """Return the trials that live."""
        return [trial for trial in self._controller.get_trials() if trial.number >= 0]  # not one that could be had

    get_live_trials = get_trials

    def _total(self, name: str) -> float:
        return sum(node.resources.get(name, 0.0) for node in self._nodes)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what the controller has
        return getattr(self._controller, name)


Allocation = Callable[[Machines, Trial, dict[str, Any], ResourceChangingScheduler], resources.Resources | None]
