"""Ax: Gaussian processes of BoTorch, as Ax chooses them for the space. They know branches."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from trialwright.errors import nearest
from trialwright.history import Values
from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.anew import Known
from trialwright.integrations.forms import Assignment, Axis, Form, SpaceForm
from trialwright.messages import Plain
from trialwright.nested import unflatten
from trialwright.searchers import Problem
from trialwright.space import Space, choice, lograndint, loguniform, ordinal, randint, uniform

INSTALL = "ax-platform"
_NAME = re.compile(r"[A-Za-z_][\w./-]*")  # of a parameter, in a constraint
METHODS = ("fast", "quality")
FEWEST = 2  # results that the model needs
KEYS = {  # of a parameter in Ax's form, by its type
    "range": {"name", "type", "bounds", "value_type", "log_scale"},
    "choice": {"name", "type", "values", "value_type", "is_ordered", "sort_values"},
    "fixed": {"name", "type", "value", "value_type"},
}


@dataclass
class Ax(Adapter):
    """Asks Ax (``pip install ax-platform``).

    The first configurations are the centre of the space and a scrambled Sobol sequence, as Ax has them. Then its
    ``Client`` is made anew for every question and told all results; running trials are pending for it, and failed ones
    have no value.

    Args:
        n_initial_points: how many configurations come before the model is used. Ax's own number is five.
        method: the model: "fast" is a Gaussian process; "quality" averages over many with sparse axes (SAASBO, Eriksson
            and Jankowiak 2021), which takes minutes a question.
        parameter_constraints: linear inequalities of parameters in Ax's form, such as ``"x1 + x2 <= 2.0"``.
        space: a list of parameters in Ax's form, ``[{"name": "x", "type": "range", "bounds": [0.0, 1.0]}, ...]``,
            instead of the engine's space.
    """

    n_initial_points: int = 5
    method: str = "fast"
    parameter_constraints: tuple[str, ...] = ()

    outcomes = (1, 0)  # how many objectives and outcome constraints the run has; set before the library is opened
    process_from: ClassVar[int | None] = 1  # it seeds torch's and NumPy's global generators, which trials may use

    def setup(self, problem: Problem) -> int:
        """Begin a run over this space.

        Raises:
            ImportError: the library is not installed; the message says what to install.
            ValueError: it cannot search this space, or a point or a constraint does not fit.
        """
        problem.scored("ax")
        self.outcomes = (problem.objectives, problem.constraints)
        return super().setup(problem)

    def own_form(self, space: object) -> Form:
        """Read a list of parameters."""
        if not isinstance(space, list | tuple) or not all(isinstance(each, Mapping) for each in space):
            raise TypeError(f"Ax's space must be a list of dicts, one a parameter, not {space!r}")
        return SpaceForm(Space(unflatten({str(each.get("name")): _domain(each) for each in space})))

    def open(self, form: Form) -> Library:
        """Open the client.

        Raises:
            ValueError: there is no such method.
        """
        if self.method not in METHODS:
            raise ValueError(f"Ax has no method={self.method!r}{nearest(self.method, METHODS)}")
        with _quiet():
            client = library("ax.api.client", INSTALL).Client
        return _Clients(client, library("ax.api.configs", INSTALL), self, cast(SpaceForm, form).axes)


class _Clients(Known):
    def __init__(self, client: Any, configs: Any, options: Ax, axes: list[Axis]) -> None:  # noqa: ANN401 - no types
        super().__init__()
        self._client, self._configs, self._options = client, configs, options
        # Paths have signs that Ax reads as operators. A number that can have one value only is none of Ax's.
        wanted = [axis for axis in axes if axis.kind == "category" or axis.low < axis.high]
        self._axes = {f"p{index}": axis for index, axis in enumerate(wanted)}
        self._keys = {axis.name: key for key, axis in self._axes.items()}
        self._constraints = [_NAME.sub(self._key_of, each) for each in options.parameter_constraints]
        objectives, constraints = options.outcomes
        self._costs = [f"cost{index}" for index in range(objectives)]
        self._limited = [f"limit{index}" for index in range(constraints)]  # met where they are at most 0
        self._outcomes: dict[int, Values] = {}  # of the trials that ended well
        self._design: tuple[int, list[Assignment]] = (0, [])  # its seed, and what was made of it

    def _key_of(self, name: re.Match[str]) -> str:
        if name[0] not in self._keys:
            raise ValueError(
                f"Ax's parameter_constraints: there is no number {name[0]!r}{nearest(name[0], self._keys)}"
            )
        return self._keys[name[0]]

    def tell(self, trial: int, values: Values | None) -> None:
        super().tell(trial, values)
        if values is not None:
            self._outcomes[trial] = values

    def ask(self, seed: int, given: Assignment) -> Assignment:
        if not any(axis.low < axis.high for axis in self._axes.values()):
            return given
        from threadpoolctl import threadpool_limits  # here: InEnvironment's interpreter may not have it

        with _quiet(), threadpool_limits(1):  # the threads of a small fit only get into other trials' way
            if len(self.seen) < self._options.n_initial_points or len(self.finite) < FEWEST:
                return self._designed(len(self.seen)) | given
            fixed = {self._keys[name]: value for name, value in given.items() if name in self._keys}
            return self._proposed(seed % 2**31, fixed) | given

    def _designed(self, index: int) -> Assignment:
        seed, made = self._design
        if seed != self._options.design_seed or len(made) <= index:
            seed, count = self._options.design_seed, max(self._options.n_initial_points, 2 * index + 1)
            client = self._made(seed, initialization_budget=count + 1, initialization_random_seed=seed)
            made = [self._read(each) for _, each in sorted(client.get_next_trials(count).items())]
            self._design = seed, made
        return made[index] if index < len(made) else {}  # a small space has no more: the rest is drawn

    def _proposed(self, seed: int, fixed: Mapping[str, Plain]) -> Assignment:
        client = self._made(seed, initialization_budget=0, initialize_with_center=False)
        for trial, assignment in sorted(self.seen.items()):
            number = client.attach_trial(self._written(assignment))
            if trial in self.costs:
                self._end(client, number, self._outcomes.get(trial))
        proposals = client.get_next_trials(1, fixed_parameters=fixed or None)
        return self._read(next(iter(proposals.values()))) if proposals else {}

    def _end(self, client: Any, number: int, values: Values | None) -> None:  # noqa: ANN401 - as above
        if values is None:
            client.mark_trial_failed(number)
        else:
            client.complete_trial(number, raw_data=dict(zip([*self._costs, *self._limited], values, strict=True)))

    def _made(self, seed: int, **strategy: Any) -> Any:  # noqa: ANN401 - as above
        client = self._client(random_seed=seed)
        parameters = [self._parameter(key, axis) for key, axis in self._axes.items()]
        client.configure_experiment(parameters=parameters, parameter_constraints=self._constraints)
        client.configure_optimization(
            objective=", ".join(f"-{name}" for name in self._costs),
            outcome_constraints=[f"{name} <= 0" for name in self._limited],
        )
        client.configure_generation_strategy(method=self._options.method, **strategy)
        return client

    def _parameter(self, key: str, axis: Axis) -> Any:  # noqa: ANN401 - as above
        if axis.kind != "category":
            bounds, scaling = (axis.low, axis.high), "log" if axis.log else "linear"
            return self._configs.RangeParameterConfig(key, bounds=bounds, parameter_type=axis.kind, scaling=scaling)
        options = range(int(axis.high) + 1)
        below = {option: self._below(axis, option) for option in options}
        return self._configs.ChoiceParameterConfig(
            key,
            values=[str(option) for option in options],
            parameter_type="str",
            is_ordered=len(options) <= 2,  # Ax takes two values as ordered in any case, and warns
            dependent_parameters={str(option): keys for option, keys in below.items() if keys} or None,
        )

    def _below(self, axis: Axis, option: int) -> list[str]:
        """Return the parameters that exist where the axis has this option."""
        conditions = {key: each.condition for key, each in self._axes.items()}
        return [
            key for key, at in conditions.items() if at is not None and (at.parent, at.option) == (axis.name, option)
        ]

    def _written(self, assignment: Assignment) -> dict[str, Plain]:
        return {key: _value(axis, assignment[axis.name]) for key, axis in self._axes.items() if axis.name in assignment}

    def _read(self, parameters: Mapping[str, object]) -> Assignment:
        return {self._axes[key].name: _number(self._axes[key], value) for key, value in parameters.items()}


def _value(axis: Axis, number: Plain) -> Plain:
    return str(number) if axis.kind == "category" else _number(axis, number)


def _number(axis: Axis, value: object) -> float:
    number = float(cast(Any, value))
    return min(max(number if axis.kind == "float" else int(number), axis.low), axis.high)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Ax logs of every step, and its libraries' warnings of fits that are tried again."""
    handlers = list(logging.getLogger("ax").handlers)  # none, before it is imported
    before = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for handler, level in zip(handlers, before, strict=True):
            handler.setLevel(level)


def _domain(parameter: Mapping[str, Any]) -> object:
    """Return the domain of a parameter in Ax's form, or the value of a fixed one."""
    name, kind = parameter.get("name"), str(parameter.get("type"))
    known = KEYS.get(kind)
    if not isinstance(name, str) or known is None:
        raise ValueError(f"Ax's space: {parameter!r} needs a name, and a type: {', '.join(KEYS)}")
    for key in parameter:
        if key not in known:
            raise ValueError(f"Ax's space: {name!r}: {key!r} is not supported{nearest(key, known)}")
    if kind == "fixed":
        return parameter["value"]
    if kind == "choice":
        return (ordinal if parameter.get("is_ordered") else choice)(list(parameter["values"]))
    low, high = parameter["bounds"]
    whole = parameter.get("value_type", "int" if isinstance(low, int) and isinstance(high, int) else "float") == "int"
    if whole:
        return (lograndint if parameter.get("log_scale") else randint)(low, high + 1)
    return (loguniform if parameter.get("log_scale") else uniform)(low, high)
