"""Tasks that are functions of COCO's."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.quality.base import Task
from trialwright import space
from trialwright.bench.formulas import vector
from trialwright.bench.functions import Objective
from trialwright.space import Domain


def _coco(suite: str, function: int, dimension: int, instance: int = 1) -> Any:  # noqa: ANN401 - it has no types
    import cocoex

    where = f"dimensions: {dimension} instance_indices: {instance} function_indices: {function}"
    return cocoex.Suite(suite, "", where).get_problem(0)


def _coco_objective(suite: str, function: int, dimension: int, instance: int = 1) -> Objective:
    problem = _coco(suite, function, dimension, instance)
    return lambda config: float(problem(vector(config)))


def bbob(function: int, dimension: int, instance: int = 1, *, judging: bool) -> Task:
    """Return a continuous function of COCO's suite bbob."""
    definition: dict[str, Domain] = {f"x{index}": space.uniform(-5, 5) for index in range(dimension)}
    make = partial(_coco_objective, "bbob", function, dimension, instance)
    return Task(f"bbob/f{function}-{dimension}", definition, make, judging=judging)


def mixint(function: int, dimension: int, *, judging: bool) -> Task:
    """Return a function of COCO's suite bbob-mixint."""
    fifth = dimension // 5  # a fifth each of 2, 4, 8 and 16 values, and the rest continuous
    definition: dict[str, Domain] = {
        f"x{index}": space.randint(0, 2 ** (index // fifth + 1)) if index < 4 * fifth else space.uniform(-5, 5)
        for index in range(dimension)
    }
    make = partial(_coco_objective, "bbob-mixint", function, dimension)
    return Task(f"mixint/f{function}-{dimension}", definition, make, judging=judging)
