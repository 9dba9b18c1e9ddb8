"""Loggers with Ray Tune's interface.

The three that come with it write ``progress.csv``, ``result.json``, ``params.json``, and TensorBoard's event files from
the journal, in one process beside the run (``trialwright.loggers``). A user's own gets ``log_trial_...`` calls.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from trialwright import callbacks as engine
from trialwright.loggers import FileLogger, Naming
from trialwright.loggers.formats import made
from trialwright.loggers.rows import Logged, Row
from trialwright.tune import names
from trialwright.tune.callback import Callback, overrides
from trialwright.tune.pretty import pretty_print
from trialwright.tune.trial import RunFacts, Trial, tag_of

__all__ = [
    "CSVLoggerCallback",
    "JsonLoggerCallback",
    "LoggerCallback",
    "TBXLoggerCallback",
    "pretty_print",
    "together",
]

_LOGS = {
    "on_trial_start": "log_trial_start",
    "on_trial_restore": "log_trial_restore",
    "on_trial_save": "log_trial_save",
    "on_trial_result": "log_trial_result",
    "on_trial_complete": "log_trial_end",
    "on_trial_error": "log_trial_end",
}


class LoggerCallback(Callback):
    """Override what you want to log; what you do not costs nothing."""

    def log_trial_start(self, trial: Trial) -> None:
        """A trial began to run."""

    def log_trial_restore(self, trial: Trial) -> None:
        """A trial goes on from a checkpoint."""

    def log_trial_save(self, trial: Trial) -> None:
        """A trial saved a checkpoint."""

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        """A trial reported."""

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:  # noqa: FBT002 - Ray Tune's interface
        """A trial ended, for good."""

    def on_trial_start(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        self.log_trial_start(trial)

    def on_trial_restore(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        self.log_trial_restore(trial)

    def on_trial_save(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        self.log_trial_save(trial)

    def on_trial_result(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, result: dict[str, Any], **info: object
    ) -> None:
        self.log_trial_result(iteration, trial, result)

    def on_trial_complete(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        self.log_trial_end(trial, failed=False)

    def on_trial_error(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        self.log_trial_end(trial, failed=True)

    def wants(self, hook: str) -> bool:
        return overrides(self, hook, LoggerCallback) or (hook in _LOGS and overrides(self, _LOGS[hook], LoggerCallback))


class _Files(LoggerCallback):
    """Log files from the journal. A subclass that overrides a hook writes each row by itself, when it is called."""

    kind: ClassVar[str]
    _facts: RunFacts

    def to_engine(self, facts: RunFacts) -> list[engine.Callback]:
        """Return what writes the files; for a subclass with hooks of its own, what calls these."""
        if any(overrides(self, hook, _Files) for hook in (*engine.HOOKS, *_LOGS.values())):
            self._facts, self._writer, self._trials = facts, made(self.kind, _PREFIX), dict[int, Logged]()
            return super().to_engine(facts)
        varied = None if facts.varied is None else sorted(facts.varied)
        return [FileLogger(self.kind, naming=Naming(_ROWS, _PREFIX, varied))]

    def log_trial_start(self, trial: Trial) -> None:
        self._logged(trial).begin(trial.config, trial.evaluated_params)

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        shown = {name: value for name, value in result.items() if name != "config"}
        step = int(result.get("timesteps_total") or result.get("training_iteration") or trial.info.step)
        row = Row(float(result.get("timestamp", time.time())), step, names.flatten(shown), shown)
        self._writer.write(self._logged(trial), [row])

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:  # noqa: FBT002 - Ray Tune's interface
        if failed:
            self._logged(trial).fail(trial.info.attempt, trial.info.traceback or trial.info.error)
        self._writer.end(self._logged(trial))

    def _logged(self, trial: Trial) -> Logged:
        """Return the trial as the files' writer sees it; what an interrupted run wrote of it is kept."""
        if trial.number not in self._trials:
            new = self._trials[trial.number] = Logged(trial.number, Path(str(trial.local_path)))
            new.begin(trial.config, trial.evaluated_params)
            self._writer.keep(new)
        return self._trials[trial.number]


_PREFIX = "ray/tune/"
_ROWS = f"{__name__}:row_of"


def row_of(trial: Logged, row: Mapping[str, Any], step: int, when: float) -> Row:
    """Return a report as users know it, with the automatic metrics; it came ``when`` (seconds since 1970).

    Its own ``timestamp`` and ``timesteps_total`` place it in the files; where they cannot, they are left out.
    """
    directory = trial.directory.parents[1]
    facts = RunFacts(directory=str(directory))
    known: dict[str, Any] = {
        "trial_id": facts.trial_id(trial.id),
        "experiment_id": facts.run,
        "experiment_tag": tag_of(trial.id, trial.varied),
        "logdir": str(trial.directory),
    }
    nested = names.result_of(row, **known)
    left_out = {name: nested.pop(name) for name, most in _PLACES.items() if not _is_below(most, nested.get(name, 0))}
    if left_out:
        automatic = names.result_of({names.AUTO: row.get(names.AUTO)}, **known)
        nested.update({name: automatic[name] for name in left_out if name in automatic})
    at = nested.get("timesteps_total") or step
    return Row(float(nested.get("timestamp", when)), int(at), names.flatten(nested), nested, left_out)


_PLACES = {"timestamp": 1e11, "timesteps_total": 2**63}  # seconds since 1970 (until the year 5138); steps, as int64


def _is_below(most: float, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < most


class CSVLoggerCallback(_Files):
    """Writes ``progress.csv``: one row a report, nested metrics joined with ``/``."""

    kind = "csv"


class JsonLoggerCallback(_Files):
    """Writes ``result.json``, one object a line and report, and ``params.json``, the configuration."""

    kind = "json"


class TBXLoggerCallback(_Files):
    """Writes event files for TensorBoard, with hyper-parameters when a trial has ended."""

    kind = "tensorboard"


def together(callbacks: Iterable[engine.Callback]) -> list[engine.Callback]:
    """Have one process write the files of all loggers that name rows in the same way."""
    found: list[engine.Callback] = []
    for callback in callbacks:
        alike = next((other for other in found if _is_like(other, callback)), None)
        if isinstance(alike, FileLogger) and isinstance(callback, FileLogger):
            kinds = dict.fromkeys((*alike.kinds, *callback.kinds))
            found[found.index(alike)] = FileLogger(*kinds, naming=alike.naming)
        else:
            found.append(callback)
    return found


def _is_like(one: engine.Callback, other: engine.Callback) -> bool:
    return isinstance(one, FileLogger) and isinstance(other, FileLogger) and one.naming == other.naming
