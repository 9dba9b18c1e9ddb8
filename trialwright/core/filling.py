"""Filling: gives free resources to the next waiting trial, and asks the scheduler how to use a free slot.

These decisions depend on rules that may change: the order of the line, the ledger's placement, how far ahead the
searcher is asked. So every step is written with the event (``Granted``, ``Asked``, the scheduler's choices), and a
replay takes the steps from the journal instead of deciding again.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import assert_never

from trialwright.core.judge import Judge
from trialwright.core.plan import Plan
from trialwright.core.trial import State, joined
from trialwright.core.trials import Trials
from trialwright.core.waiting import LOOKED_AT
from trialwright.errors import PolicyError
from trialwright.messages import Asked, Consult, Drop, Granted, New, Queued, Resume, Tags, Wait
from trialwright.resources import describe


class Filling:
    """Starts trials while there is room for one and a trial that needs it."""

    def __init__(self, plan: Plan, trials: Trials, judge: Judge) -> None:
        self.limit = plan.max_concurrent_trials or math.inf  # a plan never has 0
        self.idle_s: defaultdict[str, float] = defaultdict(float)  # slot-seconds without work, by cause
        self.busy_s = 0.0  # for how long trials have held resources, summed over the trials
        self._trials = trials
        self._judge = judge
        self._consults = False  # new trials are wanted one by one, where the searcher finds that best
        self._closed = False  # the scheduler has waited, knowing that no new trial will come
        self._cause = ""  # why no more trials were started
        self._idle_slots = 0  # how many stand empty because of that

    def fill(self) -> None:
        """Give free resources to the trials whose turn it is, until there are none or no trial wants any."""
        trials = self._trials
        supply = trials.supply
        is_quiet = not (trials.active or supply or supply.asking or len(trials.line))
        if is_quiet and supply.waiting and not (trials.holds.everything or trials.holds.numbers):
            supply.give_up()  # the searcher waits for results, and none can come any more
        if self._judge.is_replaying:
            self._repeat()
        elif not trials.is_full or (trials.queues.are_short and trials.supply):
            self._decide()

    @property
    def waits_for(self) -> str:
        """The resources that the run waits for, if nothing runs and nothing can start; empty if the run can go on.
        Takes time in proportion to the line: for display only."""
        trials, first = self._trials, self._trials.line.first
        if told := self._paused():
            return told
        request = trials.standard if first is None else trials.by_number[first].request
        is_over = trials.stopped is not None or not (self._can_ask or first is not None or trials.paused)
        if trials.active or is_over or request is None or trials.ledger.fits(request):
            return ""
        if trials.ledger.could_hold(request):
            return f"trials wait for {describe(request)}, which other programs hold: they start once that is free"
        largest = trials.ledger.largest(request)
        return f"trials wait for a machine with {describe(request)}: the largest one present has {largest}"

    def _paused(self) -> str:
        """Say that nothing runs because the user has paused the run or trials; empty if that is not so."""
        trials = self._trials
        if trials.active or trials.stopped is not None:
            return ""
        if trials.holds.everything:
            return "the run is paused by request, until it is continued: trialwright continue RUN"
        held = ", ".join(map(str, trials.holds.numbers))
        return f"trials are paused by request, until they are continued: {held}" if held else ""

    @property
    def idle_cause(self) -> str:
        """What keeps slots empty at this moment; an empty string if none is."""
        return self._cause if self._idle_slots else ""

    def account(self, now: float) -> None:
        """Book the time since the last event: to the trials that ran, and to the cause that kept slots empty."""
        self.busy_s += self._trials.active * (now - self._trials.now)
        if self._idle_slots:
            self.idle_s[self._cause] += self._idle_slots * (now - self._trials.now)

    # What is decided now ---------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        trials = self._trials
        if trials.holds.everything:
            self._cause, self._idle_slots = "paused by request", self._free
            return
        ready = len(trials.supply)
        if not trials.is_full:
            self._start_some()
        self._queue_ahead()
        free = self._free
        if len(trials.supply) < ready and not self._consults:  # some of those that were asked for ahead are used up
            self._ask(self._wanted(free, {}), {})
        self._idle_slots = free

    def _start_some(self) -> None:
        """Start as many trials as possible. Once everything is granted, no more can start until something is released,
        or a trial joins the line."""
        trials, all_taken = self._trials, True
        while trials.active < self.limit:
            number = trials.line.pick(trials.ledger.fits, trials.ledger.could_hold)
            if number is not None:
                trial = trials.by_number[number]
                placements = trials.ledger.grant(number, trial.request)
                self._judge.write(Granted(number, placements))
                trials.launch(trial, placements)
            elif not self._choose():
                all_taken = self._cause == "resources"
                break
        trials.is_full = all_taken and trials.active > 0  # with none active no release would open it again

    def _queue_ahead(self) -> None:
        """Where trials are short, have some wait in the slots: fairly, so that the last ones are not all in one."""
        trials = self._trials
        # Not while trials wait in the line: they were there before, and a slot that is released is theirs.
        while trials.supply and not len(trials.line) and (short := trials.queues.next_short()):
            running, count = short
            share = -(-len(trials.supply) // max(trials.active, 1))
            for _ in range(min(count, share)):
                # Always New: trials wait in slots only under schedulers that answer nothing else (``always_new``).
                self._judge.write(self._judge.next(can_ask=self._can_ask))
                self._start_new()
                number = trials.line.first  # the one that has just joined
                assert number is not None, "where trials wait in slots all need the same, and some run: so it fits"
                self._queue(Queued(number, running))
                self._judge.write(Queued(number, running))

    def _queue(self, decision: Queued) -> None:
        trials = self._trials
        trials.line.remove(decision.trial)
        trials.queue(trials.by_number[decision.trial], trials.by_number[decision.after])

    def _choose(self) -> bool:
        """Ask the scheduler what a free slot is for. Tell whether anything has changed because of it."""
        self._cause = "resources"
        if self._trials.stopped is not None:
            self._cause = "nothing left"
            return False
        if not self._has_room:  # a scheduler is asked only if its answer can be carried out: asking changes its state
            return False
        choice = self._judge.next(can_ask=self._can_ask)
        self._consults = isinstance(choice, Consult)
        if isinstance(choice, Consult):
            if not self._trials.supply:
                return self._consult(choice)
            choice = New(choice.tags)  # trials that were suggested or enqueued already come first
        if isinstance(choice, New) and not self._trials.supply:
            return self._choose_new(choice)
        if isinstance(choice, Wait):
            return self._choose_wait(choice)
        self._judge.write(choice)
        self._carry_out(choice)
        return True

    @property
    def _has_room(self) -> bool:
        """A trial that the scheduler chooses now may be able to start.

        Where requests differ, the next trial's is known once it is in line. So one may join an empty line, and more as
        long as something is free, so that those that fit can overtake.
        """
        trials = self._trials
        if trials.standard is not None:
            return not trials.line.is_full and trials.ledger.fits(trials.standard)
        if len(trials.line) >= LOOKED_AT:  # with those that are set aside: else they would join without end
            return False
        is_free = any(held < there for held, there in trials.ledger.used().values())
        return not self._head_waits or (is_free and bool(trials.supply))

    def _choose_new(self, choice: New) -> bool:
        """A new trial is wanted, and none is there: ask for some."""
        self._cause = "searcher"
        supply, wanted = self._trials.supply, self._wanted(self._free, choice.tags)
        if wanted:
            self._judge.write(choice)
            self._ask(wanted, choice.tags)
            return False
        is_over = not supply.asking and not supply.waiting and not len(self._trials.line)
        return is_over and self._choose_wait(Wait())  # no new trial will come

    def _consult(self, choice: Consult) -> bool:
        """Ask the searcher what is best next. One question at a time: each answer changes the next question."""
        self._cause = "searcher"
        supply = self._trials.supply
        if supply.waiting and self._is_idle:  # nothing will come that could change its mind
            return self._choose_wait(Wait())
        if not (supply.asking or supply.waiting or self._head_waits):
            self._judge.write(choice)
            self._ask_best(choice)
        return False

    def _choose_wait(self, choice: Wait) -> bool:
        self._cause = "scheduler"
        ends = self._is_idle and bool(self._trials.paused)
        # Nothing would ever happen again: better an error than a run that hangs.
        if self._is_idle and not ends and self._can_ask:
            raise PolicyError("the scheduler waits, but nothing runs, nothing is paused, and new trials are available")
        if ends or not (self._can_ask or self._closed):  # else the wait changes nothing, and is not written
            self._judge.write(choice)
            self._close()
        return ends  # now that the paused trials have ended, the scheduler may answer otherwise

    def _wanted(self, free: int, tags: Tags) -> int:
        """Return how many new trials to ask for now that so many could be started.

        While the first in line does not fit, there are none: the line would only grow.
        """
        return 0 if self._head_waits else self._trials.supply.wanted(free, tags)

    def _ask(self, count: int, tags: Tags) -> None:
        if count:
            self._judge.write(Asked(count, tags))
            self._ask_new(count, tags)

    @property
    def _head_waits(self) -> bool:
        """A trial in line could be held by a machine, but does not fit now."""
        trials = self._trials
        return len(trials.line) > 0 and trials.line.head(trials.ledger.could_hold) is not None

    @property
    def _free(self) -> int:
        """How many trials more could be started now; where requests differ, whether to try one."""
        trials = self._trials
        room = int(not self._head_waits) if trials.standard is None else trials.ledger.room(trials.standard)
        return min(room, int(min(self.limit - trials.active, 1e9)))  # infinity has no int

    # What was decided, now or when the journal was written -----------------------------------------------------------

    def _repeat(self) -> None:
        """Replay: take the steps that were written for this event."""
        trials = self._trials
        while (step := self._judge.next_step(can_ask=self._can_ask)) is not None:
            match step:
                case Granted(number, placements):
                    # Where it was placed then, not where today's ledger would place it.
                    trials.line.remove(number)
                    trials.ledger.book(number, placements)
                    trials.launch(trials.by_number[number], placements)
                case Queued():
                    self._queue(step)
                case Asked(count, tags):
                    self._ask_new(count, tags)
                case Wait():
                    self._close()
                case Consult():
                    self._ask_best(step)
                case New() if not trials.supply:
                    pass  # new ones were asked for: that is the next step
                case _:
                    self._carry_out(step)

    def _ask_new(self, count: int, tags: Tags) -> None:
        trials = self._trials
        trials.commands.append(trials.supply.ask_new(count, tags, len(trials.history)))

    def _ask_best(self, choice: Consult) -> None:
        trials = self._trials
        trials.commands.append(trials.supply.consult(choice.tags, len(trials.history)))

    def _carry_out(self, choice: New | Resume | Drop) -> None:
        match choice:
            case New():
                self._start_new()
            case Resume():
                self._resume(choice)
            case Drop(number, reason):
                trial = self._trials.by_number[number]
                if trial.state is State.ENDED:
                    story = self._trials.transitions.story(number)
                    raise PolicyError(f"the scheduler dropped a trial that has ended\n{story}")
                self._trials.end_early(trial, reason)
            case _:
                assert_never(choice)

    def _start_new(self) -> None:
        trials = self._trials
        trial = trials.by_number[trials.supply.take()]
        if trials.is_too_large(trial, trial.request):  # in the line it would wait without end
            trial.error = f"needs {trials.size(trial.request)}"
            trials.cancel(trial, trial.error)
            return
        trial.admitted, self._closed = True, False  # a new trial has come after all
        start = self._judge.start(trial)
        trial.until, trial.tags = start.until, joined(trial.tags, start.tags)
        trials.join_line(trial)

    def _resume(self, choice: Resume) -> None:
        trials, trial = self._trials, self._trials.by_number[choice.trial]
        # A scheduler may resume a trial in the same event in which it paused it: the Halt is then still on its way.
        if trial.state is State.STOPPING and trial.then is State.ENDED:
            return  # a stop rule has overruled the pause; the scheduler hears of the end only later
        pausing = trial.state is State.STOPPING and trial.then is not State.WAITING
        twice = trial.id in trials.line or trials.holds.is_due(trial.id)
        twice = twice or trial.id in trials.resumed or trial.id in trials.relaunches
        if (trial.state is not State.PAUSED and not pausing) or twice:
            raise PolicyError(f"the scheduler resumed a trial that is not paused\n{trials.transitions.story(trial.id)}")
        trial.until = choice.until
        cloned = choice.donor is not None and trials.clone(trial, choice.donor, choice.until)
        if trial.state is State.PAUSED and not cloned:
            trials.join_line(trial)
        elif pausing:  # it joins the line as soon as it is paused
            trials.resumed.add(trial.id)

    def _close(self) -> None:
        """The scheduler waits: with nothing running and nothing asked for, the paused trials are never resumed."""
        self._closed = self._closed or not self._can_ask
        if self._is_idle:
            for number in sorted(self._trials.paused):  # a set's own order may be another one in the replay
                self._trials.cancel(self._trials.by_number[number], "never resumed")

    @property
    def _is_idle(self) -> bool:
        trials = self._trials
        waiting = len(trials.line) or trials.holds.numbers
        return not (trials.active or trials.supply.asking or waiting)

    @property
    def _can_ask(self) -> bool:
        supply = self._trials.supply
        return bool(supply) or supply.asking or supply.may_ask
