"""Searches: a searcher on a function, by ask and tell; kept is how the best value so far fell."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, cast

import numpy as np

from trialwright.ask_tell import AskTell
from trialwright.bench.functions import Config, Function
from trialwright.engine.catalogue import SEARCHERS, UNAVAILABLE
from trialwright.errors import nearest
from trialwright.searchers import Searcher
from trialwright.space.values import Floats

Key: TypeAlias = tuple[str, str, int, int]
Given: TypeAlias = "str | Searcher | type[Any]"


@dataclass(frozen=True)
class Trace:
    """One run. ``falls`` are the evaluations, from 1, at which the best value so far, without noise, fell, and to
    what. ``recommended``, where results are noisy: after so many evaluations, the true value of the configuration that
    the method recommends, which may rise."""

    task: str
    method: str
    seed: int
    batch: int
    evaluations: int
    falls: list[tuple[int, float]]
    seconds: float  # in ask and tell
    recommended: list[tuple[int, float]] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """What makes it this run and no other."""
        return (self.task, self.method, self.seed, self.batch)

    def best(self, evaluation: int) -> float:
        """Return the best value after so many evaluations."""
        return next(value for at, value in reversed(self.falls) if at <= evaluation)

    def final(self, evaluation: int) -> float:
        """Return the true value of what is recommended after so many evaluations."""
        return dict(self.recommended)[evaluation]

    def curve(self, evaluations: int) -> Floats:
        """Return the best value after each evaluation, shape (evaluations,); infinite before the first finite one."""
        values = np.full(evaluations, np.inf)
        for at, value in self.falls:
            values[at - 1 :] = value
        return values


class Asked(Protocol):
    """A method that suggests configurations."""

    def ask(self, count: int) -> Sequence[Config]:
        """Return so many configurations."""

    def tell(self, values: list[float]) -> None:
        """Learn the values of those that were asked for last."""

    def recommend(self) -> Config | None:
        """Return the best configuration where values are noisy; None for that of the best value."""


class Ours:
    """A searcher of this package, or a user's, by ``AskTell``."""

    def __init__(self, function: Function, searcher: str | Searcher, seed: int, batch: int, evaluations: int) -> None:
        self._study = AskTell(function.space, searcher=searcher, seed=seed, num_samples=evaluations, parallelism=batch)

    def ask(self, count: int) -> list[dict[str, object]]:
        """As ``Asked``."""
        self._asked = self._study.ask(count)
        return [trial.config for trial in self._asked]

    def tell(self, values: list[float]) -> None:
        """As ``Asked``."""
        for trial, value in zip(self._asked, values, strict=True):
            self._study.tell(trial, value)

    def recommend(self) -> dict[str, object]:
        """As ``Asked``."""
        return self._study.recommended.config


def searcher_of(given: Given) -> str | Searcher:
    """Return the searcher for one run: the name; a copy of an object; or a new object of a class.

    Raises:
        ValueError: there is no searcher of this name; the message names the nearest one.
        TypeError: it is no searcher.
    """
    if isinstance(given, str):
        if given.lower() not in SEARCHERS:
            raise ValueError(
                f"{given!r} is not available: {UNAVAILABLE[given.lower()]}"
                if given.lower() in UNAVAILABLE
                else f"there is no searcher {given!r}{nearest(given.lower(), SEARCHERS)}"
            )
        return given.lower()
    made = given() if isinstance(given, type) else copy.deepcopy(given)
    if lacking := [each for each in ("setup", "suggest") if not callable(getattr(made, each, None))]:
        raise TypeError(f"{type(made).__name__} is no searcher: it has no {', '.join(lacking)}")
    return cast(Searcher, made)


def search(
    function: Function, method: Asked, *, evaluations: int, batch: int, seed: int, recommend_at: Collection[int] = ()
) -> tuple[list[float], list[tuple[int, float]], float]:
    """Evaluate what a method suggests.

    Returns:
        The true values in order; after which evaluations what was recommended, as its true value; and the seconds that
        were spent in ask and tell.
    """
    objective, rng = function.make(), np.random.default_rng(seed)
    noise = function.noise(objective) if function.noise else None
    true: list[float] = []
    told: list[float] = []
    recommended: list[tuple[int, float]] = []
    seconds = 0.0
    while len(true) < evaluations:
        began = time.perf_counter()
        configs = method.ask(min(batch, evaluations - len(true)))
        seconds += time.perf_counter() - began
        if not configs:  # a grid, or a finite space, is exhausted
            break
        values = [float(objective(config)) for config in configs]
        noisy = [noise(value, rng) for value in values] if noise else values
        true, told = true + values, told + noisy
        began = time.perf_counter()
        method.tell(noisy)
        seconds += time.perf_counter() - began
        if noise and len(true) in recommend_at:
            choice = method.recommend()
            recommended.append((len(true), objective(choice) if choice else true[int(np.argmin(told))]))
    return true, recommended, seconds


def trace_of(key: Key, true: Sequence[float], recommended: Iterable[tuple[int, float]], seconds: float) -> Trace:
    """Return the trace of a run: numbers rounded to 8 digits, seconds to milliseconds."""
    return Trace(*key, len(true), _rounded(_falls(true)), round(seconds, 3), _rounded(recommended))


def read_trace(plain: Mapping[str, object]) -> Trace:
    """Return a trace from its JSON."""
    given = dict(plain)
    lists = {name: cast("list[tuple[int, float]]", given.pop(name, [])) for name in ("falls", "recommended")}
    values = {name: [(int(at), float(value)) for at, value in pairs] for name, pairs in lists.items()}
    return Trace(**cast("Mapping[str, str]", given), **values)  # type: ignore[arg-type]


def scale(traces: Sequence[Trace], optimum: float | None) -> tuple[float, float]:
    """Return what counts as regret 0 on one task, the optimum or else the best of all runs; and what counts as 1, the
    median of the first values."""
    falls = [trace.falls for trace in traces if trace.falls]
    if not falls:
        return 0.0, 1.0
    lowest = min(each[-1][1] for each in falls)
    low = lowest if optimum is None else min(optimum, lowest)
    high = float(np.median([each[0][1] for each in falls]))
    return low, high if high > low else low + 1.0


def _falls(values: Iterable[float]) -> list[tuple[int, float]]:
    falls: list[tuple[int, float]] = []
    for count, value in enumerate(values, 1):
        if math.isfinite(value) and (not falls or value < falls[-1][1]):
            falls.append((count, value))
    return falls


def _rounded(values: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    return [(at, float(f"{value:.8g}")) for at, value in values]
