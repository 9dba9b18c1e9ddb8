"""Tasks as users give them: by name, by path, or as objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from trialwright.bench.curves import Curves, crossing
from trialwright.bench.files import read_curves
from trialwright.bench.formulas import formula
from trialwright.bench.functions import Function
from trialwright.bench.packaged import learners, trained_networks
from trialwright.errors import nearest
from trialwright.workloads import DriftingQuadratic, NoisyDescent, Workload

CURVES: dict[str, Callable[[str], Curves]] = {
    "crossing-curves": partial(crossing, crossing=0.6, noise=0.0),
    "ordered-curves": partial(crossing, crossing=0.0, noise=0.0),
    "noisy-curves": partial(crossing, crossing=0.4, noise=0.02),
    "drifting-quadratic": lambda name: Curves.of(DriftingQuadratic(), name, metric="score", mode="max"),
    "noisy-descent": lambda name: Curves.of(NoisyDescent(), name, metric="score", mode="max"),
}
FUNCTIONS = (
    *("ackley-6", "levy-4", "rosenbrock-8", "styblinski-12", "zakharov-6", "rastrigin-4"),
    *("training-11", "training-12", "boosting-1"),  # no searcher of ours was developed on any of these
)
LEARNERS = "lcdb-"
TABLES = ("hpobench-", "hpolib-")
Tasks: TypeAlias = "Mapping[str, Any] | Iterable[Any]"
Task = TypeVar("Task", Curves, Function)


def curves_of(tasks: Tasks) -> list[Curves]:
    """Return the tasks for schedulers.

    Args:
        tasks: each a name of CURVES; ``lcdb-DATASET``; a path of a file or run; a ``Workload`` that reports "loss"; or
            ``Curves``. In a mapping, the keys are the names in results.

    Raises:
        ValueError: there is no such task, or two have the same name.
        TypeError: it is none of these.
    """
    return _distinct([_as(name, _curves(given)) for name, given in _named(tasks)])


def functions_of(tasks: Tasks) -> list[Function]:
    """Return the tasks for searchers.

    Args:
        tasks: each a name such as "ackley-6" (form and dimension), "training-12" (instance), "hpolib-DATASET"; a
            ``Function``; or, in a mapping by name, a pair of a function and its space.

    Raises:
        ValueError, TypeError: as ``curves_of``.
    """
    return _distinct([_as(name, _function(name, given)) for name, given in _named(tasks)])


def _named(tasks: Tasks) -> list[tuple[str | None, Any]]:
    if isinstance(tasks, str):
        raise TypeError(f"tasks must be a list or a mapping, not {tasks!r}: give [{tasks!r}]")
    return [*tasks.items()] if isinstance(tasks, Mapping) else [(None, task) for task in tasks]


def _as(name: str | None, task: Task) -> Task:
    return replace(task, name=name) if name is not None else task


def _curves(given: object) -> Curves:
    if isinstance(given, Curves):
        return given
    if isinstance(given, str) and given in CURVES:
        return CURVES[given](given)
    if isinstance(given, str) and given.startswith(LEARNERS) and not Path(given).exists():
        return learners(given.removeprefix(LEARNERS))
    if isinstance(given, Path) or (isinstance(given, str) and ("/" in given or Path(given).exists())):
        return read_curves(Path(given))
    if isinstance(given, str):
        raise ValueError(  # noqa: TRY004 - a string is right, but not this one
            f"there is no task or file {given!r}{nearest(given, CURVES)}"
        )
    if isinstance(given, Workload) and not isinstance(given, type):
        return Curves.of(given, type(given).__name__)
    raise TypeError(f"a task must be a name, a path, a workload, or Curves, not {given!r}")


def _function(name: str | None, given: object) -> Function:
    if isinstance(given, Function):
        return given
    if isinstance(given, str):
        return trained_networks(given) if given.startswith(TABLES) else formula(given)
    if isinstance(given, tuple) and len(given) == 2 and name is not None:
        objective, space = given
        return Function.of(name, objective, space)
    raise TypeError(f"a task must be a name, a Function, or {{name: (function, space)}}, not {given!r}")


def _distinct(tasks: list[Task]) -> list[Task]:
    names = [task.name for task in tasks]
    if not names:
        raise ValueError("tasks: give one at least")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two tasks are named {', '.join(twice)}")
    return tasks
