"""What user code calls inside a trial, by Ray Tune's names: ``report``, ``get_checkpoint``, ``get_context``.

``tune.report``, ``train.report``, ``session.report``, ``track.log``, and a ``reporter`` are all the same ``report``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trialwright import reporting
from trialwright.errors import nearest
from trialwright.reporting import Reply
from trialwright.tune import names, resources
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.resources import PlacementGroupFactory
from trialwright.tune.trial import Storage, run_digits

Saved = Checkpoint | str | os.PathLike[str] | Mapping[str, object]


def report(metrics: object = None, *, checkpoint: Saved | None = None, **named: object) -> Reply:
    """Report metrics of the trial: ``report({"loss": 0.3}, checkpoint=...)`` or ``report(loss=0.3)``.

    Args:
        metrics: a dict of them, nested as you like; a bare number is called ``_metric``.
        checkpoint: a ``Checkpoint``, a directory, a file (a relative one is looked for in the trial's directory
            first), or a dict of plain data; it is safely stored when this returns.
        named: more metrics.

    Raises:
        TrialStopped: the trial is to end. Let it pass; clean up in ``finally``.
        RuntimeError: this is not inside a trial.
        TypeError, ValueError: this cannot be reported; the message names the key.
        FileNotFoundError: there is nothing where the checkpoint should be.
    """
    given = {**_given(metrics), **named}
    row, attempt = names.escape(given), _attempt()
    if (
        attempt is not None
        and attempt.required is not None
        and names.found(given, attempt.required, attempt) is attempt
    ):
        raise ValueError(f"the report lacks the metric {attempt.required!r}{nearest(attempt.required, given)}")
    return reporting.report(attempt.stamp.on(row) if attempt else row, checkpoint=_saveable(checkpoint))


def mark_last() -> None:
    """Have the next report say that it is the trial's last: a class has said so, and ends by returning."""
    attempt = _attempt()
    if attempt is not None:
        attempt.stamp.is_last = True


def get_checkpoint() -> Checkpoint | None:
    """Return the state to go on from; None where the trial starts afresh."""
    saved = reporting.get_checkpoint()
    if isinstance(saved, dict):
        return Checkpoint.from_dict(saved)
    return None if saved is None else Checkpoint(saved if saved.is_dir() else saved.parent)


def get_context() -> TuneContext:
    """Return who and where this trial is."""
    return TuneContext()


class TuneContext:
    """Who and where the trial is that asks; each method works only inside a trial, and raises ``RuntimeError`` else."""

    def get_experiment_name(self) -> str:
        return _here().experiment

    def get_trial_id(self) -> str:
        """Return for instance ``85955_00000``."""
        context = reporting.context()
        return f"{run_digits(context.directory.parent.parent)}_{context.trial_id:05d}"

    def get_trial_name(self) -> str:
        """Return for instance ``objective_85955_00000``."""
        return f"{_here().trainable}_{self.get_trial_id()}"

    def get_trial_dir(self) -> str:
        """Return the directory of the trial's files."""
        return str(reporting.context().directory)

    def get_trial_resources(self) -> PlacementGroupFactory:
        """Return what the trial was granted."""
        return resources.from_engine(reporting.context().resources)

    def get_metadata(self) -> dict[str, Any]:
        """Return nothing: metadata belongs to Ray Train's trainers."""
        return {}

    def get_storage(self) -> Storage:
        """Return the paths of the trial's files, by the names that Ray Tune's storage has."""
        directory = reporting.context().directory
        return Storage(str(directory.parent.parent), str(directory))

    def get_world_size(self) -> int:
        """Return 1: a trial is one process."""
        return 1

    def get_world_rank(self) -> int:
        """Return 0: a trial is one process."""
        return 0

    get_local_rank = get_node_rank = get_world_rank
    get_local_world_size = get_world_size


# As functions, which older code calls, ``tune.track.log`` among them --------------------------------------------------


def log(**metrics: object) -> Reply:
    """Report metrics of the trial, as ``tune.track.log(mean_accuracy=0.9)`` did.

    Args:
        metrics: names and values.

    Raises:
        TrialStopped: the trial is to end.
    """
    return report(metrics)


get_experiment_name = TuneContext().get_experiment_name
get_trial_dir = trial_dir = TuneContext().get_trial_dir
get_trial_id = TuneContext().get_trial_id
get_trial_name = trial_name = TuneContext().get_trial_name
get_trial_resources = TuneContext().get_trial_resources


# The attempt that is running ------------------------------------------------------------------------------------------


@dataclass
class Attempt:
    """What this layer knows of the attempt that runs here."""

    experiment: str
    trainable: str
    required: str | None = None  # a metric that each report must have, where the engine is not told of it
    stamp: names.Stamp = field(default_factory=names.Stamp)


_current: ContextVar[Attempt | None] = ContextVar("trialwright-tune-attempt", default=None)
_process: list[Attempt] = []  # a worker process has one trial at a time; threads that user code starts are its own


@contextmanager
def serving(attempt: Attempt) -> Iterator[None]:
    """Make the functions above speak for this attempt: in this context, and where a process has a trial to itself, in
    the process."""
    alone = threading.current_thread() is threading.main_thread()
    token = _current.set(attempt)
    if alone:
        _process.append(attempt)
    try:
        yield
    finally:
        _current.reset(token)
        if alone:
            _process.clear()


def _attempt() -> Attempt | None:
    return _current.get() or (_process[-1] if _process else None)


def _here() -> Attempt:
    attempt = _attempt()
    if attempt is None:
        raise RuntimeError("get_context() works only inside a trial: in a trainable that a Tuner runs")
    return attempt


def _given(metrics: object) -> dict[str, object]:
    if metrics is None:
        return {}
    return dict(metrics) if isinstance(metrics, Mapping) else {names.ANONYMOUS: metrics}


def _saveable(checkpoint: Saved | None) -> Path | Mapping[str, object] | None:
    if checkpoint is None or isinstance(checkpoint, Mapping):
        return checkpoint
    path = Path(checkpoint.path if isinstance(checkpoint, Checkpoint) else checkpoint)
    own = reporting.context().directory / path if not path.is_absolute() else path
    return own if own.exists() else path
