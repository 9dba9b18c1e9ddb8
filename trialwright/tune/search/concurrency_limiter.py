"""Fewer trials at a time, so that a searcher sees more results before it is asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trialwright.errors import import_instead
from trialwright.history import History
from trialwright.messages import Request, Suggestion
from trialwright.results import Result
from trialwright.searchers import Problem
from trialwright.searchers import Searcher as EngineSearcher
from trialwright.streams import Streams
from trialwright.tune.search.driven import to_engine
from trialwright.tune.search.searcher import Searcher, overrides
from trialwright.tune.trial import RunFacts


class ConcurrencyLimiter(Searcher):
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
        if not isinstance(searcher, Searcher):
            hint = import_instead(searcher) or ": BasicVariantGenerator has a limit of its own"
            raise TypeError(f"ConcurrencyLimiter wants a Searcher, not {searcher!r}{hint}")
        if max_concurrent < 1:
            raise ValueError(f"max_concurrent must be at least 1, not {max_concurrent!r}")
        super().__init__(searcher.metric, searcher.mode)
        self.searcher, self.max_concurrent, self.batch = searcher, max_concurrent, batch
        self._limits_itself = searcher.set_max_concurrency(max_concurrent)
        self._live: set[str] = set()
        self._over: dict[str, dict[str, Any]] = {}  # of a batch: what is told when all of it have ended

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

    def set_search_properties(self, metric: Any, mode: Any, config: dict[str, Any], **spec: Any) -> bool:  # noqa: ANN401
        """Hand it on."""
        return self.searcher.set_search_properties(metric, mode, config, **spec)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Ask the searcher, or answer "not now"."""
        if len(self._live) >= self.max_concurrent and (self.batch or not self._limits_itself):
            return None
        self.searcher.rng = self.rng
        answer = self.searcher.suggest(trial_id)
        if answer is not None and answer != self.FINISHED:
            self._live.add(trial_id)
        return answer

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self.searcher.on_trial_result(trial_id, result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: FBT002 - Ray Tune's order
        self._over[trial_id] = {"result": result, "error": error}
        if self.batch and self._live and len(self._live & self._over.keys()) < self.max_concurrent:
            return
        for ended, told in self._over.items():
            self._live.discard(ended)
            self.searcher.on_trial_complete(ended, **told)
        self._over = {}

    def on_experiment_end(self, result: Result) -> None:
        """Hand it on."""
        super().on_experiment_end(result)
        self.searcher.on_experiment_end(result)

    def save(self, checkpoint_path: str) -> None:
        """Save the searcher."""
        self.searcher.save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        """Restore the searcher."""
        self.searcher.restore(checkpoint_path)


TAG = "batch"  # marks the trials that count


@dataclass
class Batched:
    """Asks a searcher for so many trials at a time, and says "not now" until they have ended."""

    base: EngineSearcher
    size: int

    learns = True  # who has ended is found in the history

    @property
    def sees_metrics(self) -> bool:
        """As the base does."""
        return getattr(self.base, "sees_metrics", False)

    @property
    def process_from(self) -> int | None:
        """As the base does."""
        return getattr(self.base, "process_from", None)

    def setup(self, problem: Problem) -> int:
        """Begin a run."""
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
        """Note who has ended, and who lives again."""
        self._ended = self._ended if history.follows(self._seen) else set()
        for record in map(history.record, history.changed(self._seen).tolist()):
            is_over = record.outcome is not None and TAG in record.tags
            (self._ended.add if is_over else self._ended.discard)(record.id)
        self._seen = history
