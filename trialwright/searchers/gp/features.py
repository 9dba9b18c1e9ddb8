"""Features: the numbers that the kernel gets for a config, and the ways in which a config can change.

An unordered category becomes one indicator an option, so that the squared distance between two options is 1 (a Hamming
term inside the distance, with a length-scale of its own). All indicators of an inactive category are 0, which tells
active branches apart: a branch is its option. Where options are many, each has a code of random signs instead, with
squared distances near 1 (Johnson and Lindenstrauss 1984): what that takes does not grow with their number. Everything
else is its unit, and the middle where it is inactive.

n: rows. d: columns. p: features. units: configs, (n, d).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trialwright.space import Space
from trialwright.space.domains import Category, Domain, Stepped
from trialwright.space.values import Bools, Floats, Ints

MANY = 16
"""So many values are tried one by one; of more, those at distances of powers of two."""
SIGNS = 128
"""An unordered category of more options has codes of so many signs: squared distances are 1, give or take 0.1."""
COARSE = 12
"""An ordered column of more values may be descended along as if it were continuous; what comes out is snapped."""


@dataclass(frozen=True)
class Column:
    """How the values of a column lie: `centres` are the units of its values, None where they fill the interval."""

    ordered: bool
    centres: Floats | None

    @property
    def smooth(self) -> bool:
        """True where it may be descended along."""
        return self.centres is None or (self.ordered and len(self.centres) > COARSE)

    def moves(self, unit: float) -> Floats:
        """Return the units of other values that are worth a try from this one, shape (k,)."""
        if self.centres is None:
            return np.empty(0)
        count = len(self.centres)
        right = min(max(int(np.searchsorted(self.centres, unit)), 1), count - 1)
        place = right - (abs(self.centres[right - 1] - unit) <= abs(self.centres[right] - unit)) if count > 1 else 0
        if count <= MANY:
            return np.delete(self.centres, place)
        steps = 2 ** np.arange(int(math.log2(count)) + 1)
        places = np.r_[place - steps, place + steps]
        return np.asarray(self.centres[places[(places >= 0) & (places < count)]])


class Features:
    """The columns of a space as features. `groups[f]` is the column of feature f, shape (p,)."""

    def __init__(self, space: Space) -> None:
        domains = [each.domain for each in space.parameters if each.column is not None]
        self.columns = tuple(map(_column, domains))
        self.smooth: Bools = np.array([each.smooth for each in self.columns], np.bool_)
        self.numeric = np.array([each.ordered for each in self.columns], np.bool_)
        self._plain = np.flatnonzero(self.numeric)
        self._coded = [(j, each.centres) for j, each in enumerate(self.columns) if not each.ordered]
        self.groups: Ints = np.concatenate(
            [self._plain, *(np.full(min(len(centres), SIGNS), j) for j, centres in self._coded if centres is not None)]
        ).astype(np.int64)

    def of(self, units: Floats, active: Bools, log_steps: Floats | float | None = None) -> Floats:
        """Return the features, shape (n, p), of configs at units (n, d), of which `active` (n, d) are there; with the
        logarithms of steps behind them, where there are some: shape (n, p + 1)."""
        parts = [units[:, self._plain] - 0.5]
        for j, centres in self._coded:
            assert centres is not None
            # The last cell has its upper end too: a unit of 1 would be an option that there is not.
            cells = np.minimum((units[:, j] * len(centres)).astype(np.int64), len(centres) - 1)
            codes = _signs(cells) if len(centres) > SIGNS else cells[:, None] == np.arange(len(centres))
            parts.append(codes * (active[:, j, None] * math.sqrt(0.5)))
        if log_steps is not None:
            parts.append(np.full((len(units), 1), np.reshape(log_steps, (-1, 1))))
        return np.concatenate(parts, axis=1)

    def pull_back(self, gradient: Floats) -> Floats:
        """Return the gradient in the units, shape (n, d), of one in the features, shape (n, p); 0 where they jump."""
        pulled = np.zeros((len(gradient), len(self.columns)))
        pulled[:, self._plain] = gradient[:, : len(self._plain)]
        return pulled


def _signs(cells: Ints) -> Floats:
    """Return the codes of options, shape (n, SIGNS), of length 1: random signs that depend on the option alone."""
    salts = np.arange(1, SIGNS // 64 + 1, dtype=np.uint64) << np.uint64(40)
    mixed = cells.astype(np.uint64)[:, None] + salts
    for multiplier in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # splitmix64 (Steele et al. 2014)
        mixed = mixed * np.uint64(multiplier)
        mixed ^= mixed >> np.uint64(31)
    bits = (mixed[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    return (2.0 * bits.reshape(len(cells), SIGNS).astype(np.float64) - 1.0) / math.sqrt(SIGNS)


def _column(domain: Domain) -> Column:
    if isinstance(domain, Category):
        centres = (np.arange(len(domain.options)) + 0.5) / len(domain.options)
        return Column(domain.kind == "ordinal" or _is_scale(domain.options), centres)
    if isinstance(domain, Stepped) and domain.cardinality <= 4096:
        return Column(True, np.array([domain.centre(index) for index in range(domain.cardinality)]))  # noqa: FBT003 - it is ordered
    return Column(True, None)  # noqa: FBT003 - it is ordered


def _is_scale(options: tuple[object, ...]) -> bool:
    """Tell whether options are numbers in order: choice([16, 32, 64]) is as good as an ordinal to a model."""
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in options):
        return False
    signs = {a < b for a, b in pairwise(options)}  # type: ignore[operator]  # numbers, as was just seen
    return len(options) > 2 and len(signs) == 1
