"""Batched: so many trials at a time, and no more before all of them have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trialwright.history import History
from trialwright.html import SettingsTable
from trialwright.messages import Request, Suggestion
from trialwright.searchers.base import Problem, Searcher
from trialwright.streams import Streams

TAG = "batch"  # marks the trials that count


@dataclass
class Batched(SettingsTable):
    """Asks its base for the trials of one batch, and says "not now" to others until all of the batch have ended.

    So the base knows all results of a batch before it begins the next one. A trial that a scheduler has paused has not
    ended.

    Args:
        base: where configurations come from.
        size: how many trials a batch has.
    """

    base: Searcher
    size: int

    learns = True  # which trials have ended is found in the history

    @property
    def sees_metrics(self) -> bool:
        """As the base does."""
        return getattr(self.base, "sees_metrics", False)

    @property
    def process_from(self) -> int | None:
        """As the base does."""
        return getattr(self.base, "process_from", None)

    @property
    def is_exhaustive(self) -> bool:
        """As the base is."""
        return getattr(self.base, "is_exhaustive", False)

    @property
    def repeats(self) -> bool:
        """As the base does."""
        return getattr(self.base, "repeats", False)

    def setup(self, problem: Problem) -> int:
        """Take any problem that the base takes.

        Raises:
            ValueError: ``size`` is less than 1.
        """
        if self.size < 1:
            raise ValueError(f"Batched(size={self.size!r}): it must be at least 1")
        self._ended: set[int] = set()
        self._seen: History | None = None
        return self.base.setup(problem)

    def suggest(self, history: History, requests: Sequence[Request], rng: Streams) -> list[Suggestion | None]:
        """Answer the requests of this batch, and those of later ones with "not now"."""
        self._count(history)
        first_later = (len(self._ended) // self.size + 1) * self.size
        now = [request for request in requests if request.sample < first_later]
        given = self.base.suggest(history, now, rng) if now else ()
        answers = [each and replace(each, tags={**each.tags, TAG: True}) for each in given]
        return answers if len(given) < len(now) else [*answers, *[None] * (len(requests) - len(now))]

    def _count(self, history: History) -> None:
        """Note which trials have ended, and which run again."""
        self._ended = self._ended if history.follows(self._seen) else set()
        for record in map(history.record, history.changed(self._seen).tolist()):
            is_over = record.outcome is not None and TAG in record.tags
            (self._ended.add if is_over else self._ended.discard)(record.id)
        self._seen = history
