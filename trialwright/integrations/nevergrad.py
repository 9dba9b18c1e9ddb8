"""Nevergrad's evolutionary and other optimizers without gradients. They know branches."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from trialwright.errors import nearest
from trialwright.history import Values
from trialwright.integrations.adapter import NOT_NOW, Adapter, Answer, Idle, Library, library
from trialwright.integrations.forms import Assignment, Axis, Form, Resolved, SpaceForm, plain_data
from trialwright.messages import Plain
from trialwright.nested import flatten, unflatten
from trialwright.space import Condition
from trialwright.streams import Streams

OPTION = "option"
BUDGET = 100  # where a run is unlimited: some optimizers need to know


@dataclass
class Nevergrad(Adapter):
    """Asks Nevergrad (``pip install nevergrad``). It takes one objective.

    A failed trial counts as the worst of those that have ended well. The optimizer keeps its state from question to
    question; a resumed run asks it all questions again.

    Args:
        optimizer: a name of Nevergrad's registry, such as "NGOpt", which chooses by budget and space, "CMA", or
            "TwoPointsDE"; or a class or a configured optimizer of Nevergrad's; or an optimizer, whose space counts.
        optimizer_kwargs: what it is made with. ``budget`` is the run's ``num_samples`` by default, or 100 if that is
            unlimited, and ``num_workers`` the run's concurrency, or 1 for an optimizer that takes no more.
        space: a space of Nevergrad's own: a dict of its parameters, an ``ng.p.Dict``, or an ``ng.p.Instrumentation``
            with keywords only.
    """

    optimizer: Any = "NGOpt"
    optimizer_kwargs: Mapping[str, Any] | None = None

    single: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.space is None and self._is_made:
            self.space = self.optimizer.parametrization

    @property
    def _is_made(self) -> bool:
        return not inspect.isclass(self.optimizer) and hasattr(self.optimizer, "parametrization")

    @property
    def replays(self) -> bool:
        """True: every question changes the optimizer."""
        return True

    def own_form(self, space: object) -> Form:
        """Read a parametrization, or a dict of parameters."""
        return OwnForm(space)

    def open(self, form: Form) -> Library:
        """Make the optimizer.

        Raises:
            ValueError: there is none of this name.
        """
        ng = library("nevergrad", "nevergrad")
        if isinstance(form, OwnForm):
            optimizer = copy.deepcopy(self.optimizer) if self._is_made else self._make(ng, form.parametrization.copy())
            return _Optimizer(optimizer, form.read, form.write)
        axes = cast(SpaceForm, form).axes
        space = _branch(ng, axes)
        if not space.dimension:  # each parameter has one value: Nevergrad refuses that
            return Idle()
        return _Optimizer(self._make(ng, space), lambda c: _flat(c.value), lambda given: _nested(axes, given))

    def _make(self, ng: Any, space: Any) -> Any:  # noqa: ANN401 - Nevergrad may not be there when types are checked
        maker = self.optimizer
        if isinstance(maker, str):
            names = ng.optimizers.registry
            if maker not in names:
                raise ValueError(f"Nevergrad has no optimizer={maker!r}{nearest(maker, list(names))}")
            maker = names[maker]
        workers = 1 if maker.no_parallelization else max(self.plan.parallelism, 1)
        settings = {"budget": self.plan.num_samples or BUDGET, "num_workers": workers}
        return maker(space, **(settings | dict(self.optimizer_kwargs or {})))


class _Optimizer:
    """An optimizer, and its candidates for our trials.

    Args:
        optimizer: of Nevergrad's.
        read: returns a candidate's assignment.
        write: returns the value of a candidate with this assignment.
    """

    def __init__(
        self,
        optimizer: Any,  # noqa: ANN401 - as above
        read: Callable[[Any], Assignment],
        write: Callable[[Assignment], object],
    ) -> None:
        self._optimizer, self._read, self._write = optimizer, read, write
        self._asked: Any = None  # the candidate that was proposed last
        self._candidates: dict[int, Any] = {}
        self._proposals: set[int] = set()  # trials that run, and are the optimizer's own
        self._worst: float | None = None
        self._failed: list[Any] = []  # as long as no trial has ended well: there is no worst value yet

    def ask(self, seed: int, given: Assignment) -> Answer:
        if self._optimizer.num_workers == 1 and (self._proposals or self._failed):
            return NOT_NOW  # it would wait for the answer to its last question, and never return
        self._optimizer.parametrization.random_state.seed(seed)
        self._asked = self._optimizer.ask()
        return self._read(self._asked) | given

    def add(self, trial: int, assignment: Assignment) -> None:
        asked, self._asked = self._asked, None
        if asked is not None and self._read(asked) == assignment:
            self._proposals.add(trial)
            self._candidates[trial] = asked
            return
        if asked is not None:  # the constraints forbid it
            self._failed.append(asked)
        value = self._write(assignment)
        self._candidates[trial] = self._optimizer.parametrization.spawn_child(new_value=value)

    def tell(self, trial: int, values: Values | None) -> None:
        candidate = self._candidates.pop(trial)
        self._proposals.discard(trial)
        if values is None:
            self._failed.append(candidate)
        else:
            self._worst = values[0] if self._worst is None else max(self._worst, values[0])
            self._tell(candidate, values[0])
        if self._worst is not None:
            failed, self._failed = self._failed, []
            for each in failed:
                self._tell(each, self._worst)

    def _tell(self, candidate: Any, cost: float) -> None:  # noqa: ANN401 - as above
        errors = library("nevergrad.common.errors", "nevergrad")
        with contextlib.suppress(errors.TellNotAskedNotSupportedError):  # some learn from what they proposed only
            self._optimizer.tell(candidate, cost)


# A space of ours: a choice is a choice of dicts, with the option's number and the parameters of its branch ----------


def _branch(ng: Any, axes: list[Axis], condition: Condition | None = None, **constant: int) -> Any:  # noqa: ANN401
    """Return the parameters of all axes that have this condition."""
    return ng.p.Dict(
        **constant, **{axis.name: _parameter(ng, axis, axes) for axis in axes if axis.condition == condition}
    )


def _parameter(ng: Any, axis: Axis, axes: list[Axis]) -> Any:  # noqa: ANN401 - as above
    if axis.kind == "category":
        options = range(int(axis.high) + 1)
        branches = [_branch(ng, axes, Condition(axis.name, each), **{OPTION: each}) for each in options]
        return ng.p.Choice(branches) if len(branches) > 1 else branches[0]
    if axis.low == axis.high:
        return axis.low
    parameter = (ng.p.Log if axis.log else ng.p.Scalar)(lower=axis.low, upper=axis.high)
    return parameter.set_integer_casting() if axis.kind == "int" else parameter


def _flat(value: Mapping[str, Any]) -> Assignment:
    """Read an assignment from the value of a branch."""
    found: Assignment = {}
    for name, each in value.items():
        if isinstance(each, Mapping):
            found[name] = each[OPTION]
            found |= _flat({key: item for key, item in each.items() if key != OPTION})
        else:
            found[name] = cast(Plain, plain_data(each))
    return found


def _nested(axes: list[Axis], given: Assignment, condition: Condition | None = None, **constant: int) -> dict[str, Any]:
    """Return the value of a branch with this assignment: the inverse of ``_flat``."""
    branch: dict[str, Any] = {**constant}
    for axis in axes:
        if axis.condition == condition:
            value = cast(int, given[axis.name])
            is_choice = axis.kind == "category"
            branch[axis.name] = _nested(axes, given, Condition(axis.name, value), option=value) if is_choice else value
    return branch


# A space of Nevergrad's ----------------------------------------------------------------------------------------------


class OwnForm:
    """A parametrization with names. An assignment has what Nevergrad keeps: a value for each name."""

    grid_size = 1

    def __init__(self, space: object) -> None:
        p = library("nevergrad", "nevergrad").p
        self.parametrization: Any = p.Dict(**space) if isinstance(space, dict) else space
        self._by_keyword = isinstance(self.parametrization, p.Instrumentation)
        if not isinstance(self.parametrization, p.Dict | p.Instrumentation) or self._positional():
            raise TypeError(f"Nevergrad's space must be a dict of parameters, or have names for all, not {space!r}")

    def _positional(self) -> bool:
        return self._by_keyword and bool(self.parametrization.args)

    @property
    def size(self) -> int:
        return len(self.read(self.parametrization))

    def read(self, candidate: Any) -> Assignment:  # noqa: ANN401 - as above
        """Return a candidate's assignment."""
        return cast(Assignment, plain_data(candidate.kwargs if self._by_keyword else candidate.value))

    def write(self, assignment: Assignment) -> object:
        """Return the value of a candidate with this assignment."""
        return ((), assignment) if self._by_keyword else assignment

    def grid(self, number: int) -> Assignment:
        return {}

    def complete(self, assignment: Assignment, number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        return unflatten(assignment), assignment

    def assignment(self, config: Resolved) -> Assignment:
        names = self.read(self.parametrization).keys()
        found = flatten(config, whole=names)
        if odd := found.keys() ^ names:
            raise ValueError(f"{min(odd)}: {'missing' if min(odd) in names else 'the space has no such name'}")
        return cast(Assignment, found)

    def check(self, point: Mapping[str, object]) -> None:
        self.parametrization.spawn_child(new_value=self.write(self.assignment(dict(point))))

    def point(self, point: Mapping[str, object], number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        return self.complete(self.assignment(dict(point)), number, streams)
