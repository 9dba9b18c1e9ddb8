"""Untried: rows of the space that no trial has, for searchers that should not repeat a configuration; and whether
one is left.

d: columns of the space. k: rows. Two rows are the same config if they differ by nothing in the first nine digits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from trialwright.messages import Config, Request, Suggestion
from trialwright.searchers.drawing import suggest_rows
from trialwright.space import Space
from trialwright.space.values import Floats
from trialwright.streams import Streams

COUNTED = 10_000
"""Of a space of so many configs it is counted how many of them are allowed."""
ENUMERATED = 2048
"""A space of no more configs is looked through whole."""
DRAWN, DRAWS = 256, 16  # of a larger one so many rows at a time, so many times
WALKED = 32  # and so many near allowed ones, where few satisfy the constraints


def every_row(space: Space) -> Floats | None:
    """Return all configs of a space as rows, shape (k, d), where they are few; constraints are not looked at."""
    size = space.cardinality
    if size is None or size > ENUMERATED or any(each.column is None for each in space.parameters):
        return None
    return space.encode([space.at(index) for index in range(size)])[0]


def keys(rows: Iterable[Floats]) -> list[bytes]:
    """Return what tells rows of shape (d,) apart."""
    return [np.round(row, 9).tobytes() for row in rows]


class Variety:
    """The configs of a finite space, of which some were tried."""

    def __init__(self, space: Space) -> None:
        self.size = _count(space)
        self._tried = set[str]()

    def repeats(self, config: Config) -> bool:
        """Note that a config is tried; tell whether it was tried before, as all others were too."""
        if self.size is None:
            return False
        key, before = json.dumps(config, sort_keys=True), len(self._tried)
        self._tried.add(key)
        return before >= self.size and len(self._tried) == before


def _count(space: Space) -> int | None:
    """Return how many different configs there are that satisfy the constraints; None if that takes long to count."""
    size = space.cardinality
    if size is None or space.has_functions:
        return None
    if not space.has_constraints and all(each.condition is None for each in space.parameters):
        return size
    if size > COUNTED:
        return None
    allowed = (config for config in map(space.at, range(size)) if space.satisfies(config))
    return len({json.dumps(space.plain(config), sort_keys=True) for config in allowed})


class Untried:
    """Finds rows that no trial has.

    Attributes:
        is_needed: False where even draws never come twice: every config has a continuous parameter.
    """

    def __init__(self, space: Space) -> None:
        self._space, self._every = space, every_row(space)
        is_conditional = any(each.condition is not None for each in space.parameters)
        self.is_needed = space.dimension > 0 and (space.cardinality is not None or is_conditional)

    def rows(self, taken: set[bytes], sample: int, generator: np.random.Generator) -> Floats:
        """Return allowed rows on the sample's grid point that are not taken, shape (k, d); none if none are found."""
        for rows in self._everywhere(sample, generator):
            fixed = self._space.snap(self._space.fix_grid(rows, [sample] * len(rows)))
            fixed = self.new(fixed, taken)
            fixed = fixed[self._space.feasible(fixed)]
            if len(fixed):
                return fixed
        return np.empty((0, self._space.dimension))

    def new(self, rows: Floats, taken: set[bytes]) -> Floats:
        """Return those of the rows, shape (k, d), that are not taken."""
        return rows[[key not in taken for key in keys(rows)]]

    def instead(
        self, answers: Sequence[Suggestion], requests: Sequence[Request], units: Floats, rng: Streams
    ) -> list[Suggestion]:
        """Return the answers; for each whose config is among the units, shape (k, d), or came before, another one."""
        if not self.is_needed:
            return [*answers]
        taken, found = set(keys(units)), list[Suggestion]()
        for answer, request in zip(answers, requests, strict=False):
            is_taken = keys(self._rows_of(answer))[0] in taken
            found.append(self._another(request, taken, rng) or answer if is_taken else answer)
            taken.update(keys(self._rows_of(found[-1])))
        return found

    def _another(self, request: Request, taken: set[bytes], rng: Streams) -> Suggestion | None:
        rows = self.rows(taken, request.sample, rng("untried", request.sample))[:1]
        return suggest_rows(self._space, [request], rows, rng)[0] if len(rows) else None

    def _rows_of(self, answer: Suggestion) -> Floats:
        return self._space.encode([self._space.resolve(answer.config)])[0]

    def _everywhere(self, sample: int, generator: np.random.Generator) -> Iterator[Floats]:
        if self._every is not None:
            yield generator.permutation(self._every)
            return
        for _ in range(DRAWS):
            yield self._space.tilt(generator.random((DRAWN, self._space.dimension)))
        if self._space.has_constraints:
            yield self._space.allowed(WALKED, generator, index=sample)
