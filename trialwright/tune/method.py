"""How a run searches: its space, searcher, and scheduler, and what these and the run are to optimise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trialwright.engine.in_use import free
from trialwright.schedulers import FIFO
from trialwright.searchers.variants import Variants
from trialwright.space import Space
from trialwright.tune import names, spaces
from trialwright.tune.schedulers import FIFOScheduler, TrialScheduler, create_scheduler
from trialwright.tune.schedulers import adapter as schedulers
from trialwright.tune.search import BasicVariantGenerator, Searcher, create_searcher
from trialwright.tune.search import searcher as searchers
from trialwright.tune.settings import TuneConfig
from trialwright.tune.trial import RunFacts


@dataclass
class Method:
    """How to search.

    Args:
        tune: the user's settings.
        given: the user's space.
    """

    tune: TuneConfig
    given: Mapping[str, Any] | Space | None

    def keywords(self, facts: RunFacts) -> dict[str, Any]:
        """Return the engine's keywords that say how to search.

        Args:
            facts: about the run.

        Raises:
            ValueError, TypeError: something given makes no sense.
        """
        searcher, is_used = self.searcher, self.decides or self.searcher is not None
        if self.metrics and not self.modes and is_used:
            raise ValueError(f"metric={self.metrics[0]!r} without a mode: is it better 'min' or 'max'?")
        is_whole = bool(self.metrics and self.modes) and bool(self._named or is_used)  # else reports may lack it
        return {
            "space": self.space,
            "metric": [names.to_engine(metric) for metric in self.metrics] if is_whole else None,
            "mode": list(self.modes) if is_whole else None,
            "num_samples": self.tune.num_samples,
            "searcher": self._engine_searcher(facts),
            "scheduler": self._engine_scheduler(facts),
            "seed": self._seed,
            "outcome_constraints": getattr(searcher, "outcome_constraints", ()),
            "points_to_evaluate": searcher.points_to_evaluate if isinstance(searcher, BasicVariantGenerator) else (),
            "max_concurrent_trials": _least(self.tune.max_concurrent_trials, getattr(searcher, "max_concurrent", None)),
        }

    @cached_property
    def searcher(self) -> Any:  # noqa: ANN401 - of this layer's kind or the engine's
        """What decides what to try; None: random search."""
        given = self.tune.search_alg
        return create_searcher(given) if isinstance(given, str) else given

    @cached_property
    def scheduler(self) -> Any:  # noqa: ANN401 - of this layer's kind or the engine's
        """What decides how far trials go; None: as far as they like."""
        given = self.tune.scheduler
        return create_scheduler(given) if isinstance(given, str) else given

    @property
    def decides(self) -> bool:
        """The scheduler may pause, clone, or stop trials."""
        return not isinstance(self.scheduler, FIFOScheduler | FIFO | None)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """What is optimised, by the users' names: if there is only a mode, a bare number."""
        return self._named or ((names.ANONYMOUS,) if len(self.modes) == 1 else ())

    @cached_property
    def _named(self) -> tuple[str, ...]:
        return _one_of("metric", (self.tune, self.scheduler, self.searcher))

    @cached_property
    def modes(self) -> tuple[str, ...]:
        """In which direction."""
        return _one_of("mode", (self.tune, self.scheduler, self.searcher))

    @cached_property
    def space(self) -> Space:
        """What may vary."""
        return spaces.as_space(self._varied)

    @cached_property
    def _varied(self) -> Mapping[str, Any] | Space | None:
        """What may vary, as it was given; with a population, also what its scheduler mutates."""
        complete = getattr(self.scheduler, "complete", None)
        return self.given if complete is None or isinstance(self.given, Space) else complete(self.given or {})

    def _engine_searcher(self, facts: RunFacts) -> object:
        """With a population, one that also makes the variations that its scheduler asks for."""
        vary = getattr(self.scheduler, "searcher", None)
        if vary is None:
            return self._first_searcher(facts)
        return vary(Variants() if self.searcher is None else self._first_searcher(facts))

    def _first_searcher(self, facts: RunFacts) -> object:
        searcher = self.searcher
        if not isinstance(searcher, Searcher | BasicVariantGenerator):
            return Variants() if searcher is None else searcher
        free({"search_alg": searcher})
        if isinstance(searcher, BasicVariantGenerator):
            return searcher.engine_searcher()
        config = self._varied.definition if isinstance(self._varied, Space) else self._varied or {}
        if len(self.metrics) > 1:  # the facts know one only
            searcher.set_search_properties(list(self.metrics), list(self.modes), dict(config))
        return searchers.to_engine(searcher, facts, config)

    def _engine_scheduler(self, facts: RunFacts) -> object:
        scheduler = self.scheduler
        if not isinstance(scheduler, TrialScheduler):
            return scheduler or "fifo"
        free({"scheduler": scheduler})
        return schedulers.to_engine(scheduler, facts)

    @property
    def _seed(self) -> int | None:
        own = self.searcher.seed if isinstance(self.searcher, BasicVariantGenerator) else None
        if None not in (own, self.tune.seed) and own != self.tune.seed:
            raise ValueError(f"seed={self.tune.seed!r} and random_state={own!r}: give one of them")
        return own if self.tune.seed is None else self.tune.seed


def _one_of(what: str, holders: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the value that was given; if several were given one, they must agree."""
    told = [_listed(value) for holder in holders if (value := getattr(holder, what, None)) is not None]
    if any(each != told[0] for each in told):
        raise ValueError(f"{what} is given twice, with different values: {' and '.join(map(repr, told))}")
    return told[0] if told else ()


def _listed(value: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _least(*limits: int | None) -> int | None:
    return min(filter(None, limits), default=None)
