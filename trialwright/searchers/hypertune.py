"""Hyper-Tune (Li et al. 2022, arXiv 2201.06834): a Gaussian process that also learns at which rung a trial should
first be compared.

n: trials that have come to the level r* that the searcher compares trials at. s: draws. eta: reduction factor.
A level is as good as what is known there ranks these n trials as r* does; for r* itself, as what is known of the others
ranks some of them. theta_r is the share of draws from these models in which level r makes the fewest mistakes. A
bracket that starts at r then gets a share in proportion to theta_r / r.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trialwright.history import History
from trialwright.messages import Request, Suggestion
from trialwright.searchers.drawing import bracket_shares
from trialwright.searchers.gp.model import Model
from trialwright.searchers.gp.searcher import GP
from trialwright.searchers.gp.warp import warped
from trialwright.searchers.pareto import Ints
from trialwright.searchers.threads import one_thread
from trialwright.space.values import Floats
from trialwright.streams import Streams

DRAWS = 64
FOLDS = 5
ROWS_MAX = 100  # of a level, which the models of a ranking look at


@dataclass
class HyperTune(GP):
    """Suggests what GP does, each with the bracket in which it is to be tried; goes by the first objective.

    Args:
        brackets: how many the scheduler has.
        reduction_factor: eta, as the scheduler's.
    """

    brackets: int = 1
    reduction_factor: float = 3

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Answer one by one, as GP does, and name a bracket for each."""
        answers = super().suggest(history, requests, rng)
        if self.brackets == 1:
            return answers
        with one_thread():
            shares = self._shares(rng("hyper-tune, draws", len(history)))
        found = []
        for request, answer in zip(requests, answers, strict=False):
            bracket = int(rng("hyper-tune", request.sample).choice(self.brackets, p=shares))
            found.append(answer and replace(answer, tags={**answer.tags, "bracket": bracket}))
        return found

    def _shares(self, generator: np.random.Generator) -> Floats:
        """Return which part of the trials each bracket gets, shape (brackets,): HyperBand's until enough is known, and
        always for brackets that start above r*."""
        shares, known = bracket_shares(self.brackets, self.reduction_factor), self._known
        seen = self._surrogate.observed(known) if len(known.levels) > 1 else None
        last = None if seen is None else self._surrogate.last_fit(known.records, seen)
        order = known.best_first()
        at_top = order[known.reach[order] >= known.level][:ROWS_MAX]
        if seen is None or last is None or len(at_top) < FOLDS:
            return shares
        levels, theta = known.levels[: known.levels.index(known.level) + 1], np.zeros(self.brackets)
        for level, share in zip(levels, self._merits(levels, at_top, last.thetas[0], generator), strict=True):
            theta[self._bracket(level)] += share
        learnt = slice(0, self._bracket(known.level) + 1)
        wanted = theta[learnt] * float(self.reduction_factor) ** -np.arange(self.brackets)[learnt]
        shares[learnt] = shares[learnt].sum() * wanted / wanted.sum()
        return shares

    def _bracket(self, level: float) -> int:
        """Return the last bracket whose first rung is not above this level."""
        rung, bracket = self._known.levels[0] * self.reduction_factor, 0
        while bracket < self.brackets - 1 and rung <= level * (1 + 1e-9):
            rung, bracket = rung * self.reduction_factor, bracket + 1
        return bracket

    def _merits(self, levels: Sequence[float], at_top: Ints, theta: Floats, generator: np.random.Generator) -> Floats:
        """Return theta_r of each level, of which the last is r*, shape (levels,), by the trials that came there."""
        drawn = [self._drawn(level, at_top, theta, generator) for level in levels[:-1]]
        drawn.append(self._drawn_apart(levels[-1], at_top, theta, generator))
        values = self._known.outputs_at(at_top, levels[-1])[:, 0]
        losses = np.stack([_mistakes(each, values) for each in drawn], axis=1)
        is_least = losses == losses.min(axis=1, keepdims=True)
        return np.asarray((is_least / is_least.sum(axis=1, keepdims=True)).mean(axis=0))

    def _drawn(self, level: float, at_top: Ints, theta: Floats, generator: np.random.Generator) -> Floats:
        """Return draws of the model of a level at these trials, shape (s, n)."""
        rows = np.union1d(at_top, self._known.best_first()[:: self._stride])
        return self._predicted(level, rows, at_top, theta, generator)

    def _drawn_apart(self, level: float, at_top: Ints, theta: Floats, generator: np.random.Generator) -> Floats:
        """Return the same of r* itself: each trial from a model that has not seen it."""
        fold = np.arange(len(at_top)) % min(len(at_top), FOLDS)
        drawn = np.empty((DRAWS, len(at_top)))
        for number in range(fold.max() + 1):
            others, held = at_top[fold != number], at_top[fold == number]
            drawn[:, fold == number] = self._predicted(level, others, held, theta, generator)
        return drawn

    @property
    def _stride(self) -> int:
        return 1 + self._known.count // ROWS_MAX

    def _predicted(
        self, level: float, rows: Ints, asked: Ints, theta: Floats, generator: np.random.Generator
    ) -> Floats:
        """Return draws at the asked trials, shape (s, k), of a model of what these rows reported at a level."""
        known, log_step = self._known, math.log(self._known.step_of(level))
        values = known.outputs_at(rows, level)[:, 0]
        rows, values = rows[np.isfinite(values)], values[np.isfinite(values)]
        if len(rows) < 2:
            return generator.standard_normal((DRAWS, len(asked)))
        data = self._surrogate.data(self._features.of(known.units[rows], known.active[rows], log_step), has_steps=True)
        at = Model.of(theta, data, warped(values)).at(
            self._features.of(known.units[asked], known.active[asked], log_step)
        )
        return at.mean[:, 0] + at.sd * generator.standard_normal((DRAWS, len(asked)))


def _mistakes(drawn: Floats, values: Floats) -> Floats:
    """Return the share of pairs of trials that each draw, shape (s, n), ranks otherwise than the values, shape (n,)."""
    wrong = (drawn[:, :, None] < drawn[:, None, :]) != (values[:, None] < values[None, :])
    return np.asarray(wrong.mean(axis=(1, 2)))
