"""PBT, with the toy of Jaderberg et al. (2017, figure 2).

The true objective is 1.2 - t0^2 - t1^2, to be maximised from theta = (0.9, 0.9); training climbs the surrogate
1.2 - h0 t0^2 - h1 t1^2. A trial that may not change h has to go down both axes with one h.
"""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.scheduler import SchedulerContract
from tests.core.driving import Simulation, simulate
from trialwright.executors.simulated import Simulated
from trialwright.messages import (
    Clone,
    Continue,
    Launch,
    New,
    Outcome,
    Pause,
    Report,
    Request,
    Resume,
    Start,
    Suggestion,
    Wait,
    at_step,
)
from trialwright.schedulers import FIFO, PBT
from trialwright.searchers import Perturb, Random
from trialwright.space import Space, loguniform, ordinal, randint, uniform
from trialwright.streams import Streams


class TestContract(SchedulerContract):
    def make(self):
        return PBT(interval=4, quantile=0.4)


class TestContractWithBurnIn(SchedulerContract):
    def make(self):
        return PBT(interval=3, quantile=0.5, burn_in=10, time_attr="time_s")


class TestContractInStep(SchedulerContract):
    def make(self):
        return PBT(interval=4, quantile=0.4, synchronous=True)


# Decisions ------------------------------------------------------------------------------------------------------------


def a_pbt(**arguments: Any) -> Any:
    scheduler = PBT(**{"interval": 10, "quantile": 0.25, **arguments})
    scheduler.setup(Streams(0))
    return scheduler


def trial(number: int) -> Any:
    return SimpleNamespace(id=number)


def report(scheduler: PBT, number: int, step: int, value: float) -> Any:
    return scheduler.on_report(trial(number), Report(step, (value,), {"step": step}))


def test_the_first_decision_comes_after_one_interval_and_then_one_after_each():
    scheduler = a_pbt()
    assert scheduler.on_start(trial(0)) == Start(at_step(10))
    assert report(scheduler, 0, 10, 0.5) == Continue(at_step(20))


def test_a_member_of_the_worst_quarter_clones_one_of_the_best_quarter():
    scheduler = a_pbt()
    for number in range(8):
        report(scheduler, number, 10, number / 10)
    assert report(scheduler, 5, 20, 0.5) == Continue(at_step(30)), "third from the end of eight"
    donors = {report(scheduler, 7, step, 0.9).donor for step in range(20, 60)}
    assert donors == {0, 1}


def test_a_clone_is_next_judged_an_interval_after_its_donors_last_decision():
    scheduler = a_pbt(quantile=0.5)
    report(scheduler, 0, 40, 0.1)
    assert report(scheduler, 1, 10, 0.9) == Clone(0, at_step(50)), "it will stand where the donor stands"


def test_scores_are_the_latest_of_each_member():
    scheduler = a_pbt(quantile=0.5)
    report(scheduler, 0, 10, 0.1)
    report(scheduler, 1, 10, 0.9)
    report(scheduler, 1, 20, 0.05)
    assert report(scheduler, 0, 20, 0.2) == Clone(1, at_step(30))


def test_no_member_is_replaced_before_burn_in():
    scheduler = a_pbt(quantile=0.5, burn_in=25)
    for step in (10, 20):
        report(scheduler, 0, step, 0.1)
        assert report(scheduler, 1, step, 0.9) == Continue(at_step(step + 10))
    assert isinstance(report(scheduler, 1, 30, 0.9), Clone)


def test_a_population_of_one_has_no_donor():
    scheduler = a_pbt(quantile=0.5)
    assert report(scheduler, 0, 10, 0.9) == Continue(at_step(20))


def test_a_nan_is_the_worst():
    scheduler = a_pbt(quantile=0.5)
    report(scheduler, 0, 10, 1e300)
    assert report(scheduler, 1, 10, math.nan) == Clone(0, at_step(20))


def test_in_step_all_are_compared_once_all_have_come():
    scheduler = a_pbt(quantile=0.5, synchronous=True)
    for number in range(4):
        scheduler.on_start(trial(number))
    for number in (2, 0, 3):
        assert report(scheduler, number, 10, number / 10) == Pause()
        assert scheduler.next(can_ask=False) == Wait()
    assert report(scheduler, 1, 12, 0.1) == Pause()
    assert scheduler.next(can_ask=True) == New(), "the population is not complete"
    clones = [scheduler.next(can_ask=False) for _ in range(2)]
    assert {resume.trial for resume in clones} == {2, 3}, "clones begin while their donors still wait"
    assert {resume.donor for resume in clones} <= {0, 1}
    assert scheduler.why()["rank"] in (3, 4)
    assert scheduler.next(can_ask=False) == Resume(0, at_step(20))
    assert scheduler.next(can_ask=False) == Resume(1, at_step(22))
    assert scheduler.next(can_ask=False) == Wait()


def test_in_step_trials_that_failed_are_neither_waited_for_nor_cloned():
    scheduler = a_pbt(quantile=0.5, synchronous=True)
    for number in range(3):
        scheduler.on_start(trial(number))
    report(scheduler, 0, 10, 0.0)
    report(scheduler, 1, 10, 0.5)
    scheduler.on_end(trial(2), Outcome("lost"))
    first = scheduler.next(can_ask=False)
    assert (first.trial, first.donor) == (1, 0)
    assert scheduler.next(can_ask=False) == Resume(0, at_step(20))
    report(scheduler, 0, 20, 0.0)
    report(scheduler, 1, 20, 0.5)
    restored = a_pbt(quantile=0.5, synchronous=True)
    restored.restore(scheduler.state())
    scheduler.on_end(trial(0), Outcome("stopped"))
    assert scheduler.next(can_ask=False) == Resume(1, at_step(30))
    choices = [restored.next(can_ask=False) for _ in range(2)]
    assert [(choice.trial, choice.donor) for choice in choices] == [(1, 0), (0, None)]


@pytest.mark.parametrize("kind", ["completed", "stopped", "failed", "lost", "cancelled"])
def test_a_trial_that_has_ended_is_no_donor(kind):
    scheduler = a_pbt(quantile=0.5)
    for number in range(3):
        report(scheduler, number, 10, number / 10)
    scheduler.on_end(trial(0), Outcome(kind))
    assert report(scheduler, 2, 20, 0.2) == Clone(1, at_step(20))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"interval": 0}, "interval must be more than 0, not 0"),
        ({"interval": math.nan}, "interval must be more than 0, not nan"),
        ({"quantile": 0}, "quantile must be in .*, not 0"),
        ({"quantile": 0.6}, "quantile must be in .*, not 0.6"),
    ],
)
def test_bad_arguments_are_refused_with_their_values(arguments, text):
    with pytest.raises(ValueError, match=text):
        PBT(**arguments)


@pytest.mark.parametrize("synchronous", [False, True])
@given(st.floats(0.01, 100), st.integers(0, 50))
@settings(max_examples=20)
def test_bounds_are_kept_however_wild_the_variation(synchronous, factor, seed):
    space = Space({"a": uniform(-1, 1), "b": loguniform(1e-3, 1e3), "c": randint(2, 9), "d": ordinal([1, 2, 3])})
    searcher = Perturb(Random(), factors=(factor, 1 / factor), resample_probability=0.1)
    scheduler = PBT(interval=2, quantile=0.5, synchronous=synchronous)
    simulation = simulate(
        Wild(), scheduler, Simulated(workers=3), searcher=searcher, space=space, samples=6, seed=seed, check=False
    )
    configs = [launch.config for launch in simulation.commands(Launch)]
    assert len(configs) > 6
    assert all(space.validate(config) == [] for config in configs)


@dataclass(frozen=True)
class Wild:
    def start(self, config: dict[str, Any], seed: int) -> int:
        return 0

    def step(self, config: dict[str, Any], state: int) -> Any:
        return None if state == 12 else (state + 1, {"loss": config["a"] + config["b"] + config["c"]}, 1.0)


# The toy --------------------------------------------------------------------------------------------------------------

STEPS, RATE = 200, 0.01
SURROGATE = Space({"h0": uniform(0, 1), "h1": uniform(0, 1)})
BEST = 1.2


def after(theta: tuple[float, float], h0: float, h1: float, steps: int = 1) -> tuple[float, float]:
    """Theta after so many steps up the gradient of the surrogate."""
    return theta[0] * (1 - 2 * RATE * h0) ** steps, theta[1] * (1 - 2 * RATE * h1) ** steps


def value(theta: tuple[float, float]) -> float:
    return BEST - theta[0] ** 2 - theta[1] ** 2


@dataclass(frozen=True)
class Toy:
    def start(self, config: dict[str, Any], seed: int) -> tuple[float, float]:
        return 0.9, 0.9

    def step(self, config: dict[str, Any], theta: tuple[float, float]) -> Any:
        theta = after(theta, config["h0"], config["h1"])
        return theta, {"q": value(theta), "t0": theta[0], "t1": theta[1]}, 1.0


class Corners(Random):
    """The paper's two members: each sees one axis of the objective only."""

    def suggest(self, history, requests, rng):
        return [Suggestion({"h0": float(r.sample % 2), "h1": float((r.sample + 1) % 2)}) for r in requests]


def climb(scheduler: Any, searcher: Any, population: int, seed: int) -> Simulation:
    """Train the population for so many steps each."""
    return simulate(
        Toy(), scheduler, Simulated(workers=population), searcher=searcher, space=SURROGATE, stop={"step": STEPS},
        seed=seed, metrics=("q",), modes=("max",), samples=population,
    )  # fmt: skip


def best_of(simulation: Simulation) -> float:
    return max(float(trial.metrics["q"]) for trial in simulation.experiment.trials.values())


@pytest.mark.parametrize("seed", range(5))
def test_on_the_toy_two_members_that_see_one_axis_each_climb_both(seed):
    pbt = climb(PBT(interval=4, quantile=0.5), Perturb(Corners()), 2, seed)
    constant = climb(FIFO(), Corners(), 2, seed)
    assert best_of(constant) == pytest.approx(BEST - 0.81, abs=0.01), "one axis is never climbed"
    assert best_of(pbt) > best_of(constant) + 0.3


def test_on_the_toy_pbt_beats_random_search_with_the_same_budget():
    seeds = range(8)
    pbt = [best_of(climb(PBT(interval=4, quantile=0.5), Perturb(Random()), 4, seed)) for seed in seeds]
    random = [best_of(climb(FIFO(), Random(), 4, seed)) for seed in seeds]
    assert sum(map(float.__gt__, pbt, random)) >= 7
    assert sum(pbt) > sum(random)


@pytest.fixture(scope="module", params=[False, True], ids=["asynchronous", "synchronous"])
def population(request: pytest.FixtureRequest) -> Simulation:
    return climb(PBT(interval=4, quantile=0.5, synchronous=request.param), Perturb(Random()), 4, seed=1)


def test_in_step_a_population_may_be_larger_than_there_are_slots_for_it():
    simulation = simulate(
        Toy(), PBT(interval=20, quantile=0.5, synchronous=True), Simulated(workers=3), searcher=Perturb(Random()),
        space=SURROGATE, stop={"step": STEPS}, metrics=("q",), modes=("max",), samples=8,
    )  # fmt: skip
    trials = simulation.experiment.trials.values()
    assert {trial.step for trial in trials} == {STEPS}
    assert sum(len(trial.descents) for trial in trials) == 9 * 4, "half of them, at 20, 40, ... 180"


def test_every_clone_starts_at_the_donors_step_with_the_donors_state(population):
    theta: dict[int, tuple[float, float]] = {}
    saved: dict[str, tuple[float, float]] = {}
    launches: dict[int, Launch] = {}
    first = set()
    clones = 0
    for moment in population.moments:
        event: Any = moment.event
        if hasattr(event, "columns"):
            launch = launches[event.trial]
            if event.trial in first:
                first.remove(event.trial)
                before = saved[launch.checkpoint.path] if launch.checkpoint else (0.9, 0.9)
                assert event.first_step == (launch.checkpoint.step if launch.checkpoint else 0) + 1
                theta[event.trial] = before
                clones += launch.checkpoint is not None and not launch.checkpoint.path.startswith(f"{event.trial}/")
            expected = after(theta[event.trial], launch.config["h0"], launch.config["h1"])  # type: ignore[arg-type]
            theta[event.trial] = (event.columns["t0"][0], event.columns["t1"][0])
            assert theta[event.trial] == pytest.approx(expected, rel=1e-12)
            if event.checkpoint:
                saved[event.checkpoint] = theta[event.trial]
        for command in moment.commands:
            if isinstance(command, Launch):
                launches[command.trial] = command
                first.add(command.trial)
    assert clones > 20


def test_every_clones_config_is_a_variation_inside_the_bounds(population):
    configs = [launch.config for launch in population.commands(Launch) if launch.attempt > 1]
    assert all(SURROGATE.validate(config) == [] for config in configs)
    clones = [trial for trial in population.experiment.trials.values() if trial.descents]
    assert clones
    assert all(trial.config != descent.before for trial in clones for descent in trial.descents[-1:])


def test_the_searcher_gets_the_donor_to_vary(population):
    decisions = [decision for moment in population.moments for decision in moment.decisions]
    clones: list[Any] = [
        each for each in decisions if isinstance(each, Clone) or getattr(each, "donor", None) is not None
    ]
    explored: list[Request] = [
        request for moment in population.moments for command in moment.commands
        for request in getattr(command, "requests", ()) if request.kind == "explore"
    ]  # fmt: skip
    donors = [request.tags["donor"] for request in explored]
    assert len(donors) > 20
    assert donors == [clone.donor for clone in clones][: len(donors)]
    assert len(clones) - len(donors) <= 2, "who was to go on as a clone just where the stop rule ended it"
    assert all(set(request.donor or {}) == {"h0", "h1"} for request in explored)
