"""Auto: the searcher for those who name none, chosen by the problem; a sentence says which, and why.

The first rule that holds decides. What the rules rest on is measured: quality by ``python -m benchmarks.quality``, time
by ``python -m benchmarks.speed ask``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trialist.history import History
from trialist.messages import Request, Suggestion
from trialist.searchers.base import Problem, Searcher
from trialist.searchers.gp import GP
from trialist.searchers.qmc import DIMENSIONS_MAX, Sobol
from trialist.searchers.random import Random
from trialist.searchers.tpe import TPE
from trialist.space import Category, Space
from trialist.streams import Streams

GP_TRIALS_MAX = 1000
"""From so many trials on, TPE: a Gaussian process would look at a part of them only, and take longer than it is worth."""
GP_DIMENSION_MAX = 200
GP_PARALLELISM_MAX = 64
"""Each suggestion takes a Gaussian process tens of milliseconds more; with more trials at a time, slots would wait."""
PLANNED_MAX = 10_000
"""Who plans more trials than this has trials that take no time, and neither may a suggestion."""


@dataclass
class Auto:
    """Takes the searcher that suits the problem: GP for most, TPE where trials or columns are many, points that look at
    no results where there are none to look at."""

    @property
    def learns(self) -> bool:
        """As the searcher that was chosen; before there is a problem, nobody knows."""
        return self._chosen.learns

    def setup(self, problem: Problem) -> int:
        """Take any problem, and choose."""
        rule = next(rule for rule in _RULES if rule.holds(problem))
        self._chosen: Searcher = rule.make()
        self._later: Searcher = TPE() if isinstance(self._chosen, GP) else self._chosen
        self.reason = f"{type(self._chosen).__name__}: {rule.why.format(**_facts(problem))}"
        self._later.setup(problem)
        return self._chosen.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Ask the searcher that was chosen, or the one for many trials."""
        searcher = self._chosen if len(history) < GP_TRIALS_MAX else self._later
        return searcher.suggest(history, requests, rng)


class _Rule(NamedTuple):
    holds: Callable[[Problem], bool]
    make: Callable[[], Searcher]
    why: str


def _facts(problem: Problem) -> dict[str, object]:
    return {
        "columns": _learnable(problem.space),
        "planned": problem.num_samples,
        "parallel": problem.parallelism,
        "switch": GP_TRIALS_MAX,
    }


def _learnable(space: Space) -> int:
    """Return how many parameters there are to choose: grid points are given, and functions compute themselves."""
    domains = [each.domain for each in space.parameters if each.column is not None]
    return sum(not (isinstance(domain, Category) and domain.kind == "grid_search") for domain in domains)


def _planned(problem: Problem) -> float:
    return float("inf") if problem.num_samples is None else problem.num_samples * problem.space.grid_size


def _even(problem: Problem) -> bool:
    return problem.space.dimension <= DIMENSIONS_MAX


_RULES = (
    _Rule(lambda p: _learnable(p.space) == 0, Random, "there is nothing to choose"),
    _Rule(lambda p: p.objectives == 0 and _even(p), Sobol, "there is no metric to learn from"),
    _Rule(
        lambda p: _planned(p) <= p.parallelism and _even(p),
        Sobol,
        "all {planned} trials begin before the first has a result",
    ),
    _Rule(lambda p: not _even(p) and p.objectives == 0, Random, "there is no metric to learn from"),
    _Rule(lambda p: p.parallelism > GP_PARALLELISM_MAX, TPE, "{parallel} trials at a time want suggestions fast"),
    _Rule(lambda p: _learnable(p.space) > GP_DIMENSION_MAX, TPE, "{columns} parameters are many"),
    _Rule(
        lambda p: p.num_samples is not None and _planned(p) > PLANNED_MAX,
        TPE,
        "{planned} trials want suggestions fast",
    ),
    _Rule(
        lambda p: _planned(p) <= GP_TRIALS_MAX,
        GP,
        "with {columns} parameters and {planned} trials it learns most from each",
    ),
    _Rule(lambda p: True, GP, "it learns most from each trial; beyond {switch} trials, TPE"),
)
