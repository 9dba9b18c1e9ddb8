"""What a decision costs, and whether that grows with the run: ``python -m benchmarks.speed schedulers``.

A scheduler is driven without an engine: trials are rows of numbers in memory, which report at the boundaries that the
scheduler sets, in turn. An event is one question to it: a trial begins, reports, or ends, or a slot is free.

``calls`` are Python's, of its own functions and of those in C, counted by its profiler, for each event: a number that
no other work on the machine can change. ``growth`` is the largest of them by the smallest. It is to be at most
``MOST``, except for MOASHA, whose fronts grow as the root of the number of trials.

``rates`` are of the scheduler alone. They fall where calls do not, because more trials than the processor's cache holds
take longer to look up.
"""

from __future__ import annotations

import cProfile
import gc
import math
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from trialwright.messages import (
    Checkpoint,
    Clone,
    Config,
    Consult,
    Drop,
    Metric,
    New,
    Node,
    Outcome,
    Pause,
    Report,
    Resize,
    Resume,
    Stop,
    Tags,
    Until,
    Verdict,
    Wait,
)
from trialwright.schedulers import (
    ASHA,
    FIFO,
    MOASHA,
    PASHA,
    PBT,
    AsyncHyperBand,
    HyperBand,
    MedianStopping,
    PBTReplay,
    ResourceChanging,
    Scheduler,
)
from trialwright.streams import Streams

SIZES = (1_000, 10_000, 100_000)
STEPS = 27  # of a trial that is not stopped
SLOTS = 64
MOST = 1.5

Answer = TypeVar("Answer")


class Ask(Protocol):
    """Puts a question to a scheduler, and measures."""

    def __call__(self, question: Callable[..., Answer], /, *arguments: object) -> Answer: ...


@dataclass(frozen=True)
class Case:
    """A scheduler, and how many trials run side by side: all of them, or as many as there are slots."""

    name: str
    make: Callable[[], Scheduler]
    all_at_once: bool = False


POLICY = [(step, Config()) for step in range(0, STEPS, 9)]
CASES = (
    Case("fifo", FIFO),
    Case("asha, stopping", lambda: ASHA(STEPS, reduction_factor=3)),
    Case("asha, promoting", lambda: ASHA(STEPS, reduction_factor=3, promote=True)),
    Case("asynchyperband", lambda: AsyncHyperBand(STEPS, reduction_factor=3)),
    Case("hyperband", lambda: HyperBand(STEPS)),
    Case("median", lambda: MedianStopping(interval=9)),
    Case("pasha", lambda: PASHA(STEPS)),
    Case("moasha", lambda: MOASHA(STEPS, reduction_factor=3)),
    Case("pbt", lambda: PBT(interval=13), all_at_once=True),
    Case("pbt, synchronous", lambda: PBT(interval=13, synchronous=True)),
    Case("pbt_replay", lambda: PBTReplay(POLICY)),
    Case("resources, asha", lambda: ResourceChanging(ASHA(STEPS, reduction_factor=3))),
)


@dataclass(frozen=True)
class Row:
    """One line of the table: of each number of trials, how many events there were, and what they cost."""

    scheduler: str
    trials: tuple[int, ...]
    events: tuple[int, ...]
    rates: tuple[float, ...]  # events a second, the median of the repeats
    calls: tuple[float, ...]  # an event
    growth: float

    def __str__(self) -> str:
        calls = " ".join(f"{calls:6.1f}" for calls in self.calls)
        rates = " ".join(f"{rate:9,.0f}" for rate in self.rates)
        trials = ", ".join(f"{trials:,}" for trials in self.trials)
        return (
            f"schedulers {self.scheduler:16} {calls} calls an event, x {self.growth:4.2f} {rates} events/s, "
            f"of {trials} trials"
        )


@dataclass(slots=True)
class View:
    """A trial as a scheduler sees it."""

    id: int
    until: Until = ()
    step: int = 0
    resources: dict[str, float] = field(default_factory=lambda: {"cpu": 1.0})
    config: Config = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)
    checkpoint: Checkpoint | None = None


class World:
    """Runs trials as a scheduler says, until all have ended.

    Args:
        case: what is measured.
        trials: how many there are.
        ask: through which every question to the scheduler goes.
    """

    def __init__(self, case: Case, trials: int, ask: Ask) -> None:
        self._scheduler, self._ask = case.make(), ask
        self._trials, self._slots = trials, trials if case.all_at_once else SLOTS
        rng = np.random.default_rng(0)
        self._quality = rng.random((trials, 2)).tolist()
        self._noise = (0.02 * rng.standard_normal(1024)).tolist()
        self._begun = 0
        self._living: dict[int, View] = {}
        self._running: deque[View] = deque()
        self._paused: set[int] = set()

    def run(self) -> None:
        """Ask the scheduler about everything that happens."""
        self._scheduler.setup(Streams(0))
        if isinstance(self._scheduler, ResourceChanging):
            self._scheduler.on_capacity((Node("one", {"cpu": float(self._slots)}),))
        self._fill()
        while self._living:
            if self._running:
                self._go_on(self._running.popleft())
            else:  # as the experiment does where a scheduler waits for nothing
                self._drop_paused()
            self._fill()

    def _fill(self) -> None:
        while len(self._running) < self._slots:
            choice = self._ask(self._scheduler.next, self._begun < self._trials)
            if isinstance(choice, Wait | Consult):  # who consults has its decisions made by a searcher
                return
            self._carry_out(choice)

    def _carry_out(self, choice: New | Resume | Drop) -> None:
        if isinstance(choice, New):
            self._begin(View(self._begun))
        elif isinstance(choice, Drop):
            self._end(self._living[choice.trial], Outcome("stopped", choice.reason))
        else:
            self._paused.remove(choice.trial)
            self._run_on(self._living[choice.trial], choice.until, choice.donor)

    def _begin(self, trial: View) -> None:
        self._begun += 1
        self._living[trial.id] = trial
        self._run_on(trial, self._ask(self._scheduler.on_start, trial).until)

    def _run_on(self, trial: View, until: Until, donor: int | None = None) -> None:
        trial.until = until
        trial.step = trial.step if donor is None else self._living[donor].step
        self._running.append(trial)

    def _go_on(self, trial: View) -> None:
        """Run a trial to its next boundary, or to its end."""
        step = min((max(trial.step + 1, math.ceil(each.value)) for each in trial.until), default=STEPS + 1)
        if step > STEPS:
            self._end(trial, Outcome("completed"))
            return
        trial.step = step
        metrics: dict[str, Metric] = {"step": step, "time_s": float(step)}
        self._obey(trial, self._ask(self._scheduler.on_report, trial, Report(step, self._values(trial), metrics)))

    def _values(self, trial: View) -> tuple[float, ...]:
        """Learning curves that fall towards q from above, and cross a little."""
        noise = self._noise[(31 * trial.id + 7 * trial.step) % len(self._noise)]
        return tuple(q + (1 - q) * (trial.step + 1) ** -0.5 + noise for q in self._quality[trial.id])

    def _obey(self, trial: View, verdict: Verdict) -> None:
        if isinstance(verdict, Stop):
            self._end(trial, Outcome(verdict.outcome, verdict.reason))
        elif isinstance(verdict, Pause):
            self._paused.add(trial.id)
        else:
            trial.resources = verdict.resources if isinstance(verdict, Resize) else trial.resources
            self._run_on(trial, verdict.until, verdict.donor if isinstance(verdict, Clone) else None)

    def _end(self, trial: View, outcome: Outcome) -> None:
        del self._living[trial.id]
        self._paused.discard(trial.id)
        self._ask(self._scheduler.on_end, trial, outcome)

    def _drop_paused(self) -> None:
        for trial in sorted(self._paused):
            self._end(self._living[trial], Outcome("stopped", "never resumed"))


class Timed:
    """Asks, and adds up how long the answers take."""

    def __init__(self) -> None:
        self.seconds, self.events = 0.0, 0

    def __call__(self, question: Callable[..., Answer], /, *arguments: object) -> Answer:
        """Pass the question on."""
        began = time.perf_counter()
        answer = question(*arguments)
        self.seconds += time.perf_counter() - began
        self.events += 1
        return answer


class Counted:
    """Asks, and counts the calls that the answers take."""

    def __init__(self) -> None:
        self._profile, self.events = cProfile.Profile(), 0

    def __call__(self, question: Callable[..., Answer], /, *arguments: object) -> Answer:
        """Pass the question on."""
        self._profile.enable()
        try:
            return question(*arguments)
        finally:
            self._profile.disable()
            self.events += 1

    @property
    def calls(self) -> float:
        """How many an event took."""
        total = sum(entry.callcount for entry in self._profile.getstats())
        return (total - self.events) / self.events  # disable() is a call itself


def table(repeats: int, cases: Sequence[Case] = CASES, sizes: Sequence[int] = SIZES) -> Iterator[Row]:
    """Measure every scheduler; the rates are medians of the repeats."""
    for case in cases:
        counts = [counted(case, trials) for trials in sizes]
        rates = [statistics.median(rate(case, trials) for _ in range(repeats)) for trials in sizes]
        calls, events = [count.calls for count in counts], [count.events for count in counts]
        yield Row(case.name, tuple(sizes), tuple(events), tuple(rates), tuple(calls), max(calls) / min(calls))


def rate(case: Case, trials: int) -> float:
    """Return events a second: of the scheduler alone, without what the trials take."""
    timed = Timed()
    gc.disable()  # it would look through the trials, which are not the scheduler's
    try:
        World(case, trials, timed).run()
    finally:
        gc.enable()
    return timed.events / timed.seconds


def counted(case: Case, trials: int) -> Counted:
    """Return how many events there were, and how many calls each took."""
    counted = Counted()
    World(case, trials, counted).run()
    return counted
