"""Gaussian processes of the package bayesian-optimization. They know no branches."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from trialwright.history import Values
from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.forms import Assignment, Axis, Form, SpaceForm, refuse_branches
from trialwright.messages import Plain
from trialwright.nested import flatten, unflatten
from trialwright.space import Space, uniform

TRIES = 10  # how often to ask again where the same values were tried before and patience has no end


@dataclass
class BayesOpt(Adapter):
    """Asks bayesian-optimization (``pip install bayesian-optimization``, version 2 or later).

    Each number is modelled on the unit interval of its own axis, so that a logarithmic one is logarithmic, and each
    category as one axis an option. A running trial is taken to end as the mean of the others, a
    failed one as the worst.

    Args:
        random_search_steps: how many trials are drawn at random before the model is used.
        kind: "ucb", "ei" or "poi": upper confidence bound, expected improvement, probability of improvement.
        kappa: how much "ucb" values what is uncertain.
        xi: by how much "ei" and "poi" want the best to be beaten.
        kappa_decay: what kappa is multiplied by after each trial.
        kappa_decay_delay: after how many trials that begins.
        skip_duplicate: ask again where the same values were tried before.
        patience: end the search where the same values are proposed more often than this; None never does.
        precision: so many decimals of a number must agree for values to be the same.
        space: bounds in the package's own form, ``{"x": (0, 20)}``, instead of the engine's space.
    """

    random_search_steps: int = 10
    kind: str = "ucb"
    kappa: float = 2.576
    xi: float = 0.0
    kappa_decay: float = 1.0
    kappa_decay_delay: int = 0
    skip_duplicate: bool = False
    patience: int | None = None
    precision: int = 5

    process_from: ClassVar[int | None] = 100

    def own_form(self, space: object) -> Form:
        """Read a dict of bounds."""
        if not isinstance(space, Mapping):
            raise TypeError(f"BayesOpt's space must be a dict of bounds, not {space!r}")
        return SpaceForm(Space(unflatten({name: _range(name, bounds) for name, bounds in flatten(space).items()})))

    def open(self, form: Form) -> Library:
        """Open the model.

        Raises:
            ValueError: a parameter depends on another.
        """
        package = library("bayes_opt", "bayesian-optimization")
        if self.kind not in ("ucb", "ei", "poi"):
            raise ValueError(f"BayesOpt: kind must be 'ucb', 'ei' or 'poi', not {self.kind!r}")
        axes = cast(SpaceForm, form).axes
        refuse_branches("BayesOpt", axes)
        return _Process(package, self, axes)


def _range(name: str, bounds: object) -> object:
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        raise ValueError(f"BayesOpt's space: {name!r} must be a pair of bounds, not {bounds!r}")
    return uniform(*bounds)


class _Process:
    """The observations; the model is made anew for every question, so it depends on nothing else."""

    def __init__(self, package: Any, options: BayesOpt, axes: list[Axis]) -> None:  # noqa: ANN401 - no types
        self._package, self._options, self._axes = package, options, axes
        self._seen: dict[int, Assignment] = {}
        self._costs: dict[int, float | None] = {}  # of what has ended; None where it failed

    def add(self, trial: int, assignment: Assignment) -> None:
        self._seen[trial] = assignment

    def tell(self, trial: int, values: Values | None) -> None:
        self._costs[trial] = None if values is None else values[0]

    def ask(self, seed: int, given: Assignment) -> Assignment | None:
        options = self._options
        before = [self._key(assignment) for assignment in self._seen.values()]
        for attempt in range(options.patience or TRIES):
            proposal = self._propose(seed + attempt) | given
            times = before.count(self._key(proposal))
            if times == 0 or (not options.skip_duplicate and times < (options.patience or math.inf)):
                return proposal
        return proposal if options.patience is None else None

    def _propose(self, seed: int) -> Assignment:
        ended_well = any(cost is not None for cost in self._costs.values())
        if len(self._seen) < self._options.random_search_steps or not ended_well:
            generator = np.random.default_rng(seed)
            return {axis.name: axis.value(generator.random()) for axis in self._axes}
        from threadpoolctl import threadpool_limits  # here: InEnvironment's interpreter may not have it

        with threadpool_limits(1):  # the threads of a small fit only get into other trials' way
            point = self._model(seed).suggest()
        return {axis.name: _read(axis, point) for axis in self._axes}

    def _model(self, seed: int) -> Any:  # noqa: ANN401 - no types
        model = self._package.BayesianOptimization(
            f=None,
            pbounds={key: (0.0, 1.0) for axis in self._axes for key in _keys(axis)},
            acquisition_function=self._acquisition(),
            random_state=seed % 2**32,
            verbose=0,
        )
        for place, costs in self._observed().items():
            model.register(np.array(place), -float(np.mean(costs)))
        return model

    def _acquisition(self) -> Any:  # noqa: ANN401 - as above
        options, functions = self._options, self._package.acquisition
        decays = max(len(self._seen) - options.random_search_steps - options.kappa_decay_delay, 0)
        if options.kind == "ucb":
            return functions.UpperConfidenceBound(kappa=options.kappa * options.kappa_decay**decays)
        kind = functions.ExpectedImprovement if options.kind == "ei" else functions.ProbabilityOfImprovement
        return kind(xi=options.xi)

    def _observed(self) -> dict[tuple[float, ...], list[float]]:
        """Return the costs at each place: the model takes a place once."""
        known = [cost for cost in self._costs.values() if cost is not None]
        mean, worst = float(np.mean(known)), max(known)
        places: defaultdict[tuple[float, ...], list[float]] = defaultdict(list)
        for trial, assignment in sorted(self._seen.items()):
            cost = self._costs.get(trial, mean)
            place = tuple(unit for axis in self._axes for unit in _units(axis, assignment))
            places[place].append(worst if cost is None else cost)
        return places

    def _key(self, assignment: Assignment) -> tuple[Plain, ...]:
        return tuple(
            round(value, self._options.precision) if isinstance(value, float) else value
            for value in assignment.values()
        )


# One axis a number, one axis an option -------------------------------------------------------------------------------


def _keys(axis: Axis) -> list[str]:
    """Name an axis's coordinates in the model."""
    return [axis.name] if axis.kind != "category" else [f"{axis.name}[{index}]" for index in range(int(axis.high) + 1)]


def _units(axis: Axis, assignment: Assignment) -> list[float]:
    if axis.kind != "category":
        return [axis.unit_of(assignment)]
    return [float(index == assignment[axis.name]) for index in range(int(axis.high) + 1)]


def _read(axis: Axis, point: Mapping[str, float]) -> float:
    coordinates = [float(point[key]) for key in _keys(axis)]
    return axis.value(coordinates[0]) if axis.kind != "category" else int(np.argmax(coordinates))
