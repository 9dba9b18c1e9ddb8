"""Tasks that are real trainings: tables of them, models of scikit-learn, and learning curves."""

from __future__ import annotations

import importlib.util
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.base import Task, judged
from trialwright import space
from trialwright.bench import packaged
from trialwright.bench.functions import Config, Objective
from trialwright.space import Domain


def table_task(table: str, dataset: str, *, judging: bool) -> Task:
    """Return a table of trainings of small networks."""
    return judged(packaged.trained_networks(f"{table}-{dataset}"), "tables", judging=judging)


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


def model_task(kind: str, dataset: str, *, judging: bool) -> Task:
    """Return the cross-validated error of a model of scikit-learn."""
    return Task(f"models/{kind}-{dataset}", _MODELS[kind], partial(_fit, kind, dataset), judging=judging)


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


def lcbench_tasks(directory: Path) -> list[Task]:
    """Return the final errors of the learning curves in a directory."""
    found = []
    for place, dataset in enumerate(curves(directory).LCBench.tasks()):
        definition = {name: _numeric(*bounds) for name, bounds in curves(directory).LCBench.space.items()}
        make = partial(_final_error, directory, dataset)
        found.append(Task(f"lcbench/{dataset}", definition, make, judging=place % 3 == 0))
    return found


def _numeric(lower: float, upper: float, log: bool, integer: bool) -> Domain:
    if integer:
        return (space.lograndint if log else space.randint)(int(lower), int(upper) + 1)
    return (space.loguniform if log else space.uniform)(lower, upper)
