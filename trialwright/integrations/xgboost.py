"""XGBoost: a callback that reports after each boosting round, and ``restore`` for its checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from trialwright import reporting
from trialwright.integrations.adapter import library
from trialwright.integrations.reports import Names, Reports, saved_directory

xgboost = library("xgboost", "xgboost-cpu")
MODEL = "model.ubj"

Log = Mapping[str, Mapping[str, Sequence[Any]]]  # of a data set, of a metric: a value, or mean and deviation, a round


class ReportCallback(xgboost.callback.TrainingCallback):  # type: ignore[misc, name-defined]  # XGBoost need not be there
    """Reports the metrics of ``xgboost.train`` and ``cv`` after each round, and saves checkpoints.

    A metric is called ``data-metric``, for instance ``valid-logloss``; ``cv`` adds ``valid-logloss-std``. Give this
    callback before one that stops early: XGBoost does not call those behind it in the last round.

    Args:
        metrics: which to report: a name, several, or a dict from the name in the report to XGBoost's; None: all.
        checkpoint_every: each n-th report has a checkpoint, and so has each on which the scheduler decides; 0: none.

    Raises:
        ValueError: ``checkpoint_every`` is less than 0; later: there is no such metric.
        TypeError: later: ``cv`` is to save checkpoints.
    """

    _send = staticmethod(reporting.report)
    _filename = MODEL

    def __init__(self, metrics: Names = None, *, checkpoint_every: int = 0) -> None:
        super().__init__()
        self._reports = Reports(metrics, checkpoint_every, self._send)

    def after_iteration(self, model: Any, epoch: int, evals_log: Log) -> bool:  # noqa: ANN401 - a Booster, or several
        self._reports(dict(_last(evals_log)), partial(self._save, model))
        return False  # training continues

    def _save(self, model: Any, directory: Path) -> None:  # noqa: ANN401 - as above
        if not isinstance(model, xgboost.Booster):
            raise TypeError("xgboost.cv trains several models: there is no checkpoint of them; turn checkpoints off")
        model.save_model(directory / self._filename)


def _last(log: Log) -> Iterator[tuple[str, object]]:
    """Yield the values of the last round by their names."""
    for data, metrics in log.items():
        for metric, history in metrics.items():
            value = history[-1]
            if isinstance(value, tuple):
                yield f"{data}-{metric}-std", value[1]
                value = value[0]
            yield f"{data}-{metric}", value


def restore(filename: str = MODEL) -> tuple[Any, int]:
    """Return the model of the checkpoint from which this trial continues, and the number of its rounds.

    Returns:
        A ``Booster`` for ``xgb_model=``, and how many rounds it has; ``(None, 0)`` if the trial starts from the
        beginning. ``num_boost_round`` counts only further rounds.

    Raises:
        TypeError: the checkpoint is not one of the callback's.
    """
    directory = saved_directory()
    if directory is None:
        return None, 0
    model = xgboost.Booster(model_file=str(directory / filename))
    return model, model.num_boosted_rounds()
