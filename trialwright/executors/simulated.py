"""Virtual time: the real controller and experiment, with simulated workers.

The clock is a number that jumps to the next event; nothing sleeps, and results do not depend on wall-clock time. Delays
are given as parameters (``Delays``), and so are faults, which are drawn by a seed (``Faults``).

A *workload* stands for the objective: its state can be saved and cloned, so that schedulers that pause, promote, and
clone are simulated too, and its configuration may change between two steps.

A worker sends one message at a time: its next step is computed once the report of the last one has arrived. So an
attempt has one pending message, besides its loss if it will be lost, and none once it is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, ClassVar, TypeAlias

import numpy as np

from trialwright.errors import ExecutorError, nearest, of_searcher, refuse
from trialwright.executors.base import Run
from trialwright.executors.delays import Delays, draw
from trialwright.executors.faults import Doom, Faults, Outages
from trialwright.executors.objective import failure
from trialwright.messages import (
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
    Noted,
    Placement,
    Reported,
    Started,
    Ticked,
    Until,
)
from trialwright.metrics import clean
from trialwright.streams import Streams
from trialwright.workloads.base import State, Workload

__all__ = ["Delays", "Faults", "Simulated", "Workload"]

INFINITE = math.inf
_METRICS = frozenset({bool, int, float, str, type(None)})
Speeds: TypeAlias = Mapping[str, float] | Callable[[Placement], float]


@dataclass(slots=True, eq=False)
class _Attempt:
    launch: Launch
    config: dict[str, Any]
    until: Until
    speed: float
    rng: np.random.Generator | None  # None: nothing is random
    doom: Doom | None = None  # how its worker will be lost, if it will
    state: State = None
    step: int = 0
    time_s: float = 0.0  # of training
    clock: float = 0.0  # when the worker has finished what it did last
    path: str | None = None  # of the checkpoint in its report, until that has arrived
    is_waiting: bool = False  # for the answer to a report
    is_halted: bool = False
    noted: set[str] = field(default_factory=set)  # metrics of invalid types that were noted
    is_over: bool = False  # its later messages are dropped


_Then: TypeAlias = Callable[[_Attempt], None]  # what follows when a message has arrived
_Pending: TypeAlias = tuple[float, int, Event, _Attempt | None, _Then | None]  # time, order (breaks ties), ...


@dataclass
class Simulated:
    """Runs a ``Workload`` in virtual time.

    Args:
        workers: how many trials of one CPU run at a time; ``nodes`` replaces it.
        nodes: the machines: ``[Node("old", {"cpu": 8}), Node("new", {"cpu": 8, "gpu": 2})]``.
        speeds: the speed of steps by the node's name, 1 by default: ``{"old": 0.5}``; or a function of the trial's
            ``Placement``: ``lambda placement: 8.0 if placement.gpus else 1.0``.
        delays: how long things besides training take.
        faults: what goes wrong.
        checkpoints: whether every waiting report saves a checkpoint.
        seed: of random delays and faults. The trials' own seeds come from the run.

    Raises:
        ValueError: a speed is not a positive number, or names no node.
    """

    workers: int = 1
    nodes: Sequence[Node] | None = None
    speeds: Speeds = field(default_factory=dict)
    delays: Delays = field(default_factory=Delays)
    faults: Faults = field(default_factory=Faults)
    checkpoints: bool = True
    seed: int = 0
    is_virtual: ClassVar[bool] = True

    def __post_init__(self) -> None:
        speeds = {} if callable(self.speeds) else self.speeds
        names = [node.name for node in self._nodes]
        problems = [f"speeds: there is no node {name!r}{nearest(name, names)}" for name in speeds if name not in names]
        problems += [f"the speed of {name} must be finite and more than 0, not {speed!r}"
                     for name, speed in speeds.items() if not 0 < speed < math.inf]  # fmt: skip
        refuse(problems, "Simulated")

    @property
    def _nodes(self) -> Sequence[Node]:
        return self.nodes or (Node("simulated", {"cpu": self.workers}),)

    def now(self) -> float:
        """Virtual seconds."""
        return self._now

    async def open(self, run: Run) -> None:
        """Begin at the time the run has reached."""
        if not isinstance(run.objective, Workload):
            raise ExecutorError(f"Simulated runs a workload (an object with start and step), not {run.objective!r}")
        self._run, self._workload = run, run.objective
        self._now = run.began_s
        self._pending: list[_Pending] = []
        self._order = 0
        self._attempts: dict[tuple[int, int], _Attempt] = {}
        self._saved: dict[str, State] = {}
        self._error: Exception | None = None
        self._streams = Streams(self.seed)
        self._report_s = draw(self.delays.report_s, None)  # where no delay is drawn
        self._is_troubled = self.faults != Faults()
        self._needs_rng = self.delays.are_drawn or self.faults.are_drawn
        self._outages = Outages(self._nodes, self.faults, self._streams, self._now)
        self._push(self._now, self._outages.present)

    def do(self, command: Command) -> None:
        """Carry out a command: the resulting events are put on the heap."""
        match command:
            case Extend():
                self._extend(command)
            case Launch():
                self._launch(command)
            case Halt():
                self._halt(command)
            case Ask():
                self._ask(command)
            case Discard(path):
                self._saved.pop(path, None)
            case Cancel():
                pass

    def tell(self, event: Event) -> None:
        """Return the event with the next ones, at the present time."""
        self._push(self._now, event)

    async def events(self, until: float | None) -> list[Event]:
        """Jump to the time of the next event, and return all events of that time."""
        batch: list[Event] = []
        pending = self._pending
        while not batch:
            if self._error is not None:
                raise self._error
            if not pending or (until is not None and pending[0][0] > until):
                return self._tick(until)
            self._now = now = pending[0][0]
            while pending and pending[0][0] == now:
                _, _, event, work, then = heappop(pending)
                if work is None:
                    batch.append(self._machines() if type(event) is CapacityChanged else event)
                elif not work.is_over:
                    batch.append(event)
                    if then is not None:
                        then(work)
        return batch

    async def close(self) -> None:
        """Nothing to end."""

    def _tick(self, until: float | None) -> list[Event]:
        if until is None:
            raise ExecutorError("the simulation has no further events, but the run is not over")
        self._now = max(self._now, until)
        return [Ticked()]

    def _machines(self) -> CapacityChanged:
        """Carry out a change of machines that is due, and schedule the next one; return the present machines."""
        outages = self._outages
        if outages.due <= self._now:
            outages.change()
        if outages.due < math.inf:
            self._push(outages.due, outages.present)
        return outages.present

    def _push(self, time_s: float, event: Event, work: _Attempt | None = None, then: _Then | None = None) -> None:
        self._order += 1
        heappush(self._pending, (time_s, self._order, event, work, then))

    # Commands --------------------------------------------------------------------------------------------------------

    def _ask(self, ask: Ask) -> None:
        delay_s = draw(self.delays.ask_s, self._streams("ask", ask.ask)) if self.delays.ask_s else 0.0
        try:
            self._push(self._now + delay_s, self._run.suggest(ask))
        except BaseException as error:  # any error of the searcher ends the run
            self._error = of_searcher(error)

    def _launch(self, launch: Launch) -> None:
        work = _Attempt(
            launch,
            self._run.space.resolve(launch.config),
            launch.until,
            self._speed(launch.placement),
            self._streams("attempt", launch.trial, launch.attempt) if self._needs_rng else None,
            self._doom(launch) if self._is_troubled else None,
        )
        begin = work.clock = self._now + draw(self.delays.launch_s, work.rng)
        then, checkpoint = self._begin, launch.checkpoint
        if checkpoint is not None and checkpoint.path in self._saved:
            work.state, work.step, work.time_s = self._saved[checkpoint.path], checkpoint.step, checkpoint.time_s
            work.clock += draw(self.delays.load_s, work.rng)
            then = self._step
        self._attempts[launch.trial, launch.attempt] = work
        self._send(work, begin, Started(launch.trial, launch.attempt), then)
        if work.doom is not None:
            self._push(max(self._now, work.doom.at), work.doom.event, work, self._end)

    def _doom(self, launch: Launch) -> Doom | None:
        """How the worker will be lost: by itself, or with its machine."""
        own, machine = self.faults.doom(launch, self._now, self._streams), self._outages.lost_at(launch.placement.node)
        if machine < (own.at if own else math.inf):
            return Doom(machine, Lost(launch.trial, launch.attempt, "its simulated machine was lost"))
        return own

    def _extend(self, extend: Extend) -> None:
        work = self._attempts.get((extend.trial, extend.attempt))
        if work is not None and work.is_waiting:
            work.until, work.is_waiting = extend.until, False
            work.clock = self._now + draw(self.delays.decide_s, work.rng) + draw(self.delays.report_s, work.rng)
            self._step(work)

    def _halt(self, halt: Halt) -> None:
        work = self._attempts.get((halt.trial, halt.attempt))
        if work is not None:
            decide_s = draw(self.delays.decide_s, work.rng) if work.is_waiting else 0.0
            work.is_waiting, work.is_halted = False, True
            halt_s = draw(self.delays.halt_s, work.rng)
            self._send(work, self._now + decide_s + halt_s, Halted(halt.trial, halt.attempt), self._end)

    def _speed(self, placement: Placement) -> float:
        return self.speeds(placement) if callable(self.speeds) else self.speeds.get(placement.node, 1.0)

    # What a worker does ----------------------------------------------------------------------------------------------

    def _begin(self, work: _Attempt) -> None:
        try:
            work.state = self._workload.start(work.config, work.launch.seed)
        except Exception as error:  # the trial fails, as with an objective
            self._fail(work, error)
        else:
            self._step(work)

    def _step(self, work: _Attempt) -> None:
        """Compute the next step; its report, or the end, becomes the attempt's one pending message."""
        if work.is_halted:
            return
        launch = work.launch
        try:
            done = self._workload.step(work.config, work.state)
            if done is None:
                self._say(work, Finished(launch.trial, launch.attempt), self._end)
                return
            work.state, metrics, seconds = done
            if not 0 <= seconds < INFINITE:
                _refuse(seconds)
        except Exception as error:  # as above
            self._fail(work, error)
            return
        seconds /= work.speed
        if work.rng is not None:
            seconds *= self.faults.stretch(work.clock, work.rng)
        work.step += 1
        work.time_s += seconds
        work.clock += seconds
        if not _METRICS.issuperset(map(type, metrics.values())):
            metrics = self._cleaned(work, metrics)
        columns = {name: [value] for name, value in metrics.items()}
        if (work.until and _is_due(work, metrics)) or (work.doom is not None and self._is_warned(work, work.doom)):
            path = self._save(work) if self.checkpoints else None
            times = (work.time_s,)
            report = Reported(launch.trial, launch.attempt, work.step, times, columns, waiting=True, checkpoint=path)
            self._say(work, report, self._wait)
        else:
            report = Reported(launch.trial, launch.attempt, work.step, (work.time_s,), columns)
            self._say(work, report, self._step)

    def _cleaned(self, work: _Attempt, metrics: dict[str, Metric]) -> dict[str, Metric]:
        """Handle values of invalid types as a worker's session does."""
        notes: dict[str, str] = {}
        row = clean(metrics, notes)
        if not work.noted.issuperset(notes):
            work.noted.update(notes)
            self._push(max(self._now, work.clock), Noted(work.launch.trial, work.launch.attempt, notes))
        return row

    def _is_warned(self, work: _Attempt, doom: Doom) -> bool:
        """Tell whether the worker has notice of its preemption, and has not saved a checkpoint since."""
        if work.clock < doom.noticed_at or not self.checkpoints:
            return False
        work.doom = doom.unnoticed
        return True

    def _save(self, work: _Attempt) -> str:
        work.clock += draw(self.delays.save_s, work.rng)
        work.path = f"{work.launch.trial}/{work.launch.attempt}/{work.step}"
        return work.path

    def _wait(self, work: _Attempt) -> None:
        """A waiting report has arrived, and its checkpoint with it."""
        work.is_waiting = not work.is_halted
        if work.path is not None:
            self._saved[work.path], work.path = work.state, None

    def _fail(self, work: _Attempt, error: Exception) -> None:
        self._say(work, failure(work.launch.trial, work.launch.attempt, error), self._end)

    def _end(self, work: _Attempt) -> None:
        work.is_over = True
        del self._attempts[work.launch.trial, work.launch.attempt]

    def _say(self, work: _Attempt, event: Event, then: _Then) -> None:
        """A worker sends a message once it has finished what it did."""
        arrival = work.clock + (self._report_s if work.rng is None else draw(self.delays.report_s, work.rng))
        self._send(work, arrival, event, then)

    def _send(self, work: _Attempt, arrival: float, event: Event, then: _Then) -> None:
        """Put a worker's message on the heap; it arrives after the worker's earlier ones."""
        if self._is_troubled:
            self._send_through_trouble(work, arrival, event, then)
            return
        self._order += 1
        if arrival < self._now:  # noqa: PLR1730 - max() is a call more for each report
            arrival = self._now
        heappush(self._pending, (arrival, self._order, event, work, then))

    def _send_through_trouble(self, work: _Attempt, arrival: float, event: Event, then: _Then) -> None:
        """Do so with faults: a message may be late, and come twice. One that was sent before its worker was lost, and
        arrives after that, is an echo."""
        late_s = self.faults.lateness_s(self._now, work.rng) if work.rng is not None else 0.0
        sent, arrival = arrival, max(self._now, arrival + late_s)
        is_echo = work.doom is not None and sent <= work.doom.at < arrival
        self._push(arrival, event, None if is_echo else work, then)
        if work.rng is not None and self.faults.doubles(self._now, work.rng):
            self._push(arrival, event)


def _refuse(seconds: float) -> None:
    raise ValueError(f"the seconds of a step must be finite and at least 0, not {seconds!r}")


def _is_due(work: _Attempt, metrics: dict[str, Metric]) -> bool:
    """Tell whether a report meets a boundary of the lease."""
    row: dict[str, Metric] = {"step": work.step, "time_s": work.time_s, **metrics}
    for boundary in work.until:  # noqa: SIM110 - any() takes twice as long, at every report
        if boundary.met(row):
            return True
    return False
