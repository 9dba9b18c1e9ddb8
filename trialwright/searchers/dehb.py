"""DEHB (Awad et al. 2021, arXiv 2105.09821): differential evolution with a population for each fidelity, for HyperBand.

A population has slots. Sample i is a child for slot i mod N, of generation i div N; that is stored in its tags. At each
level that trials come to, a slot holds the best of its trials there: a child replaces its target where it is not worse.
So the populations of all levels are functions of the history, and no slot of the run waits for a generation to end.

A child is bred at the highest level that enough trials have reached. Its mutant is v = a + F (b - c), of the best part
of the population there, which is what has come up from the level below; it takes some columns from its target (rand/1
with binomial crossing, Storn and Price 1997). Beside the paper: a trial that is promoted goes on from its checkpoint,
where the paper trains others anew, and bred ones, at the next level.

d: columns. N: slots. k: members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np

from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import Untried, inside, keys, suggest_rows
from trialwright.searchers.observations import DONE, Observations
from trialwright.searchers.sampling import Sobol
from trialwright.space.values import Floats, Ints
from trialwright.streams import Streams

TAG = "dehb"
PARENTS = 4  # at least: three for a mutant, and its target
SHARE = 1 / 3  # of a population breeds: what HyperBand's eta of 3 promotes
TRIES = 20  # how often to look for a child that has not been tried


@dataclass
class DEHB(SettingsTable):
    """Combines the best configurations into new ones, level by level.

    Args:
        population: how many slots a level has; as many trials are drawn first.
        factor: F, how much of the difference of two members is added to a third.
        crossing: the probability that a column is the mutant's, and not the target's.
    """

    population: int = 20
    factor: float = 0.5
    crossing: float = 0.5

    learns: ClassVar[bool] = True

    def setup(self, problem: Problem) -> int:
        """Take one objective, and any space.

        Raises:
            ValueError: there is no metric, or more than one; or an argument is out of its range.
        """
        problem.single("dehb")
        if self.population < PARENTS:
            raise ValueError(f"DEHB(population={self.population!r}): it must be at least {PARENTS}")
        if not 0 < self.factor <= 2 or not 0 < self.crossing <= 1:
            raise ValueError(
                f"DEHB(factor={self.factor!r}, crossing={self.crossing!r}): they must be in (0, 2] and (0, 1]"
            )
        self._space = problem.space
        self._known = Observations(problem, enough=PARENTS)
        self._history: History | None = None
        self._slots: dict[int, int] = {}  # by trial
        self._untried = Untried(problem.space)
        self._first = Sobol()
        return self._first.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Answer one by one."""
        self._known.update(history)
        self._note_slots(history)
        if self._known.count < self.population or not self._space.dimension:
            first = self._untried.instead(
                self._first.suggest(History(), requests, rng), requests, self._known.units, rng
            )
            return [self._tagged(answer, request) for answer, request in zip(first, requests, strict=False)]
        members = self._members()
        breeders, children = self._breeders(members), np.empty((len(requests), self._space.dimension))
        for place, request in enumerate(requests):
            target = members.get(request.sample % self.population, breeders[0])
            children[place] = self._child(breeders, target, children[:place], request, rng)[0]
        answers = suggest_rows(self._space, requests, children, rng)
        return [self._tagged(answer, request) for answer, request in zip(answers, requests, strict=True)]

    def _tagged(self, answer: Suggestion, request: Request) -> Suggestion:
        generation, slot = divmod(request.sample, self.population)
        return Suggestion(answer.config, {TAG: {"generation": generation, "slot": slot}}, answer.resources)

    def _members(self) -> dict[int, int]:
        """Return the population at the level: of each slot that has one, the row of its best trial."""
        rows = self._known.rows(DONE)
        slots = np.fromiter(map(self._slots.__getitem__, self._known.ids[rows].tolist()), np.int64, len(rows))
        order = np.lexsort((-rows, self._known.values[rows, 0], slots))  # of equal ones, the child
        first = np.unique(slots[order], return_index=True)[1]
        return dict(zip(slots[order[first]].tolist(), rows[order[first]].tolist(), strict=True))

    def _note_slots(self, history: History) -> None:
        """Note which slot each trial is for; one that was not bred here has some. Costs what is new."""
        if not history.follows(self._history):
            self._slots.clear()
        for trial in history.changed(self._history).tolist():
            said = cast("dict[str, int]", history.record(trial).tags.get(TAG, {}))
            self._slots[trial] = said.get("slot", trial) % self.population
        self._history = history

    def _breeders(self, members: dict[int, int]) -> Ints:
        """Return the rows of the best of the population, best first; where they are few, of others as well."""
        rows = np.array([*members.values()], np.int64)
        rows = rows[np.argsort(self._known.values[rows, 0], kind="stable")]
        rows = rows[: max(PARENTS, round(SHARE * self.population))]
        if len(rows) < PARENTS:
            rest = self._known.best_first(self.population)
            rows = np.concatenate([rows, rest[~np.isin(rest, rows)]])[:PARENTS]
        return rows

    def _child(self, breeders: Ints, target: int, others: Floats, request: Request, rng: Streams) -> Floats:
        """Return a row, shape (1, d), that is allowed and new, unless there is none; if no child soon is, any other."""
        units, generator = self._known.units, rng("dehb", request.sample)
        for attempt in range(TRIES):
            child = self._space.snap(self._space.fix_grid(self._bred(breeders, target, generator), [request.sample]))
            if attempt >= TRIES // 2:  # few rows satisfy the constraints: stay near one that does
                near = inside(self._space, child, units[[target]], request.sample, generator)
                child = near if len(near) else child
            if self._space.feasible(child)[0] and not _is_among(child, units) and not _is_among(child, others):
                return child
        rest = self._untried.rows(set(keys((*units, *others))), request.sample, generator)
        return rest[:1] if len(rest) else child

    def _bred(self, breeders: Ints, target: int, generator: np.random.Generator) -> Floats:
        """Return a mutant crossed with its target, shape (1, d); columns that leave the cube are drawn afresh."""
        a, b, c = self._known.units[generator.choice(breeders, 3, replace=False)]
        mutant = a + self.factor * (b - c)
        # Clipped columns would gather at the ends of their ranges, and stay there: differences of equal ones are 0.
        mutant = np.where((mutant < 0) | (mutant > 1), generator.random(mutant.shape), mutant)
        crossed = generator.random(mutant.shape) < self.crossing
        # One column at least is the mutant's: else the child is its target again.
        crossed[generator.integers(len(mutant))] = True
        return np.asarray(np.where(crossed, mutant, self._known.units[target])[None, :])


def _is_among(row: Floats, rows: Floats) -> bool:
    return bool(np.any(np.all(rows == row, axis=1)))
