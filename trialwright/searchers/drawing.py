"""From rows of the unit cube to suggestions, and rows that no trial has: what all searchers that draw have in common.

A sample's row depends on its number alone, not on which rows were asked for with it, so that batches of any size give
the same. Two rows are the same config if they differ by nothing in the first nine digits.

d: columns of the space. n, k: rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import numpy as np

from trialwright.messages import Config, Request, Suggestion
from trialwright.space import Space
from trialwright.space.values import Floats
from trialwright.streams import Streams

FEW = 0.2  # if no larger part of the rows satisfies the constraints, the others are moved
KNOWN = 8  # allowed rows to move towards, where none is given
BLOCK = 256  # rows are made so many at a time: a power of two, as Sobol points want it
COUNTED = 10_000
"""Of a space of so many configs it is counted how many of them are allowed."""
ENUMERATED = 2048
"""A space of no more configs is looked through whole."""
DRAWN, DRAWS = 256, 16  # of a larger one so many rows at a time, so many times
WALKED = 32  # and so many near allowed ones, where few satisfy the constraints


class Blocks:
    """The rows of an endless table, shape (infinity, d), made a block at a time and looked up by number."""

    def __init__(self, make: Callable[[int], Floats]) -> None:
        self._make = make
        self._block = (-1, np.empty((0, 0)))

    def rows(self, numbers: Sequence[int]) -> Floats:
        """Return rows with these numbers, shape (n, d)."""
        blocks, places = np.divmod(np.asarray(numbers), BLOCK)
        ends = [*(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(blocks)]  # of runs in one block
        runs = zip([0, *ends], ends, strict=False)
        return np.concatenate([self._at(int(blocks[first]))[places[first:end]] for first, end in runs])

    def row(self, number: int) -> Floats:
        """Return the row with this number, shape (d,)."""
        return self._at(number // BLOCK)[number % BLOCK, :]

    def _at(self, block: int) -> Floats:
        # One block is kept: requests rise, so that an older one is hardly ever asked for.
        if self._block[0] != block:
            self._block = (block, self._make(block))
        return self._block[1]


def suggest_rows(space: Space, requests: Sequence[Request], units: Floats, rng: Streams) -> list[Suggestion]:
    """Turn one row for each request into its suggestion: the sample's grid point is set, and a config that violates a
    constraint is drawn again from the prior."""
    numbers = [request.sample for request in requests]
    units = space.fix_grid(units, numbers)
    if space.has_functions:  # each sample draws from its own stream
        drawn = [
            space.decode(row[None, :], rng("sample", number))[0] for row, number in zip(units, numbers, strict=True)
        ]
    else:
        drawn = space.decode(units)
    if space.has_constraints:
        drawn = [
            config if space.satisfies(config) else _again(space, number, rng)
            for config, number in zip(drawn, numbers, strict=True)
        ]
    plain_ones = drawn if space.is_plain else [space.plain(config) for config in drawn]
    return [Suggestion(config) for config in cast("list[Config]", plain_ones)]


def bracket_shares(brackets: int, reduction_factor: float) -> Floats:
    """Return which part of the trials each bracket gets, shape (brackets,): as HyperBand would for equal budgets.

    Later starts cost more, and so do more rungs, of which each costs the same (Li et al. 2016, algorithm 1).
    """
    numbers = np.arange(brackets)
    shares = float(reduction_factor) ** -numbers / (brackets - numbers)
    return np.asarray(shares / shares.sum())


def inside(space: Space, units: Floats, anchors: Floats, sample: int, generator: np.random.Generator) -> Floats:
    """Return those of the units that satisfy the constraints, snapped, on the sample's grid point, shape (k, d).

    Where few do, the others are moved towards their anchors, shape (n, d), or towards other allowed rows where these
    violate a constraint themselves.
    """
    rows = _snapped(space, units, sample)
    allowed = rows[space.feasible(rows)]
    # Enough are allowed by themselves; to pull the rest would crowd rows together at the edge of what is allowed.
    if len(allowed) > FEW * len(rows) or not space.has_constraints:
        return allowed
    anchors = _snapped(space, anchors, sample)
    known = np.flatnonzero(space.feasible(anchors))
    places = anchors[known] if known.size else space.allowed(KNOWN, generator, index=sample)
    if not len(places):
        return allowed
    which = generator.integers(len(places), size=len(rows))
    if known.size:
        # A row goes to its own anchor where that is allowed.
        which = np.where(np.isin(np.arange(len(rows)), known), np.searchsorted(known, np.arange(len(rows))), which)
    rows = _snapped(space, space.pulled(rows, places[which]), sample)
    return rows[space.feasible(rows)]


def _snapped(space: Space, units: Floats, sample: int) -> Floats:
    return space.snap(space.fix_grid(units, [sample] * len(units)))


def plain(space: Space, config: dict[str, object]) -> Config:
    """The plain form of a config, as suggestions carry it."""
    return cast(Config, space.plain(config))


def _again(space: Space, number: int, rng: Streams) -> dict[str, object]:
    return space.sample(1, rng("again", number), grid=[number])[0]


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
        # It is not known whether any is left: so none is said to be a repetition.
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
