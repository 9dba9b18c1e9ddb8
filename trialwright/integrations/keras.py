"""Keras 3, also as ``tensorflow.keras``: a callback that reports, and ``restore`` for its checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwright import reporting
from trialwright.integrations.adapter import library
from trialwright.integrations.reports import Names, Reports, listen, saved_directory

keras = library("keras", "keras torch, with KERAS_BACKEND=torch in the environment")
MODEL = "model.keras"
EPOCHS = "epochs.json"


class ReportCallback(keras.callbacks.Callback):  # type: ignore[misc, name-defined]  # Keras has no types
    """Reports the metrics of ``model.fit``, and saves checkpoints.

    A checkpoint is the whole model with its optimizer, as ``model.keras``.

    Args:
        metrics: which to report: a name, several, or a dict from the name in the report to Keras's; None: all.
        on: the event, or events, of Keras on which to report, without ``on_``: ``"train_batch_end"`` for instance.
        checkpoint_every: each n-th report has a checkpoint, and so has each on which the scheduler decides; 0: none.

    Raises:
        ValueError: there is no such event; later: no such metric.
        TypeError: the model is of Keras 2.
    """

    _send = staticmethod(reporting.report)

    def __init__(
        self, metrics: Names = None, *, on: str | Sequence[str] = "epoch_end", checkpoint_every: int = 0
    ) -> None:
        super().__init__()
        self._reports = Reports(metrics, checkpoint_every, self._send)
        self._epochs = 0
        listen(self, on, self._handle)

    def set_model(self, model: object) -> None:
        if not isinstance(model, keras.Model):
            raise TypeError(f"model: a model of Keras 3 is needed, not {type(model).__module__}.{type(model).__name__}")
        super().set_model(model)

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._epochs = epoch

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self._epochs = epoch + 1

    def _handle(self, event: str, *given: object, logs: object = None) -> None:
        # An epoch comes with its logs behind it, a batch with its logs by name, and either may come without.
        rows = [each for each in (*given, logs) if isinstance(each, Mapping)]
        self._report(event, rows[0] if rows else {})

    def _report(self, event: str, logs: Mapping[str, object]) -> None:
        self._reports(logs, self._save)

    def _save(self, directory: Path) -> None:
        self.model.save(directory / MODEL)
        (directory / EPOCHS).write_text(json.dumps(self._epochs), encoding="utf-8")


def restore(model: Any) -> int:  # noqa: ANN401 - Keras has no types
    """Give a model the weights and the optimizer's state of the checkpoint from which this trial continues, if there is
    one.

    The learning rate stays the model's own: a clone in a population trains with what its config says.

    Args:
        model: built and compiled, of the same layers as the one that was saved.

    Returns:
        The number of epochs that it has been trained: ``model.fit(..., initial_epoch=restore(model))``.

    Raises:
        TypeError: the checkpoint is not one of the callback's.
    """
    directory = saved_directory()
    if directory is None:
        return 0
    rate = model.optimizer.get_config()["learning_rate"]
    model.optimizer.build(model.trainable_variables)  # else Keras leaves out the optimizer's state, with a warning
    model.load_weights(directory / MODEL)
    if isinstance(rate, float):  # a schedule follows from the number of steps, which is restored
        model.optimizer.learning_rate = rate
    return int(json.loads((directory / EPOCHS).read_text(encoding="utf-8")))
