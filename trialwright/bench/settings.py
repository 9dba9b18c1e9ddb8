"""Settings: what the runs in a comparison's directory were made with, so that they are not mixed with others.

A comparison may grow: more methods, tasks, seeds and workers. What is kept under a name must stay the same thing.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import trialwright
from trialwright.bench.curves import Curves
from trialwright.bench.functions import Function

Settings: TypeAlias = "dict[str, str | dict[str, str]]"
FILE = "settings.json"


def keep(directory: Path, settings: Settings) -> None:
    """Write the settings into the directory, added to those that are there.

    Raises:
        ValueError: the directory is of a comparison with other settings; all that differ are named.
    """
    path = directory / FILE
    known: Settings = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if differing := [*_differing(known, settings)]:
        told = "\n  - ".join(["", *differing])
        raise ValueError(f"{directory} has runs with other settings; give another directory, or another name:{told}")
    merged = known | {name: _merged(known.get(name), value) for name, value in settings.items()}
    directory.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")  # a kill must not leave half a file
    fresh.write_text(json.dumps(merged, indent=1), encoding="utf-8")
    fresh.replace(path)


def described(given: Any) -> str:  # noqa: ANN401 - the user's
    """Return a string that says what an object is: its class, its attributes, and a digest of its class's source."""
    if isinstance(given, str | int | float):
        return str(given)
    kind = type(given)
    values = ", ".join(f"{name}={_value(value)}" for name, value in sorted(getattr(given, "__dict__", {}).items()))
    return f"{kind.__qualname__}({values}){_code(*(each for each in kind.__mro__ if _is_users(each)))}"


def described_curves(task: Curves) -> str:
    """Return the size and a digest of curves."""
    digest = hashlib.blake2b(digest_size=8)
    for array in (task.losses, task.seconds, task.points):
        digest.update(b"" if array is None else array.tobytes())
    return f"{task.losses.shape[0]} configurations, {task.steps} steps, {digest.hexdigest()}"


def described_function(task: Function) -> str:
    """Return the space of a function, and a digest of its source."""
    make = task.make
    parts = [make.func, *make.args] if isinstance(make, partial) else [make]
    told = ", ".join(part.__qualname__ if inspect.isfunction(part) else described(part) for part in parts)
    functions = [part for part in parts if inspect.isfunction(part) and _is_users(part)]
    return f"{_value(task.space)}, {told}, {task.optimum}{_code(*functions)}"


def _differing(known: Settings, now: Settings) -> Iterator[str]:
    for name, value in now.items():
        old = known.get(name, value)
        if isinstance(value, dict) and isinstance(old, dict):
            yield from _differing({f"{name} {key}": each for key, each in old.items()}, _under(name, value))
        elif old != value:
            yield f"{name} was {old}, and is now {value}"


def _under(name: str, values: Mapping[str, str]) -> Settings:
    return {f"{name} {key}": each for key, each in values.items()}


def _merged(old: str | dict[str, str] | None, new: str | dict[str, str]) -> str | dict[str, str]:
    return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


def _value(value: object) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))  # where an object lies differs in each process


def _is_users(given: type | Callable[..., Any]) -> bool:
    return given.__module__.partition(".")[0] not in ("builtins", "typing", trialwright.__name__)


def _code(*given: type | Callable[..., Any]) -> str:
    """Return a digest of source code; an empty string if there is none, or it cannot be had."""
    try:
        text = "".join(inspect.getsource(each) for each in given)
    except (OSError, TypeError):  # typed at a prompt: what has changed there cannot be told
        return ""
    return f", code {hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}" if text else ""
