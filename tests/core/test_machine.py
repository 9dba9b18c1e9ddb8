"""Any legal event in any order: the books balance, no trial has two workers, and the run never gets stuck."""

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.core.world import NODES, Nasty, Worker, World
from trialwright.core.experiment import Experiment
from trialwright.core.plan import Plan
from trialwright.core.waiting import ENOUGH
from trialwright.messages import ContinueRequested, Failed, Finished, Halted, Lost, PauseRequested, Reported, Started
from trialwright.schedulers import ASHA, FIFO, PBT
from trialwright.stopping import stop_rule
from trialwright.streams import Streams

SCHEDULERS: dict[str, Callable[[], Any]] = {
    "fifo": FIFO,
    "asha": lambda: ASHA(max_t=9, reduction_factor=3),
    "asha brackets": lambda: ASHA(max_t=9, reduction_factor=3, brackets=3, stop_last_trials=False),
    "asha promoting": lambda: ASHA(max_t=9, reduction_factor=2, promote=True),
    "asha promoting brackets": lambda: ASHA(max_t=9, reduction_factor=2, promote=True, brackets=2),
    "pbt": lambda: PBT(interval=2, quantile=0.5),
    "nasty": Nasty,
}

PLANS = st.fixed_dictionaries(
    {
        "samples": st.integers(1, 12),
        "max_concurrent_trials": st.sampled_from([None, None, 1, 3]),
        "max_failures": st.sampled_from([0, 1, -1]),
        "prefetch": st.sampled_from([0, 3]),
        "keep_checkpoints": st.sampled_from([None, 1, 2]),
        "checkpoint_score": st.sampled_from([None, ("loss", "max")]),
        "time_budget_s": st.sampled_from([None, None, 40.0]),
        "trial_timeout_s": st.sampled_from([None, None, 7.0]),
        "fail_fast": st.sampled_from([False, False, False, True]),
        "same_failures": st.sampled_from([0, 5]),
    }
)
STOPS = st.sampled_from([None, None, {"loss": ("<=", 0.03)}, lambda trial, metrics: metrics["step"] >= 7])
LOSSES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([float("nan"), float("inf")])), min_size=1, max_size=4)


class Machine(RuleBasedStateMachine):
    """Draws what happens next to a ``World``."""

    @initialize(
        name=st.sampled_from(sorted(SCHEDULERS)),
        plan=PLANS,
        stop=STOPS,
        seed=st.integers(0, 99),
        ahead=st.sampled_from([0, 3]),
    )
    def begin(self, name, plan, stop, seed, ahead):
        plan = {**plan, "same_failures": 0} if ahead else plan  # which is for runs in which none has succeeded
        self.make = lambda: self.an_experiment(
            SCHEDULERS[name](), Plan(("loss",), ("min",), seed=seed, **plan), stop, ahead
        )
        self.world = World(self.make())
        for _ in range(ENOUGH):  # trials are short, as far as is known
            self.world.experiment._trials.queues.took(0.001)
        self.world.change(NODES)

    @staticmethod
    def an_experiment(scheduler, plan, stop, ahead):
        scheduler.setup(Streams(plan.seed))
        return Experiment(plan, scheduler, stop_rule(stop), ahead=ahead)

    def worker(self, data: st.DataObject, wanted: Callable[[Worker], bool] = lambda worker: True) -> Worker | None:
        workers = [worker for worker in self.world.workers.values() if wanted(worker)]
        return data.draw(st.sampled_from(workers)) if workers else None

    @rule(data=st.data())
    def a_worker_starts(self, data):
        worker = self.worker(data, lambda worker: not worker.started)
        if worker:
            self.world.start(worker)

    @rule(data=st.data(), losses=LOSSES, save=st.booleans())
    def a_worker_reports(self, data, losses, save):
        worker = self.worker(data, lambda worker: worker.started and not worker.waiting)
        if worker:
            self.world.report(worker, losses, save=save)

    @rule(data=st.data())
    def a_worker_finishes(self, data):
        worker = self.worker(data, lambda worker: worker.started)
        if worker:
            self.world.leave(worker, Finished(*worker.key))

    @rule(data=st.data())
    def a_worker_fails(self, data):
        worker = self.worker(data)
        if worker:
            self.world.leave(worker, Failed(*worker.key, data.draw(st.sampled_from(["ValueError", "OSError"]))))

    @rule(data=st.data(), preempted=st.booleans())
    def a_worker_is_lost(self, data, preempted):
        worker = self.worker(data)
        if worker:
            self.world.leave(worker, Lost(*worker.key, "gone", preempted))

    @precondition(lambda self: self.world.waiting)
    @rule()
    def a_slot_hands_back_what_waits_in_it(self):
        self.world.hand_back()

    @rule(data=st.data())
    def a_halt_is_carried_out(self, data):
        worker = self.worker(data, lambda worker: worker.halting)
        if worker:
            self.world.leave(worker, Halted(*worker.key))

    @precondition(lambda self: self.world.asks)
    @rule(data=st.data(), short=st.integers(0, 9), late=st.integers(0, 9))
    def the_searcher_answers(self, data, short, late):
        ask = data.draw(st.sampled_from(list(self.world.asks.values())))
        self.world.answer(ask, max(len(ask.requests) - max(short - 7, 0), 0), max(late - 7, 0))

    @rule(nodes=st.sampled_from([(), NODES[:1], NODES[1:], NODES]))
    def machines_come_and_go(self, nodes):
        self.world.change(nodes)

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0]))
    def time_goes_on(self, seconds):
        self.world.wait(seconds)

    @precondition(lambda self: len(self.world.attempts) < 20)
    @rule()
    def somebody_enqueues(self):
        self.world.enqueue()

    @precondition(lambda self: len(self.world.attempts) < 20 and len(self.world.dead) < 60)
    @rule(data=st.data(), from_checkpoint=st.booleans())
    def somebody_has_a_trial_tried_again(self, data, from_checkpoint):
        ended = [trial for trial in self.world.experiment.trials.values() if trial.ended is not None]
        failed = [trial.id for trial in ended if trial.outcome.kind != "completed"]
        if failed:
            self.world.retry(data.draw(st.sampled_from(failed)), from_checkpoint=from_checkpoint)

    @rule(data=st.data(), whole=st.booleans())
    def the_user_pauses_the_run_or_a_trial(self, data, whole):
        self.world.happen(PauseRequested(None if whole else self.a_number(data)))

    @rule(data=st.data(), whole=st.booleans())
    def the_user_continues_the_run_or_a_trial(self, data, whole):
        self.world.happen(ContinueRequested(None if whole else self.a_number(data)))

    def a_number(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from([*self.world.experiment.trials, 999]))

    @rule(data=st.data(), kind=st.sampled_from([Started, Reported, Finished, Failed, Halted, Lost]))
    def an_echo_changes_nothing(self, data, kind):
        trial, attempt = data.draw(st.sampled_from([*self.world.dead, (0, 0), (999, 1)]))
        frame = (1, (1.0,), {"loss": [0.0]}, True, "echo")
        more: dict[type, tuple[Any, ...]] = {Reported: frame, Failed: ("echo",), Lost: ("echo",)}
        experiment = self.world.experiment
        before = (experiment.echoes, experiment.digest, experiment.judge.scheduler.state(), experiment.reports)
        self.world.happen(kind(trial, attempt, *more.get(kind, ())))
        after = (experiment.echoes - 1, experiment.digest, experiment.judge.scheduler.state(), experiment.reports)
        assert after == before or experiment.stopped

    @invariant()
    def the_books_balance(self):
        if hasattr(self, "world"):
            self.world.experiment.check()

    def teardown(self):
        if hasattr(self, "world"):
            self.world.happen(ContinueRequested(None))  # else the run would wait for that
            self.world.settle()
            self.every_prefix_of_the_journal_replays()

    def every_prefix_of_the_journal_replays(self):
        again = self.make()
        for now, event, decisions, digest, state, commands in self.world.log:
            assert again.replay(now, event, decisions) == commands
            assert (again.digest, again.judge.scheduler.state()) == (digest, state)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=100, stateful_step_count=40)
