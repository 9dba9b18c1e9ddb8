"""The experiment: the machine in the middle. Events go in, commands come out; ``handle(now, event) -> [commands]``.

It is pure: no await, no clock, no randomness of its own, no I/O. The controller hands it the time. This file says what
each event does; ``trials.py`` has the trials and what they hold, ``reports.py`` the verdicts on reports, and
``filling.py``, which comes last with every event, gives free resources to the trial whose turn it is. What it costs to
handle an event does not grow with the number of trials ever seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import assert_never

from trialwright import messages
from trialwright.core.filling import Filling
from trialwright.core.judge import Judge
from trialwright.core.limits import Failure
from trialwright.core.plan import Plan
from trialwright.core.reports import Reports
from trialwright.core.scores import Scores
from trialwright.core.trial import State, Trial, joined
from trialwright.core.trials import Trials
from trialwright.errors import InternalError, PolicyError, TrialwrightError, named
from trialwright.history import HistoryLog
from trialwright.schedulers.base import Scheduler
from trialwright.stopping import StopRule

VOIDS_MAX = 1000  # answers about trials that are paused no more, before the searcher is to blame

_COMPLETED = messages.Outcome("completed")
_ITSELF = messages.Outcome("stopped", "it stopped itself")
_BY_REQUEST = "stopped by user request"
_OF_A_TRIAL = (
    messages.Reported,
    messages.Started,
    messages.Noted,
    messages.Finished,
    messages.Failed,
    messages.Halted,
    messages.Lost,
)


class Experiment:
    """All trials of a run, and what is to be done next about them.

    Args:
        plan: the settings.
        scheduler: how far to let trials go.
        rule: when to stop one regardless.
        learns: whether the searcher looks at results; if not, none are kept for it.
        ahead: how many trials the executor takes ahead of time for each of its slots.
    """

    def __init__(
        self, plan: Plan, scheduler: Scheduler, rule: StopRule, *, learns: bool = False, ahead: int = 0
    ) -> None:
        self.plan = plan
        self.judge = Judge(scheduler, rule)
        self.scores = Scores(plan)
        self.echoes = 0
        self.voids = 0  # answers of the searcher that came too late
        self.last_request = 0  # the highest number of a request from the run's inbox that was carried out
        # No trial waits in a slot where the end of another one can decide which starts next, or that none does.
        depends = self.judge.is_ruled or plan.fail_fast or plan.resources is None or not self.judge.always_new
        self._trials = Trials(plan, self.judge, learns=learns, ahead=0 if depends else ahead)
        self._reports = Reports(self._trials, self.judge, self.scores)
        self._filling = Filling(plan, self._trials, self.judge)
        self.trials = self._trials.by_number
        self.counts = self._trials.counts
        self.outcomes = self._trials.outcomes
        self.never_began = self._trials.never_began
        self.touched = self._trials.touched
        self.warnings = self._trials.warnings
        self.ledger = self._trials.ledger
        self.history: HistoryLog = self._trials.history
        self.idle_s = self._filling.idle_s
        self.ended = self._trials.ended

    # What a driver needs --------------------------------------------------------------------------------------------

    def start(self) -> list[messages.Command]:
        """Return the first commands: none for a new run, the unanswered asks for a resumed one."""
        return [*self._trials.supply.outstanding()]

    def handle(self, now: float, event: messages.Event) -> list[messages.Command]:
        """Take in one event and return what to do.

        Args:
            now: seconds of this run, never less than before.
            event: what happened.

        Raises:
            PolicyError: the scheduler or a stop rule raised.
            InternalError: this class has a bug.
        """
        self._filling.account(now)  # before the clock moves: it needs the time of the last event
        self._trials.now = now
        try:
            if self._trials.limits.are_timed:
                self._expire()  # before the event: a report that comes after the deadline must not extend its trial
            if isinstance(event, _OF_A_TRIAL):
                self._hear_of_trial(event)
            else:
                self._hear(event)
            self._filling.fill()
        except TrialwrightError:
            raise
        except BaseException as error:  # whatever a scheduler or a stop rule raises, SystemExit too
            story = self.story(event.trial) if isinstance(event, _OF_A_TRIAL) else ""
            raise PolicyError(f"while handling {event}: {named(error)}\n{story}") from error
        commands, self._trials.commands = self._trials.commands, []
        return commands

    def replay(
        self, now: float, event: messages.Event, decisions: Iterable[messages.Decision]
    ) -> list[messages.Command]:
        """Take in an event of the past, going by the decisions that were taken then.

        Raises:
            ReplayError: the decisions do not match those that this event leads to.
        """
        self.judge.replay(decisions)
        commands = self.handle(now, event)
        self.judge.end_replay()
        return commands

    @property
    def done(self) -> bool:
        """Nothing runs, and nothing will."""
        trials, supply = self._trials, self._trials.supply
        living = self.counts[State.WAITING] + self.counts[State.PAUSED]
        return not (trials.active or living or supply.may_ask or supply.asking)

    @property
    def deadline(self) -> float | None:
        """The time at which ``Ticked`` is due if no other event comes first; None if there is no deadline."""
        limits = self._trials.limits
        return limits.deadline(budget=self.stopped is None) if limits.are_timed else None

    @property
    def digest(self) -> str:
        """A fingerprint of every transition so far: equal for a replay that went the same way."""
        return self._trials.transitions.digest

    @property
    def stopped(self) -> str | None:
        """Why the whole run ends, once it does."""
        return self._trials.stopped

    @property
    def active(self) -> int:
        """How many trials hold resources."""
        return self._trials.active

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The kinds of failures there were, each with its first one."""
        return self._trials.failures.kinds

    @property
    def reports(self) -> int:
        """The number of reports received."""
        return self._reports.count

    @property
    def ends(self) -> int:
        """How many trials have begun and ended; one that is tried again counts each time."""
        return self._trials.ends

    @property
    def front_size(self) -> int | None:
        """How many of the ended trials no other one dominates; None with fewer than two objectives."""
        return self._trials.front.size

    @property
    def busy_s(self) -> float:
        """For how long trials have held resources, summed over the trials, in seconds."""
        return self._filling.busy_s

    @property
    def idle_cause(self) -> str:
        """What keeps slots empty at this moment; an empty string if none is."""
        return self._filling.idle_cause

    @property
    def longest_s(self) -> float:
        """For how long the trial ran that, of those that have ended, ran longest."""
        return self._trials.longest_s

    @property
    def max_t(self) -> float | None:
        """After how many steps the scheduler ends a trial at the latest; None if it does not, or counts otherwise."""
        scheduler = self.judge.scheduler
        return getattr(scheduler, "max_t", None) if getattr(scheduler, "time_attr", None) == "step" else None

    @property
    def samples(self) -> int | None:
        """How many new trials are planned; None for unlimited."""
        return self._trials.supply.samples

    @property
    def needed_checkpoints(self) -> Collection[str]:
        """The paths of all checkpoints that a trial needs, or that are to be kept."""
        return self._trials.retention.needed

    @property
    def feasible(self) -> bool:
        """Whether a machine that is present, or may be added, could run a trial; always true where requests differ,
        because each is checked on its own."""
        standard = self._trials.standard
        return standard is None or self.ledger.is_possible(standard)

    @property
    def is_paused(self) -> bool:
        """The user has requested that the run starts no more trials."""
        return self._trials.holds.everything

    @property
    def waits_for(self) -> str:
        """The resources that the run waits for, in a sentence; empty if the run can go on."""
        return self._filling.waits_for

    @property
    def largest(self) -> str:
        """The largest request that could ever be granted, of the resources that a trial wants."""
        return self.ledger.largest(self._trials.standard or ())

    def orphans(self) -> list[messages.TrialEvent]:
        """Return the events that declare all workers lost: after a restart of the driver none is left."""
        return [
            messages.Lost(trial.id, trial.attempt, "the driver was restarted", preempted=True)
            for trial in self.trials.values()
            if trial.active
        ]

    def warn(self, text: str) -> None:
        """Add a warning for the user, unless it was given before."""
        self._trials.warn(text)

    def story(self, trial: int) -> str:
        """Return the last transitions of a trial, a line each."""
        return self._trials.transitions.story(trial)

    def check(self) -> None:
        """Recount every book, in O(trials). Raise ``InternalError`` at the first that does not balance."""
        self._trials.check()
        if self.active > self._filling.limit:
            raise InternalError(f"{self.active} trials are active where {self._filling.limit} may be")

    # Events ----------------------------------------------------------------------------------------------------------

    def _hear_of_trial(self, event: messages.TrialEvent) -> None:
        trial = self.trials.get(event.trial)
        if trial is None or trial.attempt != event.attempt or not trial.active:
            # A late message of an attempt that is over: it was sent before its worker knew, or was declared lost.
            self.echoes += 1
            return
        match event:
            case messages.Reported():
                self._reports.take(trial, event)
            case messages.Started():
                self._trials.start(trial, event.worker)
            case messages.Noted(notes=notes):
                self._reports.note(notes)
            case messages.Finished():
                self._finished(trial)
            case messages.Failed():
                self._failed(trial, event)
            case messages.Halted():
                self._trials.leave(trial, messages.Halted, _ITSELF)
            case messages.Lost():
                self._lost(trial, event)
            case _:
                assert_never(event)

    def _hear(
        self,
        event: messages.Suggested
        | messages.Returned
        | messages.Ticked
        | messages.Enqueued
        | messages.CapacityChanged
        | messages.StopRequested
        | messages.PauseRequested
        | messages.ContinueRequested
        | messages.SamplesAdded
        | messages.RetryRequested,
    ) -> None:
        match event:
            case messages.Suggested():
                self._suggested(event)
            case messages.Returned():
                self._returned(event)
            case messages.Ticked():
                pass  # the time is looked at with every event; this one only brings it
            case messages.Enqueued():
                self._enqueued(event)
            case messages.CapacityChanged(nodes, to_come):
                self.ledger.set_nodes(nodes, to_come)
                self.judge.capacity(nodes)
                self._trials.line.look_again()
                self._trials.is_full = False
            case messages.StopRequested():
                self._stop_requested(event)
            case messages.PauseRequested():
                self._pause_requested(event)
            case messages.ContinueRequested():
                self._continue_requested(event)
            case messages.SamplesAdded():
                self._samples_added(event)
            case messages.RetryRequested():
                self._retry_requested(event)
            case _:
                assert_never(event)

    def _finished(self, trial: Trial) -> None:
        # A finished trial needs no other resources, and no pause.
        if self._trials.relaunches.is_resized(trial) or self._trials.holds.has(trial.id):
            trial.then = State.ENDED
        self._trials.leave(trial, messages.Finished, _COMPLETED)

    def _failed(self, trial: Trial, event: messages.Failed) -> None:
        trial.error, trial.traceback = event.error, event.traceback
        self._count_failure(trial)
        self._trials.leave(trial, messages.Failed, messages.Outcome("failed", event.error))

    def _lost(self, trial: Trial, event: messages.Lost) -> None:
        trial.error, trial.traceback = event.reason, ""
        if not event.preempted:
            self._count_failure(trial)
        self._trials.leave(trial, messages.Lost, messages.Outcome("lost", event.reason), retry=event.preempted)

    def _count_failure(self, trial: Trial) -> None:
        """Count a failure of a running trial; one that was being stopped has not failed, however it ended."""
        if trial.state is State.RUNNING:
            trial.failures += 1
            self._trials.failures.note(trial)

    def _suggested(self, event: messages.Suggested) -> None:
        trials = self._trials
        for request, suggestion in trials.supply.answered(event):
            if request.kind == "explore":
                trials.explored(event.ask, request, suggestion)
            elif suggestion is None or trials.stopped is not None:
                continue
            elif suggestion.resume is not None or request.sample < 0:  # below 0 only a paused trial may be the answer
                self._advised(request, suggestion)
            else:
                tags = joined(request.tags, suggestion.tags)
                trials.create(request.trial, suggestion.config, tags, suggestion.resources)
                trials.supply.put(request.trial)

    def _returned(self, event: messages.Returned) -> None:
        trial = self.trials.get(event.trial)
        # The launch that comes back was sent for the next attempt: the trial has not begun it.
        if trial is None or event.trial not in self._trials.queues or event.attempt != trial.attempt + 1:
            self.echoes += 1
            return
        self._trials.queues.handed_back()
        self._trials.unqueue(trial)

    def _advised(self, request: messages.Request, suggestion: messages.Suggestion) -> None:
        """Resume the paused trial that the searcher has chosen. If that has ended since the searcher was asked, the
        answer is void, and it is asked again."""
        trials = self._trials
        trial = trials.by_number.get(-1 if suggestion.resume is None else suggestion.resume)
        if trial is None or request.kind != "next":
            raise PolicyError(f"the searcher answered {request} with {suggestion}, which names no trial of this run")
        if not trials.is_resting(trial):
            # The searcher looked at an earlier history. One that never names a paused trial would be asked without end.
            self.voids += 1
            if self.voids == VOIDS_MAX:
                raise PolicyError(f"the searcher named {VOIDS_MAX} trials that were not paused; the last: {trial.id}")
            return
        trial.until = self.judge.resume(trial)
        if suggestion.tags:
            trials.retag(trial, suggestion.tags)
        trials.join_line(trial)

    def _enqueued(self, event: messages.Enqueued) -> None:
        if self._is_done(event.letter):
            return
        trials = self._trials
        trial = trials.create(trials.supply.number(), event.config, {}, event.resources)
        trial.checkpoint = event.checkpoint
        if event.checkpoint is not None:
            trials.retention.hold(event.checkpoint)  # for good: it is not ours to discard
        if trials.stopped is not None:  # not dropped: the table of trials shows why it did not run
            trials.cancel(trial, trials.stopped)
        else:
            trials.supply.put(trial.id, first=True)

    def _stop_requested(self, event: messages.StopRequested) -> None:
        if self._is_done(event.letter):
            return
        if event.trial is None:
            self._trials.stop_all(_BY_REQUEST)
            return
        trial = self.trials.get(event.trial)
        if trial is None or trial.state is State.ENDED:
            self.warn(f"cannot stop trial {event.trial}: it is not running")
        else:
            self._trials.end_early(trial, _BY_REQUEST)

    def _pause_requested(self, event: messages.PauseRequested) -> None:
        if self._is_done(event.letter):
            return
        if event.trial is None:
            self._trials.holds.everything = True
            return
        trial = self.trials.get(event.trial)
        if trial is None or trial.state is State.ENDED or (trial.state is State.STOPPING and trial.then is State.ENDED):
            self.warn(f"cannot pause trial {event.trial}: it is not running")
        elif trial.id in self._trials.queues:
            self.warn(f"cannot pause trial {trial.id}: it waits in the slot of a short trial, and is about to run")
        else:
            self._trials.hold(trial)

    def _continue_requested(self, event: messages.ContinueRequested) -> None:
        if self._is_done(event.letter):
            return
        holds = self._trials.holds
        if event.trial is None:
            holds.everything, self._trials.is_full = False, False
        elif not holds.has(event.trial):
            self.warn(f"cannot continue trial {event.trial}: it was not paused by request")
        for number in [each for each in holds.numbers if event.trial in (None, each)]:
            self._trials.let_go(self.trials[number])

    def _samples_added(self, event: messages.SamplesAdded) -> None:
        if self._is_done(event.letter):
            return
        if self._trials.stopped is not None:
            self.warn(f"{event.count} samples were not added: the run was stopped ({self._trials.stopped})")
            return
        self._trials.supply.add(event.count)
        self._trials.is_full = False

    def _retry_requested(self, event: messages.RetryRequested) -> None:
        """Try a trial again that has ended; a run that was stopped continues."""
        trials, trial = self._trials, self.trials.get(event.trial)
        # A stopping trial has its outcome already, and its time of end only when its worker has let go.
        if trial is None or trial.ended is None or trial.outcome is None or trial.outcome.kind == "completed":
            self.warn(f"cannot retry trial {event.trial}: only trials that failed or were stopped can be tried again")
            return
        trials.reopen(trial, from_checkpoint=event.from_checkpoint)
        if trials.stopped is not None:
            trials.stopped = None
            trials.supply.reopen()
            self._expire()  # stops it again if the time budget is used up

    def _is_done(self, number: int) -> bool:
        """Tell whether this request from the inbox was carried out before; 0 is an event that did not come from there.

        The driver may die after a request is journalled, and then reads the inbox again.
        """
        is_done, self.last_request = 0 < number <= self.last_request, max(self.last_request, number)
        return is_done

    def _expire(self) -> None:
        trials = self._trials
        reason = trials.limits.over(trials.now)
        if reason is not None:
            trials.stop_all(reason)
        for trial, outcome in trials.limits.overdue(trials.now, self.trials):
            trials.halt(trial, State.ENDED, outcome)
