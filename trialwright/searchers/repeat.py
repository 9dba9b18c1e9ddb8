"""Repeat: the same configuration several times, with other seeds, where results are noisy; searchers see the mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from trialwright.history import History, Record
from trialwright.messages import Config, Outcome, Request, Suggestion, Tags
from trialwright.searchers.base import Problem, Searcher
from trialwright.space.values import fresh
from trialwright.streams import Streams

TAG = "repeat"  # of each trial: its group, and its place in it


@dataclass
class Repeat:
    """Shows its base one trial for each group of equal ones, ended once all of the group have.

    ``result.best("mean")`` compares the means too.

    Args:
        base: where configurations come from.
        times: how often each is tried; one sample means so many trials.
    """

    base: Searcher
    times: int

    learns = True  # the first of a group is found in the history

    def setup(self, problem: Problem) -> int:
        """Take any problem that the base takes.

        Raises:
            ValueError: ``times`` is less than 1.
        """
        if self.times < 1:
            raise ValueError(f"Repeat(times={self.times!r}): a configuration has to be tried once at least")
        return self.base.setup(problem) * self.times

    @property
    def process_from(self) -> int | None:
        """As the base does, which sees one trial of so many."""
        base: int | None = getattr(self.base, "process_from", None)
        return None if base is None else base * self.times

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """Ask the base for the first of each group, and repeat its answer; of a group whose first is not in the history
        yet, not now."""
        folded, groups = self._folded(history)
        answers: list[Suggestion | None] = []
        for request in requests:
            group, index = divmod(request.sample, self.times)
            if group not in groups and index == 0:
                answer = self.base.suggest(folded, [replace(request, sample=group)], rng)
                if not answer:
                    break
                if answer[0] is not None:
                    groups[group] = answer[0]
            answers.append(self._member(groups[group], group, index) if group in groups else None)
        return answers

    def _member(self, first: Suggestion, group: int, index: int) -> Suggestion:
        tags = {**(first.tags if index == 0 else {}), TAG: [group, index]}
        config = fresh(self._marked(first.config, index))  # in the result each trial has its own
        return Suggestion(config, cast(Tags, tags))

    def _marked(self, config: Config, index: int) -> Config:
        """Return the configuration of the index-th of a group."""
        return config

    def _unmarked(self, config: Config) -> Config:
        """Undo ``_marked``."""
        return config

    def _folded(self, history: History) -> tuple[History, dict[int, Suggestion]]:
        """Return the history with one trial for each group, and what the base had answered for it; what somebody
        enqueued stays as it is."""
        groups: dict[int, list[Record]] = {}
        alone: list[Record] = []
        for record in history.trials:
            place = cast("list[int] | None", record.tags.get(TAG))
            groups.setdefault(place[0], []).append(record) if place else alone.append(record)
        folded = {group: self._fold(members) for group, members in groups.items()}
        trials = sorted([*alone, *folded.values()], key=lambda record: record.id)
        answers = {group: Suggestion(record.config, record.tags) for group, record in folded.items()}
        return History(tuple(trials)), answers

    def _fold(self, members: list[Record]) -> Record:
        first = members[0]
        config = self._unmarked(first.config)
        tags = {key: value for key, value in first.tags.items() if key != TAG}
        record = Record(first.id, config, tags)
        if len(members) == self.times and all(member.outcome for member in members):
            last = [member.values[-1] for member in members if member.values and _well(member)]
            record.steps, record.values = ([1], [tuple(np.mean(last, axis=0).tolist())]) if last else ([], [])
            record.outcome = Outcome("completed" if last else "failed")
        return record


def _well(record: Record) -> bool:
    return record.outcome is not None and record.outcome.kind in ("completed", "stopped")
