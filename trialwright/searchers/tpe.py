"""Tree-structured Parzen estimators (Bergstra et al. 2011), multivariate, with the settings that Watanabe (2023,
arXiv 2304.11127) found to matter: one density over the good trials, one over the others, and the candidate that the
first favours most over the second.

Branches need no special case. A column that a trial does not have counts for nothing in its kernel, and the category
that decides about the branch is part of the same product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import Untried, inside, keys, suggest_rows
from trialwright.searchers.observations import UNKNOWN, Observations
from trialwright.searchers.parzen import Bandwidths, Columns, Parzen
from trialwright.searchers.sampling import MiddleFirst
from trialwright.space.values import Bools, Floats, Ints
from trialwright.streams import Streams

BAD_MAX = 500  # kernels of the others: with 1000 runs of 1500 trials end no better


@dataclass
class TPE(SettingsTable):
    """Suggests configurations that are likely among the good trials, and unlikely among the others.

    Args:
        startup: how many trials to draw before the first that is suggested.
        share: the fraction of the trials that counts as good.
        good_max: how many trials count as good at most.
        candidates: how many points are drawn from the density of the good ones and compared. More candidates are worse:
            where the ratio is highest, least is known.
        even: the weight of even draws in that density, where each good trial has 1 on average.
        bandwidths: of the kernels.
        random_fraction: the fraction of suggestions that is drawn at random from the space, as in BOHB, in case low
            levels rank trials wrongly (Falkner et al. 2018, arXiv 1807.01774, section 4).

    Raises:
        ValueError: ``random_fraction`` is not within [0, 1].
    """

    startup: int = 6
    share: float = 0.12
    good_max: int = 50
    candidates: int = 32
    even: float = 0.5
    bandwidths: Bandwidths = field(default_factory=Bandwidths)
    random_fraction: float = 0.0

    learns: ClassVar[bool] = True
    process_from: ClassVar[int | None] = 10_000

    def __post_init__(self) -> None:
        if not 0 <= self.random_fraction <= 1:
            raise ValueError(f"random_fraction must be within [0, 1], not {self.random_fraction!r}")

    def setup(self, problem: Problem) -> int:
        """Take any problem with a metric."""
        problem.scored("tpe")
        self._problem, self._space = problem, problem.space
        self._columns = Columns(problem.space)
        self._known = Observations(problem)
        self._untried = Untried(problem.space)
        self._first = MiddleFirst()
        return self._first.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Answer one by one: what was just suggested counts as a trial that has not ended."""
        self._known.update(history)
        asked: list[Floats] = []
        return [self._answer(request, asked, rng) for request in requests]

    def _answer(self, request: Request, asked: list[Floats], rng: Streams) -> Suggestion:
        is_random = self.random_fraction > 0 and rng("tpe, random", request.sample).random() < self.random_fraction
        if self._known.count < self.startup or not self._space.dimension or is_random:
            return self._beginning(request, asked, rng)
        row = self._best_candidate(request, asked, rng("tpe", request.sample))
        asked.append(row)
        (suggestion,) = suggest_rows(self._space, [request], row[None, :], rng)
        return suggestion

    def _beginning(self, request: Request, asked: list[Floats], rng: Streams) -> Suggestion:
        first = self._first.suggest(History(), [request], rng)
        (answer,) = self._untried.instead(first, [request], np.array([*self._known.units, *asked]), rng)
        if self._untried.is_needed:
            asked += [*self._space.encode([self._space.resolve(answer.config)])[0]]
        return answer

    def _best_candidate(self, request: Request, asked: list[Floats], generator: np.random.Generator) -> Floats:
        good, bad = self._densities(asked)
        drawn = good.draw(self.candidates, generator)
        units = inside(self._space, drawn, np.resize(good.units, drawn.shape), request.sample, generator)
        taken = set(keys((*self._known.units, *asked))) if self._untried.is_needed else set[bytes]()
        units = self._untried.new(units, taken) if taken else units
        if not len(units):  # all of them are known, or not allowed: anything that is new will do
            units = self._elsewhere(request, taken, generator)
        active = self._space.active(units)
        features = self._columns.features(units, active)
        scores = good.log_density(units, active, features) - bad.log_density(units, active, features)
        return np.asarray(units[int(np.argmax(scores))])

    def _elsewhere(self, request: Request, taken: set[bytes], generator: np.random.Generator) -> Floats:
        """Return even draws; where none of them is new, what else is; if nothing is left, the draws."""
        rest = self._space.tilt(generator.random((self.candidates, self._space.dimension)))
        rest = self._space.snap(self._space.fix_grid(rest, [request.sample] * self.candidates))
        new = self._untried.new(rest, taken)
        new = new[self._space.feasible(new)]
        new = new if len(new) else self._untried.rows(taken, request.sample, generator)
        return new[: self.candidates] if len(new) else rest

    def _densities(self, asked: list[Floats]) -> tuple[Parzen, Parzen]:
        known = self._known
        count = min(math.ceil(self.share * known.count), self.good_max)
        # One more than is good: the good are weighed by how much better they are than it.
        order = known.best_first(count + 1)
        # What runs counts as not good, so that the next suggestion goes elsewhere.
        good, is_other = order[:count], known.state != UNKNOWN
        is_other[good] = False
        bad = _thinned(np.flatnonzero(is_other))
        guesses = np.array(asked).reshape(-1, self._space.dimension)
        units = np.concatenate([known.units[bad], guesses])
        active = np.concatenate([known.active[bad], self._space.active(guesses)])
        return self._density_of_good(good, self._weights(order, good)), self._density_of_others(units, active)

    def _density_of_good(self, good: Ints, weights: Floats) -> Parzen:
        trials = self._known.units[good], self._known.active[good], weights
        widths = self.bandwidths.fitted(self._columns, *trials)
        return Parzen(
            self._columns,
            *trials,
            widths=widths,
            blur=self.bandwidths.blurred(self._columns, len(good)),
            even=self.even,
        )

    def _density_of_others(self, units: Floats, active: Bools) -> Parzen:
        n = len(units)
        widths, blur = self.bandwidths.alike(self._columns, n), self.bandwidths.blurred(self._columns, n)
        return Parzen(self._columns, units, active, np.ones(n), widths=widths, blur=blur)

    def _weights(self, order: Ints, good: Ints) -> Floats:
        """Weigh good trials by how much better they are than the next one (Watanabe 2023, "EI")."""
        if self._problem.objectives > 1 or len(order) == len(good):
            return np.ones(len(good))
        values = self._known.values[:, 0]
        excess = np.maximum(self._known.violations[order], 0.0)
        if excess.any():  # some are good for how little they violate: the objective says nothing of these
            return np.ones(len(good))
        gains = np.maximum(values[order[len(good)]] - values[good], 0.0)
        return gains / gains.mean() if np.isfinite(gains).all() and gains.mean() > 0 else np.ones(len(good))


def _thinned(rows: Ints) -> Ints:
    """Keep the newest, and of the older ones as many as there is room for, evenly."""
    if len(rows) <= BAD_MAX:
        return rows
    newest, older = rows[-BAD_MAX // 2 :], rows[: -BAD_MAX // 2]
    return np.concatenate([older[np.linspace(0, len(older) - 1, BAD_MAX // 2).astype(np.int64)], newest])
