"""The experiment: the machine in the middle. Events go in, commands come out; ``handle(now, event) -> [commands]``.

It owns the trials, the ledger, and the scheduler, and it is pure: no await, no clock, no dice, no wires. Whoever drives
it hands it the time. Every change ends in one reconciliation, ``_fill``, which gives free resources to whoever's turn
it is. What it costs to handle an event does not grow with the number of trials ever seen.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, cast

from trialwright.core.judge import Judge
from trialwright.core.ledger import Ledger, Line
from trialwright.core.limits import Limits
from trialwright.core.plan import Plan
from trialwright.core.relaunch import Relaunches
from trialwright.core.retention import Retention
from trialwright.core.scores import Scores
from trialwright.core.supply import Supply
from trialwright.core.transitions import TransitionLog
from trialwright.core.trial import RANK, State, Trial, target
from trialwright.errors import InternalError, InvalidTransition, PolicyError, TrialwrightError
from trialwright.history import HistoryLog
from trialwright.messages import (
    Cancel,
    CapacityChanged,
    Checkpoint,
    Clone,
    Command,
    Config,
    Continue,
    Decision,
    Drop,
    Enqueued,
    Event,
    Extend,
    Failed,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    New,
    Outcome,
    Pause,
    Report,
    Reported,
    Request,
    Resize,
    Resume,
    RetryRequested,
    SamplesAdded,
    Started,
    Stop,
    StopRequested,
    Suggested,
    Suggestion,
    Tags,
    Ticked,
    TrialEvent,
    Until,
    Wait,
)
from trialwright.resources import to_units
from trialwright.schedulers.base import Scheduler
from trialwright.stopping import StopRule
from trialwright.streams import Streams

_COMPLETED = Outcome("completed")


def _joined(tags: Tags, more: Tags) -> Tags:
    """Return both. Tags are never changed, so trials may share them: mostly there are none."""
    return {**tags, **more} if tags and more else tags or more


class Experiment:
    """All trials of a run, and what is to be done next about them.

    Args:
        plan: the settings.
        scheduler: how far to let trials go.
        rule: when to stop one regardless.
        learns: whether the searcher looks at results; if not, none are kept for it.
    """

    def __init__(self, plan: Plan, scheduler: Scheduler, rule: StopRule, *, learns: bool = False) -> None:
        self.plan = plan
        self.judge = Judge(scheduler, rule)
        self.ledger = Ledger()
        self.history = HistoryLog()
        self.trials: dict[int, Trial] = {}
        self.counts: Counter[State] = Counter()
        self.active = 0  # trials that hold resources
        self.outcomes: Counter[str] = Counter()
        self.scores = Scores(plan)
        self.stopped: str | None = None  # why the whole run ends, once it does
        self.touched: set[int] = set()  # trials changed since somebody emptied this
        self.warnings: list[str] = []
        self.echoes = 0
        self.letters = 0  # the highest number of a letter from the run's inbox that was carried out
        self.reports = 0
        self.idle_s: defaultdict[str, float] = defaultdict(float)  # slot-seconds without work, by cause
        self._learns = learns
        self._limit = plan.max_concurrent_trials or math.inf
        self._limits = Limits(plan)
        self._streams = Streams(plan.seed)
        self._request = to_units(plan.resources)
        self._line = Line()
        self._supply = Supply(plan.samples, plan.prefetch)
        self._retention = Retention(plan.keep_checkpoints)
        self._transitions = TransitionLog()
        self._relaunches = Relaunches(self._retention)
        self._resumed: set[int] = set()  # to be resumed, and not yet paused
        self._now = 0.0
        self._closed = False  # the scheduler has waited, knowing that no new trial will come
        self._is_full = False  # nothing can be started before something is released, or somebody joins the line
        self._cause = ""  # why no more trials were started
        self._idle = ("", 0)  # that cause, and how many slots stand empty for it
        self._commands: list[Command] = []

    # What a driver needs --------------------------------------------------------------------------------------------

    def start(self) -> list[Command]:
        """Return what is still to be done: nothing for a new run, the unanswered asks for a resumed one."""
        return [*self._supply.outstanding()]

    def handle(self, now: float, event: Event) -> list[Command]:
        """Take in one event and return what to do.

        Args:
            now: seconds of this run, never less than before.
            event: what happened.

        Raises:
            PolicyError: the scheduler or a stop rule raised.
            InternalError: this class has a bug.
        """
        if self._idle[1]:
            self._account(now)
        self._now = now
        try:
            if self._limits.are_timed:
                self._expire()
            of_a_trial = _OF_A_TRIAL.get(type(event))
            if of_a_trial is None:
                _OTHERS[type(event)](self, event)
            elif (trial := self._addressed(event)) is not None:
                of_a_trial(self, trial, event)
            if not self._is_full:
                self._fill()
        except TrialwrightError:
            raise
        except Exception as error:
            raise PolicyError(f"while handling {event}: {error!r}\n{self._tell(event)}") from error
        commands, self._commands = self._commands, []
        return commands

    def replay(self, now: float, event: Event, decisions: Iterable[Decision]) -> list[Command]:
        """Take in an event of the past, going by the decisions that were taken then."""
        self.judge.replay(decisions)
        commands = self.handle(now, event)
        self.judge.replay(None)
        self.judge.take()
        return commands

    @property
    def done(self) -> bool:
        """Nothing runs, and nothing will."""
        return not (self.active or self._living or self._supply.may_ask or self._supply.asking)

    @property
    def deadline(self) -> float | None:
        """When to be woken with ``Ticked`` if nothing happens before."""
        return self._limits.deadline(budget=self.stopped is None) if self._limits.are_timed else None

    @property
    def digest(self) -> str:
        """A fingerprint of every transition so far: equal for a replay that went the same way."""
        return self._transitions.digest

    @property
    def samples(self) -> int | None:
        """How many new trials there are to be; None for no end."""
        return self._supply.samples

    @property
    def feasible(self) -> bool:
        """A trial could be run on the machines there are."""
        return self.ledger.capacity(self._request) > 0

    @property
    def largest(self) -> str:
        """The largest request that could ever be granted, of the resources that a trial wants."""
        return self.ledger.largest(self._request)

    def orphans(self) -> list[TrialEvent]:
        """Return the events that say that all workers are gone, as they are when a run is resumed."""
        return [
            Lost(trial.id, trial.attempt, "the driver was restarted", preempted=True)
            for trial in self.trials.values()
            if trial.active
        ]

    def story(self, trial: int) -> str:
        """Return the last transitions of a trial, a line each."""
        return self._transitions.story(trial)

    def check(self) -> None:
        """Recount every book, in O(trials). Raise ``InternalError`` at the first that does not balance."""
        self.ledger.check()
        if +self.counts != Counter(trial.state for trial in self.trials.values()):
            raise InternalError(f"counts {self.counts} are not those of the trials")
        for trial in self.trials.values():
            if trial.active != self.ledger.holds(trial.id):
                raise InternalError(
                    f"trial {trial.id} is {trial.state} and holds a grant: {self.ledger.holds(trial.id)}"
                )
            if (trial.state is State.ENDED) != (trial.outcome is not None and trial.ended is not None):
                raise InternalError(f"trial {trial.id} is {trial.state} with outcome {trial.outcome}")
        if self.active > self._limit:
            raise InternalError(f"{self.active} trials are active where {self._limit} may be")

    # Events ----------------------------------------------------------------------------------------------------------

    def _addressed(self, event: Any) -> Trial | None:  # noqa: ANN401 - one of those in _OF_A_TRIAL
        """Return the trial that an event is about; None if it is an echo of an attempt that is over."""
        trial = self.trials.get(event.trial)
        if trial is not None and trial.attempt == event.attempt and trial.active:
            return trial
        self.echoes += 1
        return None

    def _is_known(self, letter: int) -> bool:
        """A letter from the inbox was carried out before; 0 is none."""
        known, self.letters = 0 < letter <= self.letters, max(self.letters, letter)
        return known

    def _on_capacity(self, event: CapacityChanged) -> None:
        self.ledger.set_nodes(event.nodes)
        self.judge.capacity(event.nodes)
        self._is_full = False

    def _on_enqueued(self, event: Enqueued) -> None:
        if self._is_known(event.letter):
            return
        trial = self._create(self._supply.number(), event.config, {}, event.resources)
        trial.checkpoint = event.checkpoint
        if event.checkpoint is not None:
            self._retention.hold(event.checkpoint)  # for good: it is not ours to discard
        if self.stopped is not None:
            self._cancel(trial, self.stopped)
        else:
            self._supply.put(trial.id, wished=True)

    def _on_stop_requested(self, event: StopRequested) -> None:
        if self._is_known(event.letter):
            return
        if event.trial is None:
            self._stop_all("somebody asked for it")
            return
        trial = self.trials.get(event.trial)
        if trial is None or trial.state is State.ENDED:
            self.warn(f"trial {event.trial} was to be stopped, but there is none that lives")
        else:
            self._put_an_end_to(trial, "somebody asked for it")

    def _on_samples_added(self, event: SamplesAdded) -> None:
        self._supply.add(event.count)

    def _on_retry_requested(self, event: RetryRequested) -> None:
        """A trial that has ended waits to be started once more, as a new one would; a run that was stopped goes on."""
        trial = self.trials.get(event.trial)
        if trial is None or trial.ended is None or trial.outcome is None or trial.outcome.kind == "completed":
            self.warn(f"trial {event.trial} was to be tried again, but there is none that ended before it was complete")
            return
        self._move(trial, RetryRequested)
        self.outcomes[trial.outcome.kind] -= 1
        self._limits.forgive(trial.error)
        trial.outcome, trial.ended, trial.failures, trial.admitted = None, None, 0, False
        if not event.from_checkpoint:
            trial.checkpoint, trial.judged_step = None, 0
        if self._learns:
            self.history.born(trial.id, trial.config, trial.tags)
        self._supply.put(trial.id, wished=True)
        if self.stopped is not None:
            self.stopped = None
            self._supply.reopen()
            self._expire()  # not if its time is over

    def _on_suggested(self, event: Suggested) -> None:
        for request, suggestion in self._supply.answered(event):
            if request.kind == "explore":
                self._explored(request, suggestion)
            elif suggestion is not None and self.stopped is None:
                tags = _joined(request.tags, suggestion.tags)
                self._create(request.trial, suggestion.config, tags, suggestion.resources)
                self._supply.put(request.trial)

    def _on_started(self, trial: Trial, event: Started) -> None:
        self._move(trial, Started)
        trial.worker = event.worker
        if trial.started is None:
            trial.started = self._now
        self._limits.started(self._now, trial)

    def _on_reported(self, trial: Trial, event: Reported) -> None:
        self._move(trial, Reported)
        self._note_frame(trial, event)
        if event.waiting and trial.state is State.RUNNING:
            self._judge_report(trial, event)

    def _judge_report(self, trial: Trial, event: Reported) -> None:
        repeated, metrics = event.last_step <= trial.judged_step, trial.metrics
        if repeated or not any(boundary.met(metrics) for boundary in self._lease(trial)):
            self._extend(trial, trial.until)
            return
        trial.judged_step = event.last_step
        report = Report(event.last_step, self.scores.values(event.columns, -1), metrics)
        verdict = self.judge.report(trial, report)
        _VERDICTS[type(verdict)](self, trial, verdict)

    def _on_finished(self, trial: Trial, _event: Finished) -> None:
        if self._relaunches.is_resized(trial):  # what has finished needs no other resources
            trial.then = State.ENDED
        self._leave(trial, Finished, _COMPLETED)

    def _on_failed(self, trial: Trial, event: Failed) -> None:
        trial.error, trial.traceback = event.error, event.traceback
        trial.failures += trial.state is State.RUNNING
        self._leave(trial, Failed, Outcome("failed", event.error))

    def _on_lost(self, trial: Trial, event: Lost) -> None:
        trial.error = event.reason
        trial.failures += trial.state is State.RUNNING and not event.preempted
        self._leave(trial, Lost, Outcome("lost", event.reason), retry=event.preempted)

    def _on_halted(self, trial: Trial, _event: Halted) -> None:
        self._leave(trial, Halted, Outcome("stopped", "it stopped itself"))

    def _on_ticked(self, event: Ticked) -> None:
        """The time is looked at with every event; this one only brings it."""

    # Verdicts --------------------------------------------------------------------------------------------------------

    def _continue(self, trial: Trial, verdict: Continue) -> None:
        self._extend(trial, verdict.until)

    def _pause(self, trial: Trial, verdict: Pause) -> None:
        if trial.checkpoint is None:
            self.warn("a trial without a checkpoint was paused; it will start again from step 0 when it is resumed")
        self._halt(trial, State.PAUSED)

    def _stop(self, trial: Trial, verdict: Stop) -> None:
        self._halt(trial, State.ENDED, Outcome(verdict.outcome, verdict.reason))
        if verdict.everyone:
            self._stop_all(verdict.reason)

    def _clone(self, trial: Trial, verdict: Clone) -> None:
        if self._inherit(trial, verdict.donor, verdict.until):
            self._halt(trial, State.WAITING)
        else:
            self._extend(trial, verdict.until)

    def _inherit(self, trial: Trial, number: int, until: Until) -> bool:
        """Ask for a variation of a donor, as which the trial will go on; tell whether there is a checkpoint to do so
        from."""
        donor = self.trials[number]
        if donor.checkpoint is None:
            self.warn(
                "a trial was not cloned, because its donor has no checkpoint: report(..., checkpoint=...) makes one"
            )
            return False
        self._relaunches.clone(trial, donor, donor.checkpoint, until)
        tags = {**donor.tags, "donor": donor.id}
        request = Request(trial.id, kind="explore", tags=tags, donor=donor.config, attempt=trial.attempt)
        self._commands.append(self._supply.ask([request], len(self.history)))
        return True

    def _resize(self, trial: Trial, verdict: Resize) -> None:
        request = to_units(verdict.resources)
        if not self.ledger.capacity(request):
            self.warn(
                f"a trial was not resized to {verdict.resources}: at most {self.ledger.largest(request)} can be had"
            )
            self._extend(trial, verdict.until)
            return
        self._relaunches.resize(trial, request, verdict.until)
        self._halt(trial, State.WAITING)

    # Commands --------------------------------------------------------------------------------------------------------

    def _launch(self, trial: Trial) -> None:
        trial.attempt += 1
        trial.step = trial.checkpoint.step if trial.checkpoint else 0
        placement = self.ledger.grant(trial.id, trial.request)
        self._move(trial, Launch)
        lease = self._lease(trial)
        if self._learns:
            self.history.launched(trial.id, lease)
        self._commands.append(
            Launch(trial.id, trial.attempt, trial.config, placement, lease, trial.seed, trial.checkpoint)
        )

    def _extend(self, trial: Trial, until: Until) -> None:
        is_new, trial.until = until != trial.until, until
        if self._learns and is_new:
            self.history.extended(trial.id, self._lease(trial))
        self._move(trial, Extend)
        saved = trial.checkpoint is not None and trial.checkpoint.step == trial.step
        self._commands.append(Extend(trial.id, trial.attempt, self._lease(trial), durable=saved))

    def _halt(self, trial: Trial, then: State, outcome: Outcome | None = None) -> None:
        """End the trial's work. One Halt is enough; a later decision may only raise where the trial goes."""
        if trial.state is State.RUNNING:
            self._commands.append(Halt(trial.id, trial.attempt))
        elif RANK[then] <= RANK[trial.then]:
            return
        trial.then = then
        trial.outcome = outcome
        self._move(trial, Halt)

    def _put_an_end_to(self, trial: Trial, reason: str) -> None:
        if trial.active:
            self._halt(trial, State.ENDED, Outcome("stopped", reason))
        else:
            self._cancel(trial, reason)

    def _cancel(self, trial: Trial, reason: str) -> None:
        self._supply.remove(trial.id)
        self._line.remove(trial.id)
        self._is_full = False
        self._commands.append(Cancel(trial.id))
        outcome = Outcome("cancelled" if trial.attempt == 0 else "stopped", reason)
        self._move(trial, Cancel)
        self._end(trial, outcome)

    def _lease(self, trial: Trial) -> Until:
        boundaries = self.judge.rule.boundaries
        return tuple(dict.fromkeys((*trial.until, *boundaries))) if boundaries else trial.until

    # A trial's way ---------------------------------------------------------------------------------------------------

    def _create(self, number: int, config: Config, tags: Tags, resources: dict[str, float] | None) -> Trial:
        request = self._request if resources is None else to_units(resources)
        trial = Trial(number, config, request, self._streams.integer("trial", number), tags)
        self.trials[number] = trial
        self.counts[State.WAITING] += 1
        self.touched.add(number)
        if self._learns:
            self.history.born(number, config, tags)
        return trial

    def _move(self, trial: Trial, message: type, *, retry: bool = False) -> None:
        """Take the trial through the table: the only place where a state changes."""
        before, after = trial.state, target(trial, message, retry=retry)
        self._transitions.note(self._now, trial, message, after)
        if after is None:
            raise InvalidTransition(f"{message.__name__} in state {before}\n{self.story(trial.id)}")
        self.touched.add(trial.id)
        if after is not before:
            trial.state = after
            self.counts[before] -= 1
            self.counts[after] += 1
            self.active = self.counts[State.RUNNING] + self.counts[State.STOPPING]

    def _leave(self, trial: Trial, message: type, outcome: Outcome, *, retry: bool = False) -> None:
        """The trial's work is known to have ended: release its resources and send it where it goes."""
        stopping = trial.state is State.STOPPING
        attempts_left = self.plan.max_failures < 0 or trial.failures <= self.plan.max_failures
        self._move(trial, message, retry=self.stopped is None and (retry or attempts_left))
        self.ledger.release(trial.id)
        self._is_full = False
        if self._learns and trial.state is State.PAUSED:
            self.history.paused(trial.id)
        if trial.state is State.ENDED:
            self._end(trial, trial.outcome if stopping and trial.outcome and message is not Finished else outcome)
        elif trial.state is State.WAITING:
            self._rejoin(trial)
        elif trial.id in self._resumed:
            self._resumed.remove(trial.id)
            self._rejoin(trial)

    def _join(self, trial: Trial) -> None:
        self._line.add(trial.id, trial.request)
        self._is_full = False

    def _rejoin(self, trial: Trial) -> None:
        """Line up again: to be tried again as it was, or as what succeeds it once that is known."""
        if trial.id not in self._relaunches:
            self._join(trial)
        elif self._relaunches.is_ready(trial):
            self._succeed(trial)

    def _explored(self, request: Request, suggestion: Suggestion | None) -> None:
        """What a trial will go on as is known; it goes on as it was if the searcher has no variation."""
        trial = self.trials[request.trial]
        if trial.id not in self._relaunches:  # it has ended meanwhile
            return
        if suggestion is None:
            self._commands += self._relaunches.refused(trial)
        else:
            self._relaunches.answered(trial, suggestion, _joined(request.tags, suggestion.tags))
        if not trial.active:
            self._rejoin(trial)

    def _succeed(self, trial: Trial) -> None:
        self._commands += self._relaunches.succeed(trial)
        if self._learns:
            self.history.born(trial.id, trial.config, trial.tags)
        self._join(trial)

    def _end(self, trial: Trial, outcome: Outcome) -> None:
        trial.outcome, trial.ended = outcome, self._now
        trial.latest = trial.metrics  # a row is smaller than a frame
        self._supply.news = True
        self.outcomes[outcome.kind] += 1
        self._resumed.discard(trial.id)
        self._commands += self._relaunches.forget(trial)
        if trial.admitted:
            self.judge.end(trial, outcome)
        if self._learns:
            self.history.ended(trial.id, outcome)
        reason = self._limits.ended(trial, outcome)
        if reason is not None:
            self._stop_all(reason)

    # Reports ---------------------------------------------------------------------------------------------------------

    def _note_frame(self, trial: Trial, event: Reported) -> None:
        trial.step = event.last_step
        trial.latest = event
        self._supply.news = True
        self.reports += len(event.time_s)
        self.scores.note(trial, event)
        if self._learns:
            self._note_history(event)
        if event.checkpoint is not None:
            is_best = trial.best is not None and trial.best[1] == event.last_step
            checkpoint = Checkpoint(event.checkpoint, event.last_step, event.time_s[-1])
            cost = self.scores.cost_to_keep(trial)
            self._commands += self._retention.save(trial, checkpoint, best=is_best, cost=cost)

    def _note_history(self, event: Reported) -> None:
        count, columns = range(len(event.time_s)), event.columns
        values = [(*self.scores.values(columns, index), *self.scores.violations(columns, index)) for index in count]
        metrics = [event.row(index) for index in count] if self.history.keeps_metrics else ()
        self.history.seen(event.trial, event.first_step, values, metrics, event.time_s)

    # The reconciliation ----------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Give free resources to whoever's turn it is, until there are none or nobody wants any.

        Once all is taken, that only changes when something is released, or somebody joins the line.
        """
        if self._supply.waiting and not (self.active or self._supply or self._supply.asking or len(self._line)):
            self._supply.give_up()
        all_taken = True
        while self.active < self._limit:
            number = self._line.pick(self.ledger.fits, self.ledger.capacity)
            if number is not None:
                self._launch(self.trials[number])
            elif not self._choose():
                all_taken = self._cause == "resources"
                break
        self._is_full = all_taken and self.active > 0
        self._idle = (self._cause, min(self.ledger.room(self._request), int(min(self._limit - self.active, 1e9))))

    def _choose(self) -> bool:
        """Ask the scheduler what a free slot is for. Tell whether somebody is in line because of it."""
        self._cause = "resources"
        if self.stopped is not None or self._line.blocked(self.ledger.capacity) or not self.ledger.fits(self._request):
            self._cause = "nothing left" if self.stopped is not None else self._cause
            return False
        choice = self.judge.next(can_ask=self._can_ask)
        return _CHOICES[type(choice)](self, choice)

    def _choose_new(self, choice: New) -> bool:
        self._cause = "searcher"
        if not self._supply:
            if self._ask_for_new(choice, starting=0):
                self.judge.write(choice)
            elif not self._supply.asking and not self._supply.waiting:  # there is nothing to be had
                return self._choose_wait(Wait())
            return False
        self.judge.write(choice)
        trial = self.trials[self._supply.take()]
        if not self.ledger.is_possible(trial.request):
            self._cancel(trial, f"needs {trial.resources}; at most {self.ledger.largest(trial.request)} can be had")
            return True
        trial.admitted, self._closed = True, False
        start = self.judge.start(trial)
        trial.until, trial.tags = start.until, _joined(trial.tags, start.tags)
        self._join(trial)
        self._ask_for_new(New(), starting=1)
        return True

    def _ask_for_new(self, choice: New, *, starting: int) -> bool:
        """Ask for as many new trials as are wanted now; tell whether there were any."""
        free = min(self.ledger.room(self._request), self._limit - self.active) - starting
        wanted = self._supply.wanted(free, choice.tags)
        if wanted:
            self._commands.append(self._supply.ask_new(wanted, choice.tags, len(self.history)))
        return wanted > 0

    def _choose_resume(self, choice: Resume) -> bool:
        trial = self.trials[choice.trial]
        if self._is_doomed(trial):
            self.judge.write(choice)
            return True
        pausing = trial.state is State.STOPPING and trial.then is not State.WAITING
        twice = trial.id in self._line or trial.id in self._resumed or trial.id in self._relaunches
        if (trial.state is not State.PAUSED and not pausing) or twice:
            raise PolicyError(f"the scheduler resumed what is not paused\n{self.story(trial.id)}")
        self.judge.write(choice)
        trial.until = choice.until
        cloned = choice.donor is not None and self._inherit(trial, choice.donor, choice.until)
        if trial.state is State.PAUSED and not cloned:
            self._join(trial)
        elif pausing:  # it lines up as soon as it gets there
            self._resumed.add(trial.id)
        return True

    def _choose_drop(self, choice: Drop) -> bool:
        trial = self.trials[choice.trial]
        if trial.state is State.ENDED:
            raise PolicyError(f"the scheduler dropped what has ended\n{self.story(trial.id)}")
        self.judge.write(choice)
        self._put_an_end_to(trial, choice.reason)
        return True

    @staticmethod
    def _is_doomed(trial: Trial) -> bool:
        """A stop rule has outweighed the scheduler's verdict, which will hear of the end, and cannot know of it yet."""
        return trial.state is State.STOPPING and trial.then is State.ENDED

    def _choose_wait(self, choice: Wait) -> bool:
        self._cause = "scheduler"
        idle = not self.active and not self._supply.asking and not len(self._line)
        paused = [trial for trial in self.trials.values() if trial.state is State.PAUSED] if idle else []
        if idle and not paused and self._can_ask:
            raise PolicyError(
                "the scheduler waits, but nothing runs, nothing is paused, and there are new trials to be had"
            )
        if paused or not (self._can_ask or self._closed):  # else it changes nothing, and is not written
            self._closed = self._closed or not self._can_ask
            self.judge.write(choice)
        for trial in paused:
            self._cancel(trial, "never resumed")
        return bool(paused)  # with these gone, the answer may be another one

    @property
    def _can_ask(self) -> bool:
        return bool(self._supply) or self._supply.asking or self._supply.may_ask

    @property
    def _living(self) -> int:
        return self.counts[State.WAITING] + self.counts[State.PAUSED]

    # The end of everything -------------------------------------------------------------------------------------------

    def _expire(self) -> None:
        reason = self._limits.over(self._now)
        if reason is not None:
            self._stop_all(reason)
        for trial, outcome in self._limits.overdue(self._now, self.trials):
            self._halt(trial, State.ENDED, outcome)

    def _stop_all(self, reason: str) -> None:
        """End the run: halt what runs, cancel what waits. O(trials), once."""
        if self.stopped is not None:
            return
        self.stopped = reason
        self._supply.end()
        for trial in list(self.trials.values()):
            if trial.state is not State.ENDED:
                self._put_an_end_to(trial, reason)

    # Notes -----------------------------------------------------------------------------------------------------------

    def _account(self, now: float) -> None:
        """Book the time since the last event to whatever kept slots empty."""
        cause, slots = self._idle
        self.idle_s[cause] += slots * (now - self._now)

    def warn(self, text: str) -> None:
        """Note something that the user should know; said once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def _tell(self, event: Event) -> str:
        return self.story(cast(TrialEvent, event).trial) if type(event) in _OF_A_TRIAL else ""


_OF_A_TRIAL: dict[type, Callable[[Experiment, Trial, Any], None]] = {
    Started: Experiment._on_started,
    Reported: Experiment._on_reported,
    Finished: Experiment._on_finished,
    Failed: Experiment._on_failed,
    Halted: Experiment._on_halted,
    Lost: Experiment._on_lost,
}
_OTHERS: dict[type, Callable[[Experiment, Any], None]] = {
    CapacityChanged: Experiment._on_capacity,
    Enqueued: Experiment._on_enqueued,
    StopRequested: Experiment._on_stop_requested,
    SamplesAdded: Experiment._on_samples_added,
    RetryRequested: Experiment._on_retry_requested,
    Suggested: Experiment._on_suggested,
    Ticked: Experiment._on_ticked,
}
_VERDICTS: dict[type, Callable[..., None]] = {
    Continue: Experiment._continue,
    Pause: Experiment._pause,
    Stop: Experiment._stop,
    Clone: Experiment._clone,
    Resize: Experiment._resize,
}
_CHOICES: dict[type, Callable[..., bool]] = {
    New: Experiment._choose_new,
    Resume: Experiment._choose_resume,
    Drop: Experiment._choose_drop,
    Wait: Experiment._choose_wait,
}
