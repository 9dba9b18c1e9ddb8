"""Which hook of callbacks is called for which event."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from trialwright.callbacks import Callback, CallbackRunner, TrialInfo
from trialwright.core.experiment import Experiment
from trialwright.core.trial import State, Trial
from trialwright.executors.base import Run
from trialwright.messages import Cancel, Command, Event, Failed, Finished, Halted, Lost, Reported, Started
from trialwright.storage.files import keep

STATES = "callbacks.json"  # in the run's directory: the states of callbacks, for a resume
TOLD = (Started, Reported, Finished, Failed, Halted, Lost)


@dataclass
class Hooks:
    """Calls the hooks of callbacks for each turn, after it has been handled."""

    runner: CallbackRunner
    run: Run
    warn: Callable[[str], None]
    iteration: int = 0
    _calls: list[tuple[str, dict[str, object]]] = field(default_factory=list)  # of the turn that is being noted

    @property
    def are_wanted(self) -> bool:
        """There is a callback to be called."""
        return not self.runner.is_idle

    def begin(self, name: str) -> None:
        """The run begins."""
        directory = str(self.run.directory) if self.run.directory else None
        self.runner.emit("setup", name=name, directory=directory, warn=self.warn)

    def turn(self, events: Sequence[Event], commands: Sequence[Command], experiment: Experiment) -> Callable[[], None]:
        """Collect the calls for these events and commands, with the trials as they are now; return a function that
        makes them.

        It is called once the turn is committed, so that callbacks hear of nothing that a crash could undo.
        """
        self.iteration += 1
        self._emit("on_step_begin")
        for event in events:
            if isinstance(event, TOLD) and event.trial in experiment.trials:
                self._tell(event, experiment.trials[event.trial])
        for command in commands:
            if isinstance(command, Cancel):
                self._about("on_trial_complete", experiment.trials[command.trial])
        self._emit("on_step_end")
        calls, self._calls = self._calls, []
        return partial(self._tell_all, calls)

    def _tell_all(self, calls: list[tuple[str, dict[str, object]]]) -> None:
        for hook, arguments in calls:
            self.runner.emit(hook, **arguments)

    def settle(self) -> None:
        """Wait until all calls are made, or a callback takes too long. Blocks."""
        self.runner.settle()

    def end(self) -> None:
        """The run is over. Blocks until the callbacks have been called, or take too long."""
        self.runner.emit("on_experiment_end")
        self.runner.close()
        if self.run.directory is not None and any(state is not None for state in self.runner.states):
            self._keep_states(self.run.directory / STATES)

    def _keep_states(self, path: Path) -> None:
        try:
            keep(path, json.dumps(self.runner.states))
        except (TypeError, ValueError, OSError) as error:
            self.warn(f"the states of callbacks could not be saved: {error}")

    def _tell(self, event: Event, trial: Trial) -> None:
        if isinstance(event, Started):
            self._about("on_trial_restore" if trial.checkpoint else "on_trial_start", trial)
        elif isinstance(event, Reported):
            self._results(event, trial)
        else:
            hook = _ending(event, trial)
            if hook is not None:
                self._about(hook, trial)

    def _results(self, event: Reported, trial: Trial) -> None:
        if "on_trial_result" in self.runner.wanted:
            info = self._info(trial)
            for index in range(len(event.time_s)):
                self._emit("on_trial_result", trial=info, result=event.row(index))
        if event.checkpoint is not None:
            self._about("on_trial_save", trial)
            self._about("on_checkpoint", trial, checkpoint=self.run.located(event.checkpoint))

    def _about(self, hook: str, trial: Trial, **arguments: object) -> None:
        if hook in self.runner.wanted:
            self._emit(hook, trial=self._info(trial), **arguments)

    def _info(self, trial: Trial) -> TrialInfo:
        directory = self.run.trial_directory(trial.id)
        saved = None if trial.checkpoint is None else self.run.located(trial.checkpoint.path)
        return TrialInfo.of(trial, self.run.space.resolve(trial.config), str(directory) if directory else None, saved)

    def _emit(self, hook: str, **arguments: object) -> None:
        self._calls.append((hook, {"iteration": self.iteration, **arguments}))


def remembered(
    directory: Path | None, callbacks: Sequence[Callback], warn: Callable[[str], None]
) -> list[dict[str, Any] | None]:
    """Return what each callback's ``get_state`` returned when the run last ended without a crash."""
    file = None if directory is None else directory / STATES
    if file is None or not file.is_file():
        return []
    try:
        states = _states(file)
    except (OSError, ValueError) as error:
        warn(f"callbacks start without their saved states: {file} cannot be read: {error}")
        return []
    if len(states) == len(callbacks):
        return states
    warn(
        f"callbacks start without their saved states: the run had {len(states)} callbacks before, not {len(callbacks)}"
    )
    return []


def _states(file: Path) -> list[dict[str, Any] | None]:
    states: object = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(states, list) or not all(isinstance(state, dict | None) for state in states):
        raise ValueError("it does not hold a list of states")
    return states


def _ending(event: Event, trial: Trial) -> str | None:
    """Return the hook for the end of a trial's work, finally or before a retry; a pause has no hook."""
    if trial.state is State.ENDED:
        failed = trial.outcome is not None and trial.outcome.kind in ("failed", "lost")
        return "on_trial_error" if failed else "on_trial_complete"
    return "on_trial_recover" if isinstance(event, Failed | Lost) else None
