"""The Pareto front of ended trials, kept trial by trial, is the one of the result."""

import random

import pytest

from trialwright import Engine, report, space
from trialwright.core.front import Front
from trialwright.core.plan import Plan
from trialwright.core.trial import Trial
from trialwright.messages import Boundary
from trialwright.scopes import undominated

PLAN = Plan(metrics=("a", "b"), modes=("min", "max"))


def ended(number, **metrics):
    return Trial(number, {}, (), 0, latest=metrics)


def front_of(trials, plan=PLAN):
    front = Front(plan)
    for trial in trials:
        front.add(trial)
    return front


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("several", [2, 3])
def test_it_counts_the_undominated_equals_too(seed, several):
    rng = random.Random(seed)
    names = "abc"[:several]
    rows = [{name: rng.randint(0, 6) for name in names} for _ in range(60)]
    front = front_of((ended(i, **row) for i, row in enumerate(rows)), Plan(metrics=(*names,), modes=("min",) * several))
    costs = {i: tuple(row[name] for name in names) for i, row in enumerate(rows)}
    assert front.size == len([*undominated(costs)])


def test_trials_without_a_finite_value_or_against_a_constraint_do_not_count():
    plan = Plan(metrics=("a", "b"), modes=("min", "max"), outcome_constraints=(Boundary("size", "<=", 10.0),))
    bad = [ended(0, a=0.0, b=1.0), ended(1, a=0.0, b=9.0, size=11.0), ended(2, a=float("nan"), b=1.0, size=1.0)]
    assert front_of([*bad, ended(3, a=1.0, b=0.0, size=1.0)], plan).size == 1


def test_what_a_trial_dominated_is_there_again_when_it_is_tried_again():
    best, other = ended(0, a=0.0, b=9.0), ended(1, a=1.0, b=1.0)
    front = front_of([best, other])
    assert front.size == 1
    front.remove(best)
    assert front.size == 1
    front.add(ended(0, a=2.0, b=2.0))
    assert front.size == 2


def test_with_one_objective_there_is_none():
    assert front_of([ended(0, a=1.0)], Plan(metrics=("a",), modes=("min",))).size is None


class Last:
    """A display that keeps the last snapshot."""

    def update(self, snapshot):
        pass

    def close(self, snapshot):
        self.snapshot = snapshot


def test_at_the_end_of_a_run_it_is_the_front_of_the_result():
    def objective(config):
        for step in range(1, 4):
            report(a=config["x"] * step, b=config["y"] - config["x"])

    shown = Last()
    told = {"metric": ["a", "b"], "mode": ["min", "max"], "outcome_constraints": ["a <= 2"], "scheduler": "fifo"}
    keywords = {"searcher": "random", "storage": None, "seed": 3, "verbose": 0, "progress": shown, "executor": "local"}
    what = {"x": space.uniform(0, 1), "y": space.uniform(0, 1)}
    result = Engine(objective, what, num_samples=60, **told, **keywords).run()
    assert shown.snapshot.front == len(result.pareto_front()) > 1
