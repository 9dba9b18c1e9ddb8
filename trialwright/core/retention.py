"""Which checkpoints are still needed, so that none is deleted too early, and none is kept without need."""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Collection

from trialwright.core.trial import Trial
from trialwright.messages import Checkpoint, Discard

Ranked = tuple[float, int, Checkpoint]  # cost, then minus a number that grows: of equals the newer is better


class Retention:
    """Counts who needs a checkpoint: its trial as long as it is the latest or among those that are kept, its trial
    again if it is the best, and each trial that is about to start from it.

    Args:
        keep: how many checkpoints of a trial are kept; None for all.
    """

    def __init__(self, keep: int | None) -> None:
        self._keep = keep
        self._count = 0
        self._needs: Counter[str] = Counter()
        self._latest: dict[int, Checkpoint] = {}
        self._kept: defaultdict[int, list[Ranked]] = defaultdict(list)  # best first

    @property
    def needed(self) -> Collection[str]:
        """The paths of all that are needed."""
        return self._needs.keys()

    def hold(self, checkpoint: Checkpoint) -> None:
        """Count one more need of this checkpoint."""
        self._needs[checkpoint.path] += 1

    def release(self, checkpoint: Checkpoint) -> list[Discard]:
        """Count one need less of this checkpoint; return what is to be discarded."""
        self._needs[checkpoint.path] -= 1
        if self._needs[checkpoint.path]:
            return []
        del self._needs[checkpoint.path]
        return [Discard(checkpoint.path)]

    def save(self, trial: Trial, checkpoint: Checkpoint, *, best: bool = False, cost: float = 0.0) -> list[Discard]:
        """The trial has a new latest checkpoint, and perhaps a new best: return what is to be discarded.

        Args:
            trial: whose it is.
            checkpoint: what was saved.
            best: its report was the trial's best.
            cost: those that cost least are kept; of equals, the latest.
        """
        discards = self._replace(trial.best_checkpoint, checkpoint) if best else []
        trial.best_checkpoint = checkpoint if best else trial.best_checkpoint
        discards += self._replace(self._latest.get(trial.id), checkpoint)
        trial.checkpoint = self._latest[trial.id] = checkpoint
        return discards + self._rank(trial.id, checkpoint, cost if cost - cost == 0 else math.inf)  # NaN ranks last

    def _replace(self, old: Checkpoint | None, new: Checkpoint) -> list[Discard]:
        self.hold(new)  # first: a trial that is cloned twice from one donor may have the same checkpoint as before
        return self.release(old) if old else []

    def _rank(self, trial: int, checkpoint: Checkpoint, cost: float) -> list[Discard]:
        self.hold(checkpoint)
        if self._keep is None:
            return []
        kept, self._count = self._kept[trial], self._count + 1
        insort(kept, (cost, -self._count, checkpoint))
        return self.release(kept.pop()[-1]) if len(kept) > self._keep else []
