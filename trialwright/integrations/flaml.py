"""FLAML's searches that begin where trials are cheap: BlendSearch and CFO (Wang et al. 2021; Wu et al. 2021)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, ClassVar, cast

import numpy as np

from trialwright.history import Values
from trialwright.integrations.adapter import NOT_NOW, Adapter, Answer, Library, library
from trialwright.integrations.anew import flat_axes
from trialwright.integrations.forms import Assignment, Axis, Form, SpaceForm
from trialwright.messages import Plain
from trialwright.nested import flatten

INSTALL = "flaml optuna  (where Optuna is newer than 3.6: pip install --no-deps flaml)"
TRIES = 100  # how often it is asked again where it proposes nothing, as FLAML's own loop does


@dataclass
class CFO(Adapter):
    """Asks FLAML's CFO (``pip install flaml``): one local search, begun again where it has converged.

    A run with many trials in parallel may have to wait for it. A failed trial is taken back. Points and other trials
    that it did not propose may become the start of a local search.

    Args:
        low_cost_partial_config: the values of some parameters at which trials are cheap; the search begins there.
        cat_hp_cost: of some categories, the relative cost of each option, ``{"booster": [1, 1, 2]}``.
        options: other options of ``flaml.CFO``.
    """

    low_cost_partial_config: Mapping[str, object] = field(default_factory=dict)
    cat_hp_cost: Mapping[str, Sequence[float]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    single: ClassVar[bool] = True

    @property
    def replays(self) -> bool:
        """True: where its local searches are depends on all that they have proposed."""
        return True

    def open(self, form: Form) -> Library:
        """Open the search.

        Raises:
            ValueError: a parameter depends on another, or an argument names one that there is not.
        """
        _package()  # so that what is missing is said now
        axes = flat_axes(form, type(self).__name__)
        low = self._low_cost(cast(SpaceForm, form), axes)
        return _Search(self, axes, low, self._costs(axes))

    def _low_cost(self, form: SpaceForm, axes: list[Axis]) -> Assignment:
        given = dict(self.low_cost_partial_config)
        try:
            form.check(given)
        except (ValueError, KeyError) as error:
            raise ValueError(f"low_cost_partial_config: {error}") from error
        named = flatten(given).keys() & {axis.name for axis in axes}
        whole = form.assignment(form.space.complete(given, np.random.default_rng(0)))
        return {name: whole[name] for name in named}

    def _costs(self, axes: list[Axis]) -> dict[str, list[float]]:
        options = {axis.name: int(axis.high) + 1 for axis in axes if axis.kind == "category"}
        for name, costs in self.cat_hp_cost.items():
            if len(costs) != options.get(name):
                raise ValueError(f"cat_hp_cost: {name!r} has {options.get(name, 'no')} options, not {len(costs)}")
        return {name: list(costs) for name, costs in self.cat_hp_cost.items()}


@dataclass
class BlendSearch(CFO):
    """Asks FLAML's BlendSearch (``pip install flaml optuna``): local searches, and Optuna's for where to begin them.

    Arguments as in ``CFO``; ``options`` are those of ``flaml.BlendSearch``.
    """


class _Search:
    """FLAML's search. It is made when the first question brings its seed; what is told before that is kept."""

    def __init__(self, options: CFO, axes: list[Axis], low: Assignment, costs: dict[str, list[float]]) -> None:
        self._options, self._low, self._costs = options, low, costs
        # By names of our own: FLAML splits those with a slash in them. It cannot search where there is one value.
        self._axes = {f"p{axis.column}": axis for axis in axes if axis.low < axis.high}
        self._fixed: Assignment = {axis.name: axis.low for axis in axes if axis.low == axis.high}
        self._made: Any = None
        self._asked = 0
        self._proposed: Assignment | None = None  # and not yet a trial
        self._ids: dict[int, str] = {}  # FLAML's, of the trials that it proposed
        self._tried: dict[int, Assignment] = {}
        self._early: list[tuple[Assignment, float]] = []

    def ask(self, seed: int, given: Assignment) -> Answer:
        if not self._axes:
            return self._fixed | given
        if self._made is None:
            self._begin(seed % 2**31)
        self._take_back()
        for _ in range(TRIES):
            self._asked += 1
            config = self._made.suggest(str(self._asked))
            if config is not None:
                found = {axis.name: _number(axis, config[key]) for key, axis in self._axes.items()}
                self._proposed = self._fixed | found
                return self._proposed | given
        return NOT_NOW

    def add(self, trial: int, assignment: Assignment) -> None:
        self._tried[trial] = assignment
        if self._proposed == assignment:
            self._ids[trial], self._proposed = str(self._asked), None
        else:
            self._take_back()

    def tell(self, trial: int, values: Values | None) -> None:
        assignment, identifier = self._tried.pop(trial), self._ids.pop(trial, None)
        if values is None:
            if identifier is not None:
                self._made.on_trial_complete(identifier, None, error=True)
        elif self._made is None:  # also where there is nothing to search
            self._early.append((assignment, values[0]))
        else:
            self._learn(identifier or f"other {trial}", assignment, values[0])

    def _begin(self, seed: int) -> None:
        searches, domains = _package()
        make = getattr(searches, type(self._options).__name__)
        with _quiet_optuna(isinstance(self._options, BlendSearch)):
            self._made = self._make(make, domains, seed)
        for number, (assignment, cost) in enumerate(self._early):
            self._learn(f"early {number}", assignment, cost)

    def _make(self, make: Any, domains: Any, seed: int) -> Any:  # noqa: ANN401 - no types
        first = sorted(self._early, key=itemgetter(1))[:1]  # where results are known, it begins at the best
        return make(
            metric="cost",
            mode="min",
            space={key: _domain(domains, axis) for key, axis in self._axes.items()},
            low_cost_partial_config=self._config(self._low),
            cat_hp_cost={key: self._costs[axis.name] for key, axis in self._axes.items() if axis.name in self._costs},
            seed=seed,
            points_to_evaluate=[self._config(assignment) for assignment, _ in first],
            evaluated_rewards=[cost for _, cost in first],
            **self._options.options,
        )

    def _learn(self, identifier: str, assignment: Assignment, cost: float) -> None:
        """Tell a result. A good one that FLAML did not propose may become the start of a local search."""
        self._made.on_trial_complete(identifier, {"cost": cost, "config": self._config(assignment)})

    def _config(self, assignment: Assignment) -> dict[str, object]:
        return {key: _value(axis, assignment) for key, axis in self._axes.items() if axis.name in assignment}

    def _take_back(self) -> None:
        if self._proposed is not None:
            self._made.on_trial_complete(str(self._asked), None, error=True)
            self._proposed = None


def _package() -> tuple[Any, Any]:
    with warnings.catch_warnings():  # it warns of its other parts, whose packages are not installed
        warnings.simplefilter("ignore")
        return library("flaml.tune.searcher.blendsearch", INSTALL), library("flaml.tune", INSTALL)


@contextmanager
def _quiet_optuna(used: bool) -> Iterator[None]:
    """Keep Optuna from announcing the study."""
    if not used:
        yield
        return
    optuna = library("optuna", "optuna")
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def _domain(domains: Any, axis: Axis) -> object:  # noqa: ANN401 - no types
    if axis.kind == "category":  # strings, as FLAML takes numbers to be in an order
        return domains.choice([str(index) for index in range(int(axis.high) + 1)])
    if axis.kind == "float":
        return (domains.loguniform if axis.log else domains.uniform)(axis.low, axis.high)
    return (domains.lograndint if axis.log else domains.randint)(int(axis.low), int(axis.high) + 1)


def _value(axis: Axis, assignment: Assignment) -> object:
    value = cast(float, assignment[axis.name])
    return str(int(value)) if axis.kind == "category" else value


def _number(axis: Axis, value: object) -> Plain:
    number = float(cast(float, value)) if axis.kind == "float" else int(cast(int, value))
    return min(max(number, axis.low), axis.high)
