"""The ``Trainer`` of Hugging Face Transformers: a callback that reports, and ``restore`` for its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trialwright import reporting
from trialwright.errors import nearest
from trialwright.integrations.adapter import library
from trialwright.integrations.reports import Names, chosen, saved_directory

transformers = library("transformers", "transformers accelerate torch")
EVENTS = ("evaluate", "log", "save")
INSIDE = "checkpoint"


class ReportCallback(transformers.TrainerCallback):  # type: ignore[misc, name-defined]  # Transformers need not be there
    """Reports the newest values of all that a ``Trainer`` has logged: ``eval_loss``, ``loss``, ``epoch`` and others;
    and its number of steps, as ``global_step``.

    Args:
        metrics: which to report: a name, several, or a dict from the name in the report to the Trainer's; None: all.
        on: when to report: ``"evaluate"``; ``"log"``; or ``"save"``: with the checkpoint that the Trainer has just
            saved. Then have it save as often as it evaluates: ``TrainingArguments(eval_strategy="epoch",
            save_strategy="epoch")``.

    Raises:
        ValueError: there is no such event; later: no such metric.
    """

    _send = staticmethod(reporting.report)
    _steps = "global_step"  # the Trainer says "step", which in a report is the number of reports

    def __init__(self, metrics: Names = None, *, on: str = "evaluate") -> None:
        if on not in EVENTS:
            raise ValueError(f"on={on!r} is no event to report on" + nearest(on, EVENTS))
        self._metrics, self._on = metrics, on

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401
        self._report("evaluate", state)

    def on_log(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401
        self._report("log", state)

    def on_save(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401
        self._report("save", state, Path(args.output_dir, f"checkpoint-{state.global_step}"))

    def _report(self, event: str, state: Any, checkpoint: Path | None = None) -> None:  # noqa: ANN401
        # Only the main process of several that train together: the others are not the trial's own.
        if event == self._on and state.is_world_process_zero:
            logged = {name: value for entry in state.log_history for name, value in entry.items() if name != "step"}
            logged[self._steps] = state.global_step
            self._say(chosen(logged, self._metrics), checkpoint)

    def _say(self, row: dict[str, object], checkpoint: Path | None) -> None:
        self._send(row, checkpoint=checkpoint)


def restore() -> Path | None:
    """Return the directory from which this trial continues: ``trainer.train(resume_from_checkpoint=restore())``.

    Returns:
        None if the trial starts from the beginning.

    Raises:
        TypeError: the checkpoint is not one of the callback's.
    """
    directory = saved_directory()
    if directory is None:
        return None
    inside = directory / INSIDE  # where Ray Train's callback puts it
    return inside if inside.is_dir() else directory
