"""Goal: what a freeze-thaw decision looks for, drawn anew for each (MFPI-random, Rakotoarison et al. 2024, arXiv
2404.16795, section 4.2): the trial most likely to be better than the best value so far by some margin, some levels on.
With both at random, some decisions deepen what is good now, and others try what may become so.

m: candidates. f: fantasies. o: outputs, objectives first, then constraints. Of several objectives the first counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from trialwright.searchers.gp.acquisition import log_feasible
from trialwright.searchers.gp.utility import Pair
from trialwright.space.values import Floats

MARGINS = (-2.0, 0.0)  # powers of ten, of half the outputs' standard deviation


@dataclass(frozen=True)
class Goal:
    """To be below the threshold, so many levels after the next."""

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
