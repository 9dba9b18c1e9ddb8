"""Scikit-optimize's models: Gaussian processes, forests, or boosted trees. They know no branches."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, ClassVar, cast

from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.anew import Known, check_options, flat_axes
from trialwright.integrations.forms import Assignment, Axis, Form, SpaceForm
from trialwright.messages import Plain
from trialwright.nested import flatten, unflatten
from trialwright.space import Domain, Space, choice, lograndint, loguniform, randint, uniform
from trialwright.space.values import python_value

REFUSED = {  # options of ``skopt.Optimizer``
    "dimensions": "the space is the run's, or the argument space",
    "random_state": "give seed",
    "n_random_starts": "give n_initial_points",
    "n_initial_points": "give it as an argument of its own",
    "initial_point_generator": "the first points are drawn at random; Engine(searcher='sobol') has others",
    "model_queue_size": "the model is made anew for every question, so there is no queue of models",
    "space_constraint": "give the engine's space constraints",
}
HEDGE = "gp_hedge"
LIES: dict[str, Callable[[list[float]], float]] = {"cl_min": min, "cl_mean": fmean, "cl_max": max}


@dataclass
class SkOpt(Adapter):
    """Asks scikit-optimize (``pip install scikit-optimize``).

    The model is made anew for every question. "gp_hedge", the library's own choice, also counts what each of its three
    acquisitions gained at earlier questions; so a resumed run asks those again. A failed trial counts as the worst of
    the others.

    Args:
        n_initial_points: how many trials are drawn at random before the model is used.
        lie: what a running trial is taken to end as: "cl_min", "cl_mean", or "cl_max" of the known costs (the constant
            liar of Ginsbourger et al. 2010).
        options: other options of ``skopt.Optimizer``, such as ``base_estimator`` and ``acq_func``.
        space: dimensions of the library's own, ``{"x": (0.0, 20.0), "kind": ["a", "b"]}``, instead of the engine's
            space.
    """

    n_initial_points: int = 10
    lie: str = "cl_min"
    options: Mapping[str, Any] = field(default_factory=dict)

    single: ClassVar[bool] = True
    process_from: ClassVar[int | None] = 100

    @property
    def replays(self) -> bool:
        """True for "gp_hedge": its gains come from all questions so far."""
        return bool(self.options.get("acq_func", HEDGE) == HEDGE)

    def own_form(self, space: object) -> Form:
        """Read a dict of dimensions."""
        if not isinstance(space, Mapping):
            raise TypeError(f"SkOpt's space must be a dict of dimensions, not {space!r}")
        return SpaceForm(Space(unflatten({name: _domain(name, each) for name, each in _dimensions(space).items()})))

    def open(self, form: Form) -> Library:
        """Open the optimizer.

        Raises:
            ValueError: a parameter depends on another, or an option cannot be honoured.
        """
        skopt = library("skopt", "scikit-optimize")
        if self.lie not in LIES:
            raise ValueError(f"SkOpt: lie must be one of {', '.join(map(repr, LIES))}, not {self.lie!r}")
        check_options("SkOpt", self.options, REFUSED, list(inspect.signature(skopt.Optimizer).parameters))
        if str(self.options.get("acq_func", "")).endswith("ps"):
            raise ValueError(f"SkOpt: acq_func={self.options['acq_func']!r} needs times, which are not known here")
        return _Optimizer(skopt, self, flat_axes(form, "SkOpt"))


class _Optimizer(Known):
    def __init__(self, skopt: Any, options: SkOpt, axes: list[Axis]) -> None:  # noqa: ANN401 - no types
        super().__init__()
        self._skopt, self._options = skopt, options
        self._axes = [axis for axis in axes if axis.low < axis.high]  # the library refuses those with one value
        self._fixed: Assignment = {axis.name: axis.low for axis in axes if axis.low == axis.high}
        self._hedge: dict[str, Any] = {}  # attributes of the last optimizer: gains, and what each acquisition proposed

    def ask(self, seed: int, given: Assignment) -> Assignment:
        if not self._axes:
            return self._fixed | given
        from threadpoolctl import threadpool_limits  # here: InEnvironment's interpreter may not have it

        # Its warning that a point was tried before says what we want: it then takes a random one instead.
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer = self._optimizer(seed % 2**32)
            point = optimizer.ask()
        self._keep_hedge(optimizer)
        proposed = {axis.name: _within(axis, value) for axis, value in zip(self._axes, point, strict=True)}
        return self._fixed | proposed | given

    def _optimizer(self, seed: int) -> Any:  # noqa: ANN401 - as above
        optimizer = self._skopt.Optimizer(
            [self._dimension(axis) for axis in self._axes],
            n_initial_points=self._options.n_initial_points,
            random_state=seed,
            **self._options.options,
        )
        if self.finite:
            vars(optimizer).update(self._hedge)
            observed = self.ended() + [(each, self._lie()) for each in self.pending]
            points = [[each[axis.name] for axis in self._axes] for each, _ in observed]
            optimizer.tell(points, [cost for _, cost in observed])
        return optimizer

    def _keep_hedge(self, optimizer: Any) -> None:  # noqa: ANN401 - as above
        """Without it the next optimizer would choose among its acquisitions with equal chances."""
        if self._options.replays and hasattr(optimizer, "next_xs_"):
            self._hedge = {"gains_": optimizer.gains_, "next_xs_": optimizer.next_xs_}

    def _lie(self) -> float:
        return LIES[self._options.lie](self.finite)

    def _dimension(self, axis: Axis) -> Any:  # noqa: ANN401 - as above
        kinds = self._skopt.space
        if axis.kind == "category":
            return kinds.Categorical(range(int(axis.high) + 1))
        kind = kinds.Integer if axis.kind == "int" else kinds.Real
        return kind(axis.low, axis.high, prior="log-uniform" if axis.log else "uniform")


def _within(axis: Axis, value: object) -> Plain:
    """Return a value as Python's own; of a logarithmic axis it may be off by a rounding error."""
    number = cast(float, python_value(value))
    return min(max(number, axis.low), axis.high)


# A space of the library's ------------------------------------------------------------------------------------------


def _dimensions(space: Mapping[str, object]) -> dict[str, Any]:
    check = library("skopt.space", "scikit-optimize").check_dimension
    found = {}
    for name, given in flatten(space).items():
        try:
            found[name] = check(given)
        except ValueError as error:
            raise ValueError(f"SkOpt's space: {name!r}: {error}") from error
    return found


def _domain(name: str, dimension: Any) -> Domain:  # noqa: ANN401 - no types
    kind, prior = type(dimension).__name__, dimension.prior
    if kind == "Categorical":
        if prior is not None:
            raise ValueError(f"SkOpt's space: {name!r}: a prior of a category is not supported")
        return choice(list(dimension.categories))
    low, high, log = dimension.low, dimension.high, prior == "log-uniform"
    if kind == "Integer":
        return (lograndint if log else randint)(int(low), int(high) + 1)
    return (loguniform if log else uniform)(float(low), float(high))
