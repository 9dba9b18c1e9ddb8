"""Importances beside Optuna's, on the same trials: ``python -m benchmarks.importance``.

The loss is a sum of terms of single parameters, so that the part of its variance that each explains is known. The
trials are random. For each method and number of trials, it prints how well the order of the parameters agrees with the
true one (Kendall's tau, from -1 to 1, mean over the repeats) and how long it took, of ours and of Optuna's. For
PED-ANOVA the true order is that of the divergences of a million trials, computed from their histograms.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from scipy.stats import kendalltau

from trialwright.columns import columns
from trialwright.importance import METHODS, Method, Settings, measure
from trialwright.space.values import Floats

COUNTS = (50, 200, 1000, 10_000, 100_000)
PEER_MAX = {"ped-anova": 100_000, "fanova": 1000}  # more trials would take Optuna minutes
KINDS = ("adam", "sgd", "rmsprop", "lion")

Config: TypeAlias = Mapping[str, Any]
Scores: TypeAlias = Mapping[str, float]


@dataclass(frozen=True)
class Row:
    """What one side found: the mean agreement with the true order, and the median time; None where it was not run."""

    tau: float
    time_s: float

    def __str__(self) -> str:
        return f"tau {self.tau:5.2f}, {self.time_s:8.3f} s"


def draw(n: int, seed: int) -> tuple[list[Config], Floats]:
    """Return n configurations and their losses."""
    rng = np.random.default_rng(seed)
    units = rng.random((n, 6))
    configs: list[Config] = [
        {
            "lr": 10 ** (-5 + 4 * unit[0]),
            "momentum": unit[1],
            "depth": 1 + int(unit[2] * 8),
            "kind": KINDS[int(unit[3] * 4)],
            "decay": unit[4],
            "junk": unit[5],
        }
        for unit in units.tolist()
    ]
    noise = rng.normal(0, 0.05, n)
    return configs, np.array([sum(terms(config).values()) for config in configs]) + noise


def terms(config: Config) -> dict[str, float]:
    """Return what each parameter adds to the loss."""
    return {
        "lr": 3.0 * abs(np.log10(config["lr"]) + 3) / 2,
        "momentum": 1.6 * (config["momentum"] - 0.7) ** 2,
        "depth": 0.12 * abs(config["depth"] - 5),
        "kind": 0.7 * (config["kind"] == "sgd"),
        "decay": 0.15 * config["decay"],
        "junk": 0.0,
    }


def truth(method: Method, n: int = 1_000_000) -> dict[str, float]:
    """Return the true scores: the variance of each term, or the divergence of the best tenth of many trials."""
    configs, losses = draw(n, seed=99)
    found = columns(configs, frozenset({"lr"}))
    if method == "fanova":
        return {column.name: float(np.var([terms(config)[column.name] for config in configs])) for column in found}
    good = losses <= np.quantile(losses, 0.1)
    return {column.name: _divergence(column.scaled, good) for column in found}


def _divergence(values: Floats, good: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    edges = np.histogram_bin_edges(values, 50)
    everywhere, best = (np.histogram(each, edges)[0] / len(each) for each in (values, values[good]))
    there = everywhere > 0
    return float(np.sum((best - everywhere)[there] ** 2 / everywhere[there]))


def ours(method: Method, configs: list[Config], losses: Floats) -> dict[str, float]:
    """Return the scores that ``result.importance()`` would return."""
    found = measure(columns(configs, frozenset({"lr"})), losses, "loss", Settings(method=method))
    return {each.parameter: each.score for each in found}


def optunas(method: Method, configs: list[Config], losses: Floats) -> Callable[[], dict[str, float]]:
    """Return a call of Optuna's evaluator of the same method on a study with these trials."""
    import optuna
    from optuna import distributions as d
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    unit = d.FloatDistribution(0, 1)
    space: dict[str, d.BaseDistribution] = {
        "lr": d.FloatDistribution(1e-5, 1e-1, log=True),
        "depth": d.IntDistribution(1, 8),
        "kind": d.CategoricalDistribution(KINDS),
        **dict.fromkeys(("momentum", "decay", "junk"), unit),
    }
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(params=dict(config), distributions=space, value=float(loss))
            for config, loss in zip(configs, losses, strict=True)
        ]
    )
    if method == "fanova":
        return lambda: get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return lambda: get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def compare(method: Method, n: int, true: Scores, repeats: int, *, peer: bool) -> dict[str, Row]:
    """Return what both sides found on the same trials."""
    runs: dict[str, list[tuple[float, float]]] = {}
    for seed in range(repeats):
        configs, losses = draw(n, seed)
        sides: dict[str, Callable[[], dict[str, float]]] = {"ours": partial(ours, method, configs, losses)}
        if peer and n <= PEER_MAX[method]:
            sides["Optuna"] = optunas(method, configs, losses)
        for name, side in sides.items():
            began = time.perf_counter()
            found = side()
            runs.setdefault(name, []).append((agreement(found, true), time.perf_counter() - began))
    return {
        name: Row(statistics.mean(tau for tau, _ in each), statistics.median(took for _, took in each))
        for name, each in runs.items()
    }


def agreement(found: Scores, true: Scores) -> float:
    """Return Kendall's tau-b of two scorings: 1 for the same order."""
    return float(kendalltau([found[name] for name in true], [*true.values()]).statistic)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Importances beside Optuna's, on the same trials.")
    parser.add_argument("--trials", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--methods", choices=METHODS, nargs="+", default=METHODS)
    parser.add_argument("--no-peer", action="store_true", help="do not run Optuna's")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # Optuna says that an evaluator is an experiment
    for method in asked.methods:
        true = truth(method)
        print(method, "true scores:", ", ".join(f"{name} {score:.3g}" for name, score in true.items()))
        for n in asked.trials:
            for name, row in compare(method, n, true, asked.repeats, peer=not asked.no_peer).items():
                print(f"{method:9} {n:7,} trials  {name:6}  {row}", flush=True)


if __name__ == "__main__":
    main()
