"""A ``Trainable`` class as an objective: set up, then step and report until it is done or stopped."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trialwright import reporting
from trialwright.tune import names, session
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.trainable.trainable import Trainable

DONE = "done"
SHOULD_CHECKPOINT = "should_checkpoint"


@dataclass(frozen=True)
class Saving:
    """When a class is to be saved, besides when it asks for it.

    Args:
        every: so many steps; 0: never for that reason.
        at_end: with its last result.
        at_decisions: where it may be paused or cloned.
    """

    every: int = 0
    at_end: bool = False
    at_decisions: bool = False


@dataclass
class ClassLoop:
    """Runs trials of a class. With ``reuse``, an object that can be reset goes from trial to trial of its process."""

    cls: type[Trainable]
    saving: Saving = Saving()
    reuse: bool = False
    idle: list[Trainable] = field(default_factory=list)

    def __call__(self, config: dict[str, Any]) -> None:
        """Run one attempt of one trial."""
        trainable = self._take(config)
        kept = False
        try:
            saved = session.get_checkpoint()
            if saved is not None:
                trainable.restore(saved)
            while not self._step(trainable):
                pass
            kept = self.reuse
        except reporting.TrialStopped:
            kept = self.reuse
            raise
        finally:
            if kept:
                self.idle.append(trainable)
            else:
                trainable.stop()

    def _take(self, config: dict[str, Any]) -> Trainable:
        with suppress(IndexError):  # asked for in one step: other threads take from it too
            trainable = self.idle.pop()
            if trainable.reset(dict(config)):
                return trainable
            trainable.stop()
        return self.cls(config)

    def _step(self, trainable: Trainable) -> bool:
        """Do one step and report it; tell whether it was the last."""
        result, full = trainable.advance()
        done = bool(full[DONE])
        metrics = {name: value for name, value in result.items() if name != DONE}  # it ends by returning
        if self._is_to_be_saved(trainable, metrics, done=done):
            self._report_saved(trainable, metrics)
        else:
            session.report(metrics)
        return done

    def _is_to_be_saved(self, trainable: Trainable, metrics: Mapping[str, Any], *, done: bool) -> bool:
        if type(trainable).save_checkpoint is Trainable.save_checkpoint:
            return False
        saving = self.saving
        if metrics.get(SHOULD_CHECKPOINT) or (saving.every and trainable.iteration % saving.every == 0):
            return True
        if done:
            return saving.at_end
        return (saving.at_end or saving.at_decisions) and reporting.decides(names.escape(metrics))

    def _report_saved(self, trainable: Trainable, metrics: Mapping[str, Any]) -> None:
        """Save and report. The copy that is kept is the engine's; the draft is removed, whatever the verdict is."""
        draft = Path(tempfile.mkdtemp(prefix="saving-", dir=reporting.context().directory))
        try:
            session.report(metrics, checkpoint=Checkpoint(trainable.save(draft).path))
        finally:
            shutil.rmtree(draft, ignore_errors=True)
