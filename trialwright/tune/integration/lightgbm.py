"""LightGBM callbacks by Ray's names, of ``ray.tune.integration.lightgbm`` and ``ray.train.lightgbm``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trialwright.integrations.lightgbm import MODEL, ReportCallback, lightgbm
from trialwright.integrations.reports import Names
from trialwright.tune import session
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.integration.rounds import Change, RoundReports


class TuneReportCheckpointCallback(ReportCallback):
    """Reports metrics after each round, and saves the model.

    Args:
        metrics: which: a name, several, or a dict from the name in the report to LightGBM's; None: all.
        filename: of the model in the checkpoint.
        frequency: every how many rounds there is a checkpoint; 0: none before the end.
        checkpoint_at_end: the last round has one.
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

    def __call__(self, env: Any) -> None:  # noqa: ANN401 - LightGBM's CallbackEnv
        """Report one round."""
        self._report(env, now=self._at_end and env.iteration == env.end_iteration - 1)

    @classmethod
    def get_model(cls, checkpoint: Checkpoint, filename: str = CHECKPOINT_NAME) -> Any:  # noqa: ANN401 - a Booster
        """Return the model of a checkpoint that this callback has saved."""
        return lightgbm.Booster(model_file=Path(checkpoint.path, filename))


RayTrainReportCallback = TuneReportCheckpointCallback


class TuneReportCallback(TuneReportCheckpointCallback):
    """Reports metrics after each round.

    Args:
        metrics: which: a name, several, or a dict from the name in the report to LightGBM's; None: all.
        results_postprocessing_fn: makes another dict of each that is to be reported.

    Raises:
        ValueError: later: there is no such metric.
    """

    def __init__(self, metrics: Names = None, results_postprocessing_fn: Change = None) -> None:
        super().__init__(metrics, checkpoint_at_end=False, results_postprocessing_fn=results_postprocessing_fn)
