"""Trainables with names, for ``tune.run("mine")`` and for experiments in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trialwright.errors import nearest

Trainable = Callable[..., Any]  # a function of the config, or a subclass of tune.Trainable
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
    _registered[name] = trainable


def register_env(name: str, env_creator: Callable[..., Any]) -> None:  # noqa: ARG001 - as in Ray Tune
    """Refuse: environments belong to RLlib.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"register_env({name!r}): environments are RLlib's; register them there (ray.tune.register_env)")


def find(trainable: str | Trainable) -> Trainable:
    """Return the trainable of this name, or the trainable itself.

    Raises:
        ValueError: there is none of this name.
        TypeError: it is neither a name nor a trainable.
    """
    if isinstance(trainable, str):
        if trainable not in _registered:
            raise ValueError(
                f"no trainable is registered as {trainable!r}{nearest(trainable, _registered) if _registered else ''} "
                "(RLlib's names are not known here)"
            )
        return _registered[trainable]
    if not callable(trainable):
        raise TypeError(f"a trainable is a function of the config, a tune.Trainable, or a name, not {trainable!r}")
    return trainable


def name_of(trainable: str | Trainable) -> str:
    """Return what to call a trainable in the names of trials and runs."""
    return trainable if isinstance(trainable, str) else str(getattr(trainable, "__name__", type(trainable).__name__))
