"""From a trainable, in whatever form, to the objective that the engine runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from trialwright.errors import import_instead
from trialwright.ray_calls import refuse_ray_calls
from trialwright.tune import registry
from trialwright.tune.session import Attempt, serving
from trialwright.tune.trainable.function import FunctionCall
from trialwright.tune.trainable.loop import ClassLoop, Saving
from trialwright.tune.trainable.trainable import Trainable


@dataclass(frozen=True)
class Wishes:
    """How a trainable is to be run.

    Args:
        experiment: what the run is called.
        saving: when a class is to be saved.
        reuse: a class's object may go from trial to trial.
        metric: by the engine's name, what a bare number is that a function returns.
    """

    experiment: str = "experiment"
    saving: Saving = field(default_factory=Saving)
    reuse: bool = False
    metric: str | None = None


def as_objective(trainable: str | registry.Trainable, wishes: Wishes) -> Callable[[dict[str, Any]], object]:
    """Return what the engine runs for a trainable.

    Args:
        trainable: a function, a subclass of ``Trainable``, or the name of one that is registered.
        wishes: how to run it.

    Raises:
        ValueError: there is none of this name.
        TypeError: it is no trainable, or it reports to Ray's own Tune.
    """
    found = registry.find(trainable)
    name = registry.name_of(trainable)
    if is_class(found):
        loop = ClassLoop(found, wishes.saving, wishes.reuse)
        return _named(lambda config: _served(loop, config, wishes.experiment, name), name)
    refuse_ray_calls(found)
    call = FunctionCall(found, wishes.metric)
    if not inspect.iscoroutinefunction(found):
        return _named(lambda config: _served(call, config, wishes.experiment, name), name)

    async def objective(config: dict[str, Any]) -> object:
        with serving(Attempt(wishes.experiment, name)):
            return await call.run_async(config)

    return _named(objective, name)


def is_class(trainable: object) -> TypeGuard[type[Trainable]]:
    """Tell whether it is a ``Trainable`` class.

    Raises:
        TypeError: it is a class, but of another kind.
    """
    if not isinstance(trainable, type):
        return False
    if not issubclass(trainable, Trainable):
        raise TypeError(
            f"{trainable.__name__} is a class, but not a subclass of tune.Trainable{import_instead(trainable)}"
        )
    return True


def _served(run: Callable[[dict[str, Any]], object], config: dict[str, Any], experiment: str, name: str) -> object:
    with serving(Attempt(experiment, name)):
        return run(config)


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = name
    return function
