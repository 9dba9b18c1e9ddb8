"""Auto: the default searcher, which chooses another by the problem and says which, and why.

The first rule that holds decides. What the rules rest on is measured: quality by ``python -m benchmarks.quality``, time
by ``python -m benchmarks.speed ask``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

import numpy as np

from trialwright.history import History
from trialwright.history.log import NONE
from trialwright.html import SettingsTable
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem, Searcher
from trialwright.searchers.gp import GP
from trialwright.searchers.sampling import DIMENSIONS_MAX, Random, Sobol
from trialwright.searchers.tpe import TPE
from trialwright.space import Category, Space
from trialwright.streams import Streams

GP_TRIALS_MAX = 1000
"""From so many trials on, TPE: a Gaussian process would look at a part of them, and take longer than it is worth."""
GP_DIMENSION_MAX = 200
GP_PARALLELISM_MAX = 64
"""Each suggestion takes a Gaussian process tens of milliseconds; with more trials at a time, slots would wait."""
SHARE_MAX = 0.1
"""What a suggestion may take of a trial's time: where trials are shorter, slots would wait for the Gaussian process."""
TIMED = 3
"""So many trials say how long one takes."""
COST_S = ((50, 0.013), (300, 0.027), (1000, 0.1))
"""What a suggestion of the Gaussian process takes up to so many trials, in seconds: a table and no clock, so that the
choice is a function of the history."""
TAG = "auto"
PLANNED_MAX = 10_000
"""With more planned trials than this, trials are assumed to be so short that suggestions must be fast."""


@dataclass
class Auto(SettingsTable):
    """Chooses a searcher for the problem: GP for most, TPE for many trials, many parameters or very short trials, and
    Sobol or random points where there are no results to learn from. ``reason`` says which and why once ``setup`` has
    been called; if trials are so short that it changes to another, suggestions have the tag ``auto``."""

    @property
    def learns(self) -> bool:
        """As the searcher that was chosen."""
        return self._chosen.learns

    @property
    def process_from(self) -> int | None:
        """As the searcher that was chosen."""
        return getattr(self._chosen, "process_from", None)

    def setup(self, problem: Problem) -> int:
        """Take any problem, and choose."""
        facts = _Facts.of(problem)
        make, why = next((make, why) for holds, make, why in _RULES if holds(facts))
        self._chosen: Searcher = make()
        self._later: Searcher = TPE() if isinstance(self._chosen, GP) else self._chosen
        self.reason = f"{make.__name__}: {why.format(**facts._asdict(), switch=GP_TRIALS_MAX)}"
        self._later.setup(problem)
        self._parallelism = problem.parallelism
        return self._chosen.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> Sequence[Suggestion | None]:
        """Ask the searcher that was chosen, or the one for many trials, or for short ones."""
        if self._chosen is self._later or len(history) >= GP_TRIALS_MAX:
            return self._later.suggest(history, requests, rng)
        if not self._is_slow(history):
            return self._chosen.suggest(history, requests, rng)
        answers = self._later.suggest(history, requests, rng)
        return [answer and replace(answer, tags={**answer.tags, TAG: "tpe"}) for answer in answers]

    def _is_slow(self, history: History) -> bool:
        """Trials are too short for a Gaussian process; if they have been once, that stays so."""
        if any(tags.get(TAG) == "tpe" for tags in history.view.newest_tags()):
            return True
        view, log = history.view, history.log
        heads = view.trials.filled["head"][view.trials.filled["outcome"] != NONE]  # of trials that have ended
        seconds = log.times.room[heads[heads != NONE]]
        seconds = seconds[np.isfinite(seconds)]
        cost_s = next((cost for trials, cost in COST_S if len(history) <= trials), COST_S[-1][1])
        # The median: one trial that hung, or failed at once, does not decide.
        return len(seconds) >= TIMED and cost_s * self._parallelism > SHARE_MAX * float(np.median(seconds))


class _Facts(NamedTuple):
    """What the choice depends on. ``planned`` are trials, ``parallel`` those that run at a time."""

    parameters: int
    dimension: int
    objectives: int
    planned: float
    parallel: int

    @classmethod
    def of(cls, problem: Problem) -> _Facts:
        space = problem.space
        planned = inf if problem.num_samples is None else problem.num_samples * space.grid_size
        return cls(_to_choose(space), space.dimension, problem.objectives, planned, problem.parallelism)


def _to_choose(space: Space) -> int:
    """Return how many parameters are a searcher's: grids are tried in order, and functions compute theirs."""
    domains = [each.domain for each in space.parameters if each.column is not None]
    return sum(not (isinstance(domain, Category) and domain.kind == "grid_search") for domain in domains)


_RULES: tuple[tuple[Callable[[_Facts], bool], type[Random | Sobol | TPE | GP], str], ...] = (
    (lambda it: it.parameters == 0, Random, "the space has no parameters to choose"),
    (lambda it: it.objectives == 0 and it.dimension > DIMENSIONS_MAX, Random, "there is no metric to learn from"),
    (lambda it: it.objectives == 0, Sobol, "there is no metric to learn from"),
    (lambda it: it.dimension > GP_DIMENSION_MAX, TPE, "{dimension} parameters are too many for GP"),
    (lambda it: it.planned <= it.parallel, Sobol, "all {planned} trials start before the first has a result"),
    (lambda it: it.parallel > GP_PARALLELISM_MAX, TPE, "{parallel} parallel trials need fast suggestions"),
    (lambda it: PLANNED_MAX < it.planned < inf, TPE, "{planned} trials need fast suggestions"),
    (lambda it: it.planned <= GP_TRIALS_MAX, GP, "it learns the most from few trials; {planned} are planned"),
    (lambda it: it.planned > GP_TRIALS_MAX, GP, "it learns the most from few trials; TPE after {switch} trials"),
)
