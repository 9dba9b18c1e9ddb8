"""Lightning callbacks by Ray's names, of ``ray.tune.integration.pytorch_lightning`` and ``ray.train.lightning``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trialwright.integrations.lightning import MODEL, ReportCallback
from trialwright.integrations.reports import Names
from trialwright.tune import session


class TuneReportCheckpointCallback(ReportCallback):
    """Reports metrics, and saves checkpoints.

    Args:
        metrics: which: a name, several, or a dict from the name in the report to Lightning's; None: all.
        filename: of the file in the checkpoint.
        save_checkpoints: each report has one.
        on: the event, or events, of Lightning, without ``on_``.

    Raises:
        ValueError: there is no such event; later: no such metric.
    """

    _send = staticmethod(session.report)

    def __init__(
        self,
        metrics: Names = None,
        filename: str = "checkpoint",
        save_checkpoints: bool = True,  # noqa: FBT002 - as in Ray
        on: str | Sequence[str] = "validation_end",
    ) -> None:
        super().__init__(metrics, on=on, checkpoint_every=int(save_checkpoints))
        self._filename = filename


class TuneReportCallback(TuneReportCheckpointCallback):
    """Reports metrics.

    Args:
        metrics: which: a name, several, or a dict from the name in the report to Lightning's; None: all.
        on: the event, or events, of Lightning, without ``on_``.

    Raises:
        ValueError: there is no such event; later: no such metric.
    """

    def __init__(self, metrics: Names = None, on: str | Sequence[str] = "validation_end") -> None:
        super().__init__(metrics, save_checkpoints=False, on=on)


class RayTrainReportCallback(ReportCallback):
    """Reports all metrics, ``epoch`` and ``step`` after each epoch of training, with a checkpoint.

    Args:
        checkpoint_upload_mode: only None is taken: a checkpoint is stored when the report returns.
        validation: only False is taken.

    Raises:
        ValueError: another value is given.
    """

    CHECKPOINT_NAME = MODEL
    _send = staticmethod(session.report)

    def __init__(self, checkpoint_upload_mode: object = None, validation: object = False) -> None:  # noqa: FBT002
        if checkpoint_upload_mode is not None or validation:
            raise ValueError(
                "checkpoint_upload_mode, validation: only None and False are taken, because a checkpoint is stored "
                "when the report returns"
            )
        super().__init__(on="train_epoch_end", checkpoint_every=1)

    def _with_more(self, values: dict[str, object], trainer: Any) -> dict[str, object]:  # noqa: ANN401
        return {**values, "epoch": trainer.current_epoch, "step": trainer.global_step}


def prepare_trainer(trainer: Any) -> Any:  # noqa: ANN401 - a Trainer
    """Return the trainer as it is: a trial is one process."""
    return trainer
