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

from trialwright.messages import Request, Suggestion
from trialwright.searchers.drawing import bracket_shares
from trialwright.searchers.gp.model import Model
from trialwright.searchers.gp.searcher import GP
from trialwright.searchers.gp.surrogate import Observed
from trialwright.searchers.gp.warp import warped
from trialwright.space.values import Floats, Ints
from trialwright.streams import Streams

DRAWS = 64
FOLDS = 5
ROWS_MAX = 100  # of a level, which the models of a ranking look at


@dataclass
class HyperTune(GP):
    """Suggests as GP does, and chooses the bracket of each trial, by the first objective.

    Args:
        brackets: the number of brackets of the scheduler.
        reduction_factor: eta, as the scheduler's.
    """

    brackets: int = 1
    reduction_factor: float = 3

    def _beginnings(self, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        answers = super()._beginnings(requests, rng)
        return self._in_brackets(requests, answers, bracket_shares(self.brackets, self.reduction_factor), rng)

    def _proposals(self, seen: Observed, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        answers = super()._proposals(seen, requests, rng)
        return self._in_brackets(requests, answers, self._shares(seen, rng("hyper-tune, draws", len(self._known))), rng)

    def _in_brackets(
        self, requests: Sequence[Request], answers: Sequence[Suggestion], shares: Floats, rng: Streams
    ) -> list[Suggestion]:
        """Return the answers, each with a bracket, where there are some to choose from."""
        if self.brackets == 1:
            return [*answers]
        found = []
        for request, answer in zip(requests, answers, strict=False):
            bracket = int(rng("hyper-tune", request.sample).choice(self.brackets, p=shares))
            found.append(replace(answer, tags={**answer.tags, "bracket": bracket}))
        return found

    def _shares(self, seen: Observed, generator: np.random.Generator) -> Floats:
        """Return which part of the trials each bracket gets, shape (brackets,): HyperBand's until enough is known, and
        always for brackets that start above r*."""
        shares, known = bracket_shares(self.brackets, self.reduction_factor), self._known
        last, order = self._surrogate.last_fit(known.history, seen), known.best_first()
        at_top = order[known.reach[order] >= known.level][:ROWS_MAX]
        if self.brackets == 1 or seen.log_step is None or last is None or len(at_top) < FOLDS:
            return shares
        rows = np.union1d(at_top, order[:: 1 + len(order) // ROWS_MAX])
        levels, theta = known.levels[: known.levels.index(known.level) + 1], np.zeros(self.brackets)
        for level, share in zip(levels, self._merits(levels, rows, at_top, last.thetas[0], generator), strict=True):
            theta[self._bracket(level)] += share
        learnt = slice(0, self._bracket(known.level) + 1)
        wanted = theta[learnt] * float(self.reduction_factor) ** -np.arange(self.brackets)[learnt]
        shares[learnt] = shares[learnt].sum() * wanted / wanted.sum()
        return shares

    def _bracket(self, level: float) -> int:
        """Return the last bracket whose first rung is not above this level."""
        rung, bracket = self._known.levels[0] * self.reduction_factor, 0
        while bracket < self.brackets - 1 and rung <= level * (1 + 1e-9):  # levels are whole steps, rungs need not be
            rung, bracket = rung * self.reduction_factor, bracket + 1
        return bracket

    def _merits(
        self, levels: Sequence[float], rows: Ints, at_top: Ints, theta: Floats, generator: np.random.Generator
    ) -> Floats:
        """Return theta_r of each level, shape (levels,): how well what these rows reported there ranks the trials that
        came to the last level, which is r*."""
        drawn = [self._drawn(level, rows, at_top, theta, generator) for level in levels[:-1]]
        # A model ranks what it has seen without a mistake: for r* each trial is ranked by a model that has not seen it.
        drawn.append(self._drawn_apart(levels[-1], at_top, theta, generator))
        values = self._known.outputs_at(at_top, levels[-1])[:, 0]
        losses = np.stack([_mistakes(each, values) for each in drawn], axis=1)
        is_least = losses == losses.min(axis=1, keepdims=True)
        return np.asarray((is_least / is_least.sum(axis=1, keepdims=True)).mean(axis=0))

    def _drawn_apart(self, level: float, at_top: Ints, theta: Floats, generator: np.random.Generator) -> Floats:
        """Return draws at the trials that came to r*, shape (s, n), each from a model that has not seen it."""
        fold, drawn = np.arange(len(at_top)) % FOLDS, np.empty((DRAWS, len(at_top)))
        for number in range(FOLDS):
            others, held = at_top[fold != number], at_top[fold == number]
            drawn[:, fold == number] = self._drawn(level, others, held, theta, generator)
        return drawn

    def _drawn(self, level: float, rows: Ints, asked: Ints, theta: Floats, generator: np.random.Generator) -> Floats:
        """Return draws at the asked trials, shape (s, k), of a model of what these rows reported at a level."""
        known, log_step = self._known, math.log(self._known.step_of(level))
        values = known.outputs_at(rows, level)[:, 0]
        rows, values = rows[np.isfinite(values)], values[np.isfinite(values)]
        noise = generator.standard_normal((DRAWS, len(asked)))
        if len(rows) < 2:  # nothing is known there
            return noise
        data, at = self._features.of(known.units[rows], known.active[rows], log_step), known.units[asked]
        model = Model.of(theta, self._surrogate.data(data, has_steps=True), warped(values))
        posterior = model.at(self._features.of(at, known.active[asked], log_step))
        return posterior.mean[:, 0] + posterior.sd * noise


def _mistakes(drawn: Floats, values: Floats) -> Floats:
    """Return the share of pairs of trials that each draw, shape (s, n), ranks otherwise than the values, shape (n,)."""
    wrong = (drawn[:, :, None] < drawn[:, None, :]) != (values[:, None] < values[None, :])
    return np.asarray(wrong.mean(axis=(1, 2)))
