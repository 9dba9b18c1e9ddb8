"""The Gaussian-process searcher."""

import math

import numpy as np
import pytest

from tests.contracts.searcher import SearcherContract, news
from trialwright.history import History, HistoryLog
from trialwright.messages import Outcome, Request
from trialwright.searchers import Problem, Sobol
from trialwright.searchers.gp import GP
from trialwright.searchers.gp.surrogate import TAG, Limits, Surrogate
from trialwright.searchers.pareto import hypervolume
from trialwright.space import Space, choice, loguniform, randint, uniform
from trialwright.streams import Streams

SQUARE = Space({"x": uniform(0, 1), "y": uniform(0, 1)})


class TestGP(SearcherContract):
    def make(self):
        return GP()


class Run:
    """A searcher and what it has been told."""

    def __init__(self, space, searcher=None, seed=0, **problem):
        self.space, self.searcher, self.rng = space, searcher or GP(), Streams(seed)
        self.log, self.configs = HistoryLog(), []
        self.searcher.setup(Problem(space, **problem))

    def ask(self, count=1):
        first = len(self.configs)
        suggestions = self.searcher.suggest(self.log.until(len(self.log)), news(first, count), self.rng)
        for number, suggestion in enumerate(suggestions, first):
            self.log.born(number, suggestion.config, suggestion.tags)
            self.configs.append(suggestion.config)
        return list(range(first, first + count))

    def tell(self, trial, *values, kind="completed"):
        if values:
            self.log.seen(trial, 1, [values])
        self.log.ended(trial, Outcome(kind))

    def drive(self, function, count, batch=1):
        told = []
        for _ in range(0, count, batch):
            for trial in self.ask(batch):
                values = function(self.configs[trial])
                values = values if isinstance(values, tuple) else (values,)
                told.append(values)
                self.tell(trial, *values)
        return np.array(told)


def bowl(config):
    return (config["x"] - 0.3) ** 2 + 4 * (config["y"] - 0.7) ** 2


def test_it_finds_the_bottom_of_a_bowl_in_twenty_trials():
    assert Run(SQUARE).drive(bowl, 20).min() < 1e-3


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_huge_and_tiny_values_are_values_like_others(scale):
    assert Run(SQUARE).drive(lambda config: bowl(config) * scale, 20).min() < 1e-2 * scale


def test_in_twenty_dimensions_it_is_ahead_of_four_times_as_many_sobol_points():
    space = Space({f"x{j}": uniform(0, 1) for j in range(20)})

    def sphere(config):
        return sum((value - 0.4) ** 2 for value in config.values())

    assert Run(space).drive(sphere, 50).min() < Run(space, Sobol()).drive(sphere, 200).min()


def test_in_a_hundred_dimensions_it_still_learns():
    space = Space({f"x{j:02d}": uniform(0, 1) for j in range(100)})

    def sphere(config):
        return sum((value - 0.4) ** 2 for value in config.values())

    assert Run(space).drive(sphere, 40).min() < Run(space, Sobol()).drive(sphere, 200).min()


def test_it_finds_the_best_of_categories_and_integers():
    space = Space({"k": choice(["a", "b", "c", "d"]), "n": randint(0, 50), "lr": loguniform(1e-5, 1)})

    def mixed(config):
        return (config["k"] != "c") + (config["n"] - 17) ** 2 / 100 + (math.log10(config["lr"]) + 3) ** 2

    run = Run(space)
    values = run.drive(mixed, 35)
    best = run.configs[int(values.argmin())]
    assert best["k"] == "c"
    assert abs(best["n"] - 17) <= 1


def test_in_a_finite_space_every_config_comes_once_before_any_comes_twice():
    space = Space({"a": choice(["u", "v", "w"]), "b": randint(0, 5)})
    run = Run(space)
    run.drive(lambda config: config["b"], 15)
    assert len({tuple(config.values()) for config in run.configs}) == 15
    run.drive(lambda config: config["b"], 2)
    assert len(run.configs) == 17


def test_pending_trials_are_not_suggested_again_and_repel_others():
    run = Run(SQUARE)
    run.drive(bowl, 8)
    run.ask(8)
    batch = np.array([list(config.values()) for config in run.configs[8:]])
    gaps = np.linalg.norm(batch[:, None] - batch, axis=2) + np.eye(8)
    assert gaps.min() > 1e-4
    assert np.median(gaps) > 1e-1


def test_a_batch_and_the_same_trials_asked_one_by_one_differ_by_nothing_but_rounding():
    together, alone = Run(SQUARE), Run(SQUARE)
    for run in (together, alone):
        run.drive(bowl, 10)
    together.ask(3)
    for _ in range(3):
        alone.ask(1)
    a, b = (np.array([list(config.values()) for config in run.configs[10:]]) for run in (together, alone))
    assert np.allclose(a, b, atol=1e-3)


def test_where_everything_is_pending_it_continues():
    run = Run(SQUARE)
    run.ask(20)
    run.ask(1)
    assert len({tuple(config.values()) for config in run.configs}) == 21


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_and_failures_never_poison_the_model(value):
    run = Run(SQUARE)
    run.drive(bowl, 8)
    run.tell(run.ask()[0], value)
    run.tell(run.ask()[0], kind="failed")
    assert run.drive(bowl, 12).min() < 0.01


def test_where_trials_fail_fewer_are_tried():
    run = Run(SQUARE)
    for _ in range(30):
        (trial,) = run.ask()
        if run.configs[trial]["x"] < 0.5:
            run.tell(trial, kind="failed")
        else:
            run.tell(trial, bowl(run.configs[trial]))
    failures = [config["x"] < 0.5 for config in run.configs]
    assert sum(failures[15:]) <= 5


def test_if_all_fail_it_continues_to_explore():
    run = Run(SQUARE)
    for _ in range(12):
        run.tell(run.ask()[0], kind="failed")
    assert len({tuple(config.values()) for config in run.configs}) == 12


def test_constant_values_and_ties_are_answered():
    run = Run(SQUARE)
    run.drive(lambda config: 1.0, 12)
    assert len({tuple(config.values()) for config in run.configs}) == 12


def test_input_constraints_hold_and_the_bottom_on_their_edge_is_found():
    space = Space({"x": uniform(0, 1), "y": uniform(0, 1)}, constraints=["x + y <= 0.8"])
    run = Run(space)
    values = run.drive(bowl, 25)
    assert all(config["x"] + config["y"] <= 0.8 for config in run.configs)
    assert values.min() < 0.05  # the bottom there is 0.032


def test_outcome_constraints_are_met_by_the_best():
    run = Run(SQUARE, constraints=1)
    told = run.drive(lambda config: (bowl(config), 0.5 - config["x"]), 25)
    allowed = told[told[:, 1] <= 0, 0]
    assert allowed.min() == pytest.approx(0.04, abs=0.01)


def test_where_nothing_allowed_is_known_it_looks_for_what_is():
    run = Run(SQUARE, constraints=1)
    told = run.drive(lambda config: (config["x"], (config["x"] - 0.9) ** 2 + (config["y"] - 0.1) ** 2 - 0.003), 25)
    assert np.any(told[:, 1] <= 0)


@pytest.mark.parametrize("objectives", [2, *(pytest.param(each, marks=pytest.mark.slow) for each in (3, 4))])
def test_a_front_of_several_objectives_is_covered_better_than_by_sobol_points(objectives):
    space = Space({"x": uniform(0, 1), "y": uniform(0, 1), "z": uniform(0, 1), "w": uniform(0, 1)})
    corners = np.random.default_rng(0).random((objectives, 4))

    def distances(config):
        return tuple(float(np.sum((np.array(list(config.values())) - corner) ** 2)) for corner in corners)

    told = Run(space, objectives=objectives).drive(distances, 30)
    sobol = Run(space, Sobol(), objectives=objectives).drive(distances, 30)
    reference = np.full(objectives, 1.0)
    assert hypervolume(told, reference) > hypervolume(sobol, reference)


def test_what_the_user_believes_comes_first_and_fades():
    space = Space({"x": uniform(0, 1).prior(0.8, 0.1), "y": uniform(0, 1)})
    run = Run(space)
    run.drive(bowl, 40)
    x = np.array([config["x"] for config in run.configs])
    assert np.median(x[5:10]) > 0.6
    assert abs(np.median(x[-5:]) - 0.3) < 0.1


def test_fits_ride_in_tags_and_become_rarer():
    run = Run(SQUARE)
    run.drive(bowl, 60)
    fits = [record.id for record in run.log.until(len(run.log)).trials if TAG in record.tags]
    assert fits[:10] == list(range(5, 15))
    assert np.diff(fits)[-1] == 2


def test_a_noisy_objective_is_not_won_by_luck():
    generator = np.random.default_rng(0)
    run = Run(SQUARE)
    run.drive(lambda config: bowl(config) + 0.3 * generator.normal(), 60)
    late = np.array([list(config.values()) for config in run.configs[-15:]])
    assert np.median([bowl({"x": x, "y": y}) for x, y in late]) < 0.2


def test_in_the_middle_of_a_thousand_observations_more_than_are_modelled_it_answers(monkeypatch):
    monkeypatch.setattr("trialwright.searchers.gp.surrogate.LIMITS", Limits(60, 40))
    run = Run(SQUARE)
    for trial, config in enumerate(SQUARE.sample(1000, np.random.default_rng(0))):
        run.log.born(trial, config, {})
        run.log.seen(trial, 1, [(bowl(config),)])
        run.log.ended(trial, Outcome("completed"))
        run.configs.append(config)
    assert run.drive(bowl, 5).min() < 1e-3


def test_blas_is_kept_to_one_thread_while_it_fits(monkeypatch):
    from threadpoolctl import threadpool_info

    seen = []

    def spy(*arguments):
        seen.extend(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return original(*arguments)

    original = Surrogate.fitted
    monkeypatch.setattr(Surrogate, "fitted", spy)
    Run(SQUARE).drive(bowl, 6)
    assert set(seen) == {1}


def test_an_empty_space_has_one_config():
    run = Run(Space({"constant": 1}))
    run.drive(lambda config: 1.0, 8)
    assert run.configs == [{"constant": 1}] * 8


def test_grid_points_are_those_of_the_samples():
    from trialwright.space import grid_search

    run = Run(Space({"g": grid_search([0, 1, 2]), "x": uniform(0, 1)}))
    run.drive(lambda config: config["x"] + config["g"], 18)
    assert [config["g"] for config in run.configs] == [0, 1, 2] * 6


def test_requests_without_history_are_even_points():
    searcher = GP()
    searcher.setup(Problem(SQUARE))
    answers = searcher.suggest(History(), [Request(trial=4, sample=4)], Streams(0))
    sobol = Sobol()
    sobol.setup(Problem(SQUARE))
    assert answers == sobol.suggest(History(), [Request(trial=4, sample=4)], Streams(0))
