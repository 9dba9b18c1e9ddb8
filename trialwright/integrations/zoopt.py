"""ZOOpt's SRacos, which learns where good configurations lie as a classifier does. It knows no branches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from trialwright.history import Values
from trialwright.integrations.adapter import NOT_NOW, Adapter, Answer, Idle, Library, library
from trialwright.integrations.forms import Assignment, Axis, Form, SpaceForm, refuse_branches

BUDGET = 100  # where a run is unlimited
PRECISION = 1e-12
UNLIMITED = 10**9


@dataclass
class ZOOpt(Adapter):
    """Asks ZOOpt (``pip install zoopt``) for its sequential RACOS. It takes one objective.

    A failed trial counts as worse than all others. After its first trials, of which the budget says how many, ZOOpt
    waits until they have ended. It draws from NumPy's global generator, which is as before after each question; where
    objectives in threads draw from it too, ``InEnvironment`` keeps the two apart.

    Args:
        budget: how many trials ZOOpt plans with: the run's ``num_samples`` by default, or 100 if that is unlimited.
    """

    budget: int | None = None

    single: ClassVar[bool] = True

    @property
    def replays(self) -> bool:
        """True: every question changes the optimizer."""
        return True

    def open(self, form: Form) -> Library:
        """Make the optimizer.

        Raises:
            ValueError: a parameter depends on another.
        """
        zoopt = library("zoopt", "zoopt")
        axes = cast(SpaceForm, form).axes
        refuse_branches("ZOOpt", axes)
        varied = [axis for axis in axes if axis.high > axis.low]
        budget = self.budget or self.plan.num_samples or BUDGET
        return (
            _SRacos(zoopt, varied, budget, {a.name: int(a.low) for a in axes if a.low == a.high}) if varied else Idle()
        )


class _SRacos:
    """The optimizer, and its solutions for our trials. Each is a list: an integer or an option is a number of its own;
    any other parameter, and a logarithmic integer, is its place in the unit interval."""

    def __init__(self, zoopt: Any, axes: list[Axis], budget: int, constants: Assignment) -> None:  # noqa: ANN401
        self._zoopt, self._axes, self._constants = zoopt, axes, constants
        tune = library("zoopt.algos.opt_algorithms.racos.sracos", "zoopt")
        dimension = zoopt.Dimension2([self._entry(axis) for axis in axes])
        self._globals = library("zoopt.utils.zoo_global", "zoopt").gl
        self._precisions = list(self._globals.float_precisions)
        parameter = zoopt.Parameter(budget=max(budget, 3))
        self._first = parameter.get_train_size()
        # The run says how many trials there are side by side; a paused one, which ZOOpt would count, is none of them.
        self._optimizer = tune.SRacosTune(dimension=dimension, parameter=parameter, parallel_num=UNLIMITED)
        self._asked: Any = None
        self._solutions: dict[int, Any] = {}
        self._own: set[int] = set()  # trials that the optimizer proposed
        self._others: list[Any] = []  # results of others, until the optimizer can take them

    def _entry(self, axis: Axis) -> tuple[Any, ...]:
        kinds = self._zoopt.ValueType
        if _is_discrete(axis):
            return kinds.DISCRETE, [int(axis.low), int(axis.high)], axis.kind == "int"
        return kinds.CONTINUOUS, [0.0, 1.0], PRECISION

    def ask(self, seed: int, given: Assignment) -> Answer:
        optimizer = self._optimizer
        with self._drawing(seed):
            solution = optimizer.suggest()
            if solution is None and optimizer.complete_num >= self._first:
                # It begins to wait for its first trials here, even if they have ended, and would never stop.
                optimizer.semaphore = 1
                solution = optimizer.suggest()
        if not optimizer.semaphore:
            return NOT_NOW
        if solution is None or solution == "FINISHED":  # it found nothing that it had not tried: let all be drawn
            return dict(given)
        self._asked = solution
        return self._read(solution) | given

    def add(self, trial: int, assignment: Assignment) -> None:
        asked, self._asked = self._asked, None
        if asked is not None and self._read(asked) == assignment:
            self._own.add(trial)
            self._solutions[trial] = asked
            return
        if asked is not None:  # the constraints forbid it
            self._optimizer.complete(asked, np.inf)
        places = [assignment[a.name] if _is_discrete(a) else a.unit_of(assignment) for a in self._axes]
        self._solutions[trial] = self._zoopt.Solution(x=places)

    def tell(self, trial: int, values: Values | None) -> None:
        solution, cost = self._solutions.pop(trial), np.inf if values is None else values[0]
        if trial in self._own:
            self._own.discard(trial)
            self._optimizer.complete(solution, cost)
        else:
            solution.set_value(cost)
            self._others.append(solution)
        if self._optimizer.complete_num >= self._first:
            for other in self._others:
                self._optimizer.update_classifier(other)
            self._others = []

    def _read(self, solution: Any) -> Assignment:  # noqa: ANN401 - as above
        pairs = zip(self._axes, solution.get_x(), strict=True)
        return self._constants | {a.name: int(x) if _is_discrete(a) else a.value(float(x)) for a, x in pairs}

    @contextmanager
    def _drawing(self, seed: int) -> Iterator[None]:
        """Lend ZOOpt what it keeps in globals: the generator, and the precision of each parameter."""
        before = np.random.get_state()  # noqa: NPY002 - the one that it draws from
        np.random.seed(seed)  # noqa: NPY002 - as above
        self._globals.float_precisions = list(self._precisions)
        try:
            yield
        finally:
            np.random.set_state(before)  # noqa: NPY002 - as above


def _is_discrete(axis: Axis) -> bool:
    return axis.kind != "float" and not axis.log
