"""Trainables with names, for ``tune.run("mine")`` and for experiments in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from trialwright.errors import import_instead, nearest
from trialwright.tune import rllib
from trialwright.tune.error import SettingTypeError, settings_as_tune_errors
from trialwright.tune.trainable.trainable import Trainable as TrainableClass

Trainable = Callable[..., Any]  # a function of the config, a subclass of tune.Trainable, or an algorithm of RLlib's
_registered: dict[str, Trainable] = {}  # for the life of this process: that is what a name is for


def register_trainable(name: str, trainable: Trainable, warn: bool = True) -> None:  # noqa: FBT002 - as in Ray Tune
    """Give a trainable a name; an earlier one of that name is replaced.

    Args:
        name: what to call it.
        trainable: a function of the config, or a subclass of ``tune.Trainable``.
        warn: only True is taken: there is nothing to be warned of.

    Raises:
        TypeError: it is not one.
        ValueError: the warning should be switched off.
    """
    if not warn:
        raise ValueError("warn=False switches nothing off: no warning is given")
    if not callable(trainable):
        raise TypeError(f"a trainable is a function or a class, not {trainable!r}")
    find(trainable)  # or is refused
    _registered[name] = trainable


def register_env(name: str, env_creator: Callable[..., Any]) -> None:
    """Give an environment a name, by which an algorithm of RLlib's finds it in any process.

    Args:
        name: what ``config["env"]`` calls it.
        env_creator: makes it from the algorithm's ``env_config``.

    Raises:
        TypeError: it cannot be called.
    """
    if not callable(env_creator):
        raise TypeError(f"register_env({name!r}): a function makes the environment, not {env_creator!r}")
    rllib.environments[name] = env_creator


def find(trainable: str | Trainable) -> Trainable:
    """Return the trainable of this name, or the trainable itself; for an algorithm of RLlib's, one that runs it.

    Raises:
        ValueError: there is none of this name.
        ImportError: it is one of RLlib's, which is not installed.
        SettingTypeError: it is neither a name nor a trainable.
        TypeError: it is a class, but no ``Trainable``.
    """
    found = _named(trainable) if isinstance(trainable, str) else trainable
    if not callable(found):
        raise SettingTypeError(
            f"a trainable is a function of the config, a tune.Trainable, or a name, not {trainable!r}"
        )
    found = rllib.as_trainable(found) if rllib.is_algorithm(found) else found
    is_class(found)  # or is refused
    return found


def _named(name: str) -> Trainable:
    found = _registered.get(name) or rllib.named(name)
    if found is None:
        meant = nearest(name, [*_registered, *rllib.NAMES])
        raise ValueError(f"no trainable is registered as {name!r}{meant}, and RLlib has no such algorithm")
    return found


def is_class(trainable: object) -> TypeGuard[type[TrainableClass]]:
    """Tell whether it is a ``Trainable`` class.

    Raises:
        TypeError: it is a class, but of another kind.
    """
    if not isinstance(trainable, type):
        return False
    if not issubclass(trainable, TrainableClass):
        raise TypeError(
            f"{trainable.__name__} is a class, but not a subclass of tune.Trainable{import_instead(trainable)}"
        )
    return True


def get_trainable_cls(trainable_name: str) -> Trainable:
    """Return the trainable of this name, as it was registered: a function is one as it is.

    Raises:
        TuneError: there is none of this name.
    """
    with settings_as_tune_errors():
        return find(trainable_name)


def validate_trainable(trainable_name: str) -> None:
    """Check that a trainable of this name is registered.

    Raises:
        TuneError: there is none.
    """
    get_trainable_cls(trainable_name)


def name_of(trainable: str | Trainable) -> str:
    """Return what to call a trainable in the names of trials and runs."""
    return trainable if isinstance(trainable, str) else str(getattr(trainable, "__name__", type(trainable).__name__))
