"""PB2 (Parker-Holder et al. 2020, arXiv 2002.02518): PBT whose variations are chosen by a model of what members gain.

A Gaussian process learns how much a member gained in an interval, from its settings, the cost it had, and the time. A
clone goes on with the settings of which the upper bound is highest now. What other members will gain with theirs is not
known yet: it is hallucinated, so that members try different settings. Beside the paper: a Matern kernel with a
length-scale for each setting, warped gains, a bound that adds standard deviations, not variances; categories, branches.

The function changes with time. Its kernel is k(D) (k(T) + c): over settings, and over time, where
k(T) = (1 - eps)^(|t - t'| / 2) (Bogunovic et al. 2016, arXiv 1601.06650), with T in intervals; c is the part that stays
as it is. So it is ``gp/model.py``'s kernel over learning curves, with another k(T): l_t = -2 / log(1 - eps).

d: columns of what varies. n: intervals. p: features of the settings. q: other members, of which nothing is known yet.
m: rows.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from trialwright.errors import nearest
from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Config, Request
from trialwright.searchers.base import Problem, Searcher
from trialwright.searchers.drawing import plain
from trialwright.searchers.explore import Explorer, place_of
from trialwright.searchers.gains import Gains, Interval, Place
from trialwright.searchers.gp.backends import one_thread
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.maximise import Effort, Maximiser, Scope
from trialwright.searchers.gp.model import Data, Model, Prior, fit
from trialwright.searchers.gp.warp import warped
from trialwright.searchers.sampling import Random
from trialwright.space import Space, lograndint, loguniform, randint, uniform
from trialwright.space.domains import Domain, Stepped
from trialwright.space.functions import seeded
from trialwright.space.values import Bools, Floats, Ints
from trialwright.streams import Streams

EPSILON = 0.1  # expected, as in the paper
C1, C2 = 0.2, 0.4  # of the bound: sqrt(C1 log(C2 n)) standard deviations (Parker-Holder et al. 2020, appendix)
FEW = 3  # intervals, before which settings are drawn
EFFORT = 64  # rows that are looked at all over the space, and as many near the donor's
SPREAD = (0.5, 1.5)
"""The bound's width is multiplied by a draw from here (Berk et al. 2020, arXiv 2006.08136): of members that are cloned
at the same moment, none knows what the others will try, and they should differ all the same."""


@dataclass
class PB2(Explorer, SettingsTable):
    """Answers "explore" requests by a time-varying bandit, for ``PBT`` with few members; ``base`` answers all others.

    Args:
        base: where the first population comes from.
        bounds: what varies, by path (``"model/lr"``): a range (low, high) or a domain; a range has the
            logarithms and steps of the space's own domain. None for every parameter of the space.
        window: the model learns from so many of the latest intervals.
        starts: how many ascents search for the best settings.
        function: called last, with a variation; returns the one to use.
    """

    base: Searcher = field(default_factory=Random)
    bounds: Mapping[str, Sequence[float] | Domain] | None = None
    window: int = 200
    starts: int = 10
    function: Callable[[dict[str, object]], dict[str, object]] | None = None

    @property
    def learns(self) -> bool:
        """It does, whatever the base does."""
        return True

    def setup(self, problem: Problem) -> int:
        """Take one objective, and any space that the base takes.

        Raises:
            ValueError: there is no metric, or more than one; or a bound that is none.
        """
        problem.single("pb2")
        samples = super().setup(problem)
        bounds = (self.bounds or {}).items()
        self._part = self._space if self.bounds is None else Space({path: self._domain(path, b) for path, b in bounds})
        self._features = Features(self._part)
        self._scope = Scope(self._part, self._features)
        self._gains = Gains(self._encoded, self.window)
        return samples

    def _domain(self, path: str, bound: Sequence[float] | Domain) -> Domain:
        try:
            _value(self._space.definition, path)
        except (KeyError, TypeError):
            known = nearest(path, self._domains)
            raise ValueError(f"PB2(bounds=...): not every config of the space has {path!r}{known}") from None
        if isinstance(bound, Domain):
            return bound
        if len(bound) != 2:
            raise ValueError(f"PB2(bounds={{{path!r}: {bound!r}}}): it must be two numbers, (low, high), or a domain")
        own, (low, high) = self._domains.get(path), bound
        is_log = path in self._space.logarithmic and low > 0
        if isinstance(own, Stepped) and own.grain.integer:
            ends = (int(low), int(high) + 1)  # both are among the values
            return lograndint(*ends) if is_log else randint(*ends)
        return loguniform(low, high) if is_log else uniform(low, high)

    # What varies -----------------------------------------------------------------------------------------------------

    def _encoded(self, config: Config) -> tuple[Floats, Bools] | None:
        """Return units and activity of what varies, both of shape (d,); None where it is none of the space."""
        try:
            whole = self._space.resolve(config)
            varies = whole if self.bounds is None else {path: _value(whole, path) for path in self.bounds}
            units, active = self._part.encode([varies])
        except (KeyError, TypeError, ValueError):
            return None
        return units[0], active[0]

    def _decoded(self, donor: dict[str, object], row: Floats, generator: np.random.Generator) -> dict[str, object]:
        """Return the donor with what varies taken from a row, shape (d,)."""
        config = varied = self._part.decode(row[None, :], generator)[0]
        if self.bounds is not None:
            config = copy.deepcopy(donor)
            for path, bound in self.bounds.items():
                place, name = place_of(config, path)
                is_int = type(place[name]) is int and not isinstance(bound, Domain)
                place[name] = round(cast(float, varied[path])) if is_int else varied[path]
        if self.function is not None:
            with seeded(int(generator.integers(2**32))):
                config = self.function(config)
        return config

    # What to try next ------------------------------------------------------------------------------------------------

    def _explore(self, history: History, request: Request, rng: Streams) -> Config:
        donor = self._space.resolve(request.donor or {})
        generator = rng("pb2", request.trial, request.attempt)
        self._gains.update(history)
        varied = (self._decoded(donor, row, generator) for row in self._rows(request, generator))
        return plain(self._space, next(filter(self._space.satisfies, varied), donor))

    def _rows(self, request: Request, generator: np.random.Generator) -> Floats:
        """Return the settings to try, shape (any, d), the best first."""
        number = request.tags.get("donor")
        now = self._gains.place(number if isinstance(number, int) else None)
        known = self._gains.intervals(request.trial)
        if not self._part.dimension:
            return np.empty((0, 0))
        if now is None or len(known) < FEW:
            return self._scope.everywhere(EFFORT, generator)
        with one_thread():
            score = self._score(known, now, [*self._gains.others(request.trial)], generator)
            effort = Effort(EFFORT, EFFORT, max(self.starts // 2, 1), rounds=20)
            return Maximiser(score, self._scope, effort).maximise(now.units[None, :], generator)[0]

    def _score(
        self, known: Sequence[Interval], now: Place, others: Sequence[Place], generator: np.random.Generator
    ) -> UpperBound:
        costs, steps = np.array([each.cost for each in known]), np.array([each.step for each in known])
        lowest, spread = costs.min(), max(float(np.ptp(costs)), 1e-300)  # all may have cost the same
        interval = self._interval(steps)

        def seen(places: Sequence[Interval | Place]) -> Floats:
            units, active = np.array([each.units for each in places]), np.array([each.active for each in places])
            context = np.array([((each.cost - lowest) / spread, each.step / interval) for each in places])
            return np.concatenate([self._features.of(units, active), context], axis=1)

        gains = -warped(-np.array([each.gain for each in known]))  # great losses are pulled in
        d = len(self._features.columns)
        model = fitted(seen(known), np.r_[self._features.groups, d, d + 1], gains)
        pending = seen(others) if others else np.empty((0, model.data.features.shape[1]))
        how_wide = wide(len(known)) * generator.uniform(*SPREAD)
        return UpperBound(self._features, model, pending, seen([now])[0, -2:], how_wide)

    def _interval(self, steps: Floats) -> float:
        """Return how many steps lie between decisions."""
        apart = np.diff(np.unique(steps))
        return float(np.median(apart)) if len(apart) else 1.0


def _value(config: dict[str, object], path: str) -> object:
    place, name = place_of(config, path)
    return place[name]


@dataclass(frozen=True)
class Drifting(Data):
    """Rows (n, p + 2): settings, the cost before, and the time."""

    def over_steps(self, a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
        """Return k(T) between scaled rows, its slope, and the squared distances T of their times."""
        apart = np.abs(a[:, -1:] - b[:, -1:].T)
        kernel = np.exp(-apart)
        # At the same time the slope in T is infinite; it is multiplied by T, which is 0.
        return kernel, -0.5 * kernel / np.maximum(apart, 1e-12), apart * apart


def fitted(rows: Floats, groups: Ints, gains: Floats) -> Model:
    """Return the model of gains (n,), standardised, at rows (n, p + 2), of columns ``groups`` (p + 2,)."""
    d = int(groups[-1])
    prior = Prior(d, has_steps=True, over_steps=((math.log(-2.0 / math.log(1.0 - EPSILON)), 1.0), (-2.0, 1.0)))
    data = Drifting(rows, groups, has_steps=True)
    return Model.of(fit(data, gains, prior, prior.mean[None, :]), data, gains)


class UpperBound:
    """How good settings may be now: a score for ``gp/maximise.py``.

    Args:
        features: of the settings.
        model: of gains.
        pending: rows (q, p + 2) of which the gains are not known yet: they leave the mean as it is, and make the
            deviation smaller (Desautels et al. 2014: hallucinated observations).
        now: the cost and the time for which settings are wanted, as the model sees them, shape (2,).
        wide: how many standard deviations the bound is above the mean.
    """

    def __init__(self, features: Features, model: Model, pending: Floats, now: Floats, wide: float) -> None:
        self._features, self._model, self._now, self._wide = features, model, now, wide
        y = np.concatenate([model.y, np.zeros((len(pending), 1))])
        self._hallucinated = model.extended(pending, y) if len(pending) else model

    def value(self, units: Floats, active: Bools) -> Floats:
        """Return it, shape (m,)."""
        rows = self._rows(units, active)
        return np.asarray(self._model.at(rows).mean[:, 0] + self._wide * self._hallucinated.at(rows).sd)

    def steep(self, units: Floats, active: Bools) -> tuple[Floats, Floats]:
        """Return it, and its gradient in the units, shape (m, d)."""
        rows = self._rows(units, active)
        mean, deviation = self._model.at(rows), self._hallucinated.at(rows)
        ones, zeros = np.ones(len(rows)), np.zeros(len(rows))
        gradient = mean.pull_back(ones[:, None], zeros)
        gradient = gradient + deviation.pull_back(zeros[:, None], self._wide * ones)
        value = mean.mean[:, 0] + self._wide * deviation.sd
        return np.asarray(value), self._features.pull_back(gradient)

    def _rows(self, units: Floats, active: Bools) -> Floats:
        now = np.broadcast_to(self._now, (len(units), 2))
        return np.concatenate([self._features.of(units, active), now], axis=1)


def wide(n: int) -> float:
    """Return how many standard deviations the bound is above the mean, with n intervals known."""
    return math.sqrt(C1 * max(math.log(C2 * n), 0.0))  # of one or two intervals the logarithm is negative
