"""Keras callbacks by Ray's names, of ``ray.tune.integration.keras`` and ``ray.train.tensorflow.keras``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trialwright.integrations.keras import ReportCallback
from trialwright.integrations.reports import Names
from trialwright.tune import session


class TuneReportCallback(ReportCallback):
    """Reports metrics, by default after each epoch.

    Args:
        metrics: which: a name, several, or a dict from the name in the report to Keras's; None: all.
        on: the event, or events, of Keras, without ``on_``.

    Raises:
        ValueError: there is no such event; later: no such metric.
    """

    _send = staticmethod(session.report)

    def __init__(self, metrics: Names = None, on: str | Sequence[str] = "epoch_end") -> None:
        super().__init__(metrics, on=on)


class TuneReportCheckpointCallback(ReportCallback):
    """Reports metrics, and checkpoints with ``model.keras`` in them.

    Args:
        checkpoint_on: the event, or events, of Keras on which a report has a checkpoint.
        report_metrics_on: those on which there is a report without one.
        metrics: which: a name, several, or a dict from the name in the report to Keras's; None: all.

    Raises:
        ValueError: there is no such event; later: no such metric.
    """

    _send = staticmethod(session.report)

    def __init__(
        self,
        checkpoint_on: str | Sequence[str] = "epoch_end",
        report_metrics_on: str | Sequence[str] = "epoch_end",
        metrics: Names = None,
    ) -> None:
        self._checkpoint_on = {*_several(checkpoint_on)}
        super().__init__(metrics, on=sorted({*_several(report_metrics_on), *self._checkpoint_on}))

    def _report(self, event: str, logs: Mapping[str, object]) -> None:
        self._reports(logs, self._save, now=event in self._checkpoint_on)


ReportCheckpointCallback = TuneReportCheckpointCallback


def _several(events: str | Sequence[str]) -> Sequence[str]:
    return [events] if isinstance(events, str) else events
