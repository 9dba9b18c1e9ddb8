"""``ray.tune.utils``, as far as users call it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import cloudpickle

from trialwright.tune.dicts import flatten_dict, merge_dicts, unflatten_dict, unflatten_list_dict, unflattened_lookup
from trialwright.tune.gpus import wait_for_gpu
from trialwright.tune.trainable.trainable import Trainable

__all__ = [
    "diagnose_serialization",
    "flatten_dict",
    "merge_dicts",
    "unflatten_dict",
    "unflatten_list_dict",
    "unflattened_lookup",
    "validate_save_restore",
    "wait_for_gpu",
]


def diagnose_serialization(trainable: Callable[..., Any]) -> bool | set[str]:
    """Tell whether a function can be sent to other processes: True, or the names of what it uses and cannot be sent.

    Args:
        trainable: a function.
    """
    if _can_be_sent(trainable):
        return True
    used = inspect.getclosurevars(trainable)
    wrong = {name for name, value in {**used.globals, **used.nonlocals}.items() if not _can_be_sent(value)}
    return wrong or {trainable.__name__}


def _can_be_sent(value: object) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:  # objects of users raise what they like
        return False
    return True


def validate_save_restore(
    trainable_cls: type[Trainable], config: Mapping[str, Any] | None = None, num_gpus: int = 0
) -> bool:
    """Check that a class continues correctly from a checkpoint: train, save, load into another object, train both.

    Args:
        trainable_cls: the class.
        config: what to make it with.
        num_gpus: only 0 is taken: it is made in this process.

    Raises:
        ValueError: a GPU is wanted, or the other object is not where the first one was.
        NotImplementedError: it has no ``save_checkpoint`` or no ``load_checkpoint``.
    """
    if num_gpus:
        raise ValueError("num_gpus: the class is made in this process, which sees the GPUs that there are")
    first, other = trainable_cls(config), trainable_cls(config)
    for _ in range(2):
        first.train()
    other.restore(first.save())
    if first.train()["training_iteration"] != other.train()["training_iteration"]:
        raise ValueError(f"{trainable_cls.__name__} does not continue from its checkpoint as without an interruption")
    return True
