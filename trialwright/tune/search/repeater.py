"""The same configuration several times, where results are noisy: the searcher sees one trial with their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trialwright.errors import import_instead
from trialwright.messages import Config
from trialwright.results import Result
from trialwright.searchers import Problem, Repeat
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.tune.search.driven import to_engine
from trialwright.tune.search.searcher import Searcher, overrides
from trialwright.tune.trial import RunFacts

TRIAL_INDEX = "__trial_index__"  # in a configuration: which of the repetitions this is


class Repeater(Searcher):
    """Repeats each suggestion of a searcher. ``num_samples`` counts trials: give a multiple of ``repeat``.

    Args:
        searcher: whose suggestions.
        repeat: how often each is tried.
        set_index: tell the objective which repetition it is, as ``config["__trial_index__"]``, from 0.

    Raises:
        ValueError: ``repeat`` is less than 1.
        TypeError: the searcher is none.
    """

    def __init__(self, searcher: Searcher, repeat: int = 1, set_index: bool = True) -> None:  # noqa: FBT002 - Ray Tune's order
        if not isinstance(searcher, Searcher):
            raise TypeError(f"Repeater wants a Searcher, not {searcher!r}{import_instead(searcher)}")
        if repeat < 1:
            raise ValueError(f"repeat must be at least 1, not {repeat!r}")
        super().__init__(searcher.metric, searcher.mode)
        self.searcher, self.repeat, self.set_index = searcher, repeat, set_index

    @property
    def max_concurrent(self) -> int | None:
        """The limit of the searcher, if that has one."""
        return getattr(self.searcher, "max_concurrent", None)

    def engine_searcher(self, facts: RunFacts, config: Mapping[str, Any] | None) -> EngineSearcher:
        """Return a searcher that asks the searcher's for every ``repeat``-th trial.

        Raises:
            TypeError: a subclass has hooks of its own.
        """
        if overrides(self, Repeater):
            raise TypeError(
                f"{type(self).__name__} overrides hooks of Repeater, which the run does not call: override "
                "those of the searcher in it instead"
            )
        return Repeated(to_engine(self.searcher, facts, config), self.repeat, set_index=self.set_index)

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Hand it on."""
        return self.searcher.set_search_properties(metric, mode, config, **spec)

    def on_experiment_end(self, result: Result) -> None:
        """Hand nothing on: these are no results of the searcher's trials, but of their repetitions."""

    def save(self, checkpoint_path: str) -> None:
        """Save the searcher."""
        self.searcher.save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        """Restore the searcher."""
        self.searcher.restore(checkpoint_path)


@dataclass
class Repeated(Repeat):
    """The engine's side of a repeater: trials are counted, not groups, and each may get its index in its group."""

    set_index: bool = True

    def setup(self, problem: Problem) -> int:
        """Begin a run."""
        return super().setup(problem) // self.times

    def _marked(self, config: Config, index: int) -> Config:
        return {**config, TRIAL_INDEX: index} if self.set_index else config

    def _unmarked(self, config: Config) -> Config:
        return {key: value for key, value in config.items() if key != TRIAL_INDEX}
