"""All trials of a run: what each is, holds and waits for. Every change of a trial's state is made here.

The resulting commands are collected in ``commands``, which the experiment returns once an event is handled.
"""

from __future__ import annotations

from collections import Counter, deque

from trialwright import messages, resources
from trialwright.core.checkpoints import Relaunches, Retention
from trialwright.core.front import Front
from trialwright.core.judge import Judge
from trialwright.core.ledger import Ledger
from trialwright.core.limits import Failures, Limits, Missing
from trialwright.core.plan import Plan
from trialwright.core.supply import Supply
from trialwright.core.trial import NO_TAGS, RANK, State, TransitionLog, Trial, has_begun, joined, target
from trialwright.core.waiting import Holds, Line, Queues
from trialwright.errors import InternalError, InvalidTransition
from trialwright.history import HistoryLog
from trialwright.streams import Streams

_HOW = {messages.Finished: "completed", messages.Failed: "failed", messages.Lost: "lost", messages.Halted: "paused"}
ENDED_KEPT = 100  # the last trials that ended, for displays


class Trials:
    """The trials by number, and the records about them: resources, the line, new trials, checkpoints, limits.

    Args:
        plan: the settings.
        judge: hears of ends, and has the stop rules' boundaries.
        learns: whether the searcher looks at results; if not, no history is written for it.
        ahead: how many trials may wait in a slot.
    """

    def __init__(self, plan: Plan, judge: Judge, *, learns: bool, ahead: int) -> None:
        self.by_number: dict[int, Trial] = {}
        self.counts: Counter[State] = Counter()
        self.active = 0  # trials that hold resources
        self.paused: set[int] = set()
        self.resumed: set[int] = set()  # to be resumed, and not yet paused
        self.outcomes: Counter[str] = Counter()
        self.never_began: Counter[str] = Counter()  # of these, by outcome
        self.ended: deque[Trial] = deque(maxlen=ENDED_KEPT)  # the last that began and ended, in this order
        self.ends = 0  # how many there were in all; one that is tried again counts each time
        self.longest_s = 0.0  # for how long one of them ran
        self.front = Front(plan)
        self.touched: set[int] = set()  # changed since the controller emptied this
        self.stopped: str | None = None  # why the whole run ends, once it does
        self.warnings: list[str] = []
        self.commands: list[messages.Command] = []
        self.now = 0.0
        self.is_full = False  # nothing can be started before something is released or a trial joins the line
        self.standard = None if plan.resources is None else resources.to_request(plan.resources)
        self.ledger = Ledger(self.standard)
        self.line = Line()
        self.holds = Holds()
        self.queues = Queues(ahead)
        self.supply = Supply(plan.samples, plan.prefetch)
        self.limits = Limits(plan)
        self.failures = Failures()
        self.missing = Missing(plan, judge.rule)
        self.retention = Retention(plan.keep_checkpoints)
        self.relaunches = Relaunches(self.retention)
        self.transitions = TransitionLog()
        self.history = HistoryLog()
        self.learns = learns
        self._judge = judge
        self._max_failures = plan.max_failures
        self._streams = Streams(plan.seed)

    # Beginnings ------------------------------------------------------------------------------------------------------

    def create(
        self, number: int, config: messages.Config, tags: messages.Tags, amounts: dict[str, float] | None
    ) -> Trial:
        """Make a trial that waits; ``amounts`` of resources are None where all trials need the same."""
        request = self.standard if amounts is None else resources.to_request(amounts)
        assert request is not None, "where requests differ, each suggestion brings its own"
        trial = Trial(number, config, request, self._streams.integer("trial", number), tags or NO_TAGS)
        self.by_number[number] = trial
        self.counts[State.WAITING] += 1
        self.touched.add(number)
        if self.learns:
            self.history.born(number, config, tags)
        return trial

    def join_line(self, trial: Trial) -> None:
        """The trial waits for its resources; one that is held does so once it is let go."""
        if self.holds.keeps(trial.id):
            return
        self.line.add(trial.id, trial.request)
        self.is_full = False

    def is_too_large(self, trial: Trial, request: resources.Request) -> bool:
        """Tell whether no machine could ever hold the request. This is written as a decision, because it depends on the
        machines of the moment."""
        return self._judge.finds(messages.TooLarge(trial.id), lambda: not self.ledger.is_possible(request))

    def size(self, request: resources.Request) -> str:
        """Describe a request, and the most that is available."""
        return f"{resources.describe(request)}; at most {self.ledger.largest(request)} is available"

    # Work ------------------------------------------------------------------------------------------------------------

    def launch(self, trial: Trial, placements: tuple[messages.Placement, ...]) -> None:
        """Start the trial's next attempt where the ledger has booked room for it."""
        lease = self._begin(trial)
        self.queues.granted(trial.id, trial.attempt)
        self.commands.append(
            messages.Launch(trial.id, trial.attempt, trial.config, placements, lease, trial.seed, trial.checkpoint)
        )

    def _begin(self, trial: Trial) -> messages.Until:
        """Begin the trial's next attempt. Return its lease."""
        trial.attempt += 1
        trial.step = trial.checkpoint.step if trial.checkpoint else 0  # steps after the checkpoint are repeated
        self.move(trial, messages.Launch)
        lease = self.lease(trial)
        if self.learns:
            self.history.launched(trial.id, lease)
        return lease

    def start(self, trial: Trial, worker: str) -> None:
        """User code has begun to run."""
        self.move(trial, messages.Started)
        trial.worker = worker
        if trial.begun is None:  # a slot may begin a trial that the one before it has handed it already
            trial.begun = self.now
        if trial.started is None:  # a retry does not count as a new beginning
            trial.started = self.now
        self.limits.started(self.now, trial)

    def queue(self, trial: Trial, after: Trial) -> None:
        """Send a trial to the slot of one that runs, to be run there after it."""
        self.queues.add(trial.id, after.id)
        placements, grant = self.ledger.held(after.id), self.queues.grant(after.id)
        # The attempt counts once the trial's turn has come: until then it waits, and may come back unstarted.
        launch = (trial.id, trial.attempt + 1, trial.config, placements, self.lease(trial), trial.seed)
        self.commands.append(messages.Launch(*launch, trial.checkpoint, after=grant))

    def unqueue(self, trial: Trial) -> None:
        """A trial that waited in a slot comes back, to the head of the line."""
        self.queues.remove(trial.id)
        self.line.add_first(trial.id, trial.request)
        self.is_full = False

    def extend(self, trial: Trial, until: messages.Until) -> None:
        """Answer the trial's waiting report: go on until there."""
        is_new, trial.until = until != trial.until, until
        self.move(trial, messages.Extend)
        lease = self.lease(trial)
        if self.learns and is_new:  # a stop rule's boundary is met again and again under the same lease
            self.history.extended(trial.id, lease)
        saved = trial.checkpoint is not None and trial.checkpoint.step == trial.step  # the answer acknowledges it
        self.commands.append(messages.Extend(trial.id, trial.attempt, lease, durable=saved))

    def halt(self, trial: Trial, then: State, outcome: messages.Outcome | None = None) -> None:
        """End the trial's work. One Halt is enough; a later decision may only raise where the trial goes."""
        if trial.state is State.RUNNING:
            self.commands.append(messages.Halt(trial.id, trial.attempt, durable=then is not State.ENDED))
        elif RANK[then] <= RANK[trial.then]:
            return  # a pause must not take back an end that was decided before
        trial.then = then
        trial.outcome = outcome
        self.move(trial, messages.Halt)

    def hold(self, trial: Trial) -> None:
        """Have the trial neither run nor start until it is let go."""
        self.holds.add(trial.id, is_due=trial.id in self.line)
        self.line.remove(trial.id)
        if trial.state is State.RUNNING:
            self.halt(trial, State.WAITING)

    def let_go(self, trial: Trial) -> None:
        """Let a trial that was held start again, in its turn."""
        if self.holds.remove(trial.id):
            self.join_line(trial)

    def lease(self, trial: Trial) -> messages.Until:
        """Return all boundaries at which the trial's report has to wait: the scheduler's and the stop rules'."""
        boundaries = self._judge.rule.boundaries
        # Without rules the very same tuple, for every report: most runs have none.
        return tuple(dict.fromkeys((*trial.until, *boundaries))) if boundaries else trial.until

    def move(self, trial: Trial, message: type, *, retry: bool = False) -> None:
        """Take the trial through the table: the only place where a state changes."""
        before, after = trial.state, target(trial, message, retry=retry)
        self.transitions.note(self.now, trial, message, after)
        if after is None:
            story = self.transitions.story(trial.id)
            raise InvalidTransition(f"{message.__name__} in state {before}\n{story}")
        self.touched.add(trial.id)
        if after is not before:  # most messages are reports, which change no state and cost no counting
            trial.state, counts = after, self.counts
            counts[before] -= 1
            counts[after] += 1
            self.active = counts[State.RUNNING] + counts[State.STOPPING]
            if after is State.PAUSED:
                self.paused.add(trial.id)
            elif before is State.PAUSED:
                self.paused.discard(trial.id)

    # Ends ------------------------------------------------------------------------------------------------------------

    def leave(self, trial: Trial, message: type, outcome: messages.Outcome, *, retry: bool = False) -> None:
        """The trial's work is known to have ended: release its resources and send it where it goes."""
        stopping = trial.state is State.STOPPING
        attempts_left = self._max_failures < 0 or trial.failures <= self._max_failures
        # A run that was stopped tries nothing again, or it would never end.
        self.move(trial, message, retry=self.stopped is None and (retry or attempts_left))
        if self.learns and trial.state is State.PAUSED:
            self.history.paused(trial.id)
        if trial.state is not State.ENDED:
            trial.rest(self.now, _HOW[message])
        if trial.state is State.ENDED:
            halted = stopping and message is not messages.Finished  # one that finished before its Halt is completed
            self._end(trial, trial.outcome if halted and trial.outcome else outcome)
        elif trial.state is State.WAITING:
            self.rejoin_line(trial)
        elif trial.id in self.resumed:  # the scheduler resumed it while it was still on the way to its pause
            self.resumed.remove(trial.id)
            self.rejoin_line(trial)
        self._pass_on(trial, is_lost=message is messages.Lost)

    def _pass_on(self, trial: Trial, *, is_lost: bool) -> None:
        """Give what the trial held to the next one in its slot, if there is one; else it is free."""
        for number in reversed(self.queues.dissolve(trial.id) if is_lost else ()):  # each goes to the head of the line
            self.unqueue(self.by_number[number])
        successor = self.queues.follow(trial.id)
        if successor is None:
            self.ledger.release(trial.id)
            self.is_full = False
        else:
            self.ledger.hand_over(trial.id, successor)
            follower = self.by_number[successor]
            self._begin(follower)
            self.start(follower, trial.worker)  # its slot has begun it already, and sends no Started

    def end_early(self, trial: Trial, reason: str) -> None:
        """End a trial that has not ended, in whatever state it is."""
        if trial.active:
            self.halt(trial, State.ENDED, messages.Outcome("stopped", reason))
        else:
            self.cancel(trial, reason)

    def cancel(self, trial: Trial, reason: str) -> None:
        """End a trial that holds no worker."""
        self.supply.remove(trial.id)
        self.line.remove(trial.id)
        self.queues.remove(trial.id)
        self.is_full = False
        self.commands.append(messages.Cancel(trial.id))
        outcome = messages.Outcome("cancelled" if trial.attempt == 0 else "stopped", reason)
        self.move(trial, messages.Cancel)
        self._end(trial, outcome)

    def stop_all(self, reason: str) -> None:
        """End the run: halt what runs, cancel what waits. O(trials), once."""
        if self.stopped is not None:
            return
        self.stopped = reason
        self.supply.end()  # first: each trial that is cancelled would be searched for among those that wait
        for trial in list(self.by_number.values()):
            if trial.state is not State.ENDED:
                self.end_early(trial, reason)

    def reopen(self, trial: Trial, *, from_checkpoint: bool) -> None:
        """Have a trial that has ended wait to be started again, as a new trial would."""
        assert trial.outcome is not None, "it has ended"
        self.move(trial, messages.RetryRequested)
        self.outcomes[trial.outcome.kind] -= 1
        self.never_began[trial.outcome.kind] -= not has_begun(trial)
        self.limits.forgive(trial.error)
        trial.rest(trial.ended or self.now, trial.outcome.kind)
        trial.outcome, trial.ended, trial.failures, trial.admitted = None, None, 0, False
        if not from_checkpoint:  # the scheduler hears of all its steps again, as of a new trial
            trial.checkpoint, trial.judged_step = None, 0
        if self.learns:
            self.history.born(trial.id, trial.config, trial.tags)
        self.front.remove(trial)
        self.supply.put(trial.id, first=True)

    def _note_end(self, trial: Trial) -> None:
        self.longest_s = max(self.longest_s, trial.ran_s)
        self.ended.append(trial)
        self.ends += 1
        self.front.add(trial)

    def _end(self, trial: Trial, outcome: messages.Outcome) -> None:
        trial.outcome, trial.ended = outcome, self.now
        trial.latest = trial.metrics  # a row is smaller than a frame
        if trial.best is not None and trial.best[1] == trial.step:
            trial.best_metrics = trial.latest
        self.supply.news = True  # an end is a result too: a searcher that waited may answer now
        if trial.started is not None and outcome.kind in ("completed", "stopped"):
            self.queues.took(trial.ran_s)
        self.outcomes[outcome.kind] += 1
        self.never_began[outcome.kind] += not has_begun(trial)
        if has_begun(trial):
            self._note_end(trial)
        self.resumed.discard(trial.id)
        self.holds.remove(trial.id)
        self.commands += self.relaunches.forget(trial)
        if trial.admitted:  # a scheduler hears of no trial's end that it has not heard of before
            self._judge.end(trial, outcome)
        if self.learns:
            self.history.ended(trial.id, outcome)
        silent = self.missing.ended(outcome, has_reported=bool(trial.latest))
        reason = self.limits.ended(trial, outcome) or silent  # both have counted the trial by now
        if reason is not None:
            self.stop_all(reason)

    # Clones and other resources --------------------------------------------------------------------------------------

    def clone(self, trial: Trial, number: int, until: messages.Until) -> bool:
        """Ask for a variation of a donor, with which the trial will go on. Return False if the donor has no checkpoint
        to go on from."""
        donor = self.by_number[number]
        if donor.checkpoint is None:
            self.warn(
                "a trial was not cloned, because its donor has no checkpoint: report(..., checkpoint=...) makes one"
            )
            return False
        tags = {**donor.tags, "donor": donor.id}
        request = messages.Request(trial.id, kind="explore", tags=tags, donor=donor.config, attempt=trial.attempt)
        ask = self.supply.ask([request], len(self.history))
        self.commands.append(ask)
        self.relaunches.clone(trial, donor, donor.checkpoint, until, ask.ask)
        return True

    def resize(self, trial: Trial, amounts: dict[str, float], until: messages.Until) -> None:
        """Have the trial go on with other resources, unless no machine could hold them."""
        request = resources.to_request(amounts)
        if self.is_too_large(trial, request):
            self.warn(f"a trial was not resized to {self.size(request)}")
            self.extend(trial, until)
        else:
            self.relaunches.resize(trial, request, until)
            self.halt(trial, State.WAITING)

    def explored(self, ask: int, request: messages.Request, suggestion: messages.Suggestion | None) -> None:
        """The searcher has answered for a clone. Without a variation the trial goes on as it was."""
        trial = self.by_number[request.trial]
        if not self.relaunches.awaits(trial.id, ask):  # it has ended meanwhile, or goes on otherwise
            return
        if suggestion is None:
            self.commands += self.relaunches.refused(trial)
        else:
            self._varied(trial, request, suggestion)
        if not trial.active:  # else ``leave`` does so once the trial's work has ended
            self.rejoin_line(trial)

    def _varied(self, trial: Trial, request: messages.Request, suggestion: messages.Suggestion) -> None:
        wanted = None if suggestion.resources is None else resources.to_request(suggestion.resources)
        if wanted is not None and self.is_too_large(trial, wanted):  # the donor's fitted: it has run
            self.warn(f"a clone keeps its donor's configuration: the varied one needs {self.size(wanted)}")
            assert request.donor is not None, "clones have a donor"
            self.relaunches.unchanged(trial, request.donor, request.tags)
        else:
            self.relaunches.answered(trial, suggestion.config, joined(request.tags, suggestion.tags), wanted)

    def is_resting(self, trial: Trial) -> bool:
        """Tell whether a trial is paused, and is not about to go on."""
        is_taken = trial.id in self.line or self.holds.is_due(trial.id)
        is_taken = is_taken or trial.id in self.resumed or trial.id in self.relaunches
        return trial.state is State.PAUSED and not is_taken

    def retag(self, trial: Trial, tags: messages.Tags) -> None:
        """Add the tags that the searcher gives to a trial that it has chosen."""
        trial.tags = joined(trial.tags, tags)
        if self.learns:
            self.history.born(trial.id, trial.config, trial.tags)

    def rejoin_line(self, trial: Trial) -> None:
        """Join the line again: as it was, or, once it is known how the trial is relaunched, as that."""
        if trial.id not in self.relaunches:
            self.join_line(trial)
        elif self.relaunches.is_ready(trial):
            self.commands += self.relaunches.apply(trial)
            if self.learns:
                self.history.born(trial.id, trial.config, trial.tags)
            self.join_line(trial)

    # Notes -----------------------------------------------------------------------------------------------------------

    def warn(self, text: str) -> None:
        """Add a warning for the user, unless it was given before."""
        if text not in self.warnings:  # else a warning about each report would fill the memory
            self.warnings.append(text)

    def check(self) -> None:
        """Recount every book, in O(trials). Raise ``InternalError`` at the first that does not balance."""
        self.ledger.check()
        trials = self.by_number.values()
        if +self.counts != Counter(trial.state for trial in trials):
            raise InternalError(f"counts {self.counts} are not those of the trials")
        if self.paused != {trial.id for trial in trials if trial.state is State.PAUSED}:
            raise InternalError(f"these trials are not those that are paused: {self.paused}")
        if held := [number for number in self.holds.numbers if number in self.line or self.by_number[number].ended]:
            raise InternalError(f"these trials are held, and are in the line or have ended: {held}")
        for trial in trials:
            holds = self.ledger.holds(trial.id)
            if trial.active != holds:
                raise InternalError(f"trial {trial.id} is {trial.state} and holds a grant: {holds}")
            if (trial.state is State.ENDED) != (trial.outcome is not None and trial.ended is not None):
                raise InternalError(f"trial {trial.id} is {trial.state} with outcome {trial.outcome}")
