"""A built-in scheduler with Ray Tune's hooks: for subclasses that override them, and for users' own schedulers that ask
one inside."""

from __future__ import annotations

import math
from typing import Any

from trialwright.messages import Drop, Node, Outcome, Pause, Report, Resume, Stop, Until, Verdict
from trialwright.schedulers import Scheduler, TrialView
from trialwright.streams import Streams
from trialwright.tune import names
from trialwright.tune.schedulers.trial_scheduler import Controller, TrialScheduler
from trialwright.tune.trial import RunFacts, Trial

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

    _rng: Streams | None = None  # of the run that it serves now

    def make(self, facts: RunFacts) -> Scheduler:
        """Return the engine's scheduler.

        Args:
            facts: about the run.
        """
        raise NotImplementedError

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
        if not any(boundary.met(report.metrics) for boundary in self._until[trial.number]):
            return self.CONTINUE
        verdict = self._asked.on_report(_view(trial), report)
        self._until[trial.number] = getattr(verdict, "until", self._until[trial.number])
        (self._paused.add if isinstance(verdict, Pause) else self._paused.discard)(trial.number)
        return Answer.of(verdict)

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
