"""Functions that are computed by a formula: closed forms, with the optimum inside or at an edge of the space, and
surfaces shaped like those of trainings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from trialwright import space
from trialwright.bench.functions import Config, Function, Objective
from trialwright.errors import nearest
from trialwright.space import Domain
from trialwright.space.values import Floats as Vector

# Closed forms ------------------------------------------------------------------------------------------------------


def vector(config: Config) -> Vector:
    """Return the values of a configuration whose parameters are all numbers, in order."""
    return np.fromiter(config.values(), dtype=np.float64)


def _ackley(z: Vector) -> float:
    return float(20 + np.e - 20 * np.exp(-0.2 * np.sqrt(np.mean(z * z))) - np.exp(np.mean(np.cos(2 * np.pi * z))))


def _griewank(z: Vector) -> float:
    return float(1 + z @ z / 4000 - np.prod(np.cos(z / np.sqrt(np.arange(1, len(z) + 1)))))


def _levy(z: Vector) -> float:
    w = 1 + z / 4
    inner = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2))
    return float(np.sin(np.pi * w[0]) ** 2 + inner + (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2))


def _rosenbrock(z: Vector) -> float:
    y = z + 1
    return float(np.log1p(np.sum(100 * (y[1:] - y[:-1] ** 2) ** 2 + (1 - y[:-1]) ** 2)))


def _styblinski(z: Vector) -> float:
    y = z - 2.903534
    return float(np.mean(y**4 - 16 * y**2 + 5 * y) / 2 + 39.166166)


def _ellipsoid(z: Vector) -> float:
    return float(np.log1p(np.sum(1000 ** (np.arange(len(z)) / max(len(z) - 1, 1)) * z * z)))


_FORMS: dict[str, tuple[Callable[[Vector], float], float]] = {  # a function whose minimum 0 is at 0, and its half-width
    "ackley": (_ackley, 15.0),
    "ellipsoid": (_ellipsoid, 5.0),
    "griewank": (_griewank, 50.0),
    "levy": (_levy, 10.0),
    "rosenbrock": (_rosenbrock, 2.0),
    "styblinski": (_styblinski, 5.0),
}


def _shifted(form: str, dimension: int, instance: int) -> Objective:
    function, width = _FORMS[form]
    centre = np.random.default_rng(instance).uniform(0.2, 0.8, dimension)
    return lambda config: function((vector(config) - centre) * 2 * width)


def closed_form(form: str, dimension: int, instance: int = 1) -> Function:
    """Return a closed form whose optimum lies in the middle of the space."""
    definition: dict[str, Domain] = {f"x{index}": space.uniform(0, 1) for index in range(dimension)}
    make = partial(_shifted, form, dimension, instance)
    return Function(f"{form}-{dimension}", definition, make, optimum=0.0)


def _zakharov(z: Vector) -> float:
    slope = 0.5 * z @ np.arange(1, len(z) + 1)
    return float(np.log1p(z @ z + slope**2 + slope**4))


def _rastrigin(z: Vector) -> float:
    return float(np.mean(z * z + 10 - 10 * np.cos(2 * np.pi * z)))


def _schwefel222(z: Vector) -> float:
    return float(np.log1p(np.abs(z).sum() + np.prod(np.abs(z))))


def _salomon(z: Vector) -> float:
    r = float(np.sqrt(z @ z))
    return 1 - float(np.cos(2 * np.pi * r)) + 0.1 * r


_EDGE_FORMS: dict[str, tuple[Callable[[Vector], float], float]] = {  # as _FORMS
    "zakharov": (_zakharov, 5.0),
    "rastrigin": (_rastrigin, 2.5),
    "schwefel222": (_schwefel222, 5.0),
    "salomon": (_salomon, 5.0),
}


def _cornered(form: str, dimension: int, instance: int) -> Objective:
    """Put the optimum where each parameter is within a fiftieth of an end of its range, or, one in three, anywhere."""
    function, width = _EDGE_FORMS[form]
    rng = np.random.default_rng(instance)
    ends, near = rng.integers(2, size=dimension), rng.uniform(0, 0.02, dimension)
    centre = np.where(rng.random(dimension) < 1 / 3, rng.random(dimension), np.abs(ends - near))
    return lambda config: function((vector(config) - centre) * 2 * width)


def edge(form: str, dimension: int, instance: int = 1) -> Function:
    """Return a closed form whose optimum lies at or near the ends of some parameters."""
    definition: dict[str, Domain] = {f"x{index}": space.uniform(0, 1) for index in range(dimension)}
    make = partial(_cornered, form, dimension, instance)
    return Function(f"{form}-{dimension}", definition, make, optimum=0.0)


def _boosting(instance: int) -> Objective:
    """A surface shaped like that of boosted trees, where the best is at the ends of some ranges: many trees, a low
    rate, little regularisation; deep trees fit too well where leaves are small."""
    rng = np.random.default_rng(instance)
    depth, share, scale = rng.uniform(6, 10), rng.uniform(0.8, 1.0), rng.uniform(0.5, 2.0)

    def objective(config: Config) -> float:
        progress = config["rate"] * config["trees"] / 20
        under = np.exp(-progress) + 0.02 * np.log10(config["rate"] / 1e-3)
        over = 0.03 * max(config["depth"] - depth, 0) / np.sqrt(config["leaf"])
        loss = 0.1 + 0.5 * under + over + 0.01 * scale * np.log10(config["l2"] / 1e-6) + 0.005 * np.log2(config["leaf"])
        return float(loss + 0.02 * max(depth - config["depth"], 0) ** 1.5 + 0.3 * (config["columns"] - share) ** 2)

    return objective


def boosted(instance: int) -> Function:
    """Return a surface shaped like that of boosted trees."""
    definition: dict[str, Domain] = {
        "rate": space.loguniform(1e-3, 1.0),
        "trees": space.lograndint(10, 1001),
        "depth": space.randint(1, 13),
        "leaf": space.lograndint(1, 65),
        "l2": space.loguniform(1e-6, 10.0),
        "columns": space.uniform(0.2, 1.0),
    }
    return Function(f"boosting-{instance}", definition, partial(_boosting, instance))


def _training(instance: int) -> Objective:
    """A surface shaped like those of small networks: a valley in the learning rate that moves with the optimiser,
    divergence beyond it, flat directions, and a few options that matter."""
    rng = np.random.default_rng(instance)
    valley, move, width, offsets = (
        rng.uniform(-4, -2),
        rng.uniform(0.3, 0.8),
        rng.uniform(1.5, 2.5),
        rng.normal(0, 0.08, 3),
    )

    def objective(config: Config) -> float:
        option = ("sgd", "adam", "rmsprop").index(config["optimizer"])
        off = np.log10(config["lr"]) - valley - move * option
        loss = 0.1 + 0.1 * min(off**2 / 2, 2.0) + 0.02 * (np.log10(config["decay"]) + 4) ** 2 + offsets[option]
        loss += 0.4 * (config["dropout"] - 0.2) ** 2 + 0.1 * (np.log10(config["units"]) - width) ** 2
        return float(loss + 0.015 * abs(config["layers"] - 3) + (2.0 if off > 1.3 else 0.0))

    return objective


def surface(instance: int) -> Function:
    """Return a surface shaped like those of small networks."""
    definition: dict[str, Domain] = {
        "lr": space.loguniform(1e-6, 1.0),
        "decay": space.loguniform(1e-7, 1e-1),
        "dropout": space.uniform(0, 0.8),
        "units": space.lograndint(8, 1025),
        "layers": space.randint(1, 7),
        "optimizer": space.choice(["sgd", "adam", "rmsprop"]),
    }
    return Function(f"training-{instance}", definition, partial(_training, instance))


# By name ------------------------------------------------------------------------------------------------------------


FAMILIES: dict[str, Callable[[int], Function]] = {  # "ackley-6" has 6 dimensions; "training-2" is the second instance
    **{form: partial(closed_form, form) for form in _FORMS},
    **{form: partial(edge, form) for form in _EDGE_FORMS},
    "training": surface,
    "boosting": boosted,
}


def formula(name: str) -> Function:
    """Return the function of a name such as "ackley-6".

    Raises:
        ValueError: there is none; the message names the nearest one.
    """
    family, _, number = name.rpartition("-")
    if family not in FAMILIES or not number.isdecimal() or int(number) < 1:
        raise ValueError(f"there is no task {name!r}{nearest(name, [f'{each}-4' for each in FAMILIES])}")
    return FAMILIES[family](int(number))
