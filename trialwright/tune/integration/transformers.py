"""The callback for Hugging Face's ``Trainer`` by Ray's names, of ``ray.train.huggingface.transformers``."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trialwright.integrations.transformers import INSIDE, ReportCallback
from trialwright.tune import session


class RayTrainReportCallback(ReportCallback):
    """Reports all that is logged each time the ``Trainer`` saves, with its checkpoint in a folder ``checkpoint``."""

    CHECKPOINT_NAME = INSIDE
    _send = staticmethod(session.report)
    _steps = "step"

    def __init__(self) -> None:
        super().__init__(on="save")

    def _say(self, row: dict[str, object], checkpoint: Path | None) -> None:
        assert checkpoint is not None, "it reports only when one was saved"
        with TemporaryDirectory(prefix="trialwright-") as directory:
            shutil.copytree(checkpoint, Path(directory, INSIDE))
            super()._say(row, Path(directory))


def prepare_trainer(trainer: Any) -> Any:  # noqa: ANN401 - a Trainer
    """Return the trainer as it is: a trial is one process."""
    return trainer
