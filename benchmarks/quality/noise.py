"""Noise on tasks: what a method is told instead of the true value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.quality.base import Task
from benchmarks.quality.coco import bbob
from benchmarks.quality.formulas import form_task, surface
from trialwright.bench.functions import Noise, Objective
from trialwright.space import Domain, Space


def normal(sd: float, _objective: Objective) -> Noise:
    """Return normal noise with this standard deviation."""
    return lambda value, rng: value + float(rng.normal(0, sd))


def _near_the_best(level: float, definition: Mapping[str, Domain], objective: Objective) -> Noise:
    """Normal noise, of so many standard deviations of the best fifth of 1,024 random configurations."""
    drawn = Space(definition).sample(1024, np.random.default_rng(0))
    values = np.sort([objective(config) for config in drawn])
    return normal(level * float(values[: len(values) // 5].std()), objective)


def _factor(_objective: Objective) -> Noise:
    """COCO's severe Gaussian noise: f exp(N(0, 1)) (Finck et al. 2009, equation 2)."""
    return lambda value, rng: value * float(np.exp(rng.normal()))


def _uniform(dimension: int, _objective: Objective) -> Noise:
    """COCO's severe uniform noise, stronger near the optimum (Finck et al. 2009, equation 3)."""
    power = 0.49 + 1 / dimension

    def told(value: float, rng: np.random.Generator) -> float:
        first, second = rng.random(2)
        return float(first * value * max(1.0, (1e9 / (value + 1e-99)) ** (power * second)))

    return told


def _outliers(_objective: Objective) -> Noise:
    """COCO's severe Cauchy noise: one value in five lies far off (Finck et al. 2009, equation 4)."""

    def told(value: float, rng: np.random.Generator) -> float:
        far = float(rng.normal()) / (abs(float(rng.normal())) + 1e-199)
        return value + max(0.0, 1000 + (far if rng.random() < 0.2 else 0.0))

    return told


def _noisy(task: Task, noise: Callable[[Objective], Noise], name: str = "") -> Task:
    return replace(task, noise=noise, name=f"noisy/{task.name.partition('/')[2]}{name}")


def noisy_form(form: str, dimension: int, instance: int, noise: float, *, judging: bool) -> Task:
    """Return a closed form under normal noise."""
    return _noisy(form_task(form, dimension, instance, judging=judging), partial(normal, noise))


def noisy_surface(instance: int, noise: float, *, judging: bool) -> Task:
    """Return a surface of small networks under normal noise."""
    return _noisy(surface(instance, judging=judging), partial(normal, noise))


def noisy_bbob(function: int, dimension: int, level: float, *, judging: bool) -> Task:
    """Return a function of COCO's, under normal noise measured by its best values."""
    task = bbob(function, dimension, 2, judging=judging)
    return _noisy(task, partial(_near_the_best, level, task.space), f"-{level:g}")


def noisy_kind(form: str, dimension: int, instance: int, kind: str, *, judging: bool) -> Task:
    """Return a closed form under one of COCO's kinds of severe noise."""
    kinds: dict[str, Callable[[Objective], Noise]] = {
        "factor": _factor,
        "uniform": partial(_uniform, dimension),
        "outliers": _outliers,
    }
    return _noisy(form_task(form, dimension, instance, judging=judging), kinds[kind], f"-{kind}")
