"""A teaching copy of the engine: events in, commands out, in virtual time. ``docs/mini.md`` explains it."""

import heapq
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from math import ceil
from typing import NamedTuple, TypeAlias

RUNGS, LAST, ETA = (1, 3, 9), 27, 3  # the steps at which trials are compared, the last step; one in ETA survives
Config: TypeAlias = Mapping[str, float]


# Messages: events say what has happened, commands what must be done
class Began(NamedTuple):  # an event: the run begins, with so many slots
    now: float
    slots: int


class Reported(NamedTuple):  # an event: a trial has done a step
    now: float
    trial: int
    step: int
    loss: float


class Launch(NamedTuple):  # a command: run a new trial until this step, then wait for an answer
    trial: int
    config: Config
    until: int


class Extend(NamedTuple):  # a command, and one of the two answers: continue until this step
    trial: int
    until: int


class Halt(NamedTuple):  # a command, and the other answer: end here
    trial: int


Event: TypeAlias = Began | Reported
Command: TypeAlias = Launch | Extend | Halt


# What decides: pure functions
@dataclass(frozen=True)
class Trial:
    id: int
    config: Config
    losses: tuple[float, ...] = ()
    state: str = "running"


@dataclass(frozen=True)
class Run:  # everything that is known; it is never changed, only replaced
    samples: int
    seed: int
    slots: int = 0
    trials: tuple[Trial, ...] = ()
    rungs: Mapping[int, tuple[float, ...]] = field(default_factory=dict)  # the losses so far at each rung


def suggest(history: Sequence[Trial], number: int, seed: int) -> Config:
    """The searcher, a function of the history: eight random points, then variations of the best trial so far."""
    rng = random.Random(f"searcher {seed} {number}")  # a stream for each number: other draws do not change it
    known = [trial for trial in history if trial.losses]
    if number < 8 or not known:
        return {"x": rng.random(), "y": rng.random()}
    best = min(known, key=lambda trial: (-len(trial.losses), trial.losses[-1]))
    return {name: min(1.0, max(0.0, value + rng.gauss(0, 0.1))) for name, value in best.config.items()}


def judge(seen: tuple[float, ...], loss: float) -> tuple[tuple[float, ...], bool]:
    """The scheduler, a fold over the reports at a rung: what it has seen, and whether this trial may continue."""
    seen = (*seen, loss)
    return seen, sorted(seen).index(loss) < ceil(len(seen) / ETA)


def handle(run: Run, event: Event) -> tuple[Run, list[Command]]:
    """The experiment: the next state, and what must be done. It reads no clock, and waits for nothing."""
    if isinstance(event, Began):
        return fill(replace(run, slots=event.slots))
    trial = replace(run.trials[event.trial], losses=(*run.trials[event.trial].losses, event.loss))
    if event.step == LAST:
        return fill(put(run, replace(trial, state="completed")))
    if event.step not in RUNGS:
        return put(run, trial), []
    seen, survives = judge(run.rungs.get(event.step, ()), event.loss)
    run = replace(run, rungs={**run.rungs, event.step: seen})
    if survives:
        return put(run, trial), [Extend(trial.id, lease(event.step))]
    run, launches = fill(put(run, replace(trial, state="stopped")))
    return run, [Halt(trial.id), *launches]


def fill(run: Run) -> tuple[Run, list[Command]]:
    """Launch new trials while there are free slots."""
    launches: list[Command] = []
    while sum(trial.state == "running" for trial in run.trials) < run.slots and len(run.trials) < run.samples:
        new = Trial(len(run.trials), suggest(run.trials, len(run.trials), run.seed))
        run = replace(run, trials=(*run.trials, new))
        launches.append(Launch(new.id, new.config, lease(0)))
    return run, launches


def lease(step: int) -> int:
    """How far a trial runs without asking: to the next step at which something must be decided."""
    return next((rung for rung in RUNGS if rung > step), LAST)


def put(run: Run, trial: Trial) -> Run:
    return replace(run, trials=(*run.trials[: trial.id], trial, *run.trials[trial.id + 1 :]))


# What acts: an executor, and the loop
class VirtualTime:
    """Carries out commands. Training is a formula, its reports wait in a heap until their time; nothing sleeps."""

    def __init__(self, slots: int) -> None:
        self.events: list[Event] = [Began(0.0, slots)]
        self.at: dict[int, tuple[Config, int]] = {}  # each trial's configuration, and its last step

    def do(self, command: Command, now: float) -> None:
        if isinstance(command, Halt):
            return  # a trial that gets no further lease does nothing more
        config, done = (command.config, 0) if isinstance(command, Launch) else self.at[command.trial]
        for step in range(done + 1, command.until + 1):
            now += 1 + config["y"]
            loss = (config["x"] - 0.3) ** 2 + (config["y"] - 0.6) ** 2 + 1 / step
            heapq.heappush(self.events, Reported(now, command.trial, step, loss))
        self.at[command.trial] = config, command.until


def tune(samples: int, slots: int, seed: int) -> tuple[Run, list[Event]]:
    """The controller: the loop between executor, journal and experiment."""
    run, journal, executor = Run(samples, seed), list[Event](), VirtualTime(slots)
    while executor.events:
        journal.append(event := heapq.heappop(executor.events))
        run, commands = handle(run, event)
        for command in commands:
            executor.do(command, event.now)
    return run, journal


def replay(journal: Iterable[Event], samples: int, seed: int) -> Run:
    """The state after these events, without running anything."""
    return reduce(lambda run, event: handle(run, event)[0], journal, Run(samples, seed))
