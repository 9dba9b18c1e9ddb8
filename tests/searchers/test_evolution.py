import numpy as np
import pytest

from tests.contracts.searcher import SearcherContract
from trialwright import space
from trialwright.ask_tell import AskTell
from trialwright.searchers import NSGA2, Problem
from trialwright.searchers.pareto import directions, hypervolume, sharing
from trialwright.space import Space

CUBE = {f"x{index}": space.uniform(0, 1) for index in range(6)}


class TestContract(SearcherContract):
    def make(self):
        return NSGA2(population=4)


def told(trials, objective, *, metrics=2, searcher="nsga2", **keywords):
    study = AskTell(CUBE, searcher=searcher, metric=[f"f{index}" for index in range(metrics)], seed=0, **keywords)
    for _ in range(trials):
        values = objective(np.array([*(trial := study.ask()).config.values()]))
        study.tell(
            trial, dict(zip((f"f{index}" for index in range(metrics)), values, strict=False)) | {"g": values[-1]}
        )
    return study


def zdt1(x):
    g = 1 + 9 * x[1:].mean()
    return float(x[0]), float(g * (1 - np.sqrt(x[0] / g)))


def volume(study):
    return hypervolume(np.array([[*t.metrics.values()][:2] for t in study.pareto_front()]), np.array([1.1, 6.0]))


def test_the_front_of_zdt1_is_approached():
    assert volume(told(600, zdt1)) > 5.5 > volume(told(600, zdt1, searcher="random"))


def test_one_objective_will_do():
    study = told(400, lambda x: (float(((x - 0.3) ** 2).sum()),), metrics=1)
    assert study.best.metrics["f0"] < 1e-2


def test_what_violates_a_constraint_is_worse_than_all_that_meets_it():
    study = told(400, lambda x: (float(-x.sum()), float(x[0])), metrics=1, outcome_constraints=["g <= 0.2"])
    assert study.best.metrics["f0"] < -4.5
    assert np.median([trial.config["x0"] for trial in study.trials[200:]]) < 0.25


def test_five_objectives_are_kept_apart_by_directions():
    study = told(300, lambda x: tuple(map(float, x[:5] + (1 - x[5]))), metrics=5)
    assert len(study.pareto_front()) > 20


def test_directions_are_all_of_the_simplex():
    assert directions(3, 2).shape == (6, 3)
    assert np.linalg.norm(directions(5), axis=1) == pytest.approx(1)


def test_of_points_in_one_direction_the_nearest_comes_first():
    assert sharing(np.array([[0.0, 1, 0, 0], [0.1, 0.9, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]])).tolist() == [
        0,
        1,
        0,
        0,
        0,
    ]


def test_a_population_of_one_is_refused():
    with pytest.raises(ValueError, match="must be at least 2"):
        NSGA2(population=1).setup(Problem(Space(CUBE)))
