"""GP: Bayesian optimisation with Gaussian processes and expected improvement.

d: columns of the space. n: observations. k: rows to choose from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from trialist.history import History
from trialist.messages import Request, Suggestion
from trialist.searchers.base import Problem, Searcher
from trialist.searchers.drawing import suggest_rows
from trialist.searchers.gp.features import Features
from trialist.searchers.gp.maximise import Effort, Maximiser
from trialist.searchers.gp.model import Model
from trialist.searchers.gp.proposal import Acquisition, Belief, outlook
from trialist.searchers.gp.scope import Scope
from trialist.searchers.gp.surrogate import Observed, fitted, last_fit, models, observed
from trialist.searchers.gp.threads import one_blas_thread
from trialist.searchers.observations import DONE, FAILED, PENDING, Observations
from trialist.searchers.qmc import DIMENSIONS_MAX, Sobol
from trialist.searchers.random import Random
from trialist.space.values import Floats
from trialist.streams import Streams

TRIED = 100  # of the best rows, so many are looked up among what has been tried
CENTRES = 5  # around so many of the best rows is looked more closely
SAME = 1e-9  # rows that differ by no more in any column are one config


@dataclass
class GP:
    """Fits a Gaussian process to each output, and tries what is expected to improve most.

    Takes any space, several objectives, outcome constraints, and beliefs about good values. Trials that have not ended
    count as done, with what the model expects of them; failures count as the worst. No config is tried twice while
    there are others.

    Args:
        startup: how many trials must have ended before the first that is suggested; until then, Sobol points.
        effort: how hard to look for the best point of the model.
    """

    startup: int = 5
    effort: Effort = field(default_factory=Effort)

    learns: ClassVar[bool] = True

    def setup(self, problem: Problem) -> int:
        """Take any problem."""
        self._problem, self._space = problem, problem.space
        self._features = Features(problem.space)
        self._scope = Scope(problem.space, self._features)
        self._known = Observations(problem)
        self._first: Searcher = Sobol() if problem.space.dimension <= DIMENSIONS_MAX else Random()
        return self._first.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Answer one by one: what was just suggested counts as a trial that has not ended."""
        self._known.update(history)
        n = int(np.isin(self._known.state, (DONE, FAILED)).sum())
        with one_blas_thread():
            seen = observed(self._known, self._features, self._problem.objectives)
            if not self._space.dimension:
                return self._first.suggest(History(), requests, rng)
            if seen is None or n < self.startup:
                return self._beginnings(requests, rng)
            return self._proposals(seen, n, requests, rng)

    def _beginnings(self, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Take even points; in a finite space, those that have not been tried."""
        taken, answers = self._known.units, []
        for request in requests:
            (answer,) = self._first.suggest(History(), [request], rng)
            assert answer is not None
            if self._space.cardinality is not None:
                self._scope.sample = request.sample
                row, _ = self._space.encode([self._space.resolve(answer.config)])
                row = self._new(row, taken, None, rng("gp", request.sample))
                taken = np.concatenate([taken, row])
                (answer,) = suggest_rows(self._space, [request], row, rng)
            answers.append(answer)
        return answers

    def _proposals(self, seen: Observed, n: int, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        last = last_fit(self._known.records)
        fit = fitted(seen, n, last, self._features)
        view = outlook(models(seen, fit, self._features)).with_pending(self._pending())
        centres = seen.units[np.argsort(seen.badness, kind="stable")[:CENTRES]]
        belief = Belief(self._space, (self._problem.num_samples or 100) / (10.0 * n))
        asked = np.empty((0, self._space.dimension))
        answers = []
        for request in requests:
            generator = rng("gp", request.sample)
            self._scope.sample = request.sample
            score = Acquisition(self._features, view.models, view.utility(self._problem.objectives, generator), belief)
            rows, _ = Maximiser(score, self._scope, self.effort).maximise(centres, generator)
            row = self._new(rows, np.concatenate([self._known.units, asked]), view.models[0], generator)
            asked = np.concatenate([asked, row])
            view = view.with_pending(self._features.of(row, self._scope.active(row)))
            answers += suggest_rows(self._space, [request], row, rng)
        return [replace(answers[0], tags=fit.tags()), *answers[1:]] if fit is not last else answers

    def _pending(self) -> Floats:
        """Return the features of what has not ended, shape (q, p)."""
        rows = self._known.rows(PENDING)
        return self._features.of(self._known.units[rows], self._known.active[rows])

    def _new(self, rows: Floats, taken: Floats, model: Model | None, generator: np.random.Generator) -> Floats:
        """Return the first row that has not been tried, shape (1, d); else any such that the model knows least about;
        else, where everything has been, the first."""
        for row in rows[:TRIED]:
            if not np.any(np.all(np.abs(taken - row) < SAME, axis=1)):
                return row[None, :]
        fresh = self._scope.everywhere(self.effort.everywhere, generator)
        known = {row.tobytes() for row in np.round(taken, 9)}
        fresh = fresh[[row.tobytes() not in known for row in np.round(fresh, 9)]]
        if len(fresh) and model is None:
            return np.asarray(fresh[generator.integers(len(fresh), size=1)])
        if len(fresh) and model is not None:
            sd = model.at(self._features.of(fresh, self._scope.active(fresh))).sd
            return np.asarray(fresh[[int(np.argmax(sd))]])
        return rows[:1] if len(rows) else self._space.tilt(generator.random((1, self._space.dimension)))
