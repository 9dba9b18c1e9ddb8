"""Ways to drive an experiment without a controller: by hand, an event at a time, or on simulated workers."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from trialwright.core.experiment import Experiment
from trialwright.core.plan import Plan
from trialwright.executors.base import Run
from trialwright.executors.simulated import Simulated
from trialwright.messages import (
    EVERY_REPORT,
    Ask,
    CapacityChanged,
    Choice,
    Command,
    Continue,
    Decision,
    Event,
    Failed,
    Finished,
    Halted,
    Lost,
    New,
    Node,
    Outcome,
    Report,
    Reported,
    Start,
    Started,
    Suggested,
    Suggestion,
    Until,
    Verdict,
    Wait,
    at_step,
)
from trialwright.schedulers import FIFO, Scheduler, TrialView
from trialwright.searchers import Problem, Random, Searcher
from trialwright.space import Space, uniform
from trialwright.stopping import Stop, stop_rule
from trialwright.streams import Streams


class Like:
    """Equal to every message of this kind that has these fields; what else it says does not matter."""

    def __init__(self, kind: type, /, **fields: object) -> None:
        self.kind, self.fields = kind, fields

    def __eq__(self, other: object) -> bool:
        return isinstance(other, self.kind) and all(
            getattr(other, name) == value for name, value in self.fields.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.kind.__name__}({', '.join(f'{name}={value!r}' for name, value in self.fields.items())}, ...)"


@dataclass
class Script:
    """A scheduler that says what a test wrote down for it: a verdict for each (trial, step), and choices in order."""

    until: Until = EVERY_REPORT
    verdicts: dict[tuple[int, int], Verdict] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    judged: list[tuple[int, int]] = field(default_factory=list)
    ended: list[tuple[int, str]] = field(default_factory=list)

    def setup(self, rng: Streams) -> None: ...

    def on_start(self, trial: TrialView) -> Start:
        return Start(self.until)

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        self.judged.append((trial.id, report.step))
        return self.verdicts.get((trial.id, report.step), Continue(at_step(report.step + 1)))

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        self.ended.append((trial.id, outcome.kind))

    def next(self, can_ask: bool) -> Choice:
        if self.choices:
            return self.choices.pop(0)
        return New() if can_ask else Wait()

    def state(self) -> None: ...

    def restore(self, state: object) -> None: ...


class Hand:
    """An experiment that is told event by event what happens, and whose books are recounted after each.

    Asks are answered at once with as many configs as are wanted, unless ``answers`` is false.
    """

    def __init__(
        self,
        scheduler: Any = None,
        *,
        cpus: float = 2,
        nodes: Iterable[Node] | None = None,
        stop: Stop = None,
        answers: bool = True,
        learns: bool = False,
        **plan: Any,
    ) -> None:
        self.scheduler: Any = FIFO() if scheduler is None else scheduler
        self.scheduler.setup(Streams(0))
        plan = {"metrics": ("loss",), "modes": ("min",), "samples": 2, **plan}
        self.experiment = Experiment(Plan(**plan), self.scheduler, stop_rule(stop), learns=learns)
        self.answers = answers
        self.now = 0.0
        self.first = self(CapacityChanged(tuple(nodes or [Node("n", {"cpu": cpus})])))

    def __call__(self, event: Event, *, after: float = 0.0) -> list[Command]:
        """Tell what happened, so many seconds after the last event; return the commands, asks and answers included."""
        self.now += after
        commands = self.experiment.handle(self.now, event)
        self.experiment.check()
        if self.answers:
            for ask in [command for command in commands if isinstance(command, Ask)]:
                commands += self(self.answer(ask))
        return commands

    def answer(self, ask: Ask, count: int | None = None) -> Suggested:
        configs = [Suggestion({"x": float(request.sample)}) for request in ask.requests]
        return Suggested(ask.ask, tuple(configs[:count]))

    def trial(self, number: int) -> Any:
        return self.experiment.trials[number]

    def _attempt(self, trial: int) -> int:
        attempt: int = self.trial(trial).attempt
        return attempt

    def started(self, trial: int, **more: Any) -> list[Command]:
        return self(Started(trial, self._attempt(trial)), **more)

    def finished(self, trial: int, **more: Any) -> list[Command]:
        return self(Finished(trial, self._attempt(trial)), **more)

    def failed(self, trial: int, error: str = "ValueError: no", **more: Any) -> list[Command]:
        return self(Failed(trial, self._attempt(trial), error), **more)

    def halted(self, trial: int, **more: Any) -> list[Command]:
        return self(Halted(trial, self._attempt(trial)), **more)

    def lost(self, trial: int, *, preempted: bool = False, **more: Any) -> list[Command]:
        return self(Lost(trial, self._attempt(trial), "gone", preempted), **more)

    def reported(
        self, trial: int, step: int, *losses: float, checkpoint: str | None = None, waiting: bool = True, **more: Any
    ) -> list[Command]:
        """The frame of reports that ends with this step."""
        values: list[Any] = list(losses or (1.0,))
        times = tuple(float(step - len(values) + 1 + i) for i in range(len(values)))
        first, columns = step - len(values) + 1, {"loss": values}
        return self(Reported(trial, self._attempt(trial), first, times, columns, waiting, checkpoint), **more)


@dataclass
class Moment:
    """One event of a simulation, and what came of it."""

    now: float
    event: Event
    commands: list[Command]
    decisions: list[Decision]
    digest: str


@dataclass
class Simulation:
    """A finished run on simulated workers."""

    experiment: Experiment
    scheduler: Scheduler
    moments: list[Moment]

    @property
    def events(self) -> list[Event]:
        return [moment.event for moment in self.moments]

    def commands(self, kind: type) -> list[Any]:
        return [command for moment in self.moments for command in moment.commands if isinstance(command, kind)]


ONE_NUMBER = Space({"x": uniform(0, 1)})


def simulate(
    workload: object,
    scheduler: Scheduler | None = None,
    executor: Simulated | None = None,
    *,
    searcher: Searcher | None = None,
    space: Space = ONE_NUMBER,
    stop: Stop = None,
    seed: int = 0,
    check: bool = True,
    **plan: Any,
) -> Simulation:
    """Run to the end on simulated workers."""
    scheduler, executor, searcher = scheduler or FIFO(), executor or Simulated(), searcher or Random()
    streams = Streams(seed)
    scheduler.setup(streams)
    settings: dict[str, Any] = {"metrics": ("loss",), "modes": ("min",), "samples": 1, "seed": seed, **plan}
    settings["samples"] *= searcher.setup(Problem(space))
    experiment = Experiment(Plan(**settings), scheduler, stop_rule(stop), learns=searcher.learns)

    def suggest(ask: Ask) -> Suggested:
        history = experiment.history.until(ask.seen)
        return Suggested(ask.ask, tuple(searcher.suggest(history, ask.requests, streams)))

    moments = asyncio.run(_loop(experiment, executor, Run(workload, space, suggest), check=check))
    return Simulation(experiment, scheduler, moments)


async def _loop(experiment: Experiment, executor: Simulated, run: Run, *, check: bool) -> list[Moment]:
    """The controller's loop, without a store."""
    await executor.open(run)
    commands, moments = experiment.start(), []
    while True:
        for command in commands:
            executor.do(command)
        if experiment.done:
            return moments
        commands = []
        for event in await executor.events(experiment.deadline):
            answer = experiment.handle(executor.now(), event)
            moments.append(Moment(executor.now(), event, answer, experiment.judge.take(), experiment.digest))
            commands += answer
            if check:
                experiment.check()


@dataclass(frozen=True)
class Curve:
    """A training of so many steps of so many seconds whose loss falls from ``x + 1`` towards ``x``."""

    steps: int = 27
    seconds: float = 1.0

    def start(self, config: dict[str, object], seed: int) -> int:
        return 0

    def step(self, config: dict[str, Any], state: int) -> tuple[int, dict[str, Any], float] | None:
        if state >= self.steps:
            return None
        return state + 1, {"loss": config["x"] + 1 / (state + 1)}, self.seconds
