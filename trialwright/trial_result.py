"""One trial of a result: its configuration, what it reported, its checkpoints, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trialwright.core.trial import Descent, Period
from trialwright.html import html_table
from trialwright.messages import Checkpoint, Metric, Reported
from trialwright.nested import flatten
from trialwright.progress import duration, settings, shown
from trialwright.progress.formatting import cut, plain, several, values
from trialwright.scopes import Scope, value_of
from trialwright.storage import checkpoints

Frames = Callable[[int], Iterable[Reported]]


def _no_frames(_: int) -> Iterable[Reported]:
    return ()


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial of a finished (or interrupted) run.

    ``state`` and ``outcome`` are strings: ``ended`` and ``completed, stopped, failed, lost, cancelled``; ``reason`` is
    a sentence. ``metrics`` are those of the last report, ``best_metrics`` those of the report with the best value, with
    ``step`` and ``time_s`` (running seconds). ``started`` and ``ended`` are seconds of the run.
    """

    id: int
    state: str
    outcome: str | None
    reason: str
    attempts: int
    config: dict[str, Any]  # the caller knows what is in these two
    metrics: dict[str, Any]
    best: tuple[float, int] | None  # the best value of the first metric, as reported, and its step
    error: str
    traceback: str
    directory: Path | None
    started: float | None
    ended: float | None
    worker: str = ""  # that ran its latest attempt, as the executor calls it
    _frames: Frames = field(repr=False, compare=False, default=_no_frames)
    _best_saved: Checkpoint | None = field(repr=False, compare=False, default=None)
    saved: Checkpoint | None = field(repr=False, default=None)  # its last checkpoint, as the engine stores it
    descents: tuple[Descent, ...] = field(repr=False, default=())  # when it went on as a clone
    step: int = 0  # of its last report, as the run counts; the objective may report a ``step`` of its own
    best_metrics: dict[str, Any] = field(default_factory=dict)  # empty if no report may be the best
    _periods: tuple[Period, ...] = field(repr=False, compare=False, default=())

    def __repr__(self) -> str:
        return f"TrialResult({self.id}: {self._told()}; {settings(self.config)})"

    def _repr_html_(self) -> str:
        times = None if self.started is None or self.ended is None else duration(self.ended - self.started)
        facts = {"outcome": self._outcome(), "steps": self.step, "attempts": self.attempts, "took": times}
        reported = {f"last {name}": shown(value) for name, value in self.metrics.items()}
        config = {f"config/{name}": shown(value) for name, value in flatten(self.config).items()}
        rest = {"error": self.error or None, "directory": self.directory}
        rows = [(name, value) for name, value in (facts | reported | config | rest).items() if value is not None]
        return html_table(f"trial {self.id}", (), rows)

    def _told(self) -> str:
        """Return ``completed after 3 steps, loss 0.2``."""
        reported = values({name: value for name, value in self.metrics.items() if name not in ("step", "time_s")})
        return cut(f"{self._outcome()} after {several(self.step, 'step')}" + (f", {reported}" if reported else ""), 160)

    def _outcome(self) -> str:
        return f"{self.outcome or self.state}" + (f" ({plain(self.reason)})" if self.reason else "")

    @property
    def periods(self) -> tuple[Period, ...]:
        """When it ran, in seconds of the run: one for each attempt that has started.

        Of a run by an earlier version, one from its first start to its last end.
        """
        if self._periods or self.started is None:
            return self._periods
        return (Period(self.attempts, self.worker, self.started, self.ended, self.outcome or self.state),)

    @property
    def checkpoint(self) -> Any:  # noqa: ANN401 - the caller knows in which form it was reported
        """Its last checkpoint, in the form in which it was reported: a directory, a file, or a dict."""
        return _load(_path(self.saved))

    @property
    def best_checkpoint(self) -> Any:  # noqa: ANN401 - the caller knows in which form it was reported
        """The checkpoint of its best value; its last checkpoint if there is none."""
        return _load(_path(self._best_saved or self.saved))

    @property
    def checkpoints(self) -> dict[int, Any]:
        """All checkpoints that are kept, by their steps, each in the form in which it was reported; of a repeated step,
        the last one."""
        saved = checkpoints.saved(self.directory) if self.directory else {}
        return {step: _load(path) for step, path in saved.items()}

    @property
    def history(self) -> list[dict[str, Any]]:
        """All reports in the order of their steps, read from the journal; of a repeated step, the last report."""
        return list(self.reports.values())

    @property
    def reports(self) -> dict[int, dict[str, Any]]:
        """The history by the step of each report, as the run counts steps and names checkpoints; a ``step`` that the
        objective reports itself does not change these."""
        return rows_of(self._frames(self.id))

    def value(self, metric: str, mode: str = "min", scope: Scope = "last", *, finite: bool = True) -> float | None:
        """Return what the trial is judged by; None if it has not reported such a number, NaN if no number of it counts.

        Args:
            metric: any that was reported.
            mode: "min" or "max".
            scope: which of its values counts, see ``Result.best``. All but "last" read the journal.
            finite: an infinity is not the best value.

        Raises:
            ValueError: there is no such scope or mode.
        """
        rows = [self.metrics] if scope in ("last", "mean") else self.reports.values()
        return value_of((row.get(metric) for row in rows), scope, mode, finite=finite)


def rows_of(frames: Iterable[Reported]) -> dict[int, dict[str, Metric]]:
    """Return the reports of one trial by their steps, in order; of a step that was repeated, the last."""
    rows = {}
    for frame in frames:
        for index, step in enumerate(range(frame.first_step, frame.last_step + 1)):
            rows[step] = frame.row(index)
    return {step: rows[step] for step in sorted(rows)}


def _path(checkpoint: Checkpoint | None) -> Path | None:
    return Path(checkpoint.path) if checkpoint else None


def _load(path: Path | None) -> Path | dict[str, object] | None:
    return checkpoints.load(path) if path is not None and path.is_dir() else None
