"""Schedulers with Ray Tune's interface: the base class for users' own, FIFO, and the base class of the built-in ones.

The engine asks its own scheduler in place of a built-in one. A subclass that overrides a hook of a built-in one, and a
user's scheduler that asks one inside, call the hooks instead, which ask the engine's scheduler.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from trialwright.messages import Continue, Drop, Node, Outcome, Pause, Report, Resume, Stop, Until, Verdict
from trialwright.schedulers import FIFO, Scheduler, TrialView
from trialwright.streams import Streams
from trialwright.tune import names
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


HOOKS = (
    "set_search_properties",
    "on_trial_add",
    "on_trial_error",
    "on_trial_result",
    "on_trial_complete",
    "on_trial_remove",
    "choose_trial_to_run",
)


class Answer(str):
    """CONTINUE, PAUSE, or STOP, with the engine's whole verdict: it may also be to clone or to resize the trial."""

    __slots__ = ("verdict",)

    verdict: Verdict

    @classmethod
    def of(cls, verdict: Verdict) -> Answer:
        """Say a verdict in Ray Tune's words."""
        words = {Pause: TrialScheduler.PAUSE, Stop: TrialScheduler.STOP}
        answer = cls(words.get(type(verdict), TrialScheduler.CONTINUE))
        answer.verdict = verdict
        return answer


class BuiltInScheduler(TrialScheduler):
    """Asks a scheduler of the engine. Without a subclass's own hooks the engine asks that one itself."""

    _engine: Scheduler  # the engine's, where it is known before the run
    _rng: Streams | None = None  # of the run that it serves now

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler.

        Args:
            facts: about the run.
        """
        return self._engine

    def engine_scheduler(self, facts: RunFacts) -> Scheduler | None:
        """Return what ``make`` makes, unless a hook is overridden."""
        hooks = {hook: getattr(getattr(self, hook), "__func__", None) for hook in HOOKS}
        own = any(function is not getattr(BuiltInScheduler, hook) for hook, function in hooks.items())
        return None if own else self.make(facts)

    def begin(self, controller: object, facts: RunFacts) -> None:
        """Forget the run before, unless it is this one, whose controller has the random numbers."""
        rng = getattr(controller, "rng", None) or self._rng or Streams(0)
        if self._rng is not rng:
            self._rng, self._asked = rng, self.make(facts)
            self._asked.setup(rng)
            self._until: dict[int, Until] = {}
            self._paused: set[int] = set()  # by the engine's scheduler, which resumes them

    def on_capacity(self, nodes: tuple[Node, ...]) -> None:
        """Hear which machines there are."""
        hear = getattr(self._asked, "on_capacity", None)
        if hear is not None:
            hear(nodes)

    # Ray Tune's hooks -----------------------------------------------------------------------------------------------

    def on_trial_add(self, tune_controller: Controller, trial: Trial) -> None:
        self.begin(tune_controller, trial.facts)
        self._until[trial.number] = self._asked.on_start(_view(trial)).until

    def on_trial_result(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> str:
        self.begin(tune_controller, trial.facts)
        if trial.number not in self._until:  # a scheduler that asks this one need not tell it of new trials
            self.on_trial_add(tune_controller, trial)
        report = self._report(trial, result)
        verdict: Verdict = Continue(self._until[trial.number])
        if any(boundary.met(report.metrics) for boundary in self._until[trial.number]):
            verdict = self._asked.on_report(_view(trial), report)
            self._until[trial.number] = getattr(verdict, "until", self._until[trial.number])
            (self._paused.add if isinstance(verdict, Pause) else self._paused.discard)(trial.number)
        return Answer.of(self.revised(tune_controller, trial, result, verdict))

    def revised(
        self,
        tune_controller: Controller,
        trial: Trial,
        result: dict[str, Any],
        verdict: Verdict,
    ) -> Verdict:
        """Return the verdict of the engine's scheduler on a result, or another one in its place."""
        return verdict

    def on_trial_complete(self, tune_controller: Controller, trial: Trial, result: dict[str, Any]) -> None:
        self._end(trial)

    def on_trial_error(self, tune_controller: Controller, trial: Trial) -> None:
        self._end(trial)

    def on_trial_remove(self, tune_controller: Controller, trial: Trial) -> None:
        self._end(trial)

    def choose_trial_to_run(self, tune_controller: Controller) -> Trial | None:
        """The paused trial whose turn it is, else a new one, else one that only a subclass has paused."""
        trials = {trial.number: trial for trial in tune_controller.get_live_trials()}
        pending = next((trial for trial in trials.values() if trial.status == Trial.PENDING), None)
        self.begin(tune_controller, tune_controller.facts)
        choice = self._asked.next(pending is not None)
        if isinstance(choice, Resume):
            self._until[choice.trial] = choice.until
            self._paused.discard(choice.trial)
            tune_controller.propose(choice)
            return trials.get(choice.trial)
        if isinstance(choice, Drop):
            tune_controller.stop_trial(trials[choice.trial])
            return None
        held = (each for each in trials.values() if each.status == Trial.PAUSED and each.number not in self._paused)
        return pending or next(held, None)

    def _end(self, trial: Trial) -> None:
        if self._until.pop(trial.number, None) is not None:
            self._paused.discard(trial.number)
            kind, _, reason = (trial.info.outcome or "completed").partition(" ")
            self._asked.on_end(_view(trial), Outcome(kind, reason.strip("()")))  # type: ignore[arg-type]  # its own text

    def _report(self, trial: Trial, result: dict[str, Any]) -> Report:
        """Return a result, which a subclass may have changed, as the engine's scheduler sees it."""
        flat = names.flatten({name: value for name, value in result.items() if name != "config"})
        value = flat.get(self.metric or trial.facts.metric or "")
        sign = -1.0 if (self.mode or trial.facts.mode) == "max" else 1.0
        cost = sign * value if isinstance(value, int | float) else math.nan
        metrics = {names.to_engine(name): value for name, value in flat.items()}
        return Report(trial.info.step, (cost,), metrics)


def _view(trial: Trial) -> TrialView:
    if trial.view is None:
        raise ValueError(
            f"{trial} is no trial that a scheduler was shown: its hooks are for what the run calls them with"
        )
    return trial.view


def metric_and_mode(
    metric: str | None, mode: str | None, reward_attr: str | None = None
) -> tuple[str | None, str | None]:
    """Check the metric and mode that a scheduler was given.

    Raises:
        ValueError: a mode that is none, or two metrics.
    """
    if reward_attr is not None and (metric is not None or mode is not None):
        raise ValueError(
            f"reward_attr={reward_attr!r} is the old name of metric={reward_attr!r}, mode='max': give these instead"
        )
    if mode not in (None, "min", "max"):
        raise ValueError(f"mode must be 'min' or 'max', not {mode!r}")
    return (metric, mode) if reward_attr is None else (reward_attr, "max")
