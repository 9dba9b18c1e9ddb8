"""NSGA-II (Deb et al. 2002), and NSGA-III (Deb and Jain 2014) from four objectives on, without generations: each child
comes of the population as it is when it is asked for, so that no slot waits for others.

The population is chosen from all undominated trials there ever were and from the newest of the others. Both are
functions of the history, and cheap to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import BLOCK, Blocks, Untried, inside, keys, suggest_rows
from trialwright.searchers.observations import DONE, Observations
from trialwright.searchers.pareto import best_first, loneliness
from trialwright.searchers.sampling import Sobol
from trialwright.space import Category
from trialwright.space.values import Bools, Floats, Ints
from trialwright.streams import Streams

TRIES = 20  # how often to look for a child that has not been tried


@dataclass
class NSGA2(SettingsTable):
    """Crosses and mutates the best trials.

    Args:
        population: how many trials may be parents; as many are drawn before the first child.
        crossing: the probability that a child has two parents.
        spread: how near children are to their parents, in crossing and in mutation; more is nearer (Deb and Agrawal
            1995, eta).
    """

    population: int = 32
    crossing: float = 0.9
    spread: tuple[float, float] = (10.0, 15.0)

    learns: ClassVar[bool] = True

    def setup(self, problem: Problem) -> int:
        """Take any problem with a metric.

        Raises:
            ValueError: there is none, or the population is less than 2.
        """
        problem.scored("nsga2")
        if self.population < 2:
            raise ValueError(f"NSGA2(population={self.population!r}): it must be at least 2")
        self._space = problem.space
        self._known = Observations(problem)
        self._front = _Front()
        self._draws: Blocks | None = None
        self._untried = Untried(problem.space)
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
        if self._known.count < self.population or not self._space.dimension:
            first = self._first.suggest(History(), requests, rng)
            return self._untried.instead(first, requests, self._known.units, rng)
        parents, children = self._parents(), np.empty((len(requests), self._space.dimension))
        for place, request in enumerate(requests):
            children[place] = self._child(parents, children[:place], request, rng)[0]
        return suggest_rows(self._space, requests, children, rng)

    def _parents(self) -> Floats:
        """Return the population's units, best first, shape (population, d)."""
        known, front = self._known, self._front.update(self._known)
        done = known.rows(DONE)
        if len(done) < known.count:  # a front of those that went furthest says nothing of the others
            return known.units[known.best_first(self.population)]
        if len(front) >= self.population:
            order = front[np.argsort(-loneliness(known.values[front]), kind="stable")]
        else:
            # Older ones that are dominated are left out: to sort all that ever were would take longer with every trial.
            pool = np.union1d(front, done[-2 * self.population :])
            order = pool[best_first(known.values[pool], known.violations[pool])]
        return known.units[order[: self.population]]

    def _random(self, rng: Streams, block: int) -> Floats:
        return rng("evolution", block).random((BLOCK, 5 * (self._space.dimension + 1)))

    def _child(self, parents: Floats, others: Floats, request: Request, rng: Streams) -> Floats:
        """Return a row, shape (1, d), that is allowed and new, unless there is none; if no child soon is, any other."""
        self._draws = self._draws or Blocks(partial(self._random, rng))
        draws, generator = self._draws.row(request.sample), rng("evolution inside", request.sample)
        for attempt in range(TRIES):
            child = np.minimum(np.maximum(self._bred(parents, draws), 0.0), 1.0)[None, :]
            child = self._space.snap(self._space.fix_grid(child, [request.sample]))
            if attempt >= TRIES // 2:  # few rows satisfy the constraints: stay near one that does
                near = inside(self._space, child, parents[[attempt % len(parents)]], request.sample, generator)
                child = near if len(near) else child
            is_known = any(np.any(np.all(rows == child, axis=1)) for rows in (self._known.units, others))
            if self._space.feasible(child)[0] and not is_known:
                return child
            # The row of the table has made its child.
            draws = rng("evolution again", request.sample, attempt).random(draws.shape)
        taken = set(keys((*self._known.units, *others)))
        rest = self._untried.rows(taken, request.sample, rng("evolution elsewhere", request.sample))
        return rest[:1] if len(rest) else child

    def _bred(self, parents: Floats, draws: Floats) -> Floats:
        """Return a child, shape (d,), made by draws from [0, 1), shape (5 d + 5,): of two parents, each the better of
        two candidates, or of the first alone."""
        one, other = parents[(draws[:4].reshape(2, 2).min(axis=1) * len(parents)).astype(np.int64)]
        uniforms = draws[5:].reshape(5, -1)
        row = self._crossed(one, other, *uniforms[:2]) if draws[4] < self.crossing else one
        return self._mutated(row, *uniforms[2:])

    def _crossed(self, one: Floats, other: Floats, u: Floats, coin: Floats) -> Floats:
        """Simulated binary crossing of numbers (Deb and Agrawal 1995), uniform crossing of categories."""
        beta = np.where(u < 0.5, 2 * u, 0.5 / (1 - u)) ** (1 / (self.spread[0] + 1))
        near = 0.5 * ((1 + beta) * one + (1 - beta) * other)
        return np.asarray(np.where(coin < 0.5, np.where(self._kinds, other, near), one))

    def _mutated(self, row: Floats, u: Floats, coin: Floats, fresh: Floats) -> Floats:
        """Polynomial mutation of numbers, a new draw of categories; one column in each child, on average."""
        power = 1 / (self.spread[1] + 1)
        step = np.where(u < 0.5, (2 * u) ** power - 1, 1 - (2 * (1 - u)) ** power)
        return np.asarray(np.where(coin < 1 / len(row), np.where(self._kinds, fresh, row + step), row))


class _Front:
    """The trials that meet the constraints and that no other such dominates, kept at the cost of what is new."""

    def __init__(self) -> None:
        self._costs: Floats | None = None  # of each row when it was looked at; infinite where it has none that counts
        self._rows = np.empty(0, dtype=np.int64)

    def update(self, known: Observations) -> Ints:
        """Return its rows."""
        costs = np.where((known.state == DONE)[:, None], known.values, np.inf)
        if known.violations.size:
            costs[np.any(known.violations > 0, axis=1)] = np.inf
        before = costs[:0] if self._costs is None or len(self._costs) > len(costs) else self._costs
        changed = np.any(costs[: len(before)] != before, axis=1)
        if changed.any() and np.isfinite(before[changed]).any():  # what was known holds no longer
            before, changed = costs[:0], changed[:0]
        if not len(before):
            self._rows = np.empty(0, dtype=np.int64)
        for row in (*np.flatnonzero(changed).tolist(), *range(len(before), len(costs))):
            self._add(row, costs)
        self._costs = costs
        return np.sort(self._rows)

    def _add(self, row: int, costs: Floats) -> None:
        new, old = costs[row], costs[self._rows]
        if np.isfinite(new[0]) and not np.any(_dominates(old, new)):
            self._rows = np.append(self._rows[~_dominates(new, old)], row)


def _dominates(ones: Floats, others: Floats) -> Bools:
    return np.asarray(np.all(ones <= others, axis=-1) & np.any(ones < others, axis=-1))
