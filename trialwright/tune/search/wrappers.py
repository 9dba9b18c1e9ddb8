"""Searchers around others: fewer trials at a time, and each configuration several times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trialwright.errors import import_instead
from trialwright.messages import Config
from trialwright.results import Result
from trialwright.searchers import Batched, Problem, Repeat
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.tune.search.searcher import Searcher, overrides, to_engine
from trialwright.tune.trial import RunFacts

TRIAL_INDEX = "__trial_index__"  # in a configuration: which of the repetitions this is


class Wrapper(Searcher):
    """What is the same for all: the searcher inside has the metric, the space, and what was learnt.

    Args:
        searcher: the one inside.
        hint: what to say of an object that is none, if nothing better is known.

    Raises:
        TypeError: it is none.
    """

    def __init__(self, searcher: Searcher, hint: str = "") -> None:
        if not isinstance(searcher, Searcher):
            hint = import_instead(searcher) or hint
            raise TypeError(f"{type(self).__name__} wants a Searcher, not {searcher!r}{hint}")
        super().__init__(searcher.metric, searcher.mode)
        self.searcher = searcher

    @property
    def outcome_constraints(self) -> tuple[str, ...]:
        """The limits of metrics that the searcher inside was given."""
        return getattr(self.searcher, "outcome_constraints", ())

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        return self.searcher.set_search_properties(metric, mode, config, **spec)

    def save(self, checkpoint_path: str) -> None:
        self.searcher.save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        self.searcher.restore(checkpoint_path)

    def restore_from_dir(self, checkpoint_dir: str) -> None:
        self.searcher.restore_from_dir(checkpoint_dir)


class ConcurrencyLimiter(Wrapper):
    """Limits how many trials of a searcher run at a time. The engine does it: see ``max_concurrent``.

    Args:
        searcher: whose trials.
        max_concurrent: how many.
        batch: suggest as many at once, and no more before all of them have ended.

    Raises:
        ValueError: the limit is less than 1.
        TypeError: the searcher is none.
    """

    def __init__(self, searcher: Searcher, max_concurrent: int, batch: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        super().__init__(searcher, ": BasicVariantGenerator has a limit of its own")
        if max_concurrent < 1:
            raise ValueError(f"max_concurrent must be at least 1, not {max_concurrent!r}")
        self.max_concurrent, self.batch = max_concurrent, batch
        self._limit_concurrency = not searcher.set_max_concurrency(max_concurrent)
        self._live: set[str] = set()
        self._over: dict[str, dict[str, Any]] = {}  # of a batch: what is told when all of it have ended
        self._is_short = False  # the searcher had no more for this batch

    def engine_searcher(self, facts: RunFacts, config: Mapping[str, Any] | None) -> EngineSearcher | None:
        """Return the searcher's: the limit is the run's. In batches it is held back."""
        if overrides(self, ConcurrencyLimiter):
            return None
        searcher = to_engine(self.searcher, facts, config)
        return Batched(searcher, self.max_concurrent) if self.batch else searcher

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Take another limit."""
        self.max_concurrent = max_concurrent
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Ask the searcher, or answer "not now"."""
        if self._limit_concurrency and len(self._live) >= self.max_concurrent:
            return None
        self.searcher.rng = self.rng
        answer = self.searcher.suggest(trial_id)
        if answer is not None and answer != self.FINISHED:
            self._live.add(trial_id)
        else:
            self._is_short = True
        return answer

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self.searcher.on_trial_result(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        self._over[trial_id] = {"result": result, "error": error}
        size = len(self._live) if self._is_short else self.max_concurrent
        if self.batch and self._live and len(self._live & self._over.keys()) < size:
            return
        for ended, told in self._over.items():
            self._live.discard(ended)
            self.searcher.on_trial_complete(ended, **told)
        self._over, self._is_short = {}, False

    def get_state(self) -> dict[str, Any]:
        """Return which trials are running; what the searcher has learnt is not in it."""
        return {"max_concurrent": self.max_concurrent, "live": sorted(self._live), "over": dict(self._over)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.max_concurrent, self._live, self._over = state["max_concurrent"], set(state["live"]), dict(state["over"])

    def on_experiment_end(self, result: Result) -> None:
        """Hand it on."""
        super().on_experiment_end(result)
        self.searcher.on_experiment_end(result)


class Repeater(Wrapper):
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
        super().__init__(searcher)
        if repeat < 1:
            raise ValueError(f"repeat must be at least 1, not {repeat!r}")
        self.repeat, self.set_index = repeat, set_index
        self._groups: list[_Group] = []  # where users call ``suggest``: those that have not ended

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

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the last suggestion of the searcher again, or ask it for another one."""
        if not self._groups or len(self._groups[-1].trials) >= self.repeat:
            self.searcher.rng = self.rng
            config = self.searcher.suggest(trial_id)
            if not isinstance(config, dict):
                return config
            self._groups.append(_Group(config))
        group = self._groups[-1]
        group.trials.append(trial_id)
        return {**group.config, **({TRIAL_INDEX: len(group.trials) - 1} if self.set_index else {})}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        """When the last repetition has ended, tell the searcher the mean; those that failed do not count."""
        group = next((each for each in self._groups if trial_id in each.trials), None)
        if group is None:
            return
        group.values[trial_id] = None if error or result is None else float(result[self.searcher.metric])
        if len(group.values) < self.repeat:
            return
        values = [value for value in group.values.values() if value is not None]
        mean = {self.searcher.metric: sum(values) / len(values)} if values else None
        self.searcher.on_trial_complete(group.trials[0], result=mean, error=mean is None)
        self._groups.remove(group)

    def get_state(self) -> dict[str, Any]:
        """Return which repetitions are running; what the searcher has learnt is not in it."""
        groups = [dict(vars(group)) for group in self._groups]
        return {"repeat": self.repeat, "set_index": self.set_index, "groups": groups}

    def set_state(self, state: dict[str, Any]) -> None:
        self.repeat, self.set_index = state["repeat"], state["set_index"]
        self._groups = [_Group(**group) for group in state["groups"]]

    def on_experiment_end(self, result: Result) -> None:
        """Hand nothing on: these are no results of the searcher's trials, but of their repetitions."""


@dataclass
class _Group:
    """A suggestion, the trials that repeat it, and what those of them that have ended have reported."""

    config: dict[str, Any]
    trials: list[str] = field(default_factory=list)
    values: dict[str, float | None] = field(default_factory=dict)


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
