"""Explore: which configuration a trial gets when it becomes a clone, or when it follows a schedule.

``Perturb`` is PBT's explore (Jaderberg et al. 2017): a variation of the donor's configuration, for any searcher that
makes the first population. A number is multiplied by one of two factors, an ordered category moves to a neighbour, and
with some probability a parameter is drawn afresh instead, as unordered categories and bools always are. Results stay
inside their domains, and ints stay ints. ``Schedule`` gives one configuration after another, as a PBT replay wants it.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias, cast

import numpy as np

from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Config, Request, Suggestion
from trialwright.searchers.base import Problem, Searcher
from trialwright.searchers.drawing import plain
from trialwright.space.domains import Category, Domain, Numeric, Stepped
from trialwright.space.functions import seeded
from trialwright.streams import Streams

TRIES = 20  # variations, of which one satisfies the constraints

Mutation: TypeAlias = "Domain | Callable[[], object]"


def place_of(config: dict[str, object], path: str) -> tuple[dict[str, object], str]:
    """Return the part of a config in which a path ends, and by which name."""
    *way, name = path.split("/")
    return reduce(lambda inner, key: cast("dict[str, dict[str, object]]", inner)[key], way, config), name


class Explorer(ABC):
    """Answers "explore" requests, and hands the others on to ``base``."""

    base: Searcher

    @property
    def learns(self) -> bool:
        """As the base does."""
        return self.base.learns

    @property
    def process_from(self) -> int | None:
        """As the base wants it."""
        return getattr(self.base, "process_from", None)

    @property
    def sees_metrics(self) -> bool:
        """As the base does."""
        return getattr(self.base, "sees_metrics", False)

    @property
    def planned(self) -> Callable[[int], int] | None:
        """As the base plans, if it does."""
        return getattr(self.base, "planned", None)

    def setup(self, problem: Problem) -> int:
        """Take any space that the base takes."""
        self._space = problem.space
        self._domains = {each.path: each.domain for each in problem.space.parameters}
        return self.base.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """Answer each request by its kind, in order, as far as the base does."""
        new = [r for r in requests if r.kind == "new"]
        # The base gets its own requests all at once, as if there were no others.
        suggested = deque(self.base.suggest(history, new, rng) if new else ())
        answers: list[Suggestion | None] = []
        for request in requests:
            if request.kind == "explore":
                answers.append(Suggestion(self._explore(history, request, rng)))
            elif suggested:  # else the base has no more, and fewer answers say so
                answers.append(suggested.popleft())
        return answers

    @abstractmethod
    def _explore(self, history: History, request: Request, rng: Streams) -> Config:
        """Return a variation of the donor."""


@dataclass
class Perturb(Explorer, SettingsTable):
    """Answers "explore" requests by perturbation; ``base`` answers all others.

    Args:
        base: where new configurations come from.
        factors: a number is multiplied by one of these, drawn at random.
        resample_probability: the probability that a parameter is drawn anew instead.
        mutations: what varies, by path (``"model/lr"``), and over which domain, or from which function a fresh value
            comes; None for every parameter of the space, over its own domain.
        function: called last, with a variation; returns the one to use.
    """

    base: Searcher
    factors: tuple[float, ...] = (0.8, 1.2)
    resample_probability: float = 0.25
    mutations: Mapping[str, Mutation] | None = None
    function: Callable[[dict[str, object]], dict[str, object]] | None = None

    def _explore(self, history: History, request: Request, rng: Streams) -> Config:
        """Return the first of some variations that satisfies the constraints; the donor's config if none does."""
        donor = self._space.resolve(request.donor or {})
        generator = rng("explore", request.trial, request.attempt)
        varied = (self._once(donor, generator) for _ in range(TRIES))
        return plain(self._space, next(filter(self._space.satisfies, varied), donor))

    def _once(self, donor: dict[str, object], generator: np.random.Generator) -> dict[str, object]:
        config = self._varied(donor, generator) if self.mutations is None else self._mutated(donor, generator)
        if self.function is not None:
            with seeded(int(generator.integers(2**32))):
                config = self.function(config)
        return config

    def _varied(self, donor: dict[str, object], generator: np.random.Generator) -> dict[str, object]:
        """Move every active parameter of the space."""
        units, active = self._space.encode([donor])
        for parameter in self._space.parameters:
            if parameter.column is not None and active[0, parameter.column]:
                units[0, parameter.column] = self._move(parameter.domain, float(units[0, parameter.column]), generator)
        return self._space.decode(units, generator)[0]

    def _mutated(self, donor: dict[str, object], generator: np.random.Generator) -> dict[str, object]:
        """Move what the mutations name; the rest stays the donor's."""
        config = copy.deepcopy(donor)
        for path, mutation in (self.mutations or {}).items():
            place, name = place_of(config, path)
            place[name] = self._kept(path, place[name], mutation, self._mutate(mutation, place[name], generator))
        return config

    def _kept(self, path: str, old: object, mutation: Mutation, new: object) -> object:
        """Return an int where the space has ints, or where the value was one and no domain says what it may be."""
        domain = self._domains.get(path, mutation)
        if not isinstance(new, int | float) or isinstance(new, bool) or not math.isfinite(new):
            return new
        if isinstance(domain, Stepped) and domain.grain.integer:
            return domain.grain.value(domain.grain.step(new))
        said = isinstance(domain, Numeric) or isinstance(mutation, Domain)
        return round(new) if type(old) is int and not said else new

    def _mutate(self, mutation: Mutation, value: object, generator: np.random.Generator) -> object:
        if isinstance(mutation, Numeric):
            unit = self._move(mutation, mutation.encode(cast(float, value)), generator)
            return mutation.decode(np.array([unit]))[0]
        if isinstance(mutation, Category):
            index = mutation.index(value)
            unit = float(generator.random()) if index is None else mutation.centre(index)
            return mutation.options[int(mutation.cells(np.array([self._move(mutation, unit, generator)]))[0])]
        factored = isinstance(value, int | float) and not isinstance(value, bool)  # True times 0.8 is no bool
        if generator.random() < self.resample_probability or not factored:
            with seeded(int(generator.integers(2**32))):
                return cast("Callable[[], object]", mutation)()
        return cast(float, value) * float(generator.choice(self.factors))

    def _move(self, domain: Domain, unit: float, generator: np.random.Generator) -> float:
        # Drawn in any case: how many numbers one parameter takes must not depend on what is done with them.
        afresh = float(generator.random())
        if generator.random() < self.resample_probability or not isinstance(domain, Numeric | Category):
            return afresh
        if isinstance(domain, Category):
            step = int(generator.choice([-1, 1]))
            index = min(max(int(domain.cells(np.array([unit]))[0]) + step, 0), domain.cardinality - 1)
            return domain.centre(index) if domain.kind == "ordinal" else afresh  # unordered options have no neighbours
        value = domain.decode(np.array([unit]))[0] * float(generator.choice(self.factors))
        return domain.encode(value)


@dataclass
class Schedule(SettingsTable):
    """Starts each trial with the first configuration, and answers each "explore" request with the next one.

    Args:
        configs: the configurations, in order; the last one stays.
    """

    configs: Sequence[Mapping[str, Any]]
    learns = False

    def setup(self, problem: Problem) -> int:
        """Check the configurations.

        Raises:
            ValueError: one is none of the space.
        """
        self._space = problem.space
        wrong = [
            f"configs[{i}]: {text}" for i, config in enumerate(self.configs) for text in self._space.validate(config)
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return 1

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """The position of a trial in the schedule is stored in its tags."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Suggestion:
        place = 0 if request.kind == "new" else cast(int, request.tags["segment"]) + 1
        config = self.configs[min(place, len(self.configs) - 1)]
        return Suggestion(plain(self._space, dict(config)), {"segment": place})
