"""PriorBand (Mallik et al. 2023, arXiv 2306.12370): even draws, draws from the user's beliefs, and draws near the best
so far, mixed by how early the trial is compared and by what the results say of the beliefs.

d: columns of the space. k: rows. eta: reduction factor. r: the bracket, by the rung at which its trials are first
compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import Untried, bracket_shares, suggest_rows
from trialwright.searchers.observations import UNKNOWN, Observations
from trialwright.searchers.parzen import Columns, Parzen
from trialwright.space.values import Bools, Floats, Ints
from trialwright.streams import Streams

WIDTH = 0.25  # of the normal density around the best, in units
EVEN = 1e-12  # the weight of even draws beside it: none
KEPT = 0.5  # so likely a parameter keeps the value that the best has
TRIES = 20  # variations of the best, of which one satisfies the constraints


@dataclass
class PriorBand(SettingsTable):
    """Draws uniformly, from the space's beliefs, or near the best trial so far; it fits no model.

    A trial of bracket r is drawn evenly with probability 1 / (1 + eta^r), so most where it is cheap to be wrong. The
    rest is drawn from the beliefs until a trial has come to its end and as much was spent as one bracket takes; from
    then on it is divided between the beliefs and the best trial, by how likely each of them makes the best results.

    Args:
        brackets: the number of brackets of the scheduler. With more than one, each suggestion names its own.
        reduction_factor: eta, as the scheduler's.
    """

    brackets: int = 1
    reduction_factor: float = 3

    learns: ClassVar[bool] = True

    def setup(self, problem: Problem) -> int:
        """Take any problem with a metric."""
        problem.scored("priorband")
        self._space, self._columns = problem.space, Columns(problem.space)
        self._known = Observations(problem, enough=math.ceil(self.reduction_factor))
        self._untried = Untried(problem.space)
        return problem.space.grid_size

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Answer one by one."""
        self._known.update(history)
        near, belief = self._mixture()
        answers = [self._answer(request, near, belief, rng) for request in requests]
        return self._untried.instead(answers, requests, self._known.units, rng)

    def _answer(self, request: Request, near: Parzen | None, belief: float, rng: Streams) -> Suggestion:
        generator = rng("priorband", request.sample)
        bracket = int(generator.choice(self.brackets, p=bracket_shares(self.brackets, self.reduction_factor)))
        # All draws are made, whatever they are used for, so that the even row does not depend on the chance.
        chance, share = generator.random(2)
        row = generator.random((1, self._space.dimension))
        if chance >= 1 / (1 + self.reduction_factor**bracket):
            row = self._space.tilt(row) if near is None or share < belief else self._varied(near, request, generator)
        (answer,) = suggest_rows(self._space, [request], row, rng)
        return Suggestion(answer.config, {"bracket": bracket} if self.brackets > 1 else {})

    def _mixture(self) -> tuple[Parzen | None, float]:
        """Return the density around the best trial, and the share of the beliefs beside it; none before it is
        trusted."""
        known = self._known
        order = known.best_first()
        if not len(order) or not self._is_trusted():
            return None, 1.0
        at_level = order[known.reach[order] >= known.level]
        top = at_level[: max(len(at_level) // math.ceil(self.reduction_factor), 1)]
        near, weights, units, active = self._around(order[:1]), np.arange(len(top), 0, -1.0), *self._rows(top)
        logs = self._space.log_prior(units), near.log_density(units, active, self._columns.features(units, active))
        highest = max(each.max() for each in logs)  # densities of many columns are too small for exp
        of_belief, of_best = (float(weights @ np.exp(each - highest)) for each in logs)
        return near, of_belief / (of_belief + of_best)

    def _is_trusted(self) -> bool:
        """Tell whether a trial has come to its end, and as much was spent as one bracket takes: a full training for
        each level."""
        known = self._known
        reach, full = known.reach[known.state != UNKNOWN], known.step_of(math.inf)
        return bool(np.isinf(reach).any() and np.minimum(reach, full).sum() >= full * len(known.levels))

    def _rows(self, rows: Ints) -> tuple[Floats, Bools]:
        return self._known.units[rows], self._known.active[rows]

    def _around(self, row: Ints) -> Parzen:
        widths = np.full(len(self._columns.numbers), WIDTH)
        return Parzen(self._columns, *self._rows(row), np.ones(1), widths=widths, blur=1 - KEPT, even=EVEN)

    def _varied(self, near: Parzen, request: Request, generator: np.random.Generator) -> Floats:
        """Return a variation of the best, shape (1, d): the first of some that satisfies the constraints, or the
        first."""
        rows, numbers = near.draw(TRIES, generator), self._columns.numbers
        stays = self._space.active(near.units)[:, numbers] & (generator.random((TRIES, len(numbers))) < KEPT)
        rows[:, numbers] = np.where(stays, near.units[:, numbers], rows[:, numbers])
        rows = self._space.snap(self._space.fix_grid(rows, [request.sample] * TRIES))
        allowed = rows[self._space.feasible(rows)]
        return allowed[:1] if len(allowed) else rows[:1]
