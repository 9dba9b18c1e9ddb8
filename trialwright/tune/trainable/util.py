"""Trainables with more: with objects that are too large for a config, or with what a trial needs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from trialwright.tune.resources import Resources
from trialwright.tune.trainable.trainable import Trainable

Any_ = Callable[..., Any]  # a trainable of any kind
RESOURCES = "_trialwright_resources"


def with_parameters(trainable: Any_, **parameters: object) -> Any_:
    """Give a trainable objects that are sent to each process once, and are in no config.

    Args:
        trainable: a function, which gets them as keywords; or a class, whose ``setup`` does.
        parameters: names and objects.

    Raises:
        TypeError: it is no trainable, or takes no such keyword.
    """
    target = trainable.setup if isinstance(trainable, type) and issubclass(trainable, Trainable) else trainable
    _check_keywords(target, parameters)
    if isinstance(trainable, type):
        return _class_with(trainable, parameters)
    return _function_with(trainable, parameters)


def with_resources(trainable: Any_, resources: Resources | Callable[[dict[str, Any]], Resources]) -> Any_:
    """Say what a trial of this trainable needs.

    Args:
        trainable: a function or a class.
        resources: a dict (``{"cpu": 2, "gpu": 0.5}``), a ``PlacementGroupFactory``, or a function of the config that
            returns such.

    Raises:
        TypeError: it is no trainable.
    """
    if not callable(trainable):
        raise TypeError(f"with_resources() takes a function or a class, not {trainable!r}")
    if isinstance(trainable, type):
        return type(trainable.__name__, (trainable,), {RESOURCES: staticmethod(lambda: resources)})
    function = _function_with(trainable, {})
    setattr(function, RESOURCES, lambda: resources)
    return function


def resources_of(trainable: Any_) -> Resources | Callable[[dict[str, Any]], Resources | None] | None:
    """Return what a trainable says that a trial of it needs; None if it says nothing."""
    said = getattr(trainable, RESOURCES, None)
    if said is not None:
        resources: Resources | Callable[[dict[str, Any]], Resources | None] = said()
        return resources
    if isinstance(trainable, type) and issubclass(trainable, Trainable):
        name = "default_resource_request"
        says_so = inspect.getattr_static(trainable, name) is not inspect.getattr_static(Trainable, name)
        return trainable.default_resource_request if says_so else None
    return None


def _function_with(function: Any_, parameters: dict[str, object]) -> Any_:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapped_async(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 - as the function
            return await function(*arguments, **parameters, **keywords)

        return _signed(wrapped_async, function, parameters)

    @functools.wraps(function)
    def wrapped(*arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401 - as the function
        return function(*arguments, **parameters, **keywords)

    return _signed(wrapped, function, parameters)


def _signed(wrapped: Any_, function: Any_, parameters: dict[str, object]) -> Any_:
    """Give the wrapper the signature that is left, because that decides how it is called."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # something built in
        return wrapped
    left = [each for name, each in signature.parameters.items() if name not in parameters]
    setattr(wrapped, "__signature__", signature.replace(parameters=left))  # noqa: B010 - no type knows of it
    return wrapped


def _class_with(cls: type[Trainable], parameters: dict[str, object]) -> type[Trainable]:
    def setup(self: Trainable, config: dict[str, Any]) -> None:
        cls.setup(self, config, **parameters)

    return type(cls.__name__, (cls,), {"setup": setup})


def _check_keywords(target: Any_, parameters: dict[str, object]) -> None:
    try:
        known = inspect.signature(target).parameters
    except (TypeError, ValueError):  # something built in
        return
    if any(each.kind is each.VAR_KEYWORD for each in known.values()):
        return
    unknown = sorted(parameters.keys() - known.keys())
    if unknown:
        raise TypeError(f"with_parameters: {target.__name__} takes no {', '.join(map(repr, unknown))}")
