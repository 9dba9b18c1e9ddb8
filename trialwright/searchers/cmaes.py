"""CMA-ES (Hansen and Ostermeier 2001), by the package cmaes: a normal distribution that adapts to the shape of the
objective.

With margins for integers (Hamano et al. 2022), and restarts with twice the population (Auger and Hansen 2005). A
generation is over when as many of its trials have ended as its population counts; meanwhile more are drawn from the
same distribution, so that no slot waits. What a suggestion was drawn as, and what its generation was made of, is
stored in its tags, so the history is enough to restore it.

What was not suggested here counts too. Of results that are known before the first draw, the best say where to begin
(a warm start, as Nomura et al. 2021). Later, the best such trial is a member of every generation that it is better than
all others of, no further from the mean than those (injection, Hansen 2011).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np

from trialwright.history import History, Record
from trialwright.html import SettingsTable
from trialwright.messages import Plain, Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import inside, suggest_rows
from trialwright.searchers.gp.backends import one_thread
from trialwright.searchers.observations import PENDING, SHORT, Observations
from trialwright.space import Category, Domain, Stepped
from trialwright.space.values import Floats
from trialwright.streams import Streams

if TYPE_CHECKING:
    from cmaes import CMA, CMAwM

TAG = "cmaes"
OUTSIDE_MAX = 10  # draws outside the cube, or against constraints, before one is pulled back
KNOWN_SHARE = 0.1  # of the trials that are known before the first draw: the best of them say where to begin
NARROWEST = 0.02  # the distribution at the beginning, where these are near each other


@dataclass
class CMAES(SettingsTable):
    """Draws from a normal distribution, and moves it towards the better half of each generation.

    Args:
        population: of a generation; by default 4 + 3 ln d.
        width: the distribution's standard deviation at the beginning, where the whole range of a parameter is 1.
    """

    population: int | None = None
    width: float = 0.25

    learns: ClassVar[bool] = True

    def setup(self, problem: Problem) -> int:
        """Take a space of numbers and ordered values, and one objective.

        Raises:
            ValueError: there are unordered choices, several objectives, or outcome constraints.
            ImportError: the package cmaes is not installed.
        """
        problem.single("cmaes")
        parameters = [each for each in problem.space.parameters if each.column is not None]
        choices = [p.path for p in parameters if isinstance(p.domain, Category) and p.domain.kind == "choice"]
        if choices:
            raise ValueError(f"searcher='cmaes' needs numbers, but {', '.join(choices)} are choices; use 'tpe' or 'gp'")
        try:
            import cmaes  # noqa: F401 - said before the run, not at the first ask
        except ImportError as error:
            raise ImportError("searcher='cmaes' needs the package cmaes: pip install 'trialwright[cmaes]'") from error
        self._space = problem.space
        self._columns = [column for column, each in enumerate(parameters) if not _is_grid(each.domain)]
        self._steps = [_step(parameters[column].domain) for column in self._columns]
        self._known = Observations(problem)
        self._state: _State | None = None
        return problem.space.grid_size

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Update the distribution with the trials that have ended, and draw."""
        if not self._columns:
            return suggest_rows(self._space, requests, np.full((len(requests), self._space.dimension), 0.5), rng)
        with one_thread():
            return self._suggest(history, requests, rng)

    def _suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        self._known.update(history)
        state = self._replayed(history, rng)
        members = _generation(history, state.generation)
        known = [record for record in members if self._known.state[self._row(record)] != PENDING]
        size = state.optimiser.population_size
        # With one that is better elsewhere, a generation needs one member less of its own.
        if len(known) >= size - 1:
            better = self._better_elsewhere(known[: size - 1])
            if better or len(known) >= size:
                chosen = [*better, *known][:size]
                state.advance(chosen, self._costs(chosen))
        return [self._draw(state, request, rng) for request in requests]

    def _replayed(self, history: History, rng: Streams) -> _State:
        """Return the distribution that the newest suggestion was drawn from."""
        newest = next((_tag(record).generation for record in _newest_first(history)), None)
        if newest is None:  # nothing was drawn yet, or nothing of it is known: begin with what is known now
            start = self._start()
            if self._state is None or self._state.generation or self._state.made_of != start:
                self._state = _State(self, rng, start)
            return self._state
        if self._state is None or not self._state.follows(history, newest):
            self._state = _State(self, rng, _tag(_generation(history, 0)[0]).of)
        if newest > self._state.generation:
            by_id = {record.id: record for record in history.trials}
            tags = {tag.generation: tag for tag in map(_tag, _newest_first(history))}
            for generation in range(self._state.generation + 1, newest + 1):
                tag = tags[generation]
                costs = [math.inf if cost is None else cost for cost in tag.costs]
                self._state.advance([by_id[trial] for trial in tag.of], costs)
        return self._state

    def _start(self) -> list[int]:
        """Return the best of the trials that are known."""
        best = self._known.best_first(math.ceil(KNOWN_SHARE * self._known.count))
        return [int(number) for number in self._known.ids[best]]

    def _better_elsewhere(self, members: Sequence[Record]) -> list[Record]:
        """Return the best trial that was not drawn here, if it is better than all of these; else nothing."""
        rows = {self._row(record) for record in members}
        better = takewhile(lambda row: row not in rows, self._known.best_first().tolist())
        records = (self._known.records[row] for row in better)
        return [*islice((record for record in records if TAG not in record.tags), 1)]

    def _costs(self, members: Sequence[Record]) -> list[float]:
        """Return what members are worth: their values, or where some have not come as far as others their places among
        all; infinite for what failed. They are kept in tags, so that later reports do not change a generation."""
        known, rows = self._known, [self._row(record) for record in members]
        places = np.full(len(known), math.inf)
        order = known.best_first()
        places[order] = np.arange(len(order)) if len(known.rows(SHORT)) else known.values[order, 0]
        return [*map(float, places[rows])]

    def _row(self, record: Record) -> int:
        return int(np.searchsorted(self._known.ids, record.id))

    def point_of(self, trial: int) -> Floats:
        """Return the place of a trial that was not drawn here, shape (columns,)."""
        return self._known.units[np.searchsorted(self._known.ids, trial), self._columns]

    def _draw(self, state: _State, request: Request, rng: Streams) -> Suggestion:
        row = np.full((1, self._space.dimension), 0.5)
        for attempt in range(OUTSIDE_MAX):
            drawn, point = state.draw(rng.integer("cmaes", request.sample, *[attempt] * (attempt > 0)))
            row[0, self._columns] = point[: len(self._columns)]
            if self._space.feasible(self._space.fix_grid(row, [request.sample]))[0]:
                break
        else:  # few draws satisfy the constraints: what is tried instead is what is learnt from
            row = self._pulled(row, request, rng)
            drawn = np.r_[row[0, self._columns], drawn[len(self._columns) :]]
        (suggestion,) = suggest_rows(self._space, [request], row, rng)
        costs: list[Plain] = [cost if math.isfinite(cost) else None for cost in state.costs]
        tag: dict[str, Plain] = {"of": [*state.made_of], "costs": costs, "x": [*map(float, drawn)]}
        return Suggestion(suggestion.config, {TAG: {"generation": state.generation, **tag}})

    def _pulled(self, row: Floats, request: Request, rng: Streams) -> Floats:
        """Return the row, shape (1, d), moved towards the best trial, until it satisfies the constraints."""
        best = self._known.units[self._known.best_first(1)]
        near = inside(self._space, row, best if len(best) else row, request.sample, rng("cmaes inside", request.sample))
        return near if len(near) else row

    def open(self, restarts: int, rng: Streams, start: Floats | None = None) -> CMA | CMAwM:
        """Return a distribution as it is at the beginning, around the points of a start, shape (k, columns), if there
        are any; further ones begin elsewhere, with larger populations."""
        import cmaes

        d = max(len(self._columns), 2)  # one dimension has no shape to learn: a second one idles
        population = (self.population or 4 + math.floor(3 * math.log(d))) * 2**restarts
        mean = np.full(d, 0.5) if not restarts else rng("cmaes restart", restarts).uniform(0.2, 0.8, d)
        width = self.width
        if start is not None and len(start) and not restarts:
            mean[: len(self._columns)] = start.mean(axis=0)
            width = width if len(start) == 1 else float(np.clip(start.std(axis=0).mean(), min(NARROWEST, width), width))
        bounds = np.array([[0.0, 1.0]] * d)
        seed = rng.integer("cmaes")
        if not any(self._steps):
            return cmaes.CMA(mean, width, bounds, OUTSIDE_MAX, seed, population)
        steps = np.array([*self._steps, *[0.0] * (d - len(self._steps))])
        bounds = np.stack([bounds[:, 0] + steps / 2, bounds[:, 1] - steps / 2], axis=1)  # the centres of the last cells
        mean = np.clip(mean, bounds[:, 0], bounds[:, 1])
        return cmaes.CMAwM(mean, width, bounds, steps, OUTSIDE_MAX, seed, population)


def _is_grid(domain: Domain) -> bool:
    return isinstance(domain, Category) and domain.kind == "grid_search"


def _step(domain: Domain) -> float:
    """Return how far apart a parameter's values are, in units; 0 for what is continuous, or uneven."""
    even = isinstance(domain, Category) or (isinstance(domain, Stepped) and not domain.log)
    count = domain.cardinality or 1
    return 1.0 / count if even and count > 1 else 0.0


@dataclass(frozen=True)
class _Tag:
    generation: int
    of: list[int]
    costs: list[float | None]
    x: list[float]


def _tag(record: Record) -> _Tag:
    return _Tag(**cast("dict[str, int]", record.tags[TAG]))  # type: ignore[arg-type]  # as we wrote it


def _newest_first(history: History) -> Iterator[Record]:
    """Return the trials that were drawn here: numbers of trials and of generations rise together."""
    return (record for record in reversed(history.trials) if TAG in record.tags)


def _generation(history: History, number: int) -> list[Record]:
    """Return the trials of a generation, in order."""
    later = takewhile(lambda record: _tag(record).generation >= number, _newest_first(history))
    return [record for record in later if _tag(record).generation == number][::-1]


class _State:
    """The distribution, and how it came about."""

    def __init__(self, searcher: CMAES, rng: Streams, start: list[int]) -> None:
        self._searcher, self._rng = searcher, rng
        self._restarts = 0
        self.optimiser = searcher.open(0, rng, np.array([searcher.point_of(trial) for trial in start]))
        self.generation = 0
        self.made_of = start  # the trials of the generation before
        self.costs: list[float] = []  # what they were worth

    def follows(self, history: History, newest: int) -> bool:
        """Tell whether this is on the way to the newest generation of a history: made of the same trials."""
        if newest < self.generation:
            return False
        tags = takewhile(lambda tag: tag.generation >= self.generation, map(_tag, _newest_first(history)))
        said = [tag.of for tag in tags if tag.generation == self.generation]
        return not said or said[-1] == self.made_of  # the first: it was drawn before anything else was known

    def advance(self, members: Sequence[Record], costs: list[float]) -> None:
        """Make the next generation of these trials; what failed is worse than all that did not."""
        worth = [*zip(members, costs, strict=True)]
        own = [(np.array(_tag(record).x), cost) for record, cost in worth if TAG in record.tags]
        reach = max(float(np.linalg.norm(x - self.optimiser.mean)) for x, _ in own)
        others = [(self._near(record, reach), cost) for record, cost in worth if TAG not in record.tags]
        self.optimiser.tell([*others, *own])
        self.generation, self.made_of, self.costs = self.generation + 1, [record.id for record in members], costs
        if self.optimiser.should_stop():
            self._restarts += 1
            self.optimiser = self._searcher.open(self._restarts, self._rng)

    def _near(self, record: Record, reach: float) -> Floats:
        """Return the place of a trial that was not drawn here, no further from the mean than the reach."""
        mean, point = self.optimiser.mean, self._searcher.point_of(record.id)
        away = np.r_[point, mean[len(point) :]] - mean
        return np.asarray(mean + away * min(1.0, reach / max(float(np.linalg.norm(away)), 1e-300)))

    def draw(self, seed: int) -> tuple[Floats, Floats]:
        """Return a point in the form that the optimiser gets, and in the form that is tried."""
        # A draw depends on its sample alone: a run that was resumed has not made the draws before it.
        self.optimiser.reseed_rng(seed)
        point = self.optimiser.ask()
        return (point[1], point[0]) if isinstance(point, tuple) else (point, point)
