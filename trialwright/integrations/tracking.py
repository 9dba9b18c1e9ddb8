"""Trackers: callbacks that send the trials of a run to a tracking service, and never hold the run up.

A tracker of yours: a ``Service``, given to a ``Tracker``.
"""

from __future__ import annotations

import importlib
import secrets
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from trialwright import reporting
from trialwright.callbacks import Callback, TrialInfo
from trialwright.errors import said
from trialwright.integrations.sending import Ending, Row, Sender, Service, Tracked
from trialwright.messages import Metric
from trialwright.nested import flatten
from trialwright.space.plain import shown_of


class View:
    """How a tracker names trials and metrics: as the engine does."""

    def locate(self, directory: str | None) -> None:
        """The run begins, and is kept here."""

    def name(self, trial: TrialInfo, run: str) -> str:
        """Return what the tracker calls a trial."""
        return f"{run}-{trial.id:05d}"

    def row(self, trial: TrialInfo, result: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return a report's step, and its metrics, flat."""
        metrics = dict(result)
        return int(metrics.pop("step")), metrics


class Tracker(Callback):
    """Sends what happens to the trials of a run to a service.

    Args:
        title: the service's name, for warnings.
        service: the service.
        wait_s: how long the end of a run waits for what is still to be sent.
    """

    def __init__(self, title: str, service: Service[Any], wait_s: float) -> None:
        if not wait_s >= 0:
            raise ValueError(f"wait_s must be a number of seconds, 0 or more, not {wait_s!r}")
        self.view = View()
        self.closing_s = wait_s + 5.0  # the wait, and what comes before and after it
        self._wait_s = wait_s
        self.service = service
        self._title = title
        self._sender: Sender[Any] | None = None
        self._trials: dict[int, Tracked] = {}

    def setup(self, **info: object) -> None:
        """Start to send, in a thread."""
        directory = None if info.get("directory") is None else str(info["directory"])
        name = str(info.get("name"))
        self._run = Path(directory).name if directory else f"{name}-{secrets.token_hex(3)}"
        self.view.locate(directory)
        warn = cast("Callable[[str], None]", info.get("warn") or _warn)
        self._trials = {}
        self._sender = Sender(self._title, self.service, warn)
        self._sender.start(name, self._run, directory)

    def on_trial_start(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        self._begin(trial)

    def on_trial_restore(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        self._begin(trial)

    def on_trial_result(
        self,
        iteration: int,
        trials: Sequence[TrialInfo],
        trial: TrialInfo,
        result: dict[str, Metric],
        **info: object,
    ) -> None:
        step, metrics = self.view.row(trial, result)
        self._put(trial, Row(step, time.time(), metrics))

    def on_trial_complete(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        self._put(trial, ending=_ending(trial))

    def on_trial_error(self, iteration: int, trials: Sequence[TrialInfo], trial: TrialInfo, **info: object) -> None:
        self._put(trial, ending=_ending(trial))

    def on_experiment_end(self, trials: Sequence[TrialInfo], **info: object) -> None:
        """Send the rest; wait for it for a while, and say what the service did not get."""
        if self._sender is not None:
            self._sender.finish(self._wait_s)

    def _begin(self, trial: TrialInfo) -> None:
        """Only a new attempt may have another configuration: reports need not look at it."""
        name = self.view.name(trial, self._run)
        self._trials[trial.id] = Tracked(self._run, trial.id, name, _flat(shown_of(trial.config)), trial.directory)
        self._put(trial)

    def _put(self, trial: TrialInfo, row: Row | None = None, ending: Ending | None = None) -> None:
        tracked = self._trials.get(trial.id)
        if self._sender is not None and tracked is not None:  # one that was cancelled before it began is not shown
            self._sender.put(tracked, row, ending)


def _ending(trial: TrialInfo) -> Ending:
    status, _, reason = (trial.outcome or "completed").partition(" ")
    return Ending(status, trial.error or reason.removeprefix("(").removesuffix(")"))


def _flat(config: Mapping[str, Any]) -> dict[str, Metric]:
    return {
        path: value if isinstance(value, bool | int | float | str | None) else str(value)
        for path, value in flatten(config).items()
    }


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)


# Inside a trial -------------------------------------------------------------------------------------------------------


def this_trial(config: Mapping[str, Any] | None) -> Tracked:
    """Return the trial that this code runs in.

    Args:
        config: what becomes its parameters.

    Raises:
        RuntimeError: this is not inside a trial.
    """
    context = reporting.context()
    run, number = context.directory.parents[1].name, context.trial_id
    return Tracked(run, number, f"{run}-{number:05d}", _flat(config or {}), str(context.directory))


def at_end(do: Callable[[Ending], None]) -> None:
    """Have this called when the attempt that runs here has ended, in its thread."""

    def told(kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None or issubclass(kind, reporting.TrialStopped):
            do(Ending("completed" if kind is None else "stopped"))
        else:
            do(Ending("failed", said(error) if error is not None else ""))

    reporting.exits().push(told)


# Libraries ------------------------------------------------------------------------------------------------------------


def require(module: str, package: str) -> None:
    """Refuse a service whose client is not there, without importing it: that may take seconds.

    Raises:
        ImportError: it is not installed; the message says what to install.
    """
    if find_spec(module) is None:
        raise ImportError(f"this tracker needs {module}: pip install {package}")


def client(module: str) -> Any:  # noqa: ANN401 - most of them have no types
    """Import a service's client."""
    found: ModuleType = importlib.import_module(module)
    return found
