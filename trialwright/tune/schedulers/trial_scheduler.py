"""Schedulers with Ray Tune's interface: the base class for users' own, and FIFO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from trialwright.messages import Resume
from trialwright.schedulers import FIFO, Scheduler
from trialwright.streams import Streams
from trialwright.tune.trial import RunFacts, Trial


class Controller(Protocol):
    """What a user's scheduler may ask of the run, and do to it."""

    rng: Streams  # of the run, for the built-in schedulers
    facts: RunFacts  # about the run

    def get_trials(self) -> list[Trial]:
        """Return the trials that live; the last may stand for one that could be had: PENDING, and without config."""

    def get_live_trials(self) -> list[Trial]:
        """Return the same: those that have ended are not kept."""

    def get_trial(self, trial_id: str) -> Trial | None:
        """Return the trial of this id, if there is one."""

    def has_resources_for_trial(self, trial: Trial) -> bool:
        """Tell whether it could be run now: it could, whenever a scheduler is asked what to run."""

    def stop_trial(self, trial: Trial) -> None:
        """Have a trial ended, as soon as a slot is free to be asked about."""

    def propose(self, choice: Resume) -> None:
        """Say how a built-in scheduler would resume the trial that it chooses."""


class TrialScheduler:
    """Subclass this to decide which trials go on. Every report waits for the answer of ``on_trial_result``.

    One object is for one run at a time; one whose memory must begin anew is made anew.
    """

    CONTINUE = "CONTINUE"  # go on
    PAUSE = "PAUSE"  # give the resources back; choose_trial_to_run may let it go on from its checkpoint
    STOP = "STOP"  # end it
    NOOP = "NOOP"  # not carried out: a scheduler here answers, and does nothing to trials behind the engine's back

    _metric: str | None = None
    _mode: str | None = None

    @property
    def metric(self) -> str | None:
        """The metric by which it compares trials: its own, else the run's."""
        return self._metric

    @property
    def mode(self) -> str | None:
        """The direction in which it compares: its own, else the run's."""
        return self._mode

    @property
    def supports_buffered_results(self) -> bool:
        """Reports are never held back from a scheduler that wants them."""
        return True

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: object) -> bool:
        """Take the run's metric and mode; refuse, with False, if there are own ones."""
        if (self._metric and metric) or (self._mode and mode):
            return False
        self._metric, self._mode = metric or self._metric, mode or self._mode
        return True

    def on_trial_add(self, tune_controller: Controller, trial: Trial) -> None:
        """A new trial is about to run."""
        raise NotImplementedError

    def on_trial_error(self, tune_controller: Controller, trial: Trial) -> None:
        """A trial failed for good."""
        raise NotImplementedError

    def on_trial_result(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> str:
        """A trial reported: return CONTINUE, PAUSE, or STOP."""
        raise NotImplementedError

    def on_trial_complete(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> None:
        """A trial ended, by itself or because it was stopped; ``result`` is its last."""
        raise NotImplementedError

    def on_trial_remove(self, tune_controller: Controller, trial: Trial) -> None:
        """A trial ended that was paused."""
        raise NotImplementedError

    def choose_trial_to_run(self, tune_controller: Controller) -> Trial | None:
        """Return the paused trial that goes on now; None or a pending one: a new trial, if there are any."""
        raise NotImplementedError

    def debug_string(self) -> str:
        """Return a line for people."""
        return f"Using {type(self).__name__}."

    def save(self, checkpoint_path: str) -> None:
        """Not needed: the journal has all events, and a resumed run gives them to the scheduler again."""
        raise NotImplementedError(_NO_FILES)

    def restore(self, checkpoint_path: str) -> None:
        """Not needed: see ``save``."""
        raise NotImplementedError(_NO_FILES)

    def engine_scheduler(self, facts: RunFacts) -> Scheduler | None:
        """Return a scheduler of the engine that decides as this object does; None if the engine has to ask this object.

        Args:
            facts: about the run.
        """
        return None


_NO_FILES = "schedulers keep no files: a resumed run calls them again for all events in the journal"


class FIFOScheduler(TrialScheduler):
    """Runs trials in the order in which they are suggested, each to its end. Its hooks do nothing, for subclasses."""

    def on_trial_add(self, tune_controller: Controller, trial: Trial) -> None:
        pass

    def on_trial_error(self, tune_controller: Controller, trial: Trial) -> None:
        pass

    def on_trial_result(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> str:
        return self.CONTINUE

    def on_trial_complete(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> None:
        pass

    def on_trial_remove(self, tune_controller: Controller, trial: Trial) -> None:
        pass

    def choose_trial_to_run(self, tune_controller: Controller) -> Trial | None:
        """A pending trial, else a paused one."""
        trials: Sequence[Trial] = tune_controller.get_live_trials()
        for status in (Trial.PENDING, Trial.PAUSED):
            for trial in trials:
                if trial.status == status:
                    return trial
        return None

    def debug_string(self) -> str:
        return "Using FIFO scheduling algorithm."

    def engine_scheduler(self, facts: RunFacts) -> Scheduler | None:
        """Return the engine's FIFO, unless this is a subclass."""
        return FIFO() if type(self) is FIFOScheduler else None
