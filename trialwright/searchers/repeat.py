"""Repeat, and Race: the same configuration several times, with other seeds, where results are noisy; searchers see the
mean."""

from __future__ import annotations

import math
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import cast

import numpy as np

from trialwright.history import History, HistoryLog, Record
from trialwright.html import SettingsTable
from trialwright.messages import Config, Outcome, Request, Suggestion, Tags
from trialwright.searchers.base import Problem, Searcher
from trialwright.space.values import fresh
from trialwright.streams import Streams

TAG, RACE = "repeat", "race"  # of each trial: its group, and its place in it


@dataclass
class Repeat(SettingsTable):
    """Tries each configuration several times; its base gets one trial for each group, with the mean, once all have
    ended.

    ``result.best("mean")`` compares the means too.

    Args:
        base: where configurations come from.
        times: how often each is tried; one sample means so many trials.
    """

    base: Searcher
    times: int

    repeats = True
    learns = True  # the first of a group is found in the history

    def setup(self, problem: Problem) -> int:
        """Take any problem that the base takes.

        Raises:
            ValueError: ``times`` is less than 1.
        """
        if self.times < 1:
            raise ValueError(f"Repeat(times={self.times!r}): it must be at least 1")
        self._groups = _Groups(TAG, self._fold)
        return self.base.setup(problem) * self.times

    @property
    def process_from(self) -> int | None:
        """As the base does, which sees one trial of so many."""
        base: int | None = getattr(self.base, "process_from", None)
        return None if base is None else base * self.times

    @property
    def is_exhaustive(self) -> bool:
        """As the base is."""
        return getattr(self.base, "is_exhaustive", False) is True

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """Ask the base for the first of each group, and repeat its answer; of a group whose first is not in the history
        yet, not now."""
        self._groups = self._groups.following(history)
        folded, fresh = self._groups.folded, dict[int, Suggestion]()
        answers: list[Suggestion | None] = []
        for request in requests:
            group, index = divmod(request.sample, self.times)
            first = fresh.get(group) or self._groups.answer(group)
            if first is None and index == 0:
                answer = self.base.suggest(folded, [replace(request, sample=group)], rng)
                if not answer:  # the base has no more
                    break
                first = answer[0]
            if first is not None:
                fresh[group] = first
            answers.append(first and self._member(first, group, index))
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

    def _fold(self, members: list[Record]) -> Record:
        first = members[0]
        config = self._unmarked(first.config)
        is_over = len(members) == self.times and all(member.outcome for member in members)
        return _folded(TAG, config, members, members if is_over else [])


@dataclass
class Race(SettingsTable):
    """Tries a configuration again only while it might be the best; its base gets the mean of each configuration.

    The incumbent is the configuration of least mean among those that were tried ``most`` times. Another one is tried
    again as long as its mean is no worse (as in the intensifier of SMAC: Hutter et al. 2011). So most trials are of new
    configurations, and the incumbent has been tried ``most`` times.

    Args:
        base: where configurations come from; it learns.
        most: how often each is tried at most.
    """

    base: Searcher
    most: int = 3

    repeats = True
    learns = True

    def setup(self, problem: Problem) -> int:
        """Take a problem of one objective, of the base's.

        Raises:
            ValueError: there are several objectives, or constraints; ``most`` is less than 1; or the base learns
                nothing, and so has no use for a mean.
        """
        problem.single("race")
        if self.most < 1:
            raise ValueError(f"Race(most={self.most!r}): it must be at least 1")
        if not self.base.learns:
            raise ValueError(f"Race needs a searcher that learns, not {type(self.base).__name__}; Repeat takes any")
        self._groups = _Groups(RACE, partial(_mean_so_far, RACE))
        return self.base.setup(problem)

    @property
    def process_from(self) -> int | None:
        """As the base does."""
        return getattr(self.base, "process_from", None)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """Repeat what may be the best, the least mean first; ask the base for the rest."""
        self._groups = self._groups.following(history)
        again = [self._repeated(group) for group in islice(self._challengers(), len(requests))]
        rest = requests[len(again) :]
        new = self.base.suggest(self._groups.folded, rest, rng) if rest else ()
        pairs = zip(rest, new, strict=False)  # the base may have fewer
        return [*again, *(answer and _tagged(answer, request.sample, 0) for request, answer in pairs)]

    def _repeated(self, group: int) -> Suggestion:
        first = self._groups.members(group)[0]
        return _tagged(Suggestion(fresh(first.config), {}), group, len(self._groups.members(group)))

    def _challengers(self) -> Iterator[int]:
        """Yield the groups to go on with: whose mean is no worse than that of the one to beat, and of which none runs.
        A group with a failure is out."""
        costs = {group: mean for group in self._groups if (mean := _cost(self._groups.members(group))) is not None}
        count = {group: len(self._groups.members(group)) for group in costs}
        top = max(count.values(), default=0)
        to_beat = min((cost for group, cost in costs.items() if count[group] == top), default=0.0)
        ranked = sorted(costs, key=lambda group: (costs[group], group))
        return (group for group in ranked if count[group] < self.most and costs[group] <= to_beat)


def _tagged(answer: Suggestion, group: int, index: int) -> Suggestion:
    return replace(answer, tags=cast(Tags, {**answer.tags, RACE: [group, index]}))


def _cost(members: Sequence[Record]) -> float | None:
    """Return the mean of the last values; None where one runs, failed, or is not finite."""
    last = [member.last[0] if member.last and _well(member) else math.nan for member in members]
    mean = sum(last) / len(last)
    return mean if math.isfinite(mean) else None


def _mean_so_far(tag: str, members: list[Record]) -> Record:
    return _folded(tag, members[0].config, members, [member for member in members if member.outcome])


def _folded(tag: str, config: Config, members: list[Record], ended: list[Record]) -> Record:
    """Return one trial for all members: the mean of those that ended well; pending where none has ended."""
    first = members[0]
    record = Record(first.id, config, {key: value for key, value in first.tags.items() if key != tag})
    if ended:
        last = [member.last for member in ended if member.last is not None and _well(member)]
        record.steps, record.values = ([1], [tuple(np.mean(last, axis=0).tolist())]) if last else ([], [])
        sems = [member.sems[-1] for member in ended if member.sems and member.last is not None and _well(member)]
        # One standard error that is not known leaves that of the mean unknown: less than all would make it too small.
        if sems and len(sems) == len(last):
            record.sems = [tuple((np.linalg.norm(sems, axis=0) / len(sems)).tolist())]
        record.outcome = Outcome("completed" if last else "failed")
    return record


class _Groups:
    """A history with one trial for each group, updated only where something is new. Trials that
    a user enqueued stay as they are.

    Args:
        tag: under which a trial has its group, and its place in it.
        fold: makes one trial of those of a group.
    """

    def __init__(self, tag: str, fold: Callable[[list[Record]], Record]) -> None:
        self._tag, self._fold = tag, fold
        self._seen: History | None = None
        self._log = HistoryLog()
        self._group_of: dict[int, int | None] = {}
        self._members: defaultdict[int, list[int]] = defaultdict(list)
        self._shown: dict[int, Record] = {}  # of each group

    @property
    def folded(self) -> History:
        """The history as it is to be shown."""
        return self._log.until(len(self._log))

    def answer(self, group: int) -> Suggestion | None:
        """Return what the base had answered for a group; None where none of it is in the history."""
        shown = self._shown.get(group)
        return None if shown is None else Suggestion(shown.config, shown.tags)

    def __iter__(self) -> Iterator[int]:
        return iter(self._shown)

    def members(self, group: int) -> list[Record]:
        """Return the trials of a group."""
        return [cast(History, self._seen).record(trial) for trial in self._members[group]]

    def following(self, history: History) -> _Groups:
        """Become this history; return itself, or where what was shown of a group has changed, a fresh one."""
        if self._follow(history):
            return self
        fresh = _Groups(self._tag, self._fold)
        fresh._follow(history)
        return fresh

    def _follow(self, history: History) -> bool:
        """Become this history. False where it takes a fresh object, because what was shown of a group has changed."""
        if self._seen is not None and not history.follows(self._seen):
            return False
        changed = [history.record(trial) for trial in history.changed(self._seen).tolist()]
        if not all(self._sort_in(record) for record in changed):
            return False
        for entry in history.entries(self._seen):
            if self._group_of[entry.trial] is None:
                self._log.write(entry)
        self._seen = history
        groups = {group for record in changed if (group := self._group(record)) is not None}
        return all(self._show(group, history) for group in groups)

    def _sort_in(self, record: Record) -> bool:
        """Tell whether the trial is new, or where it was: a clone has the tags of its donor."""
        group = self._group(record)
        if record.id not in self._group_of and group is not None:
            insort(self._members[group], record.id)
        return self._group_of.setdefault(record.id, group) == group

    def _show(self, group: int, history: History) -> bool:
        """Tell whether the group is shown as what it was, or as what has become of it since."""
        record, before = self._fold([history.record(trial) for trial in self._members[group]]), self._shown.get(group)
        if record != before:
            self._log.add(record)
            self._shown[group] = record
        return before is None or record == before or (record.id == before.id and before.outcome is None)

    def _group(self, record: Record) -> int | None:
        place = cast("list[int] | None", record.tags.get(self._tag))
        return place[0] if place else None


def _well(record: Record) -> bool:
    return record.outcome is not None and record.outcome.kind in ("completed", "stopped")
