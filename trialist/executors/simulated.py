"""Virtual time: the production controller and experiment, and a world that is simulated.

The clock is a number that jumps to the next thing that happens; nothing sleeps, and no wall-clock time leaks in. A
trial has at most one pending event. What takes time in reality takes a parameter here: launching, halting, reporting,
asking.

A *workload* stands for the objective: its state can be saved and cloned, so that schedulers that pause, promote, and
clone are simulated too, and its configuration may change between two steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Protocol, runtime_checkable

from trialist.errors import ExecutorError
from trialist.executors.base import Run
from trialist.messages import (
    Ask,
    Cancel,
    CapacityChanged,
    Command,
    Discard,
    Event,
    Extend,
    Finished,
    Halt,
    Halted,
    Launch,
    Lost,
    Metric,
    Node,
    Reported,
    Started,
    Ticked,
    Until,
)
from trialist.streams import Streams

State = Any  # whatever a workload makes of it; only the workload looks inside


@runtime_checkable
class Workload(Protocol):
    """A training that is computed instead of run."""

    def start(self, config: dict[str, object], seed: int) -> State:
        """Return the state before the first step."""

    def step(self, config: dict[str, object], state: State) -> tuple[State, dict[str, Metric], float] | None:
        """Do one step: return the new state, what is reported, and how many seconds it took; None when the training is
        over.

        The old state must stay as it was: it may be a checkpoint.
        """


@dataclass(frozen=True)
class Delays:
    """How many virtual seconds things take."""

    launch_s: float = 0.0
    halt_s: float = 0.0
    report_s: float = 0.0
    ask_s: float = 0.0


@dataclass(slots=True)
class _Attempt:
    launch: Launch
    config: dict[str, object]
    state: State
    until: Until
    step: int
    time_s: float
    clock: float  # when, by the worker's own time, its last step was done
    running: bool = True  # false while it waits for an answer, and once it is halted


@dataclass
class Simulated:
    """Runs a ``Workload`` in virtual time.

    Args:
        workers: how many trials of one CPU run side by side; or give the ``nodes``.
        delays: what takes how long.
        lost_per_hour: how often a worker is lost while a trial runs on it, on average, per hour of its time.
        checkpoints: whether every report that waits saves a checkpoint.
        seed: of the faults. The trials' own seeds come from the run.
    """

    workers: int = 1
    nodes: Sequence[Node] | None = None
    delays: Delays = field(default_factory=Delays)
    lost_per_hour: float = 0.0
    checkpoints: bool = True
    seed: int = 0

    def now(self) -> float:
        """Virtual seconds."""
        return self._now

    async def open(self, run: Run) -> None:
        """Begin at the time the run has reached."""
        if not isinstance(run.objective, Workload):
            raise ExecutorError(f"Simulated runs a workload (an object with start and step), not {run.objective!r}")
        self._run, self._workload = run, run.objective
        self._now = run.began_s
        self._pending: list[tuple[float, int, Event]] = []
        self._order = 0
        self._attempts: dict[tuple[int, int], _Attempt] = {}
        self._saved: dict[str, State] = {}
        self._streams = Streams(self.seed)
        nodes = self.nodes or (Node("simulated", {"cpu": self.workers}),)
        self._at(self._now, CapacityChanged(tuple(nodes)))

    def do(self, command: Command) -> None:
        """Carry out a command: whatever comes of it is put on the heap."""
        match command:
            case Launch():
                self._launch(command)
            case Extend(trial, attempt, until):
                self._extend(trial, attempt, until)
            case Halt(trial, attempt):
                self._halt(trial, attempt)
            case Ask():
                self._at(self._now + self.delays.ask_s, self._run.suggest(command))
            case Discard(path):
                self._saved.pop(path, None)
            case Cancel():
                pass

    def tell(self, event: Event) -> None:
        """It happens now."""
        self._at(self._now, event)

    async def events(self, until: float | None) -> list[Event]:
        """Jump to the next thing that happens, and return all that happens at that time."""
        batch: list[Event] = []
        while not batch:
            if not self._pending or (until is not None and self._pending[0][0] > until):
                if until is None:
                    raise ExecutorError("the simulation stands still: nothing is pending, and the run is not over")
                self._now = max(self._now, until)
                return [Ticked()]
            self._now = self._pending[0][0]
            while self._pending and self._pending[0][0] == self._now:
                event = self._occur(heappop(self._pending)[2])
                if event is not None:
                    batch.append(event)
        return batch

    async def close(self) -> None:
        """Nothing runs."""

    def _at(self, time_s: float, event: Event) -> None:
        self._order += 1
        heappush(self._pending, (time_s, self._order, event))

    def _launch(self, launch: Launch) -> None:
        config = self._run.space.resolve(launch.config)
        checkpoint = launch.checkpoint
        if checkpoint is not None and checkpoint.path in self._saved:
            state, step, time_s = self._saved[checkpoint.path], checkpoint.step, checkpoint.time_s
        else:
            state, step, time_s = self._workload.start(config, launch.seed), 0, 0.0
        begin = self._now + self.delays.launch_s
        self._attempts[launch.trial, launch.attempt] = _Attempt(
            launch, config, state, launch.until, step, time_s, begin
        )
        self._at(begin, Started(launch.trial, launch.attempt))
        if self.lost_per_hour:
            life_s = self._streams("lost", launch.trial, launch.attempt).exponential(3600 / self.lost_per_hour)
            self._at(self._now + life_s, Lost(launch.trial, launch.attempt, "the simulated worker was lost"))

    def _extend(self, trial: int, attempt: int, until: Until) -> None:
        work = self._attempts.get((trial, attempt))
        if work is not None:
            work.until, work.running, work.clock = until, True, self._now + self.delays.report_s
            self._step(work)

    def _halt(self, trial: int, attempt: int) -> None:
        work = self._attempts.get((trial, attempt))
        if work is not None:
            work.running = False
            self._at(self._now + self.delays.halt_s, Halted(trial, attempt))

    def _occur(self, event: Event) -> Event | None:
        """Hand on what is due, unless its attempt is over; a report or start that nobody waits for leads to the next
        step."""
        if not isinstance(event, Started | Reported | Finished | Halted | Lost):
            return event
        work = self._attempts.get((event.trial, event.attempt))
        if work is None:
            return None
        if isinstance(event, Started | Reported):
            if work.running:
                self._step(work)
        else:
            del self._attempts[event.trial, event.attempt]
        return event

    def _step(self, work: _Attempt) -> None:
        """Compute the next step; its report, or the end, becomes the attempt's one pending event."""
        launch = work.launch
        step = self._workload.step(work.config, work.state)
        if step is None:
            self._at(work.clock + self.delays.report_s, Finished(launch.trial, launch.attempt))
            return
        work.state, metrics, seconds = step
        work.step += 1
        work.time_s += seconds
        work.clock += seconds
        self._at(work.clock + self.delays.report_s, self._report(work, metrics))

    def _report(self, work: _Attempt, metrics: dict[str, Metric]) -> Reported:
        launch = work.launch
        row = {"step": work.step, "time_s": work.time_s, **metrics}
        waiting = any(boundary.met(row) for boundary in work.until)
        work.running = not waiting
        path = f"{launch.trial}/{launch.attempt}/{work.step}" if waiting and self.checkpoints else None
        if path is not None:
            self._saved[path] = work.state
        columns = {name: [value] for name, value in metrics.items()}
        return Reported(launch.trial, launch.attempt, work.step, (work.time_s,), columns, waiting, path)
