"""Resource changing: what trials get when others have ended."""

from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import Curve, simulate
from trialwright import Engine, Local, context, get_checkpoint, report
from trialwright.executors.simulated import Simulated
from trialwright.messages import Continue, Launch, Node, Report, Resize
from trialwright.schedulers import ASHA, EvenShare, HyperBand, ResourceChanging, Room, TopJob
from trialwright.space import randint
from trialwright.streams import Streams


class TestEvenShare(SchedulerContract):
    def make(self):
        return ResourceChanging()


class TestTopJobWithASHA(SchedulerContract):
    rungs = True

    def make(self):
        return ResourceChanging(ASHA(max_t=27, reduction_factor=3), TopJob(increase_by={"cpu": 2}), interval=100)


class TestWithHyperBand(SchedulerContract):
    def make(self):
        return ResourceChanging(HyperBand(max_t=27, reduction_factor=3), EvenShare(), interval=2)


def room(cpus: float, *held: float, first: float = 1, scores: tuple[float, ...] = (), nodes: int = 1) -> Room:
    machines = tuple(Node(str(i), {"cpu": cpus / nodes}) for i in range(nodes))
    have = {trial: {"cpu": amount} for trial, amount in enumerate(held)}
    return Room(machines, {"cpu": first}, have, dict(enumerate(scores)))


@pytest.mark.parametrize(
    ("policy", "there", "gets"),
    [
        (EvenShare(), room(8, 1, 1), 4),
        (EvenShare(), room(8, 1, 1, 1), 2),
        (EvenShare(), room(8, 3, 3, first=3), 3),
        (EvenShare(), room(8, 2, first=2), 8),
        (EvenShare(), room(8, 1, nodes=2), 4),
        (EvenShare(increase_by={"cpu": 2}), room(8, 1), 7),
        (EvenShare(increase_by_times=2), room(8, 1), 3),
        (EvenShare(reserve={"cpu": 3}), room(8, 1), 5),
        (EvenShare(), room(2, 2, 2, 2), 1),
        (TopJob(), room(8, 1, 2, scores=(0.1, 0.2)), 6),
        (TopJob(), room(8, 4, 2, scores=(0.2, 0.1)), 4),
        (TopJob(), room(8, 1, 2), 6),
    ],
)
def test_what_a_trial_gets(policy, there, gets):
    assert policy(0, there) == {"cpu": gets}


@given(st.integers(1, 64), st.lists(st.integers(1, 8), min_size=1, max_size=8), st.integers(1, 3))
def test_shares_never_add_up_to_more_than_there_is(cpus, held, nodes):
    there = room(cpus * nodes, *held, nodes=nodes)
    shares = [EvenShare()(trial, there)["cpu"] for trial in range(len(held))]
    assert sum(shares) <= max(cpus * nodes, len(held))
    assert max(shares) <= max(cpus, 1)


def test_a_gpu_grows_with_the_cpus_it_came_with():
    there = Room((Node("n", {"cpu": 8, "gpu": 2}),), {"cpu": 2, "gpu": 0.5}, {0: {}, 1: {}}, {})
    assert EvenShare()(0, there) == {"cpu": 4, "gpu": 1}


def test_no_trial_grows_while_trials_are_still_to_be_started():
    scheduler = ResourceChanging()
    scheduler.setup(Streams(0))
    scheduler.on_capacity((Node("n", {"cpu": 4}),))
    trial: Any = SimpleNamespace(id=0, resources={"cpu": 1.0})
    scheduler.on_start(trial)
    scheduler.next(can_ask=True)
    assert isinstance(scheduler.on_report(trial, Report(1, (0.5,), {"step": 1})), Continue)
    scheduler.next(can_ask=False)
    verdict = scheduler.on_report(trial, Report(2, (0.5,), {"step": 2}))
    assert isinstance(verdict, Resize)
    assert verdict.resources == {"cpu": 4}
    assert scheduler.why()["held"] == {"0": {"cpu": 4}}


@dataclass(frozen=True)
class Long(Curve):
    """Trials of different lengths."""

    def step(self, config: dict[str, Any], state: int) -> Any:
        return None if state >= 5 + 40 * config["x"] else super().step(config, state)


@pytest.mark.parametrize("policy", [EvenShare(), TopJob()])
def test_trials_that_are_left_grow_into_what_is_free(policy):
    simulation = simulate(Long(steps=60), ResourceChanging(policy=policy), Simulated(workers=6), samples=6)
    sizes = defaultdict[int, list[int]](list)
    for launch in simulation.commands(Launch):
        sizes[launch.trial].append(launch.placement.units["cpu"] // 10_000)
    assert {trial.outcome.kind for trial in simulation.experiment.trials.values() if trial.outcome} == {"completed"}
    assert {size[0] for size in sizes.values()} == {1}
    last = max(simulation.experiment.trials.values(), key=lambda trial: trial.ended or 0)
    assert sizes[last.id][-1] >= 4
    assert simulation.experiment.reports == sum(trial.step for trial in simulation.experiment.trials.values())


def test_an_interval_must_be_above_0():
    with pytest.raises(ValueError, match="interval must be more than 0, not 0"):
        ResourceChanging(interval=0)


def short_or_long(config: dict[str, Any]) -> None:
    begin = (get_checkpoint() or {"step": 0})["step"]
    for step in range(begin + 1, config["steps"] + 1):
        report(loss=1 / step, cpus=context().resources["cpu"], checkpoint={"step": step})


def test_outside_the_simulation_a_trial_resumes_from_its_checkpoint_and_knows_what_it_has():
    points = [{"steps": 1}, {"steps": 60}]
    result = Engine(
        short_or_long, {"steps": randint(1, 61)}, metric="loss", num_samples=2, points_to_evaluate=points,
        searcher="random", scheduler=ResourceChanging(), executor=Local(cpus=2), storage=None, verbose=0,
    ).run()  # fmt: skip
    assert [trial.outcome for trial in result] == ["completed", "completed"]
    assert [row["step"] for row in result[1].history] == list(range(1, 61))
    cpus = [row["cpus"] for row in result[1].history]
    assert cpus == sorted(cpus)
    assert (cpus[0], cpus[-1]) == (1, 2)
