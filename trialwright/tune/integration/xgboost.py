"""XGBoost callbacks by Ray's names, of ``ray.tune.integration.xgboost`` and ``ray.train.xgboost``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from trialwright.integrations.reports import Names
from trialwright.integrations.xgboost import MODEL, ReportCallback, xgboost
from trialwright.tune import session
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.integration.rounds import Change, RoundReports


class TuneReportCheckpointCallback(ReportCallback):
    """Reports metrics after each round, and saves the model.

    Args:
        metrics: which: a name, several, or a dict from the name in the report to XGBoost's; None: all.
        filename: of the model in the checkpoint; its ending decides the format.
        frequency: every how many rounds there is a checkpoint; 0: none before the end.
        checkpoint_at_end: save one at the end, with one more report.
        results_postprocessing_fn: makes another dict of each that is to be reported.

    Raises:
        ValueError: ``frequency`` is less than 0; later: there is no such metric.
    """

    CHECKPOINT_NAME = MODEL
    _send = staticmethod(session.report)

    def __init__(
        self,
        metrics: Names = None,
        filename: str = CHECKPOINT_NAME,
        frequency: int = 0,
        checkpoint_at_end: bool = True,  # noqa: FBT002 - as in Ray
        results_postprocessing_fn: Change = None,
    ) -> None:
        super().__init__()
        self._reports: RoundReports = RoundReports(metrics, frequency, self._send, change=results_postprocessing_fn)
        self._filename, self._at_end = filename, checkpoint_at_end

    def after_training(self, model: Any) -> Any:  # noqa: ANN401 - a Booster, or several
        if self._at_end:
            self._reports.finish(partial(self._save, model))
        return model

    @classmethod
    def get_model(cls, checkpoint: Checkpoint, filename: str = CHECKPOINT_NAME) -> Any:  # noqa: ANN401 - a Booster
        """Return the model of a checkpoint that this callback has saved."""
        return xgboost.Booster(model_file=str(Path(checkpoint.path, filename)))


RayTrainReportCallback = TuneReportCheckpointCallback


class TuneReportCallback(TuneReportCheckpointCallback):
    """Reports metrics after each round.

    Args:
        metrics: which: a name, several, or a dict from the name in the report to XGBoost's; None: all.
        results_postprocessing_fn: makes another dict of each that is to be reported.

    Raises:
        ValueError: later: there is no such metric.
    """

    def __init__(self, metrics: Names = None, results_postprocessing_fn: Change = None) -> None:
        super().__init__(metrics, checkpoint_at_end=False, results_postprocessing_fn=results_postprocessing_fn)
