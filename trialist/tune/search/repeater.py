"""The same configuration several times, where results are noisy: the searcher sees one trial with their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from trialist.history import History, Record
from trialist.messages import Outcome, Request, Suggestion
from trialist.results import Result
from trialist.searchers import Problem
from trialist.searchers import Searcher as EngineSearcher
from trialist.streams import Streams
from trialist.tune.search.searcher import Searcher
from trialist.tune.trial import RunFacts

TRIAL_INDEX = "__trial_index__"  # in a configuration: which of the repetitions this is
TAG = "repetition"


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
            raise TypeError(f"Repeater wants a Searcher, not {searcher!r}")
        if repeat < 1:
            raise ValueError(f"repeat must be at least 1, not {repeat!r}")
        super().__init__(searcher.metric, searcher.mode)
        self.searcher, self.repeat, self.set_index = searcher, repeat, set_index

    @property
    def max_concurrent(self) -> int | None:
        """The limit of the searcher, if that has one."""
        return getattr(self.searcher, "max_concurrent", None)

    def to_engine(self, facts: RunFacts | None = None, config: Mapping[str, Any] | None = None) -> EngineSearcher:
        """Return a searcher that asks the searcher's for every ``repeat``-th trial."""
        return Repeated(self.searcher.to_engine(facts, config), self.repeat, set_index=self.set_index)

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
class Repeated:
    """The engine's side of a repeater: shows its base one trial for each group, ended once all of the group have."""

    base: EngineSearcher
    repeat: int
    set_index: bool = True

    learns = True  # the first of a group is found in the history

    def setup(self, problem: Problem) -> int:
        """Begin a run."""
        self._groups: dict[int, Suggestion] = {}
        return self.base.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion]:
        """Ask the base for the first of each group, and repeat its answer."""
        folded = self._folded(history)
        answers: list[Suggestion] = []
        for request in requests:
            group, index = divmod(request.sample, self.repeat)
            if group not in self._groups:
                answer = self.base.suggest(folded, [replace(request, sample=group)], rng)
                if not answer:
                    break
                self._groups[group] = answer[0]
            answers.append(self._member(group, index))
        return answers

    def _member(self, group: int, index: int) -> Suggestion:
        first = self._groups[group]
        config = {**first.config, TRIAL_INDEX: index} if self.set_index else first.config
        return Suggestion(config, {**(first.tags if index == 0 else {}), TAG: [group, index]})

    def _folded(self, history: History) -> History:
        """Return the history with one trial for each group; what somebody enqueued stays as it is."""
        groups: dict[int, list[Record]] = {}
        alone: list[Record] = []
        for record in history.trials:
            place = cast("list[int] | None", record.tags.get(TAG))
            groups.setdefault(place[0], []).append(record) if place else alone.append(record)
        folded = [self._fold(group, members) for group, members in groups.items()]
        return History(tuple(sorted([*alone, *folded], key=lambda record: record.id)))

    def _fold(self, group: int, members: list[Record]) -> Record:
        first = members[0]
        config = {key: value for key, value in first.config.items() if key != TRIAL_INDEX}
        tags = {key: value for key, value in first.tags.items() if key != TAG}
        self._groups.setdefault(group, Suggestion(config, tags))
        record = Record(first.id, config, tags)
        if len(members) == self.repeat and all(member.outcome for member in members):
            last = [member.values[-1] for member in members if member.values and _well(member)]
            record.steps, record.values = ([1], [tuple(np.mean(last, axis=0).tolist())]) if last else ([], [])
            record.outcome = Outcome("completed" if last else "failed")
        return record


def _well(record: Record) -> bool:
    return record.outcome is not None and record.outcome.kind in ("completed", "stopped")
