"""Callbacks and loggers with Ray Tune's interface, and what connects them to the engine.

A user's callback gets ``Trial`` objects and results with the names that Ray Tune's users know. It runs off the loop, in
a thread of its own; one that raises is reported and disabled, and the run continues. The three loggers of ours
write their files from the journal instead, in one process beside the run (``trialwright.loggers``).
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from trialwright import callbacks as engine
from trialwright.errors import import_instead
from trialwright.loggers import FileLogger, Naming
from trialwright.loggers.formats import Format, made
from trialwright.loggers.rows import Logged, Row
from trialwright.tune import names
from trialwright.tune.checkpoint import Checkpoint
from trialwright.tune.pretty import pretty_print
from trialwright.tune.trial import RunFacts, Trial, TrialBook, tag_of
from trialwright.tune.utils import newest_file

__all__ = [
    "CSVLoggerCallback",
    "Callback",
    "CallbackList",
    "JsonLoggerCallback",
    "LoggerCallback",
    "TBXLoggerCallback",
    "pretty_print",
    "to_engine",
    "together",
]


class Callback:
    """Override the hooks that you want; the others cost nothing. Take ``**info``: later versions may tell more.

    ``iteration`` counts the turns of the run's loop, ``trials`` are all trials as they are now, and ``trial`` is the
    one that the hook is about.
    """

    def setup(
        self, stop: object = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: object
    ) -> None:
        """Get ready: called once, before everything else."""

    def on_step_begin(self, iteration: int, trials: Sequence[Trial], **info: object) -> None:
        """A turn of the loop begins."""

    def on_step_end(self, iteration: int, trials: Sequence[Trial], **info: object) -> None:
        """A turn of the loop is over."""

    def on_trial_start(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial began to run."""

    def on_trial_restore(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial continues from a checkpoint."""

    def on_trial_save(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial saved a checkpoint."""

    def on_trial_result(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, result: dict[str, Any], **info: object
    ) -> None:
        """A trial reported metrics."""

    def on_trial_complete(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial ended, and had not failed."""

    def on_trial_recover(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial failed and will be tried again."""

    def on_trial_error(self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object) -> None:
        """A trial failed for good."""

    def on_checkpoint(
        self,
        iteration: int,
        trials: Sequence[Trial],
        trial: Trial,
        checkpoint: Checkpoint | None,
        **info: object,
    ) -> None:
        """A trial's checkpoint is safely stored."""

    def on_experiment_end(self, trials: Sequence[Trial], **info: object) -> None:
        """The run is over: called once, after everything else."""

    def get_state(self) -> dict[str, Any] | None:
        """Return what a resumed run should give to ``set_state``: plain data, or None."""
        return None

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what ``get_state`` returned; called before ``setup``."""

    def wants(self, hook: str) -> bool:
        """Tell whether this hook is to be called."""
        return overrides(self, hook)

    def to_engine(self, facts: RunFacts) -> list[engine.Callback]:
        """Return what the engine is to call for this callback.

        Args:
            facts: about the run.
        """
        return [Adapter(self, facts)]


class CallbackList(Callback):
    """Several callbacks as one: each hook, if a program calls it, calls theirs."""

    CKPT_FILE_TMPL: ClassVar[str] = "callback-states-{}.json"

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = list(callbacks)
        for hook in engine.HOOKS:
            setattr(self, hook, partial(self._call, hook))

    def _call(self, hook: str, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - what the hook takes
        for callback in self._callbacks:
            getattr(callback, hook)(*arguments, **named)

    def __len__(self) -> int:
        return len(self._callbacks)

    def __getitem__(self, index: int) -> Callback:
        return self._callbacks[index]

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Write the states of the callbacks that have some to a file of this directory. A run does not call it: its
        journal has the states.

        Raises:
            TypeError: a state is no plain data.
        """
        states = {place: state for place, callback in enumerate(self._callbacks) if (state := callback.get_state())}
        if states:
            file = Path(checkpoint_dir, self.CKPT_FILE_TMPL.format(session_str))
            file.write_text(json.dumps(states), encoding="utf-8")

    def can_restore(self, checkpoint_dir: str) -> bool:
        """Tell whether there is such a file."""
        return bool(list(Path(checkpoint_dir).glob(self.CKPT_FILE_TMPL.format("*"))))

    def restore_from_dir(self, checkpoint_dir: str) -> None:
        """Give the callbacks the states in the newest such file.

        Raises:
            RuntimeError: there is none.
        """
        file = newest_file(checkpoint_dir, self.CKPT_FILE_TMPL)
        for place, state in json.loads(Path(file).read_text(encoding="utf-8")).items():
            self._callbacks[int(place)].set_state(state)

    def to_engine(self, facts: RunFacts) -> list[engine.Callback]:
        """Each is called by itself, in a thread of its own."""
        return to_engine(self._callbacks, facts)


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
        """A trial continues from a checkpoint."""

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

    @cached_property
    def _writer(self) -> Format:
        return made(self.kind, _PREFIX)

    @cached_property
    def _trials(self) -> dict[Trial, Logged]:
        return {}

    def to_engine(self, facts: RunFacts) -> list[engine.Callback]:
        """Return what writes the files; for a subclass with hooks of its own, what calls these."""
        if any(overrides(self, hook, _Files) for hook in (*engine.HOOKS, *_LOGS.values())):
            return super().to_engine(facts)
        varied = None if facts.varied is None else sorted(facts.varied)
        return [FileLogger(self.kind, naming=Naming(_ROWS, _PREFIX, varied))]

    def log_trial_start(self, trial: Trial) -> None:
        self._logged(trial).begin(trial.config, trial.evaluated_params)

    def log_trial_result(self, iteration: int, trial: Trial, result: dict[str, Any]) -> None:
        shown = {name: value for name, value in result.items() if name != "config"}
        step = int(result.get("timesteps_total") or result.get("training_iteration") or 0)
        row = Row(float(result.get("timestamp", time.time())), step, names.flatten(shown), shown)
        self._writer.write(self._logged(trial), [row])

    def log_trial_end(self, trial: Trial, failed: bool = False) -> None:  # noqa: FBT002 - Ray Tune's interface
        if failed:
            info = getattr(trial, "info", None)  # programs may call the logger with trials of their own making
            self._logged(trial).fail(info.attempt if info else 1, (info and info.traceback) or str(trial.get_error()))
        self._writer.end(self._logged(trial))

    def _logged(self, trial: Trial) -> Logged:
        """Return the trial as the files' writer sees it; what an interrupted run wrote of it is kept."""
        if trial not in self._trials:
            new = self._trials[trial] = Logged(len(self._trials), Path(str(trial.local_path)))
            new.begin(trial.config, trial.evaluated_params)
            self._writer.start(new)
            self._writer.keep(new)
        return self._trials[trial]


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
    """Writes ``result.json``, one object a line and report; and ``params.json`` and ``params.pkl``, the
    configuration."""

    kind = "json"


class TBXLoggerCallback(_Files):
    """Writes event files for TensorBoard, with hyper-parameters when a trial has ended."""

    kind = "tensorboard"


# For the engine -------------------------------------------------------------------------------------------------------


def to_engine(callbacks: Iterable[object], facts: RunFacts) -> list[engine.Callback]:
    """Turn what users give as ``callbacks`` into what the engine takes; its own callbacks are taken as they are.

    Raises:
        TypeError: something that is no callback.
    """
    found: list[engine.Callback] = []
    for callback in callbacks:
        if isinstance(callback, engine.Callback):
            found.append(callback)
        elif isinstance(callback, Callback):
            found += callback.to_engine(facts)
        else:
            raise TypeError(
                f"callbacks must be objects of tune.Callback's kind, not {callback!r}{import_instead(callback)}"
            )
    return found


class Adapter(engine.Callback):
    """Has the engine call a user's callback. It has just the hooks that the callback overrides."""

    def __init__(self, callback: Callback, facts: RunFacts) -> None:
        self._callback = self.wraps = callback
        self._facts = facts
        self._book = TrialBook(facts)
        for hook in engine.HOOKS:
            if hook != "setup" and callback.wants(hook):
                setattr(self, hook, partial(self._call, getattr(callback, hook)))

    def setup(self, **info: object) -> None:
        """Learn where the run is kept, and hand on what the callback takes."""
        facts = self._facts
        facts.locate(info.get("directory"))
        told = {"stop": facts.stop, "num_samples": facts.num_samples, "total_num_samples": facts.num_samples, **info}
        self._callback.setup(**_taken(self._callback.setup, told))

    def _call(self, hook: Callable[..., None], **arguments: Any) -> None:  # noqa: ANN401 - what the hook takes
        if "trial" in arguments:
            trial = arguments["trial"] = self._book.see(arguments["trial"])
            if "result" in arguments:
                arguments["result"] = trial.note(arguments["result"])
            if "checkpoint" in arguments:
                arguments["checkpoint"] = trial.checkpoint
        hook(**{**arguments, "trials": self._book.all(arguments["trials"])})

    def get_state(self) -> dict[str, Any] | None:
        return self._callback.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        self._callback.set_state(state)


def overrides(callback: Callback, method: str, base: type[Callback] = Callback) -> bool:
    """Tell whether a callback has a method of its own."""
    return getattr(getattr(callback, method), "__func__", None) is not getattr(base, method)


def _taken(function: Callable[..., object], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments that a function takes: callbacks that were written for an old Ray take fewer."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return arguments
    return {parameter.name: arguments[parameter.name] for parameter in parameters if parameter.name in arguments}


def together(callbacks: Iterable[engine.Callback]) -> list[engine.Callback]:
    """Have one process write the files of all loggers that name rows in the same way."""
    found: list[engine.Callback] = []
    for callback in callbacks:
        if not isinstance(callback, FileLogger):
            found.append(callback)
            continue
        same = (each for each in found if isinstance(each, FileLogger) and each.naming == callback.naming)
        if (alike := next(same, None)) is None:
            found.append(callback)
        else:
            kinds = dict.fromkeys((*alike.kinds, *callback.kinds))
            found[found.index(alike)] = FileLogger(*kinds, naming=alike.naming)
    return found
