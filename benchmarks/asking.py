"""How long a searcher takes to be told a result and asked for the next trial: ``python -m benchmarks.speed ask``.

A history of n trials is there already: of random configurations, or, where a searcher learns only from what it has
suggested, of its own. Then 20 rounds of tell and ask are timed, refits included, after one that is not: it pays for
imports and for models of a history that no cache has. What counts is the mean of the 20, and of that the
median of the repeats; ours and Optuna's take turns, on one thread. Of random draws, which learn nothing from what is
told, only the asking counts, by the configuration.
"""

from __future__ import annotations

import contextlib
import statistics
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from trialwright import AskTell, space

ROUNDS = 20
BATCH = 256


@dataclass(frozen=True)
class Case:
    """One line of the table. ``own`` histories are of what the searcher suggests; ``budget_ms`` is what is promised."""

    searcher: str
    peer: str
    d: int
    n: int
    budget_ms: float
    own: bool = False
    batch: int = 1
    objectives: int = 1


CASES = (
    Case("gp", "GPSampler", 7, 50, 8),
    Case("gp", "GPSampler", 20, 300, 15),
    Case("gp", "GPSampler", 20, 1000, 300),
    Case("gp", "", 20, 10_000, 500),  # Optuna's would take minutes
    Case("tpe", "TPESampler", 10, 1000, 0.5),
    Case("tpe", "TPESampler", 10, 10_000, 1),
    Case("tpe", "TPESampler", 10, 4_000, 20, objectives=2),
    Case("random", "RandomSampler", 10, 0, 0.005 * BATCH, batch=BATCH),
    Case("nsga2", "NSGAIISampler", 10, 500, 0.3, own=True),
    Case("cmaes", "CmaEsSampler", 10, 500, 0.3, own=True),
)


@dataclass(frozen=True)
class Row:
    """What was measured: milliseconds a round, of ours and of the peer's; NaN where there is no Optuna."""

    case: Case
    ours_ms: float
    peer_ms: float

    def __str__(self) -> str:
        case, (unit, scale) = self.case, ("us a config", 1e3 / BATCH) if self.case.batch > 1 else ("ms", 1.0)
        ours, peer, budget = (value * scale for value in (self.ours_ms, self.peer_ms, case.budget_ms))
        late = ours > budget
        return (
            f"{case.searcher:7} d = {case.d:2}, n = {case.n:6,}: {ours:7.3g} {unit:11} (at most {budget:3g}"
            f"{': LATE' if late else ''}){f', {case.objectives} objectives' if case.objectives > 1 else ''}"
            + (f"; Optuna {peer:7.3g}, {peer / ours:5.1f} times as long" if peer == peer else "")  # noqa: PLR0124 - NaN
        )


Point: TypeAlias = Mapping[str, Any]


class _Side(Protocol):
    def learn(self, point: Point, values: list[float]) -> None: ...
    def ask(self, count: int) -> list[Point]: ...
    def tell(self, values: list[list[float]]) -> None: ...


def values_of(point: Point, objectives: int = 1) -> list[float]:
    """A valley with ripples; of a second objective, another one."""
    x = np.fromiter(point.values(), dtype=np.float64)
    weights, ripples = np.arange(1, len(x) + 1), 0.1 * np.sin(9 * x.sum())
    return [float(weights @ (x - middle) ** 2 + ripples) for middle in (0.4, 0.6)[:objectives]]


class _Ours:
    def __init__(self, case: Case) -> None:
        what = {name: space.uniform(0, 1) for name in _names(case)}
        self._names = [f"loss {number}" for number in range(case.objectives)]
        self._study = AskTell(what, metric=self._names, searcher=case.searcher, seed=0)

    def learn(self, point: Point, values: list[float]) -> None:
        self._study.add(point, self._told(values))

    def _told(self, values: list[float]) -> dict[str, float]:
        return dict(zip(self._names, values, strict=True))

    def ask(self, count: int) -> list[Point]:
        self._asked = self._study.ask(count)
        return [trial.config for trial in self._asked]

    def tell(self, values: list[list[float]]) -> None:
        for trial, told in zip(self._asked, values, strict=True):
            self._study.tell(trial, self._told(told))


class _Optuna:
    def __init__(self, case: Case) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        unit: optuna.distributions.BaseDistribution = optuna.distributions.FloatDistribution(0, 1)
        self._domains = dict.fromkeys(_names(case), unit)
        sampler = getattr(optuna.samplers, case.peer)(seed=0)
        self._study = optuna.create_study(sampler=sampler, directions=["minimize"] * case.objectives)
        self._made = optuna.trial.create_trial

    def learn(self, point: Point, values: list[float]) -> None:
        self._study.add_trial(self._made(params=dict(point), distributions=self._domains, values=values))

    def ask(self, count: int) -> list[Point]:
        self._asked = [self._study.ask(self._domains) for _ in range(count)]
        return [trial.params for trial in self._asked]

    def tell(self, values: list[list[float]]) -> None:
        for trial, told in zip(self._asked, values, strict=True):
            self._study.tell(trial, told)


def _names(case: Case) -> list[str]:
    return [f"x{index:02}" for index in range(case.d)]


def measure(case: Case, repeats: int) -> Row:
    """Let both take turns."""
    systems: list[Callable[[Case], _Side]] = [_Ours]
    with contextlib.suppress(ImportError):
        import optuna  # noqa: F401

        systems += [_Optuna] if case.peer else []
    with _quiet():
        times = [[_round_ms(system(case), case) for system in systems] for _ in range(repeats)]
    ours, peer = [statistics.median(column) for column in zip(*times, strict=True)], float("nan")
    return Row(case, ours[0], ours[1] if len(ours) > 1 else peer)


def _round_ms(side: _Side, case: Case) -> float:
    for row in [] if case.own else np.random.default_rng(0).random((case.n, case.d)).tolist():
        point = dict(zip(_names(case), row, strict=True))
        side.learn(point, values_of(point, case.objectives))
    for _ in range(case.n if case.own else 0):
        _turn_s(side, case, 1)
    _turn_s(side, case, case.batch)
    return statistics.mean(_turn_s(side, case, case.batch) for _ in range(ROUNDS)) * 1e3


def _turn_s(side: _Side, case: Case, count: int) -> float:
    """Return how long ask and tell take, or ask alone for a batch; what a trial takes does not count."""
    began = time.perf_counter()
    points = side.ask(count)
    asked = time.perf_counter()
    values = [values_of(point, case.objectives) for point in points]
    tells = time.perf_counter()
    side.tell(values)
    return asked - began + (time.perf_counter() - tells if count == 1 else 0.0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """One thread, and no warnings that a sampler is an experiment."""
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def table(repeats: int, searchers: Collection[str] = ()) -> Iterator[Row]:
    """Measure case after case, of all searchers or of these."""
    for case in CASES:
        if not searchers or case.searcher in searchers:
            yield measure(case, repeats)
