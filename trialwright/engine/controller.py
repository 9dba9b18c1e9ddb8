"""The controller: the shell around the experiment, and the only code that awaits.

One turn of its loop: take what has arrived, hand it to the experiment, append it to the journal with the decisions,
carry out the commands. The loop does not wait for commits, but commands that destroy, acknowledge or show something do:
a Discard, a durable Extend or Halt, and calls of callbacks. These are sent, in order, when their turn is committed. The
others may be sent before, because the work that they start ends with this process.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from trialwright.core.experiment import Experiment
from trialwright.core.trial import Trial
from trialwright.engine.hooks import Hooks
from trialwright.engine.requests import Additions, InboxReader
from trialwright.engine.running import Ending
from trialwright.engine.snapshots import Snapshots
from trialwright.engine.watchers import (
    Display,
    Meter,
    Spent,
    Watchers,
    tell_of_a_slow_searcher,
    tell_what_is_waited_for,
)
from trialwright.errors import InternalError, StorageError
from trialwright.executors.base import Executor, Run
from trialwright.messages import (
    Command,
    Decision,
    Discard,
    Enqueued,
    Event,
    Extend,
    Halt,
    Launch,
    Reported,
    SamplesAdded,
    Started,
)
from trialwright.progress import Progress, Snapshot
from trialwright.storage.base import COMMITTED, Store, TrialRow, Turn

UNCOMMITTED_MAX = 64  # turns that may be on their way to the disk before the loop waits for them
UNCOMMITTED_BYTES_MAX = 16 * 2**20  # and how much is in their reports
PROGRESS_S = 0.25
INBOX_S = 0.5
YIELD_S = 0.05  # a simulated world never waits: the loop still gets a moment so often, for signals


@dataclass
class Leftover:
    """What an earlier session left to be done first: decisions on its last events, in order, that are not written; its
    commands; and events from before this session. ``turns`` is how many the earlier sessions had."""

    decisions: list[Sequence[Decision]] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    turns: int = 0


@dataclass
class Controller:
    """Drives one run to its end, from its first event or from where it was interrupted."""

    experiment: Experiment
    executor: Executor
    store: Store
    run: Run
    meter: Meter
    progress: Progress
    hooks: Hooks
    name: str
    inbox: InboxReader
    additions: Additions

    async def drive(self, leftover: Leftover) -> None:
        """Carry out what an earlier session left, and run to the end.

        Raises:
            StorageError: the journal could not be written; what was acknowledged is safe.
            PolicyError: a scheduler, searcher, or stop rule raised.
            ExecutorError: the place where trials run is not available any more, or never was.
        """
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._held: deque[tuple[Future[None], Callable[[], None], Command | None]] = deque()
        self._uncommitted: deque[tuple[Future[None], int]] = deque()  # and how many bytes
        self._uncommitted_bytes = 0
        self._is_told = False  # the loop knows that something is committed
        self._failure: BaseException | None = None
        self._opened = False
        directory = str(self.run.directory) if self.run.directory else None
        self._snapshots = Snapshots(self.experiment, self.meter, self.name, directory)
        self._told: list[Event] = []  # handed to the executor, which has not returned them yet
        self._is_watched = self.store.is_watched
        self._is_virtual = getattr(self.executor, "is_virtual", False)
        self._began = self._turned = self._yielded = time.perf_counter()
        if await self._was_over(leftover):
            return
        try:
            async with Ending(self.experiment.warn) as ending:
                self._begin(ending)
                began = time.perf_counter()
                await self.executor.open(self.run)
                self._opened = True
                self.meter.opened(time.perf_counter() - began, getattr(self.executor, "open_hint", ""))
                self.additions.open(lambda: self._loop.call_soon_threadsafe(self._take_additions))
                self._take_additions()
                await self._run(leftover)
        except asyncio.CancelledError:
            if self._failure is not None:  # a commit failed: ``_release`` has cancelled this task
                raise self._failure from None
            raise

    async def _was_over(self, leftover: Leftover) -> bool:
        """Tell whether the resumed run was over already, and nothing more is requested: then only its result is
        needed."""
        if not self.experiment.done or leftover.events:  # more samples, or retries, are to be run
            return False
        requests = await self.inbox.read()
        # Requests to stop change nothing here.
        if any(isinstance(request, Enqueued | SamplesAdded) for request in requests):
            leftover.events += requests
        return not leftover.events and self.additions.end()

    def _begin(self, ending: Ending) -> None:
        """Start what runs beside the loop; register how it ends, in reverse order."""
        display, watchers = Display(self.progress, self.experiment.warn), Watchers(self.experiment.warn)
        ending.step("the display", lambda: display.close(self.snapshot()))
        ending.step("the callbacks", lambda: asyncio.to_thread(self.hooks.end))
        ending.step("the executor", self.executor.close)
        ending.step("the watchers", watchers.close)
        ending.step("the additions from other threads", self._refuse_additions)
        watchers.begin("the meter of the loop", self.meter.watch)
        watchers.begin("the display", lambda: self._show(display))
        watchers.begin("the inbox", self._read_inbox)
        watchers.begin("the notice of waiting", lambda: tell_what_is_waited_for(self._waits_for, self.run.warn))
        watchers.begin("the notice of a slow searcher", lambda: tell_of_a_slow_searcher(self._spent, self.run.warn))
        self.hooks.begin(self.name)  # now, so that what callbacks start (a logger's process) starts beside the executor

    def _spent(self) -> Spent:
        return Spent(self.now(), self.experiment.idle_s.get("searcher", 0.0), self.experiment.active)

    def snapshot(self) -> Snapshot:
        """Return the run as it is now, for people."""
        if self._opened:
            return self._snapshots.take(self.now(), waits=self.experiment.waits_for)
        elapsed_s = self.run.began_s + time.perf_counter() - self._began  # the executor has no clock before it is open
        return self._snapshots.take(elapsed_s, starting=getattr(self.executor, "starting", ""))

    def _waits_for(self) -> str:
        return self.experiment.waits_for if self._opened else ""

    async def _refuse_additions(self) -> None:
        """The run ends, by an error or not."""
        self.additions.close()

    def _take_additions(self) -> None:
        """Take in what other threads have asked for."""
        self._tell(self.additions.take())

    def _tell(self, events: Sequence[Event]) -> None:
        """Have the executor return these with the next events."""
        for event in events:
            self._told.append(event)  # the run is not over while one is on its way
            self.executor.tell(event)

    async def _show(self, display: Display) -> None:
        """Show the run now and then, also while nothing happens in it."""
        while True:
            await asyncio.sleep(PROGRESS_S)
            snapshot = self.snapshot()
            await self._committed()  # what is shown must survive a crash
            display.update(snapshot)
            if self._is_watched and self.experiment.touched:  # no turn has written these rows yet
                with suppress(StorageError):  # the next turn raises it
                    self._append(Turn(self.now(), [], trials=[*self._rows()]))

    async def _read_inbox(self) -> None:
        """Take in what other processes ask for."""
        while True:
            await asyncio.sleep(INBOX_S)
            if self._opened:
                await self._take_from_inbox()

    async def _take_from_inbox(self) -> None:
        """Take in what has come into the inbox."""
        self._tell(await self.inbox.read())

    def now(self) -> float:
        """Seconds of the run."""
        return self.executor.now() if self._opened else self.run.began_s

    async def _run(self, leftover: Leftover) -> None:
        """The loop. Its first turn has the machines, then the workers of an earlier session, which are lost."""
        experiment = self.experiment
        late = COMMITTED
        if leftover.decisions:
            late = self._append(Turn(self.now(), [], digest=experiment.digest, late=leftover.decisions))
        self._carry_out([*leftover.commands, *experiment.start()], late)
        # Machines first: trials whose workers are lost start again on those that are there now.
        machines = self._noted(await self.executor.events(experiment.deadline))
        self._turn([*machines, *experiment.orphans(), *map(self.run.as_kept, leftover.events)])
        self._check_feasible()
        while not (experiment.done and await self._is_over()):
            self._turn(self._noted(await self.executor.events(experiment.deadline)))
            if self._turned - self._yielded > YIELD_S or self._is_ahead_of_the_disk:
                await self._breathe()
        await self._finish()

    async def _is_over(self) -> bool:
        """Nothing runs any more. Declare the run over, unless more is requested at the last moment: callbacks hear of
        the last turn, and may enqueue; the inbox is read once more. A run that was stopped takes no more requests.
        """
        if self.experiment.stopped is not None:
            self.additions.close()
        else:
            if self.hooks.are_wanted:
                await self._committed()  # callbacks hear of a turn only then
                await asyncio.to_thread(self.hooks.settle)
            await self._take_from_inbox()
        while not self._told and not self.additions.end():
            self._take_additions()
        return not self._told

    def _noted(self, events: list[Event]) -> list[Event]:
        """Forget the events handed to the executor that it has returned; return all events as the journal has them."""
        if self._told:
            self._told = [event for event in self._told if event not in events]
        # A journal that is moved with its directory stays valid: paths in it are relative.
        return events if self._is_virtual else [self.run.as_kept(event) for event in events]

    def _turn(self, events: Sequence[Event]) -> None:
        now, began = self.executor.now(), time.perf_counter()
        commands: list[Command] = []
        decisions: list[Sequence[Decision] | None] = []
        try:
            for event in events:
                commands += self.experiment.handle(now, event)
                decisions.append(self.experiment.judge.take())
                if type(event) is Started:
                    self.meter.started(event, now)
        except BaseException:
            # What has arrived is kept, without decisions: a resumed run makes them, perhaps with a repaired scheduler.
            self._append(Turn(now, events, [*decisions, *[None] * (len(events) - len(decisions))]))
            raise
        rows = [*self._rows()] if self._is_watched else ()
        is_awaited = any(map(self._must_wait, commands))
        committed = self._append(Turn(now, events, decisions, self.experiment.digest, rows, is_awaited=is_awaited))
        self._carry_out(commands, committed)
        self._turned = time.perf_counter()
        self.meter.turn(len(events), self._turned - began)
        if self.hooks.are_wanted:
            self._when(committed, self.hooks.turn(events, commands, self.experiment))

    def _check_feasible(self) -> None:
        """Before the first trial: refuse resources that no machine can ever grant, for which the run would wait without
        end."""
        experiment = self.experiment
        if experiment.trials or experiment.feasible:
            return
        wanted, largest = experiment.plan.resources, experiment.largest
        why = f"resources={wanted} can never be granted here: the largest request that can is {largest}"
        hint = getattr(self.executor, "more_hint", "")
        raise ValueError(f"{why}; if there is more, say so: executor={hint}" if hint else why)

    def _append(self, turn: Turn) -> Future[None]:
        samples = -1 if self.experiment.samples is None else self.experiment.samples
        committed = self.store.append(turn._replace(is_paused=self.experiment.is_paused, samples=samples))
        if committed is COMMITTED:  # a store in memory: nothing to wait for
            return committed
        if not committed.done():
            size = sum(event.size for event in turn.events if isinstance(event, Reported))
            self._uncommitted.append((committed, size))
            self._uncommitted_bytes += size
            committed.add_done_callback(self._tell_loop)
        elif (error := committed.exception()) is not None:
            raise error
        return committed

    def _rows(self) -> Iterator[TrialRow]:
        """Yield the rows of the trials that have changed since they were shown last."""
        touched = sorted(self.experiment.touched)
        self.experiment.touched.clear()
        sign = (*self.experiment.plan.signs, 1.0)[0]  # a run may have no metric
        yield from (trial_row(self.experiment.trials[number], sign) for number in touched)

    def _carry_out(self, commands: Sequence[Command], committed: Future[None]) -> None:
        for command in commands:
            if isinstance(command, Launch) and command.after is None:  # one sent ahead starts when a slot is free
                self.meter.launched(command, self.now())
            if not self._is_virtual:  # a simulated checkpoint has a name, not a path
                command = self.run.as_done(command)  # noqa: PLW2901
            if self._must_wait(command):
                self._when(committed, partial(self.executor.do, command), command)
            else:
                self.executor.do(command)

    def _must_wait(self, command: Command) -> bool:
        """Tell whether a command destroys or acknowledges something. A simulated run does not wait for a real disk: it
        ends with this process."""
        if self._is_virtual:
            return False
        if isinstance(command, Halt):  # it must not overtake an Extend that still waits, after which the trial goes on
            return command.durable or any(
                isinstance(held, Extend) and held.trial == command.trial for _, _, held in self._held
            )
        return isinstance(command, Discard) or (isinstance(command, Extend) and command.durable)

    def _when(self, committed: Future[None], do: Callable[[], None], command: Command | None = None) -> None:
        """Do it once the turn is committed, after everything that was held before."""
        # Behind what is held, even if this turn is committed: what waits leaves in order.
        if self._held or not committed.done():
            self._held.append((committed, do, command))
        else:
            do()

    def _tell_loop(self, _: Future[None]) -> None:
        """In the writer's thread: a turn is committed, or could not be."""
        if not self._is_told:  # once for all turns of a commit
            self._is_told = True
            with suppress(RuntimeError):  # the loop is closed: the run has ended otherwise
                self._loop.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        """Carry out what waited for a commit."""
        self._is_told = False  # first: a commit from now on must call this again
        while self._uncommitted and self._uncommitted[0][0].done():
            committed, size = self._uncommitted.popleft()
            self._uncommitted_bytes -= size
            if (error := committed.exception()) is not None:
                self._failure = self._failure or error
                if self._task is not None:
                    self._task.cancel()
                return
        while self._held and self._held[0][0].done():
            self._held.popleft()[1]()

    async def _committed(self) -> None:
        """Wait until the turns so far are committed, and what waited for that is done."""
        if self._uncommitted:
            await _settled(self._uncommitted[-1][0])

    @property
    def _is_ahead_of_the_disk(self) -> bool:
        return len(self._uncommitted) > UNCOMMITTED_MAX or self._uncommitted_bytes > UNCOMMITTED_BYTES_MAX

    async def _breathe(self) -> None:
        """Wait for the disk if it is far behind; let the loop handle signals and timers."""
        while self._is_ahead_of_the_disk:  # else the turns of a fast run would fill the memory
            await _settled(self._uncommitted[0][0])
        self._yielded = self._turned
        await asyncio.sleep(0)

    async def _finish(self) -> None:
        """The last decisions go to the journal; the result is shown only once they are there."""
        committed = self._append(Turn(self.now(), [], trials=self._rows(), is_last=True))
        await asyncio.wrap_future(committed)
        if self._held:  # the writer has called the loop, which may not have come to ``_release`` yet
            await asyncio.sleep(0)
            self._release()
        if self._held:
            raise InternalError(f"commands were never carried out: {list(self._held)[:3]}")


async def _settled(committed: Future[None]) -> None:
    """Wait until a turn is committed, or cannot be: the error is raised by way of ``_release``."""
    waiting = asyncio.wrap_future(committed)
    waiting.add_done_callback(lambda future: future.cancelled() or future.exception())  # else asyncio prints it
    await asyncio.wait([waiting])
    await asyncio.sleep(0)  # ``_release``, which was called first, comes first


def trial_row(trial: Trial, sign: float) -> TrialRow:
    """Return the row of the ``trials`` table for a trial as it is now; ``sign`` is that of the first metric."""
    outcome = trial.outcome if trial.ended is not None else None
    return TrialRow(
        trial.id,
        trial.state.value,
        outcome.kind if outcome else None,
        outcome.reason if outcome else "",
        trial.attempt,
        trial.step,
        trial.config,
        trial.tags,
        trial.metrics,
        trial.checkpoint.path if trial.checkpoint else None,
        trial.error,
        trial.traceback,
        trial.started,
        trial.ended,
        trial.worker,
        trial.best and (sign * trial.best[0], trial.best[1]),
        trial.best_checkpoint.path if trial.best_checkpoint else None,
        trial.best_metrics if trial.best and trial.best[1] != trial.step else {},
        trial.periods if trial.before else (),
    )
