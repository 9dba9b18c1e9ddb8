"""A world for an experiment to live in: workers that obey the rules of the lease and, within these, do what they like.

It knows nothing of the experiment's books. From the commands alone it keeps its own, and complains when a command makes
no sense: a second worker for a trial, an answer that nobody waits for, a checkpoint that was thrown away.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from trialwright.core.experiment import Experiment
from trialwright.core.trial import State
from trialwright.messages import (
    Ask,
    Cancel,
    CapacityChanged,
    Choice,
    Clone,
    Command,
    Continue,
    Decision,
    Discard,
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
    Node,
    Outcome,
    Pause,
    Plain,
    Report,
    Reported,
    Resize,
    Resume,
    RetryRequested,
    Returned,
    Start,
    Started,
    Stop,
    Suggested,
    Suggestion,
    Ticked,
    Until,
    Verdict,
    Wait,
    at_step,
)
from trialwright.schedulers import TrialView
from trialwright.streams import Streams

NODES = (Node("a", {"cpu": 2}), Node("b", {"cpu": 3}))
LENGTH = 9  # how many steps a training has, once everybody behaves


@dataclass
class Nasty:
    """A scheduler that does anything a scheduler may, by the dice, until it has had enough."""

    pranks: int = 40

    def setup(self, rng: Streams) -> None:
        self._rng = rng
        self._turns = 0
        self._running: set[int] = set()
        self._paused: list[int] = []
        self._ended_well: list[int] = []

    def _dice(self, *options: str) -> str:
        chosen = options[int(self._rng("nasty", self._turns).integers(len(options)))]
        return chosen if self._turns < self.pranks else options[0]

    def on_start(self, trial: TrialView) -> Start:
        self._turns += 1
        self._running.add(trial.id)
        return Start(at_step(1), {"born": self._turns})

    def on_report(self, trial: TrialView, report: Report) -> Verdict:
        self._turns += 1
        until = at_step(report.step + 1 + self._turns % 3)
        match self._dice("continue", "pause", "pause", "clone", "resize", "huge", "stop"):
            case "pause":
                self._running.discard(trial.id)
                self._paused.append(trial.id)
                return Pause()
            case "clone":
                donors = sorted({*self._running, *self._paused, *self._ended_well})
                return Clone(donors[self._turns % len(donors)], until)
            case "resize":
                return Resize({"cpu": 1 + self._turns % 3}, until)
            case "huge":
                return Resize({"cpu": 99}, until)
            case "stop":
                return Stop("bad luck", everyone=self._turns % 17 == 0)
        return Continue(until)

    def on_end(self, trial: TrialView, outcome: Outcome) -> None:
        self._turns += 1
        self._running.discard(trial.id)
        if trial.id in self._paused:
            self._paused.remove(trial.id)
        if outcome.kind == "completed":
            self._ended_well.append(trial.id)

    def next(self, can_ask: bool) -> Choice:
        choice = self._dice("resume", "new", "wait", "drop")
        if choice == "wait" and (self._running or self._paused):
            return Wait()
        if choice == "drop" and self._paused:
            self._turns += 1
            return Drop(self._paused.pop(0), "no luck")
        if self._paused and (choice == "resume" or not can_ask):
            self._turns += 1
            trial = self._paused.pop(0)
            donors = sorted({*self._running, *self._paused, *self._ended_well})
            donor = donors[self._turns % len(donors)] if donors and self._turns % 3 == 0 else None
            self._running.add(trial)
            return Resume(trial, at_step(1 + self._turns % 7), donor)
        return New() if can_ask else Wait()

    def state(self) -> Plain:
        return [self._turns, sorted(self._running), list(self._paused), list(self._ended_well)]

    def restore(self, state: Any) -> None:
        self._turns, running, self._paused, self._ended_well = state
        self._running = set(running)


@dataclass
class Worker:
    """One attempt at work."""

    launch: Launch
    until: Until
    step: int
    started: bool = False
    waiting: bool = False  # its report waits for an answer
    halting: bool = False
    unheard: bool = False  # it followed another in its slot, and the experiment does not know yet
    saved: bool = False  # with its last report

    @property
    def key(self) -> tuple[int, int]:
        return self.launch.trial, self.launch.attempt


@dataclass
class World:
    """Workers, a searcher that takes its time, and machines; and everything that ever happened."""

    experiment: Experiment
    now: float = 0.0
    workers: dict[int, Worker] = field(default_factory=dict)
    queues: dict[tuple[int, int], deque[Launch]] = field(default_factory=dict)  # what waits in a slot, by its grant
    asks: dict[int, Ask] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    dead: list[tuple[int, int]] = field(default_factory=list)
    nodes: tuple[Node, ...] = ()
    saved: set[str] = field(default_factory=set)
    discarded: set[str] = field(default_factory=set)
    samples: int = 0
    unanswered: set[int] = field(default_factory=set)
    log: list[tuple[float, Event, list[Decision], str, Plain, list[Command]]] = field(default_factory=list)

    def happen(self, event: Event) -> None:
        """Tell the experiment, and obey its commands."""
        commands = self.experiment.handle(self.now, event)
        decisions, scheduler = self.experiment.judge.take(), self.experiment.judge.scheduler
        self.log.append((self.now, event, decisions, self.experiment.digest, scheduler.state(), commands))
        for command in commands:
            self.obey(command)
        self.experiment.check()
        self.look()

    # Commands

    def obey(self, command: Command) -> None:
        match command:
            case Launch():
                self.launch(command)
            case Extend(trial, attempt, until):
                worker = self.worker_of(trial, attempt)
                assert worker.waiting, "only a report that waits is answered"
                assert not worker.halting, "a Halt is the last word"
                worker.until, worker.waiting = until, False
                assert command.durable or not worker.saved, "a checkpoint is acknowledged once it is committed"
            case Halt(trial, attempt):
                worker = self.worker_of(trial, attempt)
                assert not worker.halting, "one Halt is enough"
                worker.halting = True
            case Cancel(trial):
                if trial in self.workers:
                    assert self.workers[trial].unheard, "what runs cannot be cancelled"
                    grant = self.workers.pop(trial).launch.after
                    del self.attempts[trial]
                    self.go_on(grant)
                for queue in self.queues.values():
                    for launch in [each for each in queue if each.trial == trial]:
                        queue.remove(launch)
            case Ask():
                self.ask(command)
            case Discard(path):
                assert path in self.saved, "only what was saved by a trial of ours can be discarded"
                assert path not in self.discarded, "a checkpoint is discarded once"
                self.discarded.add(path)

    def worker_of(self, trial: int, attempt: int) -> Worker:
        worker = self.workers.get(trial)
        assert worker is not None, f"trial {trial} has no worker to command"
        assert worker.launch.attempt == attempt, "no command for a dead attempt"
        return worker

    def launch(self, launch: Launch) -> None:
        assert launch.trial not in self.workers, "never two workers for one trial"
        assert launch.trial not in {each.trial for each in self.waiting}, "nor a worker and a place in a queue"
        if launch.after is not None:
            self.queues[launch.after].append(launch)
            return
        self.queues[launch.trial, launch.attempt] = deque()
        self.begin(launch)

    @property
    def waiting(self) -> list[Launch]:
        return [launch for queue in self.queues.values() for launch in queue]

    def begin(self, launch: Launch) -> None:
        assert launch.attempt == self.attempts.get(launch.trial, 0) + 1, "attempts are counted without gaps"
        assert launch.placement.node in {node.name for node in self.nodes}, "a machine that is not there"
        self.attempts[launch.trial] = launch.attempt
        checkpoint = launch.checkpoint
        assert checkpoint is None or checkpoint.path not in self.discarded, "a checkpoint that is gone"
        self.workers[launch.trial] = Worker(launch, launch.until, checkpoint.step if checkpoint else 0)
        for node in self.nodes:
            placements = [w.launch.placement for w in self.workers.values() if w.launch.placement.node == node.name]
            assert sum(placement.units["cpu"] for placement in placements) <= node.resources["cpu"] * 10_000

    def ask(self, ask: Ask) -> None:
        plan, new = self.experiment.plan, [request for request in ask.requests if request.kind == "new"]
        again = [request.sample for request in new if request.sample < self.samples]
        assert self.unanswered.issuperset(again), "what has been suggested is not asked for again"
        assert [r.sample for r in new[len(again) :]] == [*range(self.samples, self.samples + len(new) - len(again))]
        self.samples += len(new) - len(again)
        self.unanswered |= {request.sample for request in new}
        assert plan.samples is not None
        assert self.samples <= plan.samples, "no more is asked for than is wanted"
        self.asks[ask.ask] = ask
        assert all(request.trial in self.experiment.trials for request in ask.requests if request.kind == "explore")

    def look(self) -> None:
        """What can be seen from outside agrees with what the experiment says."""
        experiment = self.experiment
        active = {trial.id for trial in experiment.trials.values() if trial.active}
        assert active == set(self.workers)
        assert not (experiment.done and self.workers), "not over while something runs"
        for trial in experiment.trials.values():
            for checkpoint in (trial.checkpoint, trial.best_checkpoint):
                assert checkpoint is None or checkpoint.path not in self.discarded
            worker = self.workers.get(trial.id)
            if worker is not None:
                assert worker.halting == (trial.state is State.STOPPING)
                assert not worker.waiting or worker.halting, "a report that waits has been answered"

    # Events

    def start(self, worker: Worker) -> None:
        worker.started = True
        self.happen(Started(*worker.key))

    def report(self, worker: Worker, losses: list[float], *, save: bool) -> None:
        """Report so many losses, or fewer if a boundary is met before."""
        first = worker.step + 1
        values: list[Any] = []
        met = False
        while losses and not met:
            values.append(losses.pop(0))
            worker.step += 1
            row: dict[str, Any] = {"loss": values[-1], "step": worker.step, "time_s": float(worker.step)}
            met = any(boundary.met(row) for boundary in worker.until)
        path = f"{worker.launch.trial}/{worker.launch.attempt}/{worker.step}" if save else None
        self.saved |= {path} if path else set()
        worker.waiting, worker.saved = met or save, save
        times = tuple(step / 1000 for step in range(first, worker.step + 1))
        self.happen(Reported(*worker.key, first, times, {"loss": values}, worker.waiting, path))

    def leave(self, worker: Worker, event: Finished | Failed | Halted | Lost) -> None:
        del self.workers[worker.launch.trial]
        self.dead.append(worker.key)
        queue = self.queues[worker.launch.after or worker.key]
        if isinstance(event, Lost):
            queue.clear()
        else:
            self.go_on(worker.launch.after or worker.key)
        self.happen(event)
        for each in self.workers.values():
            each.unheard = False

    def go_on(self, grant: tuple[int, int]) -> None:
        """A slot goes on by itself with what waits there."""
        if self.queues[grant]:
            launch = self.queues[grant].popleft()
            self.begin(launch)
            self.workers[launch.trial].unheard = self.workers[launch.trial].started = True

    def hand_back(self) -> None:
        """A slot hands back what waits there, the next first."""
        queue = next((queue for queue in self.queues.values() if queue), None)
        while queue:
            launch = queue.popleft()
            self.happen(Returned(launch.trial, launch.attempt))

    def answer(self, ask: Ask, count: int, later: int = 0) -> None:
        """Answer so many of the requests, the first few with "not now"."""
        del self.asks[ask.ask]
        suggestions = [
            None if place < later else Suggestion({"x": request.trial + request.attempt / 10})
            for place, request in enumerate(ask.requests)
        ]
        if self.experiment.stopped is None:  # else nobody waits for it any more
            answered = ask.requests[later:count]
            self.unanswered -= {request.sample for request in answered if request.kind == "new"}
        self.happen(Suggested(ask.ask, tuple(suggestions[:count])))

    def change(self, nodes: tuple[Node, ...]) -> None:
        self.nodes = nodes
        self.happen(CapacityChanged(nodes))

    def enqueue(self) -> None:
        self.happen(Enqueued({"x": -1.0}))

    def retry(self, trial: int, *, from_checkpoint: bool) -> None:
        if self.experiment.stopped is not None:  # what had been asked for then is asked for again
            self.asks.clear()
        self.happen(RetryRequested(trial, from_checkpoint))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.happen(Ticked())

    # The end

    def settle(self) -> None:
        """From now on everybody behaves: the run must come to its end in a bounded number of steps."""
        if self.nodes != NODES:
            self.change(NODES)
        for _ in range(2000):
            if self.experiment.done:
                return
            if self.asks:
                ask = next(iter(self.asks.values()))
                self.answer(ask, len(ask.requests))
            elif self.workers:
                self.behave(min(self.workers.values(), key=lambda worker: (worker.step, worker.key)))
            else:
                deadline = self.experiment.deadline
                assert deadline is not None, f"stuck: {[str(trial) for trial in self.experiment.trials.values()]}"
                self.wait(max(deadline - self.now, 0.0))
        raise AssertionError("no end in sight")

    def behave(self, worker: Worker) -> None:
        if not worker.started:
            self.start(worker)
        elif worker.halting:
            self.leave(worker, Halted(*worker.key))
        elif worker.step < LENGTH:
            self.report(worker, [1 / (worker.step + 1) + worker.launch.trial / 1000], save=worker.step % 2 == 0)
        else:
            self.leave(worker, Finished(*worker.key))
