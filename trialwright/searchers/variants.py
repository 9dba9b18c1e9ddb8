"""Random search in Ray Tune's order: of a grid the first parameter changes fastest, and a point takes a sample's place.

Which parameter is the first is told by the paths, in alphabetical order, as Ray Tune sorts them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

from trialwright.history import History
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem
from trialwright.searchers.drawing import plain
from trialwright.searchers.sampling import Random
from trialwright.space import Category, Space
from trialwright.space.values import items
from trialwright.streams import Streams

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Walk:
    """The order in which the points of a grid are tried.

    Args:
        sizes: how many values each ``grid_search`` has, in the order of the definition.
        order: which of them changes fastest, which next, and so on. Those that are not named keep their first value.
    """

    sizes: tuple[int, ...]
    order: tuple[int, ...]

    def __len__(self) -> int:
        return prod(self.sizes[each] for each in self.order)

    def number(self, place: int) -> int:
        """Return the space's own number of the grid point at this place, which counts from 0."""
        digits = [0] * len(self.sizes)
        for each in self.order:
            place, digits[each] = divmod(place, self.sizes[each])
        return sum(digit * prod(self.sizes[each + 1 :]) for each, digit in enumerate(digits))


def walk(space: Space, given: Mapping[str, object] | None = None) -> Walk:
    """Return the order of a space's grid, or of what is left of it.

    Args:
        space: the space.
        given: part of a configuration: what it gives does not vary.
    """
    grids = dict(_grids(space.definition))
    paths = [*grids]
    free = sorted(path for path in paths if not _has(given or {}, path))
    return Walk(tuple(grids.values()), tuple(map(paths.index, free)))


def _grids(value: object, path: Path = ()) -> Iterator[tuple[Path, int]]:
    if isinstance(value, Category) and value.kind == "grid_search":
        yield path, len(value.options)
    for key, item in items(value):
        yield from _grids(item, (*path, key))


def _has(given: object, path: Path) -> bool:
    inner = dict(items(given))
    return not path or (path[0] in inner and _has(inner[path[0]], path[1:]))


@dataclass
class Variants:
    """Draws each trial from the space, and tries every grid point in every sample, as Ray Tune's default searcher does.

    The user's points are the first samples: what a point leaves open of the grid is tried for it, too. All points are
    tried, even if ``num_samples`` is smaller.

    Args:
        constant_grid: draw once for each sample, so that all its grid points have the same values besides the grid's.
    """

    constant_grid: bool = False

    learns = False

    def setup(self, problem: Problem) -> int:
        """Take any space."""
        self._random, self._space, self._points = Random(self.constant_grid), problem.space, problem.points
        self._walk = walk(problem.space)
        self._walks = [walk(problem.space, point) for point in problem.points]
        self._ends = [*accumulate(map(len, self._walks))]
        return self._random.setup(problem)

    def planned(self, num_samples: int) -> int:
        """Return how many trials so many samples mean."""
        return self._first + len(self._walk) * max(num_samples - len(self._points), 0)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Take the points first, and draw the rest."""
        drawn = [replace(each, sample=self._number(each.sample)) for each in requests if each.sample >= self._first]
        rest = iter(self._random.suggest(history, drawn, rng) if drawn else ())
        return [next(rest) if each.sample >= self._first else self._of_point(each.sample, rng) for each in requests]

    @property
    def _first(self) -> int:
        """The first sample that is not of a point."""
        return self._ends[-1] if self._ends else 0

    def _number(self, sample: int) -> int:
        """Return the number by which the engine's random search has this sample."""
        which, place = divmod(sample - self._first, len(self._walk))
        return which * len(self._walk) + self._walk.number(place)

    def _of_point(self, sample: int, rng: Streams) -> Suggestion:
        which = bisect_right(self._ends, sample)
        own = self._walks[which]
        place = sample - self._ends[which] + len(own)
        drawn = rng("point", which, 0 if self.constant_grid else place)
        config = self._space.complete(dict(self._points[which]), drawn, index=own.number(place))
        return Suggestion(plain(self._space, config), {"point": which})
