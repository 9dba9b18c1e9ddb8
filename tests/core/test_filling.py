"""Filling: what is asked for, who starts, and what it costs, where trials need different things."""

from collections import deque

import pytest

from tests.core.counting import count_calls
from tests.core.driving import Hand, Script
from trialwright import PBT, Engine, Simulated, space
from trialwright.core.experiment import Experiment
from trialwright.core.plan import Plan
from trialwright.core.waiting import LOOKED_AT
from trialwright.messages import (
    Ask,
    CapacityChanged,
    Choice,
    Enqueued,
    Finished,
    Launch,
    New,
    Node,
    Outcome,
    Reported,
    Started,
    Suggested,
    Suggestion,
)
from trialwright.schedulers import FIFO
from trialwright.stopping import stop_rule


class TenSeconds:
    """Work of one step of ten virtual seconds."""

    def start(self, config, seed):
        return 0

    def step(self, config, state):
        return None if state else (1, {"loss": 1.0}, 10.0)


class InTurn:
    """A searcher that learns, suggests two kinds in turn, and notes how much had ended when it was asked."""

    learns = True

    def __init__(self):
        self.asked, self.before_the_first_end = 0, 0

    def setup(self, problem):
        return 1

    def suggest(self, history, requests, rng):
        self.asked += len(requests)
        if all(trial.outcome is None for trial in history.trials):
            self.before_the_first_end = self.asked
        return [Suggestion({"kind": "ab"[request.sample % 2]}) for request in requests]


def virtual(what, resources, nodes, **keywords):
    keywords = {"searcher": "random", "seed": 0, **keywords}
    executor = Simulated(nodes=nodes)
    return Engine(
        TenSeconds(), what, metric="loss", resources=resources, executor=executor, storage=None, verbose=0, **keywords
    ).run()


def shapes(config):
    return {"cpu": 1, "gpu": 1} if config["kind"] == "a" else {"cpu": 4}


ONE_GPU = [Node("n", {"cpu": 4, "gpu": 1})]


def test_a_searcher_that_learns_is_asked_as_room_comes_free_also_where_trials_need_different_things():
    searcher = InTurn()
    result = virtual({"kind": space.choice(["a", "b"])}, shapes, ONE_GPU, num_samples=40, searcher=searcher)
    assert {trial.outcome for trial in result} == {"completed"}
    assert searcher.before_the_first_end <= 6


def test_time_continues_where_trials_need_different_things_and_there_is_no_end_of_samples():
    result = virtual({"kind": space.choice(["a", "b"])}, shapes, ONE_GPU, num_samples=-1, time_budget_s=100.0)
    assert result.wall_s == pytest.approx(100.0)
    assert sum(trial.attempts == 0 for trial in result) <= LOOKED_AT + 64, "in line, and asked for ahead"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_free_cpus_do_not_stand_idle_behind_trials_that_wait_for_a_gpu(share, seed):
    def needs(config):
        return {"gpu": 1} if config["x"] < share else {"cpu": 1}

    result = virtual({"x": space.uniform(0, 1)}, needs, ONE_GPU, num_samples=40, seed=seed)
    gpu = sum(trial.config["x"] < share for trial in result)
    side_by_side = max(gpu * 10, -(-(40 - gpu) // 4) * 10)
    assert result.wall_s <= side_by_side + 10


def test_trials_that_no_machine_could_hold_now_do_not_pile_up():
    big, small = Node("big", {"cpu": 8}), Node("small", {"cpu": 1})
    plan = {"samples": 1000, "prefetch": 8, "resources": None}
    hand = Hand(nodes=[big], answers=False, **plan)
    asks = [command for command in hand.first if isinstance(command, Ask)]
    hand(CapacityChanged((small,)))
    while asks:
        ask = asks.pop()
        suggestions = tuple(Suggestion({"x": 0.5}, resources={"cpu": 8}) for _ in ask.requests)
        asks += [command for command in hand(Suggested(ask.ask, suggestions)) if isinstance(command, Ask)]
        assert len(hand.experiment.trials) < 100


def test_a_clone_that_needs_more_than_any_machine_has_takes_its_donors_configuration():
    class Work:
        def start(self, config, seed):
            return 0

        def step(self, config, state):
            return None if state >= 20 else (state + 1, {"loss": config["x"]}, 1.0)

    points = [{"n": 1, "x": 0.1}, {"n": 2, "x": 0.9}, {"n": 1, "x": 0.5}, {"n": 2, "x": 0.95}]
    warned = 0
    for seed in range(6):
        result = Engine(
            Work(),
            {"n": space.choice([1, 2, 8]), "x": space.uniform(0, 1)},
            metric="loss",
            num_samples=4,
            scheduler=PBT(interval=2),
            resources=lambda config: {"cpu": config["n"]},
            points_to_evaluate=points,
            executor=Simulated(nodes=[Node("n", {"cpu": 6})]),
            storage=None,
            seed=seed,
            verbose=0,
        ).run()
        assert [(trial.outcome, trial.config["n"] in (1, 2)) for trial in result] == [("completed", True)] * 4
        warned += any("keeps its donor's configuration: the varied one needs {'cpu': 8}" in w for w in result.warnings)
    assert warned


def test_an_enqueued_trial_that_needs_too_much_is_cancelled_with_the_reason():
    hand = Hand(Script(), cpus=2, samples=1)
    hand(Enqueued({"x": 0.0}, resources={"cpu": 3}))
    assert hand.trial(1).outcome == Outcome("cancelled", "needs {'cpu': 3}; at most {'cpu': 2} is available")


class Counting(FIFO):
    """A scheduler that remembers how often it was asked what a free slot is for."""

    asked = 0

    def next(self, can_ask):
        self.asked += 1
        return super().next(can_ask)

    def state(self):
        return self.asked


@pytest.mark.parametrize("prefetch", [0, 1, 2, 7])
def test_a_replay_asks_the_scheduler_only_what_it_answered_then(prefetch):
    plan = Plan(("loss",), ("min",), samples=9, prefetch=prefetch)
    experiment, again = (Experiment(plan, Counting(), stop_rule(None)) for _ in range(2))
    log, todo, now = [], deque([CapacityChanged((Node("n", {"cpu": 2}),))]), 0.0
    while todo:
        event, now = todo.popleft(), now + 1
        before = experiment.judge.scheduler.asked
        commands = experiment.handle(now, event)
        decisions = experiment.judge.take()
        choices = sum(isinstance(one, Choice) for one in decisions)
        assert choices <= experiment.judge.scheduler.asked - before, "what is written was answered"
        log.append((now, event, decisions, choices))
        for command in commands:
            if isinstance(command, Ask):
                todo.append(Suggested(command.ask, tuple(Suggestion({"x": 0.5}) for _ in command.requests)))
            elif isinstance(command, Launch):
                who = command.trial, command.attempt
                todo += [Started(*who), Reported(*who, 1, (0.1,), {"loss": [0.5]}), Finished(*who)]
    for now, event, decisions, choices in log:
        before = again.judge.scheduler.asked
        again.replay(now, event, decisions)
        assert again.judge.scheduler.asked - before == choices
    assert again.done
    assert sum(isinstance(one, New) for _, _, decisions, _ in log for one in decisions) >= 9


# What it costs --------------------------------------------------------------------------------------------------------


def calls_of_a_trial(nodes, trials=300):
    """How many calls a trial costs the core, on so many machines that are all filled: four a machine."""
    plan = Plan(("loss",), ("min",), samples=nodes * 4 + trials, prefetch=64)
    experiment = Experiment(plan, FIFO(), stop_rule(None))
    machines = tuple(Node(f"n{number:04d}", {"cpu": 4}) for number in range(nodes))
    todo = deque(experiment.handle(0, CapacityChanged(machines)))
    launched = []

    def obey(command):
        if isinstance(command, Ask):
            suggestions = tuple(Suggestion({"x": 0.5}) for _ in command.requests)
            todo.extend(experiment.handle(0, Suggested(command.ask, suggestions)))
        elif isinstance(command, Launch):
            launched.append((command.trial, command.attempt))

    def one():
        who = launched.pop(0)
        for event in (Started(*who), Reported(*who, 1, (0.1,), {"loss": [0.5]}), Finished(*who)):
            todo.extend(experiment.handle(0, event))
            experiment.judge.take()
        while todo:
            obey(todo.popleft())

    while todo:
        obey(todo.popleft())
    assert len(launched) == nodes * 4
    return count_calls(lambda: [one() for _ in range(trials)]) / trials


def test_what_a_trial_costs_does_not_grow_with_the_number_of_machines():
    costs = [calls_of_a_trial(nodes) for nodes in (1, 10, 100, 400)]
    assert max(costs) < 1.5 * min(costs), costs


def calls_of_an_event(waiting):
    """How many calls an event costs that frees a little, while so many trials wait, each for another amount."""
    experiment = Experiment(Plan(("loss",), ("min",), samples=0), FIFO(), stop_rule(None))
    experiment.handle(0, CapacityChanged((Node("n", {"cpu": 3, "memory": 1e9}),)))
    for _ in range(2):
        experiment.handle(0, Enqueued({"x": 0.5}, resources={"cpu": 1}))
    for number in range(waiting):
        experiment.handle(0, Enqueued({"x": 0.5}, resources={"cpu": 3, "memory": 1000.0 + number}))
    assert experiment.active == 2
    return count_calls(lambda: experiment.handle(0, Finished(0, 1)))


def test_what_an_event_costs_does_not_grow_with_the_line():
    costs = [calls_of_an_event(waiting) for waiting in (10, 1000, 5000)]
    assert max(costs) < 1.5 * min(costs), costs
