"""A user's scheduler as a scheduler of the engine: every report is a boundary, and every call is passed on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from trialwright.callbacks import TrialInfo
from trialwright.messages import (
    EVERY_REPORT,
    Choice,
    Clone,
    Continue,
    Drop,
    Metric,
    New,
    Outcome,
    Pause,
    Plain,
    Report,
    Resize,
    Resume,
    Start,
    Stop,
    Verdict,
    Wait,
)
from trialwright.schedulers import Scheduler, TrialView
from trialwright.storage.checkpoints import located
from trialwright.streams import Streams
from trialwright.tune import names
from trialwright.tune.schedulers.trial_scheduler import Answer, BuiltInScheduler, TrialScheduler
from trialwright.tune.trial import RunFacts, Trial


def to_engine(scheduler: TrialScheduler, facts: RunFacts | None = None) -> Scheduler:
    """Return what the engine asks: a scheduler of its own if one decides in the same way, else one that asks this one.

    Args:
        scheduler: of this layer.
        facts: about the run.
    """
    facts = facts or RunFacts()
    own = scheduler.engine_scheduler(facts)
    return Asked(scheduler, facts) if own is None else own


class Asked:
    """A scheduler of the engine that asks one with Ray Tune's interface. It is its controller as well.

    Args:
        scheduler: whom to ask.
        facts: about the run.
    """

    def __init__(self, scheduler: TrialScheduler, facts: RunFacts) -> None:
        self._scheduler = self.wraps = scheduler
        # What a user's own one does, only its author knows.
        self.compares = isinstance(scheduler, BuiltInScheduler) and getattr(scheduler.make(facts), "compares", True)
        self.facts = facts
        self._trials: dict[int, Trial] = {}
        self._doomed: list[Trial] = []  # the user's scheduler wants them ended
        self._coming: Trial | None = None  # stands for a new trial that could be had
        self._donors: dict[int, int | None] = {}  # of the trial that a built-in scheduler resumes
        if isinstance(scheduler, BuiltInScheduler):
            self.on_capacity = scheduler.on_capacity

    def setup(self, rng: Streams) -> None:
        """Begin with no trials. The user's object cannot be made to forget: it is for one run."""
        self.rng, self._trials, self._doomed, self._coming, self._donors = rng, {}, [], None, {}
        if isinstance(self._scheduler, BuiltInScheduler):
            self._scheduler.begin(self, self.facts)
        self._scheduler.set_search_properties(self.facts.metric, self.facts.mode)

    # What the engine asks -------------------------------------------------------------------------------------------

    def on_start(self, trial: TrialView) -> Start:
        """Show the new trial, and have it wait at its first report."""
        info = self._picture(trial, "running", {})
        known = self._trials[trial.id] = Trial(self.facts, info)
        known.view = trial
        self._scheduler.on_trial_add(self, known)
        return Start(EVERY_REPORT)

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        """Ask, and carry the answer over."""
        known = self._see(trial, "running", report.metrics)
        result = known.note(report.metrics)
        answer = self._scheduler.on_trial_result(self, known, result)
        if isinstance(answer, Answer):
            return self._carried(trial, report, answer.verdict)
        if answer == TrialScheduler.CONTINUE or (answer == TrialScheduler.PAUSE and result.get(names.DONE)):
            return Continue(EVERY_REPORT)  # one that is done is not paused: it would be resumed only to end
        if answer == TrialScheduler.PAUSE:
            return self._carried(trial, report, Pause())
        if answer == TrialScheduler.STOP:
            return Stop(f"scheduler {type(self._scheduler).__name__}")
        raise ValueError(
            f"{type(self._scheduler).__name__}.on_trial_result must return CONTINUE, PAUSE, or STOP, not {answer!r}"
        )

    def _carried(self, trial: TrialView, report: Report, verdict: Verdict) -> Verdict:
        """Return a built-in scheduler's verdict: it is asked at every report."""
        if isinstance(verdict, Pause):
            self._see(trial, "paused", report.metrics)
        if isinstance(verdict, Clone) and getattr(self._scheduler, "searcher", None) is None:
            raise ValueError(
                f"{type(self._scheduler).__name__} uses PopulationBasedTraining, but only the run can "
                "make its variations: subclass PopulationBasedTraining instead"
            )
        return replace(verdict, until=EVERY_REPORT) if isinstance(verdict, Continue | Clone | Resize) else verdict

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        """Tell how it ended."""
        known = self._trials.pop(trial.id)
        was_paused = known.status == Trial.PAUSED
        known.update(replace(known.info, state="ended", outcome=str(outcome)))
        if outcome.kind in ("failed", "lost"):
            self._scheduler.on_trial_error(self, known)
        elif was_paused:
            self._scheduler.on_trial_remove(self, known)
        else:
            self._scheduler.on_trial_complete(self, known, known.last_result)

    def next(self, can_ask: bool) -> Choice:
        """Ask which paused trial goes on; if none does, a new one is wanted."""
        while self._doomed:
            trial = self._doomed.pop()
            if trial.number in self._trials:
                return Drop(trial.number, f"scheduler {type(self._scheduler).__name__}")
        self._coming = Trial(self.facts, _STAND_IN) if can_ask else None
        self._donors.clear()
        chosen = self._scheduler.choose_trial_to_run(self)
        if chosen is None and any(trial.number in self._trials for trial in self._doomed):
            return self.next(can_ask)
        if chosen is not None and chosen.status == Trial.PAUSED:
            chosen.update(replace(chosen.info, state="running"))
            return Resume(chosen.number, EVERY_REPORT, self._donors.get(chosen.number))
        return New() if can_ask else Wait()

    def state(self) -> Plain:
        """Nothing: the user's scheduler gets everything again from the journal."""
        return None

    def restore(self, state: Plain) -> None:
        """Nothing: see ``state``."""

    def _see(self, trial: TrialView, state: str, metrics: dict[str, Metric]) -> Trial:
        return self._trials[trial.id].update(self._picture(trial, state, metrics))

    def _picture(self, trial: TrialView, state: str, metrics: dict[str, Metric]) -> TrialInfo:
        root = Path(self.facts.directory) if self.facts.directory else None
        saved = None if trial.checkpoint is None else located(trial.checkpoint.path, root)
        config = self.facts.resolve(trial.config)
        return TrialInfo(trial.id, config, state, None, 0, trial.step, metrics, "", saved, None)

    # What the user's scheduler asks ---------------------------------------------------------------------------------

    def get_trials(self) -> list[Trial]:
        """Return those that live, and one that stands for a new one, if there could be one."""
        return [*self._trials.values(), *([self._coming] if self._coming else [])]

    get_live_trials = get_trials

    def get_trial(self, trial_id: str) -> Trial | None:
        """Return the living trial of this id."""
        return next((trial for trial in self._trials.values() if trial.trial_id == trial_id), None)

    def has_resources_for_trial(self, trial: Trial) -> bool:
        """It could be run: the scheduler is only asked what to run when something can run."""
        return True

    def stop_trial(self, trial: Trial) -> None:
        """End a trial with the next choice."""
        self._doomed.append(trial)

    def propose(self, choice: Resume) -> None:
        """Resume the trial so, if it is the one that is chosen."""
        self._donors[choice.trial] = choice.donor

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - it only raises
        known = ", ".join(name for name in ("get_trials", "get_live_trials", "get_trial", "stop_trial"))
        raise AttributeError(f"a scheduler's controller has no {name!r} here; it has {known}")


_STAND_IN = TrialInfo(-1, {}, "waiting", None, 0, 0, {}, "", None, None)
