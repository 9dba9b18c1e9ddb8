"""GP: Bayesian optimisation with Gaussian processes and expected improvement; and what is best next, for freeze-thaw.

d: columns of the space. n: observations. k: rows to choose from. m: candidates. f: fantasies. o: outputs, objectives
first, then constraints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import ClassVar, Self, cast

import numpy as np

from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Request, Suggestion, Tags
from trialwright.searchers.base import Problem, Searcher
from trialwright.searchers.drawing import suggest_rows
from trialwright.searchers.gp.acquisition import Acquisition, Belief, Outlook, outlook
from trialwright.searchers.gp.backends import one_thread
from trialwright.searchers.gp.features import Features
from trialwright.searchers.gp.improvement import Pair, log_feasible
from trialwright.searchers.gp.maximise import Effort, Maximiser, Scope
from trialwright.searchers.gp.surrogate import Observed, Surrogate
from trialwright.searchers.gp.warp import rank_normal
from trialwright.searchers.observations import FAILED, PENDING, SHORT, UNKNOWN, Observations
from trialwright.searchers.sampling import DIMENSIONS_MAX, MiddleFirst, Random
from trialwright.space.values import Floats
from trialwright.streams import Streams

MARGINS = (-2.0, 0.0)  # powers of ten, of half the outputs' standard deviation
VALUELESS_MAX = 500  # pending trials, and failures, that a model looks at
NEW = 128  # configs beside which paused trials are weighed
WAITING_MAX = 100  # trials below the level, the best: another one like them would tell no more
CENTRES = 5  # around so many of the best rows is looked more closely
SAME = 1e-9  # rows that differ by no more in any column are one config


@dataclass
class GP(SettingsTable):
    """Fits a Gaussian process to each output, and tries what is expected to improve most.

    Takes any space, several objectives, outcome constraints, and beliefs about good values. Trials that have not ended
    count as done, with what the model expects of them; failures as bad. No config is tried twice while there are
    others.

    Args:
        startup: how many trials must have ended before the model is used; until then, the middle of the space and
            Sobol points.
        effort: how many points to try when the model's best point is searched for.
        device: of torch, such as "cuda", for the matrices of thousands of trials; None for NumPy.
    """

    startup: int = 5
    effort: Effort = field(default_factory=Effort)
    device: str | None = None

    learns: ClassVar[bool] = True
    answers_next: ClassVar[bool] = True
    process_from: ClassVar[int | None] = 100

    def setup(self, problem: Problem) -> int:
        """Take any problem.

        Raises:
            ValueError: the device cannot be used.
        """
        self._problem, self._space = problem, problem.space
        self._features = Features(problem.space)
        self._scope = Scope(problem.space, self._features)
        self._surrogate = Surrogate(problem, self._features, self.device)
        self._known = Observations(problem)
        self._first: Searcher = MiddleFirst() if problem.space.dimension <= DIMENSIONS_MAX else Random()
        return self._first.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Answer one by one: what was just suggested counts as a trial that has not ended."""
        self._known.update(history)
        # Failures count: a run of which most trials fail would else never come past its first points.
        n = self._known.count + len(self._known.rows(FAILED))
        with one_thread():
            seen = self._surrogate.observed(self._known)
            if not self._space.dimension:
                return self._first.suggest(History(), requests, rng)
            if requests[0].kind == "next" and (seen is not None or requests[0].sample < 0):  # it is asked alone
                return [self._next(requests[0], rng)]
            if seen is None or n < self.startup:
                return self._beginnings(requests, rng)
            return self._proposals(seen, requests, rng)

    def _beginnings(self, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Take even points; in a finite space, where they may come twice, others instead of those that were tried."""
        answers = [answer for answer in self._first.suggest(History(), requests, rng) if answer is not None]
        if self._space.cardinality is None:
            return answers
        taken, rows = self._known.units, self._space.encode([self._space.resolve(each.config) for each in answers])[0]
        for place, request in enumerate(requests):
            self._scope.sample = request.sample
            row = self._untried(rows[[place]], taken, rng("gp", request.sample))
            taken = np.concatenate([taken, row])
            answers[place : place + 1] = suggest_rows(self._space, [request], row, rng)
        return answers

    def _next(self, request: Request, rng: Streams) -> Suggestion | None:
        """Say what is best next: a paused trial, or a new config."""
        known, is_new = self._known, request.sample >= 0
        if is_new and known.count + len(known.rows(FAILED)) < self.startup:
            return self._beginnings([request], rng)[0]
        paused = known.best_first()
        paused = paused[known.paused[paused]]
        if known.count < 2:  # nothing to learn from
            return self._resumed(paused[0], {}) if len(paused) else None
        seen, generator = self._surrogate.curves(known, rank_normal), rng("gp next", known.history.moment)
        view, tags = self._fitted(seen, with_waiting=False)
        self._scope.sample = max(request.sample, 0)
        new = self._untried_rows(generator) if is_new else known.units[:0]
        units = np.concatenate([known.units[paused], new])
        if not len(units):
            return None
        levels = np.array(cast("list[float]", request.tags["levels"]))
        goal = Goal.drawn(len(levels), float(seen.outputs[:, 0].min()), generator)
        targets = goal.targets(np.r_[known.reach[paused], np.zeros(len(new))], levels)
        rows = self._features.of(units, self._scope.active(units), np.log(targets))
        score = goal.score([model.at(rows).moments for model in view.models])
        best = int(np.argmax(score + self._belief().value(units)))
        if best < len(paused):
            return self._resumed(paused[best], tags)
        (suggestion,) = suggest_rows(self._space, [request], units[[best]], rng)
        return replace(suggestion, tags=tags)

    def _resumed(self, row: np.int64, tags: Tags) -> Suggestion:
        record = self._known.records[int(row)]
        return Suggestion(record.config, tags, resume=record.id)

    def _untried_rows(self, generator: np.random.Generator) -> Floats:
        """Return new rows from all over the space. There are few, and none near the best: of many, one would nearly
        always seem better than to go on with what is good, of which more is known."""
        rows = self._scope.everywhere(NEW, generator)
        taken = {row.tobytes() for row in self._known.units.round(9)}
        return rows[[row.tobytes() not in taken for row in rows.round(9)]]

    def _fitted(self, seen: Observed, *, with_waiting: bool = True) -> tuple[Outlook, Tags]:
        """Return the models, with all that has failed and is pending, and what is to be remembered of a new fit."""
        at, last = seen.log_step, self._surrogate.last_fit(self._known.history, seen)
        fit = self._surrogate.fitted(seen, self._known.count, last)
        view = outlook(self._surrogate.models(seen, fit), seen.is_counted)
        view = view.with_failed(self._failed(at)).with_pending(self._pending(at, with_waiting=with_waiting))
        return view, {} if fit is last else fit.tags()

    def _belief(self) -> Belief:
        # piBO's beta / n, with a tenth of the trials for beta: of 100, where their number is unlimited.
        return Belief(self._space, (self._problem.num_samples or 100) / (10.0 * self._known.count))

    def _proposals(self, seen: Observed, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        at = seen.log_step
        view, tags = self._fitted(seen)
        is_uncertain = view.is_uncertain(self._problem.objectives)
        # Under noise the lowest values are luck: the lowest means are where to look more closely.
        centres = (seen.ranked(view.values[: len(seen.units)]) if is_uncertain else seen).best(CENTRES)
        belief, asked = self._belief(), np.empty((0, self._space.dimension))
        answers = []
        for request in requests:
            generator = rng("gp", request.sample)
            self._scope.sample = request.sample
            score = Acquisition(self._features, *view.worth(self._problem.objectives, generator), belief, at)
            rows = self._best_rows(score, centres, generator)
            row = self._untried(rows, np.concatenate([self._known.units, asked]), generator)
            asked = np.concatenate([asked, row])
            view = view.with_pending(self._features.of(row, self._scope.active(row), at))
            answers += suggest_rows(self._space, [request], row, rng)
        # One of them is enough to remember the fit.
        return [replace(answers[0], tags=tags), *answers[1:]] if tags else answers

    def _best_rows(self, score: Acquisition, centres: Floats, generator: np.random.Generator) -> Floats:
        """Return where the score is high, shape (any, d), the best first."""
        rows, _ = Maximiser(score, self._scope, self.effort).maximise(centres, generator)
        return rows

    def _failed(self, log_step: float | None) -> Floats:
        """Return the features of failed trials, shape (q, p); the newest, if there are many."""
        rows = self._known.rows(FAILED)[-VALUELESS_MAX:]
        return self._features.of(self._known.units[rows], self._known.active[rows], log_step)

    def _pending(self, log_step: float | None, *, with_waiting: bool) -> Floats:
        """Return the features of trials that run, shape (q, p), of curves at the step that each was let go to; with
        those of the best that wait below the level, at the level."""
        known = self._known
        if log_step is None:
            rows = known.rows(PENDING)[-VALUELESS_MAX:]
            return self._features.of(known.units[rows], known.active[rows])
        runs = np.flatnonzero(known.runs & (known.reach < math.inf) & (known.state != UNKNOWN))[-VALUELESS_MAX:]
        until = known.until(runs)
        # What has come to the end of its lease is about to be judged: how far it will go is not known.
        runs, until = runs[is_open := until > known.reach[runs]], until[is_open]
        order = known.best_first() if with_waiting else np.empty(0, np.int64)
        waits = order[(known.state[order] == SHORT) & ~known.runs[order]][:WAITING_MAX]
        rows, steps = np.r_[runs, waits], np.r_[until, np.full(len(waits), math.exp(log_step))]
        return self._features.of(known.units[rows], known.active[rows], np.log(steps) if len(rows) else log_step)

    def _untried(self, rows: Floats, taken: Floats, generator: np.random.Generator) -> Floats:
        """Return the first of the rows, shape (any, d), that has not been tried, shape (1, d); else any row that has
        not; else, in a space that is used up, the first."""
        for row in chain(rows, self._others(generator)):
            if not np.any(np.all(np.abs(taken - row) < SAME, axis=1)):
                return np.asarray(row[None, :])
        return rows[:1] if len(rows) else self._space.tilt(generator.random((1, self._space.dimension)))

    def _others(self, generator: np.random.Generator) -> Iterator[Floats]:
        yield from generator.permutation(self._scope.everywhere(self.effort.everywhere, generator))


@dataclass(frozen=True)
class Goal:
    """What a freeze-thaw decision looks for: to be below the threshold, so many levels after the next.

    It is drawn anew for each decision (MFPI-random, Rakotoarison et al. 2024, arXiv 2404.16795, section 4.2): the trial
    most likely to be better than the best value so far by some margin, some levels on. With both at random, some
    decisions deepen what is good now, and others try what may become so. Of several objectives the first counts.
    """

    threshold: float
    levels_on: int

    @classmethod
    def drawn(cls, levels: int, best: float, generator: np.random.Generator) -> Self:
        """Draw one, where there are so many levels, and this is the best output of all."""
        levels_on = int(generator.integers(levels))
        return cls(best - 0.5 * 10.0 ** generator.uniform(*MARGINS), levels_on)

    def targets(self, reach: Floats, levels: Floats) -> Floats:
        """Return the steps, shape (m,), at which candidates that have come so far, shape (m,), are looked at."""
        places = np.searchsorted(levels, reach, "right") + self.levels_on
        return np.asarray(levels[np.minimum(places, len(levels) - 1)])

    def score(self, outputs: Sequence[Pair]) -> Floats:
        """Return the log probability that each candidate gets there and meets the constraints, shape (m,)."""
        from scipy.special import log_ndtr  # half a second: only who uses it waits for it

        (mean, sd), *constraints = outputs
        score = log_ndtr((self.threshold - mean[:, 0]) / sd)
        for each in constraints:
            score = score + log_feasible(*each)[0]
        return np.asarray(score)
