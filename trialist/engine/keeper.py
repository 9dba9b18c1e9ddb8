"""The keeper of checkpoints: who still needs which, so that none is deleted too early, and none is kept for ever."""

from __future__ import annotations

from collections import Counter, defaultdict, deque

from trialist.engine.trial import Trial
from trialist.messages import Checkpoint, Discard


class Keeper:
    """Counts who needs a checkpoint: its trial as long as it is one of the latest, its trial again if it is the best,
    and each trial that is about to start from it.

    Args:
        keep: how many of the latest checkpoints of a trial are kept; None for all.
    """

    def __init__(self, keep: int | None) -> None:
        self._keep = keep
        self._needs: Counter[str] = Counter()
        self._latest: defaultdict[int, deque[Checkpoint]] = defaultdict(deque)

    def hold(self, checkpoint: Checkpoint) -> None:
        """Somebody more needs it."""
        self._needs[checkpoint.path] += 1

    def release(self, checkpoint: Checkpoint) -> list[Discard]:
        """Somebody needs it no more: return what is to be discarded."""
        self._needs[checkpoint.path] -= 1
        if self._needs[checkpoint.path]:
            return []
        del self._needs[checkpoint.path]
        return [Discard(checkpoint.path)]

    def save(self, trial: Trial, checkpoint: Checkpoint, *, best: bool = False) -> list[Discard]:
        """The trial has a new latest checkpoint, and perhaps a new best: return what is to be discarded."""
        discards: list[Discard] = []
        trial.checkpoint = checkpoint
        self.hold(checkpoint)
        if best:
            self.hold(checkpoint)
            previous, trial.best_checkpoint = trial.best_checkpoint, checkpoint
            discards += self.release(previous) if previous else []
        latest = self._latest[trial.id]
        latest.append(checkpoint)
        if self._keep is not None and len(latest) > self._keep:
            discards += self.release(latest.popleft())
        return discards
