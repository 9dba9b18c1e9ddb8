"""HyperOpt's tree of Parzen estimators (Bergstra et al. 2011). It knows branches."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from trialwright.history import Values
from trialwright.integrations.adapter import Adapter, Library, library
from trialwright.integrations.forms import Assignment, Axis, Form, Resolved, SpaceForm, plain_data
from trialwright.messages import Plain
from trialwright.space import Condition
from trialwright.space.values import loosely_equal
from trialwright.streams import Streams


@dataclass
class HyperOpt(Adapter):
    """Asks HyperOpt (``pip install hyperopt``).

    Args:
        n_initial_points: how many trials are drawn at random before the model is used; None leaves that to HyperOpt.
        gamma: how many of the trials count as good: gamma times the square root of their number; None as above.
        space: a space of HyperOpt's own, a dict with ``hp.uniform("lr", 0, 1)`` and the like, to be used instead of
            the engine's.
    """

    n_initial_points: int | None = 20
    gamma: float | None = 0.25

    def own_form(self, space: object) -> Form:
        """Read a dict of ``hp`` expressions."""
        if not isinstance(space, Mapping):
            raise TypeError(f"HyperOpt's space must be a dict with hp expressions in it, not {space!r}")
        return HpForm(space)

    def open(self, form: Form) -> Library:
        """Open TPE over the form's expression."""
        hyperopt = library("hyperopt", "hyperopt")
        options = {"n_startup_jobs": self.n_initial_points, "gamma": self.gamma}
        known = {name: value for name, value in options.items() if value is not None}
        suggest = functools.partial(hyperopt.tpe.suggest, verbose=False, **known)
        expression = form.expression if isinstance(form, HpForm) else _branch(cast(SpaceForm, form).axes, None)
        return _Tpe(hyperopt, expression, suggest)


class _Tpe:
    """HyperOpt keeps a document for each trial. A failed or running one counts as the worst that there can be."""

    def __init__(self, hyperopt: Any, expression: object, suggest: Any) -> None:  # noqa: ANN401 - no types
        self._hyperopt = hyperopt
        self._domain = hyperopt.base.Domain(None, expression)
        self._suggest = suggest
        self._docs: dict[int, dict[str, Any]] = {}

    def ask(self, seed: int, given: Assignment) -> Assignment:
        trials = self._hyperopt.trials_from_docs(list(self._docs.values()), validate=False)
        [doc] = self._suggest([max(self._docs, default=-1) + 1], self._domain, trials, seed)
        values = cast(Assignment, plain_data({name: value[0] for name, value in doc["misc"]["vals"].items() if value}))
        return values | given

    def add(self, trial: int, assignment: Assignment) -> None:
        labels = self._domain.params
        values = {label: [assignment[label]] if label in assignment else [] for label in labels}
        misc = {"tid": trial, "cmd": None, "vals": values}
        misc["idxs"] = {label: [trial] if value else [] for label, value in values.items()}
        [self._docs[trial]] = self._hyperopt.Trials().new_trial_docs([trial], [None], [{"status": "new"}], [misc])

    def tell(self, trial: int, values: Values | None) -> None:
        done = self._hyperopt.JOB_STATE_DONE
        result = {"status": "fail"} if values is None else {"status": "ok", "loss": values[0]}
        self._docs[trial] |= {"state": done, "result": result}


# A space of ours -----------------------------------------------------------------------------------------------------


def _branch(axes: list[Axis], condition: Condition | None) -> dict[str, object]:
    """Return the expressions of all axes that have this condition."""
    return {axis.name: _expression(axis, axes) for axis in axes if axis.condition == condition}


def _expression(axis: Axis, axes: list[Axis]) -> object:
    hp = library("hyperopt", "hyperopt").hp
    if axis.kind == "category":
        return hp.choice(axis.name, [_branch(axes, Condition(axis.name, o)) for o in range(int(axis.high) + 1)])
    half = 0.5 if axis.kind == "int" else 0.0  # a step's cell reaches half a step to both sides
    low, high = axis.low - half, axis.high + half
    if axis.log:
        low, high = math.log(low), math.log(high)
    name = f"{'q' if half else ''}{'log' if axis.log else ''}uniform"
    return getattr(hp, name)(axis.name, low, high, *([1] if half else []))


# A space of HyperOpt's -----------------------------------------------------------------------------------------------


class HpForm:
    """A dict of ``hp`` expressions. An assignment has what HyperOpt keeps: a value for each label."""

    grid_size = 1

    def __init__(self, space: Mapping[str, object]) -> None:
        self._pyll = library("hyperopt", "hyperopt").pyll
        self.expression = self._pyll.as_apply(dict(space))
        self._nodes = {
            node.arg["label"].obj: node for node in self._pyll.dfs(self.expression) if node.name == "hyperopt_param"
        }
        if not self._nodes:
            raise ValueError("HyperOpt's space has no hp expression in it")

    @property
    def size(self) -> int:
        return len(self._nodes)

    def grid(self, number: int) -> Assignment:
        return {}

    def complete(self, assignment: Assignment, number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        missing = self._pyll.base.GarbageCollected  # what a branch not taken has, where its value is asked for
        memo = {node: assignment.get(label, missing) for label, node in self._nodes.items()}
        config = self._pyll.rec_eval(self.expression, memo=memo, print_node_on_error=False)
        return cast(Resolved, plain_data(config)), assignment

    def check(self, point: Mapping[str, object]) -> None:
        self.assignment(dict(point))

    def point(self, point: Mapping[str, object], number: int, streams: Streams) -> tuple[Resolved, Assignment]:
        return self.complete(self.assignment(dict(point)), number, streams)

    def assignment(self, config: Resolved) -> Assignment:
        """Find the labels' values in a configuration, which must be whole."""
        return self._labels(self.expression, config, "")

    def _labels(self, node: Any, value: Any, path: str) -> Assignment:  # noqa: ANN401 - an expression has no types
        """Walk through an expression and the value that it has."""
        if node.name == "literal":
            if not loosely_equal(node.obj, value):
                raise ValueError(f"{path}: {value!r} is given, but the space has {node.obj!r}")
            return {}
        if node.name in ("dict", "pos_args"):
            parts = node.named_args if node.name == "dict" else enumerate(node.pos_args)
            return self._inside(dict(parts), value, path)
        if node.name == "switch":
            return self._option(node, value, path)
        if node.name in ("float", "int", "hyperopt_param"):
            label = next(n.arg["label"].obj for n in self._pyll.dfs(node) if n.name == "hyperopt_param")
            return {label: cast(Plain, plain_data(value))}
        raise ValueError(f"{path}: the value is computed ({node.name}), so what it was computed from is not known")

    def _inside(self, parts: dict[Any, Any], value: Any, path: str) -> Assignment:  # noqa: ANN401 - as above
        entries = dict(value) if isinstance(value, Mapping) else dict(enumerate(value))
        odd = parts.keys() ^ entries.keys()
        constant = {key for key in odd & parts.keys() if parts[key].name == "literal"}
        if odd - constant:
            key = min(odd - constant, key=str)
            raise ValueError(f"{path}{key}: {'missing' if key in parts else 'the space has no such key'}")
        found: Assignment = {}
        for key in parts.keys() & entries.keys():
            found |= self._labels(parts[key], entries[key], f"{path}{key}/")
        return found

    def _option(self, node: Any, value: Any, path: str) -> Assignment:  # noqa: ANN401 - as above
        which, *options = node.pos_args
        for index, option in enumerate(options):
            try:
                return {which.arg["label"].obj: index, **self._labels(option, value, path)}
            except (ValueError, TypeError):
                continue
        raise ValueError(f"{path}: {value!r} is not one of the options")
