"""NSGA-II (Deb et al. 2002), and NSGA-III (Deb and Jain 2014) from four objectives on, without generations: each child
comes of the population as it is when it is asked for, so that no slot waits for others.

The population is chosen from all undominated trials there ever were and from the newest of the others. Both are
functions of the history, and cheap to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trialist.history import History
from trialist.messages import Request, Suggestion
from trialist.searchers.base import Problem
from trialist.searchers.drawing import suggest_rows
from trialist.searchers.observations import DONE, Observations
from trialist.searchers.pareto import Ints, best_first
from trialist.searchers.qmc import Sobol
from trialist.space import Category
from trialist.space.values import Bools, Floats
from trialist.streams import Streams

TRIES = 20  # how often to look for a child that has not been tried


@dataclass
class NSGA2:
    """Crosses and mutates the best trials.

    Args:
        population: how many trials may be parents; as many are drawn before the first child.
        crossing: how likely a child is to have two parents.
        spread: how near children are to their parents, in crossing and in mutation; more is nearer (Deb and Agrawal
            1995, eta).
    """

    population: int = 32
    crossing: float = 0.9
    spread: tuple[float, float] = (10.0, 15.0)

    learns: ClassVar[bool] = True

    def setup(self, problem: Problem) -> int:
        """Take any problem.

        Raises:
            ValueError: the population is less than 2.
        """
        if self.population < 2:
            raise ValueError(f"NSGA2(population={self.population!r}): two parents at least are wanted")
        self._space = problem.space
        self._known = Observations(problem)
        self._archive = _Archive()
        self._first = Sobol()
        self._kinds = np.array(
            [
                isinstance(each.domain, Category) and each.domain.kind != "ordinal"
                for each in problem.space.parameters
                if each.column is not None
            ],
            dtype=np.bool_,
        )
        return self._first.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Answer one by one."""
        self._known.update(history)
        done = self._known.rows(DONE)
        if len(done) < self.population or not self._space.dimension:
            return self._first.suggest(History(), requests, rng)
        parents = self._parents(done)
        rows = [self._child(parents, request, rng("evolution", request.sample)) for request in requests]
        return suggest_rows(self._space, requests, np.stack(rows), rng)

    def _parents(self, done: Ints) -> Floats:
        """Return the population's units, best first, shape (population, d)."""
        known = self._known
        front = self._archive.update(known, done)
        pool = np.union1d(front, done[-2 * self.population :])
        order = pool[best_first(known.values[pool], known.violations[pool])]
        return known.units[order[: self.population]]

    def _child(self, parents: Floats, request: Request, rng: np.random.Generator) -> Floats:
        """Return a row, shape (d,), that is allowed and new, if one is found soon."""
        child = parents[0]
        for _ in range(TRIES):
            one, other = parents[np.minimum(*rng.integers(len(parents), size=(2, 2)))]  # each the better of two
            child = self._mutated(self._crossed(one, other, rng), rng)
            child = self._space.snap(self._space.fix_grid(child[None, :], [request.sample]))[0]
            if self._space.feasible(child[None, :])[0] and not self._is_known(child):
                break
        return child

    def _is_known(self, row: Floats) -> bool:
        return self._space.cardinality is not None and bool(np.any(np.all(self._known.units == row, axis=1)))

    def _crossed(self, one: Floats, other: Floats, rng: np.random.Generator) -> Floats:
        """Simulated binary crossing of numbers (Deb and Agrawal 1995), uniform crossing of categories."""
        if rng.random() >= self.crossing:
            return one
        u, swap = rng.random(len(one)), rng.random(len(one)) < 0.5
        power = 1 / (self.spread[0] + 1)
        beta = np.where(u < 0.5, (2 * u) ** power, (2 * (1 - u)) ** -power)
        near = 0.5 * ((1 + beta) * one + (1 - beta) * other)
        return np.asarray(np.where(swap, np.where(self._kinds, other, np.clip(near, 0, 1)), one))

    def _mutated(self, row: Floats, rng: np.random.Generator) -> Floats:
        """Polynomial mutation of numbers, a new draw of categories; one column in each child, on average."""
        d = len(row)
        hit, u, fresh = rng.random(d) < 1 / d, rng.random(d), rng.random(d)
        power = 1 / (self.spread[1] + 1)
        step = np.where(u < 0.5, (2 * u) ** power - 1, 1 - (2 * (1 - u)) ** power)
        moved = np.clip(row + step, 0, 1)
        return np.asarray(np.where(hit, np.where(self._kinds, fresh, moved), row))


class _Archive:
    """The trials that no other dominates, constraints first; in whatever order they end, these are the same."""

    def __init__(self) -> None:
        self._ids: set[int] = set()  # of all that were looked at
        self._front = np.empty(0, dtype=np.int64)  # the ids of those that are left

    def update(self, known: Observations, done: Ints) -> Ints:
        """Look at what is new, and return the rows of the front."""
        ids = known.ids[done]
        if not self._ids <= set(ids.tolist()):  # another history
            self.__init__()  # type: ignore[misc]
        for row, trial in zip(done.tolist(), ids.tolist(), strict=True):
            if trial not in self._ids:
                self._ids.add(trial)
                self._add(known, row)
        return np.searchsorted(known.ids, self._front)

    def _add(self, known: Observations, row: int) -> None:
        rows = np.searchsorted(known.ids, self._front)
        costs = np.concatenate([_costs(known, rows), _costs(known, np.array([row]))])
        new, old = costs[-1], costs[:-1]
        if not np.any(_dominates(old, new)):
            self._front = np.append(self._front[~_dominates(new[None, :], old)], known.ids[row])


def _costs(known: Observations, rows: Ints) -> Floats:
    """Return the objectives, shape (n, m); those of a trial that violates a constraint are worse than any that meets
    all."""
    excess = np.maximum(known.violations[rows], 0.0).sum(axis=1, keepdims=True)
    return np.asarray(np.where(excess > 0, 1e300 * (1 + np.tanh(excess)), known.values[rows]))


def _dominates(ones: Floats, others: Floats) -> Bools:
    return np.asarray(np.all(ones <= others, axis=-1) & np.any(ones < others, axis=-1))
