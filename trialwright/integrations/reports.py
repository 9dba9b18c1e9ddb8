"""What the callbacks of training libraries share: which metrics they report, on which events, and with which files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from trialwright import reporting
from trialwright.errors import nearest

Names: TypeAlias = "str | Sequence[str] | Mapping[str, str] | None"
Send: TypeAlias = "Callable[..., object]"  # takes what reporting.report takes
Save: TypeAlias = "Callable[[Path], object]"  # writes files into a directory


@dataclass
class Reports:
    """Makes the reports of one callback.

    Args:
        metrics: which of the library's metrics to report: a name, several, or a dict from the name in the report to the
            library's; None: all.
        checkpoint_every: each n-th report has a checkpoint; 0: none has.
        send: makes a report: ``reporting.report``, or a function like it.

    Raises:
        ValueError: ``checkpoint_every`` is less than 0.
    """

    metrics: Names
    checkpoint_every: int
    send: Send = reporting.report
    count: int = 0

    def __post_init__(self) -> None:
        if self.checkpoint_every < 0:
            raise ValueError(f"checkpoint_every must be 0 (no checkpoints) or more, not {self.checkpoint_every}")

    def __call__(self, values: Mapping[str, object], save: Save, *, now: bool = False) -> None:
        """Make a report, and save a checkpoint if one is due, or ``now``.

        Raises:
            TrialStopped: the trial must end. The libraries let it pass, because it is not an ``Exception``.
            ValueError: the library has no metric of a name that was asked for.
        """
        row = self.row(values)
        self.count += 1
        if now or self._is_due(row):
            self.with_files(row, save)
        else:
            self.send(row)

    def row(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return what is reported of these values."""
        return chosen(values, self.metrics)

    def with_files(self, row: Mapping[str, object], save: Save) -> None:
        """Report a row together with what ``save`` writes into a new directory."""
        with TemporaryDirectory(prefix="trialwright-") as directory:
            save(Path(directory))
            self.send(row, checkpoint=directory)

    def _is_due(self, row: Mapping[str, object]) -> bool:
        # Where the scheduler decides, too: a trial that it pauses there would otherwise repeat the steps since the last
        # checkpoint.
        every = self.checkpoint_every
        return every > 0 and (self.count % every == 0 or reporting.decides(row))


def chosen(values: Mapping[str, object], metrics: Names) -> dict[str, object]:
    """Return the values to report, by the names that they get in the report.

    Raises:
        ValueError: there is no value of such a name.
    """
    if metrics is None:
        return dict(values)
    if isinstance(metrics, str):
        metrics = [metrics]
    wanted = metrics if isinstance(metrics, Mapping) else {name: name for name in metrics}
    for name in wanted.values():
        if name not in values:
            raise ValueError(f"metrics: there is no {name!r} here" + nearest(name, values))
    return {ours: values[theirs] for ours, theirs in wanted.items()}


def listen(callback: object, on: str | Sequence[str], handle: Callable[..., object]) -> None:
    """Have a callback call ``handle(event, *what the library gave)`` on these events, after its own method.

    Args:
        callback: has a method ``on_<event>`` for each event.
        on: an event, or several, without ``on_``.
        handle: called for each.

    Raises:
        ValueError: the library has no such event.
    """
    events = [name.removeprefix("on_") for name in dir(callback) if name.startswith("on_")]
    for event in [on] if isinstance(on, str) else on:
        if event not in events:
            raise ValueError(f"on={event!r} is no event of this library" + nearest(event, events))
        own = getattr(callback, f"on_{event}")
        # A partial and not a function of its own: libraries copy and pickle their callbacks.
        setattr(callback, f"on_{event}", partial(_both, own, partial(handle, event)))


def _both(own: Callable[..., object], handle: Callable[..., object], *args: object, **named: object) -> None:
    own(*args, **named)
    handle(*args, **named)


def saved_directory() -> Path | None:
    """Return the directory of the checkpoint from which this trial continues; None if it starts from the beginning.

    Raises:
        TypeError: the checkpoint is not a directory, so none of these callbacks has made it.
    """
    saved = reporting.get_checkpoint()
    if saved is not None and not (isinstance(saved, Path) and saved.is_dir()):
        raise TypeError(f"the checkpoint of this trial is not a directory that a callback saved: {saved!r}")
    return saved
