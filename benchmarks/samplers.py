"""Our searchers and Optuna's own samplers in studies of Optuna: which finds lower values in as many trials?

    python -m benchmarks.samplers --trials 40 --seeds 5                # some minutes; prints a table
    python -m benchmarks.samplers --trials 40 --seeds 5 --write-docs   # and puts it into docs/optuna-sampler.md

The least value of each problem is 0, so the *regret* of a run is its best value. A ratio of two methods is the
geometric mean of the ratios of their mean regrets over the problems, with the 95 % interval of a bootstrap over
problems. Below 1, the first is better.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import optuna

from trialwright import TrialwrightSampler
from trialwright.bench.formulas import formula
from trialwright.bench.tables import machine
from trialwright.integrations.optuna_history import StudyHistory
from trialwright.messages import Suggestion
from trialwright.space import Continuous
from trialwright.streams import Streams

PAGE = Path(__file__).parents[1] / "docs" / "optuna-sampler.md"
BEGIN, END = "<!-- table: python -m benchmarks.samplers --write-docs -->", "<!-- end -->"
FLOOR = 1e-6  # a regret below this is as good as none

Objective = Callable[[optuna.Trial], float]


def numeric(name: str) -> Objective:
    """Return a closed form as a define-by-run objective; its smallest value is 0."""
    function = formula(name)
    value, domains = function.make(), cast("Mapping[str, Continuous]", function.space)

    def objective(trial: optuna.Trial) -> float:
        return value({path: trial.suggest_float(path, each.lower, each.upper) for path, each in domains.items()})

    return objective


def networks(trial: optuna.Trial) -> float:
    """Two optimisers, one of which has a parameter more; and as many widths as there are layers."""
    rate = trial.suggest_float("rate", 1e-5, 1.0, log=True)
    off = abs(math.log10(rate) + 2.5) / 5
    if trial.suggest_categorical("optimiser", ["sgd", "adam"]) == "sgd":
        off += 0.3 + abs(trial.suggest_float("momentum", 0, 1) - 0.9) / 2
    for layer in range(trial.suggest_int("layers", 1, 3)):
        off += abs(trial.suggest_int(f"width_{layer}", 4, 128, log=True) - 32 // (layer + 1)) / 400
    return off + 0.05 * float(3 - trial.params["layers"])


def models(trial: optuna.Trial) -> float:
    """Three models with parameters of their own; the best one has the narrowest optimum."""
    match trial.suggest_categorical("model", ["svm", "forest", "linear"]):
        case "svm":
            c, gamma = (trial.suggest_float(name, 1e-4, 1e4, log=True) for name in ("C", "gamma"))
            return min(1.0, ((math.log10(c) - 1) ** 2 + (math.log10(gamma) + 2) ** 2) / 8)
        case "forest":
            return 0.15 + abs(trial.suggest_int("depth", 1, 30) - 12) / 60 + trial.suggest_float("leaf", 0, 0.5)
        case _:
            return 0.3 + abs(math.log10(trial.suggest_float("alpha", 1e-6, 1.0, log=True)) + 3) / 20


def nested(trial: optuna.Trial) -> float:
    """A choice inside a choice."""
    if trial.suggest_categorical("outer", ["a", "b"]) == "b":
        return 0.4 + trial.suggest_float("b", 0, 1)
    x = trial.suggest_float("x", 0, 1)
    if trial.suggest_categorical("inner", ["p", "q"]) == "p":
        return 0.2 + (x - 0.5) ** 2
    return (x - trial.suggest_float("q", 0, 1) ** 2) ** 2 + 0.1 * abs(float(trial.params["q"]) - 0.7)


NUMERIC = ("ackley-6", "levy-6", "rosenbrock-4", "styblinski-4", "griewank-4", "ellipsoid-6")
PROBLEMS: dict[str, Objective] = {name: numeric(name) for name in NUMERIC}
PROBLEMS |= {"networks": networks, "models": models, "nested": nested}
CONDITIONAL = ("networks", "models", "nested")
METHODS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "Trialwright gp": lambda seed: TrialwrightSampler("gp", seed=seed),
    "Trialwright tpe": lambda seed: TrialwrightSampler("tpe", seed=seed),
    "Optuna GPSampler": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "Optuna TPESampler": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "Optuna TPESampler, group": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "Optuna RandomSampler": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}
PAIRS = [(ours, theirs) for ours in METHODS if ours.startswith("T") for theirs in METHODS if theirs.startswith("O")]


def best_values(method: str, problem: str, trials: int, seeds: int) -> list[float]:
    """Return the best value of each run."""
    found = []
    for seed in range(seeds):
        study = optuna.create_study(sampler=METHODS[method](seed))
        study.optimize(PROBLEMS[problem], n_trials=trials)
        found.append(study.best_value)
    return found


def ratio(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the geometric mean of the ratios of regrets, shape (problems,), and the ends of its interval."""
    logs = np.log((ours + FLOOR) / (theirs + FLOOR))
    drawn = np.random.default_rng(0).integers(len(logs), size=(10_000, len(logs)))
    low, high = np.quantile(logs[drawn].mean(axis=1), [0.025, 0.975])
    return float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high))


def table(regrets: dict[str, npt.NDArray[np.float64]]) -> str:
    """Return the ratios in Markdown, for all problems and for those with conditional parameters."""
    conditional = np.array([name in CONDITIONAL for name in PROBLEMS])
    rows = ["| ours | Optuna's | all problems | conditional ones |", "|---|---|---|---|"]
    for ours, theirs in PAIRS:
        cells = [ratio(regrets[ours][rows_], regrets[theirs][rows_]) for rows_ in (conditional | True, conditional)]
        told = (f"{middle:.2f} ({low:.2f} to {high:.2f})" for middle, low, high in cells)
        rows.append(f"| {ours} | {theirs.removeprefix('Optuna ')} | {' | '.join(told)} |")
    return "\n".join(rows)


class _Timed(TrialwrightSampler):
    """Notes how long each ask takes."""

    def __init__(self) -> None:
        super().__init__("tpe", seed=0)
        self.whole_s: list[float] = []
        self._began_s = 0.0

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:  # noqa: ANN401 - as Optuna's
        self._began_s = time.perf_counter()
        return super().infer_relative_search_space(study, trial)

    def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        found = super().sample_relative(study, trial, search_space)
        self.whole_s.append(time.perf_counter() - self._began_s)
        return found


def overhead() -> float:
    """Return the median over asks 800 to 1,000 of the seconds that an ask takes beside the searcher."""
    inside: list[float] = []
    suggest = StudyHistory.suggest

    def timed(self: StudyHistory, trial: int, streams: Streams) -> Suggestion | None:
        began = time.perf_counter()
        try:
            return suggest(self, trial, streams)
        finally:
            inside.append(time.perf_counter() - began)

    sampler, ranges = _Timed(), [f"x{place}" for place in range(10)]
    StudyHistory.suggest = timed  # type: ignore[method-assign]  # only in this process
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: sum(trial.suggest_float(name, -5, 5) ** 2 for name in ranges), n_trials=1000)
    whole = sampler.whole_s[-len(inside) :]
    return statistics.median(a - b for a, b in zip(whole[800:], inside[800:], strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every method on every problem."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write-docs", action="store_true", help=f"put the table into {PAGE.name}")
    parser.add_argument("--overhead", action="store_true", help="only time what the sampler adds to an ask")
    given = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if given.overhead:
        print(f"{overhead() * 1e3:.2f} ms an ask beside the searcher; {machine()}")
        return
    warnings.simplefilter("ignore")  # of Optuna's experimental options
    found = {
        method: np.array([best_values(method, problem, given.trials, given.seeds) for problem in PROBLEMS])
        for method in METHODS
    }
    regrets = {method: values.mean(axis=1) for method, values in found.items()}
    head = f"{given.trials} trials, {given.seeds} seeds, {len(PROBLEMS)} problems; {machine()}."
    print(f"{head}\n\n{table(regrets)}")
    if given.write_docs:
        page = PAGE.read_text(encoding="utf-8")
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        PAGE.write_text(f"{before}{BEGIN}\n\n{head}\n\n{table(regrets)}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
