"""Scikit-optimize, by the name that Ray Tune had for it (Ray 2.60 has it no longer)."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from trialwright.integrations import Adapter, SkOpt
from trialwright.space.values import python_value
from trialwright.tune.search.library import LibrarySearcher
from trialwright.tune.search.searcher import Names


class SkOptSearch(LibrarySearcher):
    """Scikit-optimize's models (``pip install scikit-optimize``). There are no branches.

    Args:
        optimizer: a ``skopt.Optimizer``: its dimensions, its options, and what it was told. It stays as it is: each
            question is put to a new one that is like it.
        space: dimensions in scikit-optimize's form, ``{"width": (0, 20), "kind": ["a", "b"]}``, which count instead of
            ``param_space``; this may then hold constants only. With an optimizer: the names of its dimensions, a list.
        metric: what to optimise, where ``TuneConfig`` does not say so.
        mode: "min" or "max".
        points_to_evaluate: configurations to try first, whole or in part; or lists of values, in the space's order.
        evaluated_rewards: the metric's values of ``points_to_evaluate``, which then need not be tried.
        convert_to_python: True: values are Python's own here, never NumPy's.
        optimizer_kwargs: options of ``skopt.Optimizer``, where no optimizer is given. ``random_state`` is the seed.

    Raises:
        ValueError: the arguments do not go together, or an option cannot be honoured.
    """

    library = SkOpt

    def __init__(  # noqa: PLR0917 - Ray Tune's order
        self,
        optimizer: Any = None,  # noqa: ANN401 - scikit-optimize's own, which has no types
        space: Sequence[str] | Mapping[str, Any] | None = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any] | Sequence[Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        convert_to_python: bool = True,  # noqa: FBT002 - as above
        optimizer_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if not convert_to_python:
            raise ValueError("convert_to_python=False is not supported: configurations are kept as plain data")
        own = _own(optimizer, space, optimizer_kwargs)
        told = dict(optimizer_kwargs or {}) if optimizer is None else _told(optimizer)
        options = {"n_initial_points": told.pop("n_initial_points", 10), "seed": _seed(told.pop("random_state", None))}
        points = [_point(point, own) for point in points_to_evaluate or ()]
        super().__init__(metric, mode, points, own, evaluated_rewards, **options, options=told)
        self._known = [] if optimizer is None else list(zip(optimizer.Xi, optimizer.yi, strict=True))

    def adapter(self, mode: Names) -> Adapter:
        """Return the engine's searcher for the library."""
        adapter = super().adapter(mode)
        known = [(_point(values, self._own_space), (float(cost),)) for values, cost in self._known]
        adapter.earlier = [*known, *adapter.earlier]
        return adapter


def _own(optimizer: Any, space: Any, options: Mapping[str, Any] | None) -> dict[str, Any] | None:  # noqa: ANN401
    """Return the space that was given, by the names of its dimensions."""
    if optimizer is None:
        if space is not None and not isinstance(space, Mapping):
            raise ValueError(f"space={space!r}: a list of names goes with an optimizer; without one, give a dict")
        return dict(space) if space else None
    if options:
        raise ValueError("optimizer_kwargs goes without an optimizer: that one has its options")
    dimensions = optimizer.space.dimensions
    if not isinstance(space, list | tuple) or len(space) != len(dimensions):
        raise ValueError(f"space must be a list of names for the {len(dimensions)} dimensions of the optimizer")
    return dict(zip(space, dimensions, strict=True))


def _told(optimizer: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Return the options that an optimizer was made with."""
    usual = inspect.signature(type(optimizer)).parameters
    given = optimizer.specs["args"]
    return {key: value for key, value in given.items() if key != "dimensions" and value is not usual[key].default}


def _seed(given: object) -> int | None:
    if given is not None and not isinstance(given, int):
        raise ValueError(f"random_state must be a whole number, not {given!r}")
    return given


def _point(given: Mapping[str, Any] | Sequence[Any], own: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    if isinstance(given, Mapping):
        return dict(given)
    if not own:
        raise ValueError(f"points_to_evaluate: {given!r} has no names: give a dict, or space")
    return {name: python_value(value) for name, value in zip(own, given, strict=True)}
