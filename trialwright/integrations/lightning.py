"""PyTorch Lightning: a callback that reports, and ``restore`` for its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trialwright import reporting
from trialwright.integrations.adapter import library
from trialwright.integrations.reports import Names, Reports, listen, saved_directory

try:
    pytorch = library("lightning.pytorch", "lightning")
except ImportError:
    pytorch = library("pytorch_lightning", "lightning")  # the same library by its older name

MODEL = "checkpoint.ckpt"


class ReportCallback(pytorch.Callback):  # type: ignore[misc, name-defined]  # Lightning need not be there
    """Reports the metrics that a ``LightningModule`` logs, and saves checkpoints.

    A checkpoint is what ``Trainer.save_checkpoint`` writes. The validation before training, which only looks for
    mistakes, is not reported.

    Args:
        metrics: which to report: a name, several, or a dict from the name in the report to Lightning's; None: all.
        on: the event, or events, of Lightning on which to report, without ``on_``. Metrics that are logged for a whole
            epoch of training are there only on ``"train_epoch_end"``.
        checkpoint_every: each n-th report has a checkpoint, and so has each on which the scheduler decides; 0: none.

    Raises:
        ValueError: there is no such event; later: no such metric.
    """

    _send = staticmethod(reporting.report)
    _filename = MODEL

    def __init__(
        self, metrics: Names = None, *, on: str | Sequence[str] = "validation_end", checkpoint_every: int = 0
    ) -> None:
        super().__init__()
        self._reports = Reports(metrics, checkpoint_every, self._send)
        listen(self, on, self._handle)

    def _handle(self, event: str, trainer: Any, *rest: object) -> None:  # noqa: ANN401 - Lightning need not be there
        if trainer.sanity_checking:
            return
        values = {name: value.item() for name, value in trainer.callback_metrics.items()}
        self._reports(self._with_more(values, trainer), lambda directory: self._save(trainer, directory))

    def _with_more(self, values: dict[str, object], trainer: Any) -> dict[str, object]:  # noqa: ANN401
        return values

    def _save(self, trainer: Any, directory: Path) -> None:  # noqa: ANN401 - as above
        trainer.save_checkpoint(directory / self._filename)


def restore() -> Path | None:
    """Return the file from which this trial continues: ``trainer.fit(model, ckpt_path=restore())``.

    Returns:
        None if the trial starts from the beginning.

    Raises:
        TypeError: the checkpoint is not one of the callback's.
    """
    directory = saved_directory()
    return None if directory is None else next(directory.glob("[!.]*"))  # whatever its name is
