"""From rows of the unit cube to suggestions: the common code of searchers that draw.

A sample's row depends on its number alone, not on which rows were asked for with it, so that batches of any size give
the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from trialwright.messages import Config, Request, Suggestion
from trialwright.space import Space
from trialwright.streams import Streams

Rows = npt.NDArray[np.float64]

FEW = 0.2  # if no larger part of the rows satisfies the constraints, the others are moved
KNOWN = 8  # allowed rows to move towards, where none is given
BLOCK = 256  # rows are made so many at a time: a power of two, as Sobol points want it


class Blocks:
    """The rows of an endless table, shape (infinity, d), made a block at a time and looked up by number."""

    def __init__(self, make: Callable[[int], Rows]) -> None:
        self._make = make
        self._block = (-1, np.empty((0, 0)))

    def rows(self, numbers: Sequence[int]) -> Rows:
        """Return rows with these numbers, shape (n, d)."""
        blocks, places = np.divmod(np.asarray(numbers), BLOCK)
        ends = [*(np.flatnonzero(np.diff(blocks)) + 1).tolist(), len(blocks)]  # of runs in one block
        runs = zip([0, *ends], ends, strict=False)
        return np.concatenate([self._at(int(blocks[first]))[places[first:end]] for first, end in runs])

    def row(self, number: int) -> Rows:
        """Return the row with this number, shape (d,)."""
        return self._at(number // BLOCK)[number % BLOCK, :]

    def _at(self, block: int) -> Rows:
        if self._block[0] != block:
            self._block = (block, self._make(block))
        return self._block[1]


def suggest_rows(space: Space, requests: Sequence[Request], units: Rows, rng: Streams) -> list[Suggestion]:
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


def bracket_shares(brackets: int, reduction_factor: float) -> Rows:
    """Return which part of the trials each bracket gets, shape (brackets,): as HyperBand would for equal budgets.

    Later starts cost more, and so do more rungs, of which each costs the same (Li et al. 2016, algorithm 1).
    """
    numbers = np.arange(brackets)
    shares = float(reduction_factor) ** -numbers / (brackets - numbers)
    return np.asarray(shares / shares.sum())


def inside(space: Space, units: Rows, anchors: Rows, sample: int, generator: np.random.Generator) -> Rows:
    """Return those of the units that satisfy the constraints, snapped, on the sample's grid point, shape (k, d).

    Where few do, the others are moved towards their anchors, shape (n, d), or towards other allowed rows where these
    violate a constraint themselves.
    """
    rows = _snapped(space, units, sample)
    allowed = rows[space.feasible(rows)]
    if len(allowed) > FEW * len(rows) or not space.has_constraints:
        return allowed
    anchors = _snapped(space, anchors, sample)
    known = np.flatnonzero(space.feasible(anchors))
    places = anchors[known] if known.size else space.allowed(KNOWN, generator, index=sample)
    if not len(places):
        return allowed
    which = generator.integers(len(places), size=len(rows))
    if known.size:
        which = np.where(np.isin(np.arange(len(rows)), known), np.searchsorted(known, np.arange(len(rows))), which)
    rows = _snapped(space, space.pulled(rows, places[which]), sample)
    return rows[space.feasible(rows)]


def _snapped(space: Space, units: Rows, sample: int) -> Rows:
    return space.snap(space.fix_grid(units, [sample] * len(units)))


def plain(space: Space, config: dict[str, object]) -> Config:
    """The plain form of a config, as suggestions carry it."""
    return cast(Config, space.plain(config))


def _again(space: Space, number: int, rng: Streams) -> dict[str, object]:
    return space.sample(1, rng("again", number), grid=[number])[0]
